/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parser by recursive descent. Names live in one pool as long as the text, as each is followed
 * there by at least one byte that belongs to no name. Names of types are resolved at the end, when
 * the members stand still; that a type may contain itself costs nothing, as a value is checked no
 * deeper than it is itself.
 */
#include "varlink/interface.h"

#include <ctype.h>

#include "base/string-util.h"

struct VarlinkInterface {
        char *text;
        char *pool; /* the names, each ended by a NUL */
        const char *name;
        VarlinkMember *members;
        size_t n_members;
};

typedef struct Parser {
        VarlinkInterface *interface;
        const char *p;
        const char *end;
        const char *comment; /* the block of comments that ends right above P */
        const char *comment_end;
        char *pool;
        unsigned depth;
        TextError *error;
} Parser;

static int parse_type(Parser *parser, VarlinkType *type);

#define fail(parser, ...) text_error((parser)->error, (size_t)((parser)->p - (parser)->interface->text), __VA_ARGS__)

static int fail_too_many(Parser *parser, unsigned max, const char *what)
{
        (void)fail(parser, "more than %u %s", max, what);
        return -E2BIG;
}

static int fail_no_memory(Parser *parser)
{
        (void)fail(parser, "out of memory");
        return -ENOMEM;
}

/*
 * Skips blanks, line ends and comments, and remembers a block of comments that begins on a line of
 * its own and has no empty line after it.
 */
static void skip(Parser *parser)
{
        unsigned newlines = parser->p == parser->interface->text;

        parser->comment = parser->comment_end = NULL;
        for (;; parser->p++) {
                char c = *parser->p;

                if (c == '\n') {
                        if (++newlines > 1)
                                parser->comment = NULL;
                } else if (c == '#') {
                        if (!parser->comment && newlines > 0)
                                parser->comment = parser->p;
                        parser->p += strcspn(parser->p, "\n");
                        parser->comment_end = parser->p;
                        newlines = 0;
                        parser->p--;
                } else if (c != ' ' && c != '\t' && c != '\r') {
                        return;
                }
        }
}

static bool accept(Parser *parser, const char *token)
{
        const char *rest = startswith(parser->p, token);

        if (!rest)
                return false;
        parser->p = rest;
        skip(parser);
        return true;
}

static int expect(Parser *parser, const char *token)
{
        return accept(parser, token) ? 0 : fail(parser, "'%s' expected", token);
}

/* As accept(), for a word that must not go on. */
static bool accept_word(Parser *parser, const char *word)
{
        const char *rest = startswith(parser->p, word);

        if (!rest || isalnum((unsigned char)*rest) || *rest == '_')
                return false;
        parser->p = rest;
        skip(parser);
        return true;
}

/* Puts N bytes at P into the pool and goes on behind them. */
static const char *take_name(Parser *parser, size_t n)
{
        char *name = parser->pool;

        memcpy(name, parser->p, n);
        name[n] = '\0';
        parser->pool += n + 1;
        parser->p += n;
        skip(parser);
        return name;
}

/* [A-Za-z](_?[A-Za-z0-9])* */
static size_t field_name_length(const char *s)
{
        size_t n = 0;

        if (!isalpha((unsigned char)s[0]))
                return 0;
        while (isalnum((unsigned char)s[n]) || (s[n] == '_' && isalnum((unsigned char)s[n + 1])))
                n++;
        return n;
}

/* [A-Z][A-Za-z0-9]* */
static size_t member_name_length(const char *s)
{
        size_t n = 0;

        if (s[0] < 'A' || s[0] > 'Z')
                return 0;
        while (isalnum((unsigned char)s[n]))
                n++;
        return n;
}

/* [A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+ */
static size_t interface_name_length(const char *s)
{
        size_t n = 0, dots = 0;

        if (!isalpha((unsigned char)s[0]))
                return 0;
        for (;;) {
                size_t dashes = strspn(s + n, "-");

                if (isalnum((unsigned char)s[n + dashes])) {
                        n += dashes + 1;
                } else if (s[n] == '.' && isalnum((unsigned char)s[n + 1])) {
                        n += 2;
                        dots++;
                } else {
                        return dots > 0 ? n : 0;
                }
        }
}

