/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a schema is compiled to. A document holds resources (what has an $id, and the root), a
 * resource holds schemas, and a schema is a list of keywords in the order in which they are
 * checked. Every keyword is one row of the table in schema-keyword.c.
 */

#include "base/buffer.h"
#include "json/arena.h"
#include "json/regex.h"
#include "json/schema.h"

typedef struct Anchor Anchor;
typedef struct Keyword Keyword;
typedef struct KeywordType KeywordType;
typedef struct Resource Resource;
typedef struct Schema Schema;

/* Vocabularies that a metaschema may leave out; bits. */
enum {
        VOCABULARY_CORE = 1 << 0,
        VOCABULARY_APPLICATOR = 1 << 1,
        VOCABULARY_UNEVALUATED = 1 << 2,
        VOCABULARY_VALIDATION = 1 << 3,
        VOCABULARY_OTHER = 1 << 4, /* annotations: nothing is checked */
        VOCABULARY_ALL = (1 << 5) - 1,
};

struct Anchor {
        const char *name;
        size_t name_len;
        bool dynamic;
        Schema *schema;
        Anchor *next;
};

struct Resource {
        const JsonValue *root;
        const char *uri;
        unsigned vocabularies;
        Anchor *anchors;
        bool used; /* some schema of it may be applied */
};

/* One URI of a resource: by its $id, or where it was loaded from. */
typedef struct ResourceName ResourceName;

struct ResourceName {
        const char *uri;
        Resource *resource;
        ResourceName *next;
};

struct Schema {
        const JsonValue *value; /* an object, or a boolean that is the answer */
        Resource *resource;
        Keyword *keywords;
        Schema *next_pending;
        bool pending; /* or compiled already */
        bool has_unevaluated;
};

typedef struct NamedSchema {
        const char *name;
        size_t name_len;
        Schema *schema;
        const Regex *regex; /* of patternProperties */
} NamedSchema;

struct Keyword {
        const KeywordType *type;
        const JsonValue *value; /* as it is written */
        Keyword *next;

        /* What the shape of the value asks for … */
        Schema *schema;
        NamedSchema *named;
        uint32_t n_named;
        uint64_t count;

        /* … and what a keyword has to know besides: of those beside it, too. */
        const Regex *regex;
        const Keyword *properties, *patterns; /* additionalProperties */
        Schema *then, *otherwise;             /* if */
        uint64_t min, max;                    /* contains */
        const Anchor *anchor;                 /* $dynamicRef that has to be looked up at run time */
};

/* What may stand as the value of a keyword, and how it is compiled. */
typedef enum Shape {
        SHAPE_ANY,
        SHAPE_ARRAY,
        SHAPE_BOOLEAN,
        SHAPE_COUNT, /* an integer that is not negative */
        SHAPE_DEFINITIONS, /* schemas by name, each compiled only if something refers to it */
        SHAPE_NAMES, /* strings, all different */
        SHAPE_NAMES_MAP,
        SHAPE_NUMBER,
        SHAPE_PATTERN,
        SHAPE_PATTERN_MAP, /* from patterns to schemas */
        SHAPE_SCHEMA,
        SHAPE_SCHEMAS,
        SHAPE_SCHEMA_MAP,
        SHAPE_STRING,
        SHAPE_TYPES,
} Shape;

#define APPLIES_TO(type) (1U << (type))
#define APPLIES_TO_NUMBERS (APPLIES_TO(JSON_INT) | APPLIES_TO(JSON_DOUBLE))
#define APPLIES_TO_ALL (~0U)

typedef struct Compiler Compiler;
typedef struct Frame Frame;

struct KeywordType {
        const char *name;
        unsigned vocabulary;
        Shape shape;
        unsigned applies_to; /* types of instances */
        int (*compile)(Compiler *c, Schema *s, Keyword *k);
        /* 1: INSTANCE satisfies it, 0: it does not, which was reported; or an error. NULL: says nothing by itself. */
        int (*check)(Frame *f, const Keyword *k, const JsonValue *instance);
};

/* In the order in which they are checked. */
extern const KeywordType keyword_types[];
extern const size_t n_keyword_types;

