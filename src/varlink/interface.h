/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Varlink interface descriptions: the text, parsed, and the check of values against its types.
 * The grammar is that of https://varlink.org/Interface-Definition, with `any` besides `object`.
 */

#include "base/text-error.h"
#include "json/json.h"

/* Caps on a text, so that a bad one can neither exhaust the stack nor take quadratic time. */
#define VARLINK_INTERFACE_MAX_TEXT (1024U * 1024)
#define VARLINK_INTERFACE_MAX_MEMBERS 1024U
#define VARLINK_INTERFACE_MAX_FIELDS 1024U /* of one struct or enum */
#define VARLINK_INTERFACE_MAX_DEPTH 32U    /* of types written into each other */

typedef enum VarlinkTypeKind {
        VARLINK_TYPE_BOOL,
        VARLINK_TYPE_INT,
        VARLINK_TYPE_FLOAT,
        VARLINK_TYPE_STRING,
        VARLINK_TYPE_OBJECT, /* an object of whatever members */
        VARLINK_TYPE_ANY,    /* any value */
        VARLINK_TYPE_ENUM,
        VARLINK_TYPE_STRUCT,
        VARLINK_TYPE_ARRAY,
        VARLINK_TYPE_MAP,
        VARLINK_TYPE_NAMED, /* a `type` of the same interface */
} VarlinkTypeKind;

typedef struct VarlinkType VarlinkType;
typedef struct VarlinkField VarlinkField;
typedef struct VarlinkMember VarlinkMember;
typedef struct VarlinkInterface VarlinkInterface;

struct VarlinkType {
        VarlinkTypeKind kind;
        bool nullable;
        uint32_t n_fields;   /* of a struct or enum */
        uint32_t n_required; /* fields of a struct that are not nullable */
        union {
                VarlinkField *fields;
                VarlinkType *element;        /* of an array or map */
                const VarlinkMember *target; /* of a name */
        };
        const char *name; /* of VARLINK_TYPE_NAMED */
};

struct VarlinkField {
        const char *name;
        uint32_t name_len;
        VarlinkType type; /* unused in an enum */
};

typedef enum VarlinkMemberKind {
        VARLINK_MEMBER_TYPE,
        VARLINK_MEMBER_METHOD,
        VARLINK_MEMBER_ERROR,
} VarlinkMemberKind;

struct VarlinkMember {
        VarlinkMemberKind kind;
        const char *name;
        uint32_t name_len;
        uint32_t comment_len;
        const char *comment; /* the lines right above it, '#' and all; not ended by a NUL */
        VarlinkType type;    /* the type, the error's parameters, the method's input */
        VarlinkType output;  /* a method's */
};

/*
 * Parses TEXT, which is copied. -EBADMSG where it is no interface description, -E2BIG above a cap,
 * -ENOMEM. RET_ERROR, which may be NULL, is set on every failure.
 */
int varlink_interface_parse(const char *text, size_t n, VarlinkInterface **ret, TextError *ret_error);
VarlinkInterface *varlink_interface_free(VarlinkInterface *interface);
DEFINE_CLEANUP(VarlinkInterface *, varlink_interface_free);

/* "io.takt.Jobs" */
const char *varlink_interface_name(const VarlinkInterface *interface);
/* The text as it was given. */
const char *varlink_interface_text(const VarlinkInterface *interface);
/* All members in the order of the text. */
const VarlinkMember *varlink_interface_members(const VarlinkInterface *interface, size_t *ret_n);
/* The member NAME[0…N) ("List") of that kind, NULL where there is none. */
const VarlinkMember *varlink_interface_find(
        const VarlinkInterface *interface, VarlinkMemberKind kind, const char *name, size_t n);

/* Where in a value the check failed: "job", "filter.events[2]". Cut at the end where it is longer. */
#define VARLINK_PATH_MAX 256

/*
 * Checks VALUE: no unknown member, none missing that is not nullable (null and absent are the
 * same), each of its type; integers in the range of int64, strings without a NUL inside. -EINVAL,
 * with RET_PATH set ("" where VALUE itself is of the wrong type).
 */
int varlink_type_check(const VarlinkType *type, const JsonValue *value, char ret_path[static VARLINK_PATH_MAX]);