static void type_deinit(VarlinkType *type)
{
        switch (type->kind) {
        case VARLINK_TYPE_STRUCT:
                for (uint32_t i = 0; i < type->n_fields; i++)
                        type_deinit(&type->fields[i].type);
                free(type->fields);
                break;
        case VARLINK_TYPE_ENUM:
                free(type->fields);
                break;
        case VARLINK_TYPE_ARRAY:
        case VARLINK_TYPE_MAP:
                if (type->element)
                        type_deinit(type->element);
                free(type->element);
                break;
        default:
                break;
        }
}

static bool has_field(const VarlinkType *type, const char *name, size_t n)
{
        for (uint32_t i = 0; i < type->n_fields; i++)
                if (type->fields[i].name_len == n && memcmp(type->fields[i].name, name, n) == 0)
                        return true;
        return false;
}

static int add_field(Parser *parser, VarlinkType *type, uint32_t *allocated, VarlinkField **ret)
{
        size_t n = field_name_length(parser->p);

        if (n == 0)
                return fail(parser, "name of a field expected");
        if (has_field(type, parser->p, n))
                return fail(parser, "field '%.*s' is there already", (int)MIN(n, (size_t)80), parser->p);
        if (type->n_fields == VARLINK_INTERFACE_MAX_FIELDS)
                return fail_too_many(parser, VARLINK_INTERFACE_MAX_FIELDS, "fields");
        if (type->n_fields == *allocated) {
                uint32_t size = MAX(*allocated * 2, 4U);
                VarlinkField *fields = reallocarray(type->fields, size, sizeof(*fields));

                if (!fields)
                        return fail_no_memory(parser);
                type->fields = fields;
                *allocated = size;
        }
        *ret = &type->fields[type->n_fields++];
        **ret = (VarlinkField){ .name = take_name(parser, n), .name_len = (uint32_t)n };
        return 0;
}

/* "(a: int, b: string)", "(one, two)" or "()", which is a struct. */
static int parse_struct_or_enum(Parser *parser, VarlinkType *type)
{
        uint32_t allocated = 0;
        VarlinkField *field = NULL;
        int r;

        r = expect(parser, "(");
        if (r < 0)
                return r;
        type->kind = VARLINK_TYPE_STRUCT;
        type->fields = NULL;
        if (accept(parser, ")"))
                return 0;
        do {
                r = add_field(parser, type, &allocated, &field);
                if (r < 0)
                        return r;
                if (type->n_fields == 1 && *parser->p != ':')
                        type->kind = VARLINK_TYPE_ENUM;
                if (type->kind == VARLINK_TYPE_ENUM)
                        continue;
                r = expect(parser, ":");
                if (r < 0)
                        return r;
                r = parse_type(parser, &field->type);
                if (r < 0)
                        return r;
                type->n_required += !field->type.nullable;
        } while (accept(parser, ","));
        return expect(parser, ")");
}

static int parse_element(Parser *parser, VarlinkType *type, VarlinkTypeKind kind)
{
        type->kind = kind;
        type->element = new0(VarlinkType, 1);
        if (!type->element)
                return fail_no_memory(parser);
        return parse_type(parser, type->element);
}

