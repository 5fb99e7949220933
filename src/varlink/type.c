/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of values. It is no deeper than the value, whose depth the reader of JSON has capped.
 * The path of what is wrong is put together on the way back up, so that a good value pays nothing.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "varlink/interface.h"

static int check_value(const VarlinkType *type, const JsonValue *value, char *path);

static const VarlinkField *find_field(const VarlinkType *type, const char *name, size_t n, uint32_t hint)
{
        /* Members mostly come in the order of the fields, so the search begins where the last one ended. */
        for (uint32_t k = 0; k < type->n_fields; k++) {
                uint32_t i = hint + k < type->n_fields ? hint + k : hint + k - type->n_fields;
                const VarlinkField *field = &type->fields[i];

                if (field->name_len == n && memcmp(field->name, name, n) == 0)
                        return field;
        }
        return NULL;
}

/* Puts NAME before PATH, and cuts what gets too long at its end. Returns -EINVAL. */
static int wrong_at(char *path, const char *name, size_t n)
{
        size_t max = VARLINK_PATH_MAX - 1, rest = strlen(path);
        bool dot = rest > 0 && path[0] != '[';

        n = MIN(n, max - dot);
        rest = MIN(rest, max - dot - n);
        memmove(path + n + dot, path, rest);
        memcpy(path, name, n);
        if (dot)
                path[n] = '.';
        path[n + dot + rest] = '\0';
        return -EINVAL;
}

static int wrong_item(char *path, uint32_t index)
{
        char name[16];
        int n;

        n = snprintf(name, sizeof(name), "[%" PRIu32 "]", index);
        return wrong_at(path, name, (size_t)n);
}

/* Whether TYPE is one that says all about a value which is not null, and VALUE is such. */
static bool is_simple(const VarlinkType *type, const JsonValue *value)
{
        static const unsigned accepted[] = {
                [VARLINK_TYPE_BOOL] = 1U << JSON_BOOL,
                [VARLINK_TYPE_INT] = 1U << JSON_INT, /* past int64 the reader makes it a double */
                [VARLINK_TYPE_FLOAT] = 1U << JSON_INT | 1U << JSON_DOUBLE,
                [VARLINK_TYPE_STRING] = 1U << JSON_STRING,
                [VARLINK_TYPE_OBJECT] = 1U << JSON_OBJECT,
                [VARLINK_TYPE_ANY] = ~(1U << JSON_NULL),
        };

        if (type->kind >= ARRAY_SIZE(accepted) || !(accepted[type->kind] >> value->type & 1U))
                return false;
        return type->kind != VARLINK_TYPE_STRING || strlen(value->string) == value->n;
}

static int check_struct(const VarlinkType *type, const JsonValue *value, char *path)
{
        uint32_t n_required = 0, hint = 0;

        if (value->type != JSON_OBJECT)
                return -EINVAL;
        for (uint32_t i = 0; i < value->n; i++) {
                const JsonMember *member = &value->members[i];
                const VarlinkField *field = find_field(type, member->key, member->key_len, hint);

                if (!field)
                        return wrong_at(path, member->key, member->key_len);
                if (!is_simple(&field->type, &member->value) && check_value(&field->type, &member->value, path) < 0)
                        return wrong_at(path, field->name, field->name_len);
                n_required += !field->type.nullable;
                hint = (uint32_t)(field - type->fields) + 1;
        }
        if (n_required == type->n_required)
                return 0;
        for (uint32_t i = 0; i < type->n_fields; i++) {
                const VarlinkField *field = &type->fields[i];

                if (!field->type.nullable && !json_get_n(value, field->name, field->name_len))
                        return wrong_at(path, field->name, field->name_len);
        }
        return -EINVAL; /* the reader refuses duplicate keys, so the loop has found one */
}

static int check_map(const VarlinkType *type, const JsonValue *value, char *path)
{
        if (value->type != JSON_OBJECT)
                return -EINVAL;
        for (uint32_t i = 0; i < value->n; i++) {
                const JsonMember *member = &value->members[i];

                if (memchr(member->key, '\0', member->key_len) ||
                    check_value(type->element, &member->value, path) < 0)
                        return wrong_at(path, member->key, member->key_len);
        }
        return 0;
}

static int check_array(const VarlinkType *type, const JsonValue *value, char *path)
{
        if (value->type != JSON_ARRAY)
                return -EINVAL;
        for (uint32_t i = 0; i < value->n; i++)
                if (check_value(type->element, &value->items[i], path) < 0)
                        return wrong_item(path, i);
        return 0;
}

static int check_value(const VarlinkType *type, const JsonValue *value, char *path)
{
        if (value->type == JSON_NULL)
                return type->nullable ? 0 : -EINVAL;

        switch (type->kind) {
        case VARLINK_TYPE_STRUCT:
                return check_struct(type, value, path);
        case VARLINK_TYPE_ENUM:
                return value->type == JSON_STRING && find_field(type, value->string, value->n, 0) ? 0 : -EINVAL;
        case VARLINK_TYPE_ARRAY:
                return check_array(type, value, path);
        case VARLINK_TYPE_MAP:
                return check_map(type, value, path);
        case VARLINK_TYPE_NAMED:
                return check_value(&type->target->type, value, path);
        default:
                return is_simple(type, value) ? 0 : -EINVAL;
        }
}

int varlink_type_check(const VarlinkType *type, const JsonValue *value, char ret_path[static VARLINK_PATH_MAX])
{
        char path[VARLINK_PATH_MAX];

        path[0] = '\0';
        if (check_value(type, value, path) >= 0)
                return 0;
        /* Names of unknown members are the peer's, and may have been cut in the middle of a character. */
        path[utf8_check(path, strlen(path))] = '\0';
        memcpy(ret_path, path, strlen(path) + 1);
        return -EINVAL;
}
