/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client mostly calls the same method again, and nearly all write a call alike: the method, then the
 * parameters, with no blanks. Where a message begins as such a call of that method does, what remains
 * to be read is the parameters. Whatever is not just so is read as a whole.
 */
#include "varlink/request.h"

#include <stdio.h>

static const JsonValue no_parameters = { .type = JSON_OBJECT };

static bool read_flag(const JsonValue *value, bool *ret)
{
        if (value->type == JSON_BOOL)
                *ret = value->boolean;
        return value->type == JSON_BOOL || value->type == JSON_NULL;
}

static bool key_is(const JsonMember *member, const char *key)
{
        return member->key_len == strlen(key) && memcmp(member->key, key, member->key_len) == 0;
}

static bool read_member(VarlinkRequest *request, const JsonMember *member)
{
        const JsonValue *value = &member->value;

        if (key_is(member, "method")) {
                request->method = value;
                return json_string_or_null(value);
        }
        if (key_is(member, "parameters")) {
                if (value->type == JSON_OBJECT)
                        request->parameters = value;
                return value->type == JSON_OBJECT || value->type == JSON_NULL;
        }
        if (key_is(member, "more"))
                return read_flag(value, &request->more);
        if (key_is(member, "oneway"))
                return read_flag(value, &request->oneway);
        if (key_is(member, "upgrade"))
                return read_flag(value, &request->upgrade);
        /* Extensions are named after the domain of their vendor; others would be misunderstood silently. */
        return memchr(member->key, '.', member->key_len);
}

static void read_members(const JsonValue *root, VarlinkRequest *request)
{
        static const JsonMember no_method = { .key = "method", .key_len = 6 };

        for (uint32_t i = 0; i < root->n; i++)
                if (!read_member(request, &root->members[i]) && !request->wrong)
                        request->wrong = &root->members[i];
        if (!request->wrong && !request->method)
                request->wrong = &no_method;
}

/* Whether it is a call of SERVED, and no more than that; else nothing is known. */
static bool read_guessed(
        const char *message, size_t n, const JsonLimits *limits, const ServedMethod *served, JsonDoc **doc, VarlinkRequest *request)
{
        /* A level less, as the parameters lie in an object. */
        const JsonLimits within = { .max_bytes = limits->max_bytes, .max_depth = JSON_MAX_DEPTH_DEFAULT - 1 };
        size_t n_head = served->head_len, n_method = served->method_len;

        if (n == n_method + 1)
                return message[n - 1] == '}' && memcmp(message, served->head, n_method) == 0;
        if (n <= n_head + 1 || message[n - 2] != '}' || message[n - 1] != '}' || memcmp(message, served->head, n_head) != 0)
                return false;
        if (json_parse_again(doc, message + n_head, n - n_head - 1, &within, NULL) < 0 || json_root(*doc)->type != JSON_OBJECT)
                return false;
        request->parameters = json_root(*doc);
        return true;
}

int varlink_request_read(
        const char *message, size_t n, size_t max_message, const ServedMethod *guess, JsonDoc **doc, VarlinkRequest *ret,
        JsonError *ret_error)
{
        const JsonLimits limits = { .max_bytes = max_message };
        int r;

        *ret = (VarlinkRequest){ .parameters = &no_parameters };
        if (guess && read_guessed(message, n, &limits, guess, doc, ret)) {
                ret->served = guess;
                return 0;
        }
        r = json_parse_again(doc, message, n, &limits, ret_error);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        if (json_root(*doc)->type != JSON_OBJECT) {
                *ret_error = (JsonError){ .line = 1, .column = 1 };
                (void)snprintf(ret_error->message, sizeof(ret_error->message), "it is no object");
                return -EBADMSG;
        }
        read_members(json_root(*doc), ret);
        return 0;
}