struct JsonSchema {
        Arena arena;
        Schema *root;
        ResourceName *names;
        struct SchemaOwnedRegex {
                Regex *regex;
                struct SchemaOwnedRegex *next;
        } *regexes;
        struct SchemaOwnedDoc {
                JsonDoc *doc;
                struct SchemaOwnedDoc *next;
        } *docs;
};

struct Compiler {
        JsonSchema *schema;
        JsonSchemaLoader *loader;
        JsonSchemaReporter *reporter;
        Schema **table; /* by the address of the value; a power of two, never full */
        size_t table_size;
        size_t n_schemas;
        size_t n_documents;
        Schema *pending;
};

/* Reports that KEYWORD of S is wrong; returns -EBADMSG. */
int compiler_fail(Compiler *c, const Schema *s, const char *keyword, const char *format, ...) _printf_(4, 5);
/* Enters VALUE and all schemas inside of it, which lie in RESOURCE or one that begins with an $id. -E2BIG. */
int compiler_index(Compiler *c, const JsonValue *value, Resource *resource, Schema **ret);
/* What the index has of VALUE; NULL: nothing. */
Schema *compiler_find(const Compiler *c, const JsonValue *value);
Resource *compiler_find_resource(const Compiler *c, const char *uri);
/* RESOURCE is found by URI, which it keeps, as well; the first that had it stays. */
int compiler_add_name(Compiler *c, Resource *resource, const char *uri);
/* S will be compiled. */
void compiler_pend(Compiler *c, Schema *s);
/* The schema that VALUE, which the index has, is; it will be compiled. */
Schema *compiler_use(Compiler *c, const JsonValue *value);
int compiler_regex(Compiler *c, const Schema *s, const char *keyword, const char *pattern, size_t n, const Regex **ret);
/* RET_ANCHOR: the anchor that REFERENCE names, or NULL. */
int compiler_resolve(Compiler *c, const Schema *s, const Keyword *k, Schema **ret, const Anchor **ret_anchor);
int schema_compile_keywords(Compiler *c, Schema *s);
const Keyword *schema_keyword(const Schema *s, const char *name);
const Anchor *resource_anchor(const Resource *resource, const char *name, size_t name_len);

/* The text of the metaschema, for references to it. */
#define METASCHEMA_URI "https://json-schema.org/draft/2020-12/schema"
extern const char metaschema_text[];

/* --- validation --- */

/* Where in the instance: the member or item of what PARENT is about. */
typedef struct Location Location;

struct Location {
        const Location *parent;
        const JsonMember *member; /* NULL: an item */
        uint32_t index;
};

/* The resources that have been entered: RFC draft, "dynamic scope". */
typedef struct Scope Scope;

struct Scope {
        const Scope *parent;
        const Resource *resource;
};

/* Which members or items were looked at by some schema that the instance satisfied. */
typedef struct Evaluated {
        uint64_t *bits;
        uint64_t inline_bits[2];
        uint32_t n;
} Evaluated;

typedef struct Validator {
        JsonSchemaReporter *reporter;
        unsigned quiet; /* errors inside are no errors of the whole: anyOf, not, … */
        unsigned n_errors;
        unsigned depth;
        size_t budget;
} Validator;

struct Frame {
        Validator *v;
        const Scope *scope;
        const Location *location;
        Evaluated *evaluated; /* NULL: nobody wants to know */
};

/* 1 or 0 as `check` above. Errors are told at the same place in the instance. */
int frame_apply(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *instance);
/* To an item or member of the instance. */
int frame_apply_item(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *array, uint32_t i);
int frame_apply_member(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *object, uint32_t i);
/* As the former, but nobody is told why not. */
int frame_try(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *instance);
int frame_try_item(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *array, uint32_t i);
void frame_evaluated(Frame *f, uint32_t i);
bool frame_is_evaluated(const Frame *f, uint32_t i);
/* Whether all errors are wanted, or the first settles it. */
bool frame_wants_all(const Frame *f);
/* Reports; returns 0. */
int frame_fail(Frame *f, const Keyword *k, const char *format, ...) _printf_(3, 4);

/* Appends "/" and KEY as RFC 6901 writes it. */
int pointer_append(Buffer *out, const char *key, size_t n);
