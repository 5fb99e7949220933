/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "certification.h"

#define STRUCT "{\"bool\":false,\"int\":-9007199254740993,\"float\":3.141592653589793,\"string\":\"a \\\"lot\\\" of \\u00e4\\n\"}"
#define MAP "{\"foo\":\"Foo\",\"bar\":\"Bar\"}"
#define SET "{\"one\":{},\"two\":{},\"three\":{}}"
#define MYTYPE                                                                                      \
        "{\"object\":{\"method\":\"org.varlink.certification.Test09\",\"parameters\":{\"map\":" MAP "}}," \
        "\"enum\":\"two\",\"struct\":{\"first\":1,\"second\":\"2\"},\"array\":[\"one\",\"two\",\"three\"],"  \
        "\"dictionary\":" MAP ",\"stringset\":" SET ","                                               \
        "\"interface\":{\"foo\":[null,{\"Foo\":\"foo\",\"Bar\":\"bar\"},null,{\"one\":\"foo\",\"two\":\"bar\"}]," \
        "\"anon\":{\"foo\":true,\"bar\":false}}}"
#define STRINGS                                                                                      \
        "[\"Reply number 1\",\"Reply number 2\",\"Reply number 3\",\"Reply number 4\",\"Reply number 5\"," \
        "\"Reply number 6\",\"Reply number 7\",\"Reply number 8\",\"Reply number 9\",\"Reply number 10\"]"

const CertificationStep certification_steps[] = {
        { "Test01", "{}", "{\"bool\":true}" },
        { "Test02", "{\"bool\":true}", "{\"int\":1}" },
        { "Test03", "{\"int\":1}", "{\"float\":1.5}" },
        { "Test04", "{\"float\":1.5}", "{\"string\":\"ping\"}" },
        { "Test05", "{\"string\":\"ping\"}", STRUCT },
        { "Test06", STRUCT, "{\"struct\":" STRUCT "}" },
        { "Test07", "{\"struct\":" STRUCT "}", "{\"map\":" MAP "}" },
        { "Test08", "{\"map\":" MAP "}", "{\"set\":" SET "}" },
        { "Test09", "{\"set\":" SET "}", "{\"mytype\":" MYTYPE "}" },
        { "Test10", "{\"mytype\":" MYTYPE "}", STRINGS },
        { "Test11", "{\"last_more_replies\":" STRINGS "}", "{}" },
        {},
};

static bool has_all_of(const JsonValue *a, const JsonValue *b)
{
        for (uint32_t i = 0; i < a->n; i++) {
                const JsonValue *value = &a->members[i].value;
                const JsonValue *other = json_get_n(b, a->members[i].key, a->members[i].key_len);

                if (value->type != JSON_NULL && (!other || !certification_equal(value, other)))
                        return false;
        }
        return true;
}

bool certification_equal(const JsonValue *a, const JsonValue *b)
{
        if (a->type == JSON_OBJECT && b->type == JSON_OBJECT)
                return has_all_of(a, b) && has_all_of(b, a);
        if (a->type != JSON_ARRAY || b->type != JSON_ARRAY)
                return json_equal(a, b);
        for (uint32_t i = 0; i < a->n && a->n == b->n; i++)
                if (!certification_equal(&a->items[i], &b->items[i]))
                        return false;
        return a->n == b->n;
}