/* A type without its '?'. */
static int parse_bare_type(Parser *parser, VarlinkType *type)
{
        static const struct {
                const char *word;
                VarlinkTypeKind kind;
        } words[] = {
                { "bool", VARLINK_TYPE_BOOL },     { "int", VARLINK_TYPE_INT },       { "float", VARLINK_TYPE_FLOAT },
                { "string", VARLINK_TYPE_STRING }, { "object", VARLINK_TYPE_OBJECT }, { "any", VARLINK_TYPE_ANY },
        };
        size_t n;

        if (accept(parser, "[]"))
                return parse_element(parser, type, VARLINK_TYPE_ARRAY);
        if (accept(parser, "[string]"))
                return parse_element(parser, type, VARLINK_TYPE_MAP);
        if (*parser->p == '(')
                return parse_struct_or_enum(parser, type);
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (accept_word(parser, words[i].word)) {
                        type->kind = words[i].kind;
                        return 0;
                }
        n = member_name_length(parser->p);
        if (n == 0)
                return fail(parser, "type expected");
        type->kind = VARLINK_TYPE_NAMED;
        type->name = take_name(parser, n);
        return 0;
}

static int parse_type(Parser *parser, VarlinkType *type)
{
        int r;

        if (parser->depth == VARLINK_INTERFACE_MAX_DEPTH)
                return fail_too_many(parser, VARLINK_INTERFACE_MAX_DEPTH, "types in each other");
        parser->depth++;
        type->nullable = accept(parser, "?");
        r = parse_bare_type(parser, type);
        parser->depth--;
        return r;
}

/* What follows the name of a method or error. */
static int parse_parameters(Parser *parser, VarlinkType *type)
{
        int r;

        r = parse_struct_or_enum(parser, type);
        if (r < 0)
                return r;
        return type->kind == VARLINK_TYPE_STRUCT ? 0 : fail(parser, "parameters must have types");
}

static int parse_member(Parser *parser, VarlinkMember *member)
{
        static const char *const keywords[] = {
                [VARLINK_MEMBER_TYPE] = "type",
                [VARLINK_MEMBER_METHOD] = "method",
                [VARLINK_MEMBER_ERROR] = "error",
        };
        size_t kind = 0, n;
        int r;

        if (parser->comment) {
                member->comment = parser->comment;
                member->comment_len = (uint32_t)(parser->comment_end - parser->comment);
        }
        while (kind < ARRAY_SIZE(keywords) && !accept_word(parser, keywords[kind]))
                kind++;
        if (kind == ARRAY_SIZE(keywords))
                return fail(parser, "'type', 'method' or 'error' expected");

        n = member_name_length(parser->p);
        if (n == 0)
                return fail(parser, "name of a %s expected", keywords[kind]);
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
                if (varlink_interface_find(parser->interface, (VarlinkMemberKind)i, parser->p, n))
                        return fail(parser, "'%.*s' is there already", (int)MIN(n, (size_t)80), parser->p);
        member->name = take_name(parser, n);
        member->name_len = (uint32_t)n;
        member->kind = (VarlinkMemberKind)kind;

        if (kind == VARLINK_MEMBER_TYPE)
                return parse_struct_or_enum(parser, &member->type);
        r = parse_parameters(parser, &member->type);
        if (r < 0 || kind == VARLINK_MEMBER_ERROR)
                return r;
        r = expect(parser, "->");
        return r < 0 ? r : parse_parameters(parser, &member->output);
}

static int parse_members(Parser *parser)
{
        VarlinkInterface *interface = parser->interface;
        size_t allocated = 0;

        while (parser->p < parser->end) {
                VarlinkMember member = {};
                int r;

                if (interface->n_members == VARLINK_INTERFACE_MAX_MEMBERS)
                        return fail_too_many(parser, VARLINK_INTERFACE_MAX_MEMBERS, "members");
                if (interface->n_members == allocated) {
                        size_t size = MAX(allocated * 2, (size_t)16);
                        VarlinkMember *members = reallocarray(interface->members, size, sizeof(*members));

                        if (!members)
                                return fail_no_memory(parser);
                        interface->members = members;
                        allocated = size;
                }
                r = parse_member(parser, &member);
                if (r < 0) {
                        type_deinit(&member.type);
                        type_deinit(&member.output);
                        return r;
                }
                interface->members[interface->n_members++] = member;
        }
        return 0;
}

static int resolve(Parser *parser, VarlinkType *type)
{
        int r = 0;

        switch (type->kind) {
        case VARLINK_TYPE_NAMED:
                type->target = varlink_interface_find(
                        parser->interface, VARLINK_MEMBER_TYPE, type->name, strlen(type->name));
                if (!type->target)
                        r = fail(parser, "type '%.80s' is not defined", type->name);
                break;
        case VARLINK_TYPE_ARRAY:
        case VARLINK_TYPE_MAP:
                r = resolve(parser, type->element);
                break;
        case VARLINK_TYPE_STRUCT:
                for (uint32_t i = 0; i < type->n_fields && r >= 0; i++)
                        r = resolve(parser, &type->fields[i].type);
                break;
        default:
                break;
        }
        return r;
}

static int parse_interface(Parser *parser)
{
        VarlinkInterface *interface = parser->interface;
        size_t n;
        int r;

        skip(parser);
        if (!accept_word(parser, "interface"))
                return fail(parser, "'interface' expected");
        n = interface_name_length(parser->p);
        if (n == 0)
                return fail(parser, "name of the interface expected, such as 'org.example.thing'");
        interface->name = take_name(parser, n);
        r = parse_members(parser);
        for (size_t i = 0; i < interface->n_members && r >= 0; i++) {
                r = resolve(parser, &interface->members[i].type);
                if (r >= 0)
                        r = resolve(parser, &interface->members[i].output);
        }
        return r;
}

static int parse_text(Parser *parser, size_t n)
{
        const char *text = parser->interface->text;

        parser->p = text + utf8_check(text, n);
        if (parser->p < text + n)
                return fail(parser, "not UTF-8");
        parser->end = parser->p = text + strlen(text);
        if (parser->p < text + n)
                return fail(parser, "a NUL byte");
        parser->p = text;
        return parse_interface(parser);
}

int varlink_interface_parse(const char *text, size_t n, VarlinkInterface **ret, TextError *ret_error)
{
        _cleanup_(varlink_interface_freep) VarlinkInterface *interface = new0(VarlinkInterface, 1);
        Parser parser = { .interface = interface, .error = ret_error };
        int r;

        if (interface && n <= VARLINK_INTERFACE_MAX_TEXT) {
                interface->text = malloc(n + 1);
                interface->pool = malloc(n + 1);
        }
        if (n > VARLINK_INTERFACE_MAX_TEXT || !interface || !interface->text || !interface->pool) {
                r = n > VARLINK_INTERFACE_MAX_TEXT ? -E2BIG : -ENOMEM;
                (void)text_error(ret_error, 0, r == -E2BIG ? "too long" : "out of memory");
                return r;
        }
        memcpy(interface->text, text, n);
        interface->text[n] = '\0';
        parser.pool = interface->pool;
        r = parse_text(&parser, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(interface);
        return 0;
}

VarlinkInterface *varlink_interface_free(VarlinkInterface *interface)
{
        if (!interface)
                return NULL;
        for (size_t i = 0; i < interface->n_members; i++) {
                type_deinit(&interface->members[i].type);
                type_deinit(&interface->members[i].output);
        }
        free(interface->members);
        free(interface->pool);
        free(interface->text);
        free(interface);
        return NULL;
}

const char *varlink_interface_name(const VarlinkInterface *interface)
{
        return interface->name;
}

const char *varlink_interface_text(const VarlinkInterface *interface)
{
        return interface->text;
}

const VarlinkMember *varlink_interface_members(const VarlinkInterface *interface, size_t *ret_n)
{
        *ret_n = interface->n_members;
        return interface->members;
}

const VarlinkMember *varlink_interface_find(
        const VarlinkInterface *interface, VarlinkMemberKind kind, const char *name, size_t n)
{
        for (size_t i = 0; i < interface->n_members; i++) {
                const VarlinkMember *member = &interface->members[i];

                if (member->kind == kind && member->name_len == n && memcmp(member->name, name, n) == 0)
                        return member;
        }
        return NULL;
}
