/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/template.h"
#include "job/time-format.h"
#include "json/writer.h"

#define SCHEDULED (UINT64_C(1795341600) * USEC_PER_SEC + 250000) /* 2026-11-22T10:00:00.25Z */

static const char params_text[] =
        "{\"name\": \"a/b c?d=\\u00fc&\\\"e\\\"\\\\\", \"n\": 42, \"half\": 2.5, \"whole\": 2.0, \"yes\": true, \"none\": null,"
        " \"list\": [1, \"x\"], \"empty\": \"\", \"dot\": \".\", \"dots\": \"..\", \"crlf\": \"a\\r\\nb: c\","
        " \"nul\": \"a\\u0000b\", \"when\": \"2026-11-22T10:00:00.250000Z\", \"base\": \"http://h:80/x?y=%20 z\"}";
static const char last_text[] = "{\"temp\": 21.5, \"id\": \"q\\\"\"}";

typedef struct Fixture {
        JsonDoc *params, *last;
        char *directory;
        uint64_t next_random;
        TemplateContext context;
} Fixture;

static const char *environment(const char *name, _unused_ void *userdata)
{
        return streq(name, "HOST") ? "h\"st" : streq(name, "LATIN1") ? "\xfc" : NULL;
}

static uint64_t next_random(void *userdata)
{
        return ((Fixture *)userdata)->next_random;
}

/* A zone two hours east of UTC, whatever its name. */
static int local_time(usec_t realtime, const char *zone, struct tm *ret, _unused_ void *userdata)
{
        time_t t = (time_t)(realtime / USEC_PER_SEC) + 7200;

        if (zone && !streq(zone, "Europe/Kyiv"))
                return -ENOENT;
        (void)gmtime_r(&t, ret);
        ret->tm_gmtoff = 7200;
        ret->tm_zone = "EET";
        return 0;
}

static int set_up(void **state)
{
        Fixture *f = new0(Fixture, 1);
        char template[] = "/tmp/test-template-XXXXXX";
        _cleanup_free_ char *token = NULL, *large = NULL;
        Buffer blanks = BUFFER_NULL;

        assert_non_null(f);
        assert_ok(json_parse(params_text, strlen(params_text), NULL, &f->params, NULL));
        assert_ok(json_parse(last_text, strlen(last_text), NULL, &f->last, NULL));
        assert_non_null(mkdtemp(template));
        f->directory = strdup(template);
        token = path_join(template, "token");
        assert_ok(write_file_atomic(token, "s3cr3t\r\n\n", 9, 0600, false));
        large = path_join(template, "large");
        assert_ok(buffer_reserve(&blanks, TEMPLATE_CREDENTIAL_MAX + 1));
        memset(blanks.data, 'x', TEMPLATE_CREDENTIAL_MAX + 1);
        assert_ok(write_file_atomic(large, blanks.data, TEMPLATE_CREDENTIAL_MAX + 1, 0600, false));
        buffer_deinit(&blanks);
        f->context = (TemplateContext){
                .params = json_root(f->params),
                .last_outputs = json_root(f->last),
                .credentials_directory = f->directory,
                .scheduled_realtime = SCHEDULED,
                .environment = environment,
                .random = next_random,
                .local_time = local_time,
                .userdata = f,
        };
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        Fixture *f = *state;
        static const char *const names[] = { "token", "large" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *path = path_join(f->directory, names[i]);

                (void)unlink(path);
        }
        (void)rmdir(f->directory);
        json_doc_free(f->params);
        json_doc_free(f->last);
        free(f->directory);
        free(f);
        return 0;
}

/* Compiles and expands TEXT; RET gets the text, or the error's sentence. */
static int expand(Fixture *f, TemplateEscape escape, const char *text, char **ret)
{
        _cleanup_(template_freep) Template *t = NULL;
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        char *error = NULL;
        TextError compile_error = {};
        int r;

        r = template_compile(text, escape, &t, &compile_error);
        if (r < 0)
                fail_msg("%s: %s", text, compile_error.message);
        assert_ok(buffer_append_string(&out, "="));
        r = template_expand(t, &f->context, &out, &error);
        if (r < 0) {
                assert_string_equal(out.data, "=");
                assert_non_null(error);
                *ret = error;
                return r;
        }
        assert_null(error);
        *ret = strdup(out.data + 1);
        return 0;
}

static void test_values(void **state)
{
        static const struct {
                TemplateEscape escape;
                const char *text, *expected;
        } table[] = {
                { TEMPLATE_PLAIN, "", "" },
                { TEMPLATE_PLAIN, "plain $5 $x $", "plain $5 $x $" },
                { TEMPLATE_PLAIN, "$${n} $$$$", "${n} $$" },
                { TEMPLATE_PLAIN, "a\\${n}\"${n}\"", "a\\42\"42\"" },
                { TEMPLATE_PLAIN, "${n}|${half}|${whole}|${yes}|${none}|${list}|${empty}|", "42|2.5|2|true|null|[1,\"x\"]||" },
                { TEMPLATE_PLAIN, "${name}", "a/b c?d=\xc3\xbc&\"e\"\\" },
                { TEMPLATE_PLAIN, "${env:HOST} ${env:NOSUCH:-other} ${env:NOSUCH:-}", "h\"st other " },
                { TEMPLATE_PLAIN, "${credential:token}|${credential:nosuch:-x}", "s3cr3t|x" },
                { TEMPLATE_PLAIN, "${scheduled}", "2026-11-22T10:00:00.250000Z" },
                { TEMPLATE_PLAIN, "${scheduled:%Y-%m-%d %-H:%M %Z %z}", "2026-11-22 12:00 EET +0200" },
                { TEMPLATE_PLAIN, "${scheduled:%s.%f %%}", "1795341600.250000 %" },
                { TEMPLATE_PLAIN, "${scheduled@Europe/Kyiv}", "2026-11-22T12:00:00.250000+02:00" },
                { TEMPLATE_PLAIN, "${scheduled@Europe/Kyiv:%H}", "12" },
                { TEMPLATE_PLAIN, "${when} ${when:%H:%M} ${when@Europe/Kyiv:%d}", "2026-11-22T10:00:00.250000Z 12:00 22" },
                { TEMPLATE_PLAIN, "${last:temp}|${last:nosuch:-0}", "21.5|0" },
                { TEMPLATE_URL, "http://h/${name}?q=${list}", "http://h/a%2Fb%20c%3Fd%3D%C3%BC%26%22e%22%5C?q=%5B1%2C%22x%22%5D" },
                { TEMPLATE_URL, "${base}/p/${n}", "http://h:80/x?y=%20%20z/p/42" },
                { TEMPLATE_URL, "http://h/a${dots}b/${dot}?${dots}#${dots}", NULL },
                { TEMPLATE_URL, "http://h/a${dots}b/x${dot}?${dots}", "http://h/a..b/x.?.." },
                { TEMPLATE_URL, "http://h/${n}${empty}", "http://h/42" },
                { TEMPLATE_URL, "http://h/${dots}", NULL },
                { TEMPLATE_URL, "http://h/${dot}${dot}/x", NULL },
                { TEMPLATE_URL, "http://h/.${empty}./x", NULL },
                { TEMPLATE_FORM, "q=${name}&r=${dots}", "q=a%2Fb%20c%3Fd%3D%C3%BC%26%22e%22%5C&r=.." },
                { TEMPLATE_PATH, "out/${n}-${scheduled:%F}${dots}.json", "out/42-2026-11-22...json" },
                { TEMPLATE_PATH, "${base}/${n}", "http://h:80/x?y=%20 z/42" },
                { TEMPLATE_PATH, "out/${name}", NULL },
                { TEMPLATE_PATH, "out/${dots}/x", NULL },
                { TEMPLATE_PATH, "out?/${dots}", NULL },
                { TEMPLATE_PATH, "out/${nul}", NULL },
                { TEMPLATE_HEADER, "Bearer ${credential:token}", "Bearer s3cr3t" },
                { TEMPLATE_HEADER, "${name}", "a/b c?d=\xc3\xbc&\"e\"\\" },
                { TEMPLATE_HEADER, "${crlf}", NULL },
                { TEMPLATE_PLAIN, "${crlf}", "a\r\nb: c" },
                { TEMPLATE_PLAIN, "${nul}", NULL },
                { TEMPLATE_HEADER, "${nul}", NULL },
                { TEMPLATE_JSON, "{\"a\": ${name}, \"b\": [${n}, ${half}, ${whole}, ${yes}, ${none}, ${list}]}",
                  "{\"a\": \"a/b c?d=\xc3\xbc&\\\"e\\\"\\\\\", \"b\": [42, 2.5, 2.0, true, null, [1,\"x\"]]}" },
                { TEMPLATE_JSON, "{\"k ${n}\": \"<${name}> \\\" ${list} ${whole} $$\"}",
                  "{\"k 42\": \"<a/b c?d=\xc3\xbc&\\\"e\\\"\\\\> \\\" [1,\\\"x\\\"] 2 $\"}" },
                { TEMPLATE_JSON, "[${nul}, \"${crlf}\"]", "[\"a\\u0000b\", \"a\\r\\nb: c\"]" },
                { TEMPLATE_JSON, "${env:HOST}", "\"h\\\"st\"" },
                { TEMPLATE_JSON, "[${env:LATIN1}]", NULL },
                { TEMPLATE_JSON, "[\"${env:LATIN1}\"]", NULL },
                { TEMPLATE_JSON, "[${last:no:-0}, ${last:no:-{\"a\": 1}}, ${last:no:-none}, ${last:no:-\"1\"}, \"${last:no:-1}\"]",
                  "[0, {\"a\":1}, \"none\", \"1\", \"1\"]" },
                { TEMPLATE_JSON, "{\"${n}\": ${last:id}, \"${env:HOST}\": \"${scheduled:%H}\"}",
                  "{\"42\": \"q\\\"\", \"h\\\"st\": \"12\"}" },
                { TEMPLATE_PLAIN, "${nosuch}", NULL },
                { TEMPLATE_PLAIN, "${n:%H}", NULL },
                { TEMPLATE_PLAIN, "${name@UTC}", NULL },
                { TEMPLATE_PLAIN, "${scheduled@No/Where:%H}", NULL },
                { TEMPLATE_PLAIN, "${env:NOSUCH}", NULL },
                { TEMPLATE_PLAIN, "${credential:nosuch}", NULL },
                { TEMPLATE_PLAIN, "${credential:large}", NULL },
                { TEMPLATE_PLAIN, "${last:nosuch}", NULL },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *text = NULL;
                int r = expand(f, table[i].escape, table[i].text, &text);

                if (!table[i].expected) {
                        assert_true(r < 0);
                        assert_true(startswith(text, "${") != NULL);
                        continue;
                }
                if (r < 0)
                        fail_msg("%s: %s", table[i].text, text);
                assert_string_equal(text, table[i].expected);
        }
}

static void test_empty_context(void **state)
{
        static const char *const texts[] = { "${n}", "${env:HOST}", "${credential:token}", "${last:temp}" };
        Fixture *f = *state;
        TemplateContext saved = f->context;

        f->context = (TemplateContext){ .scheduled_realtime = SCHEDULED };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_free_ char *error = NULL;

                assert_int_equal(expand(f, TEMPLATE_PLAIN, texts[i], &error), -ENOENT);
                assert_true(startswith(error, texts[i]) != NULL);
        }
        {
                _cleanup_free_ char *text = NULL;

                assert_ok(expand(f, TEMPLATE_PLAIN, "${scheduled:%H:%M}", &text));
                assert_string_equal(text, "10:00");
        }
        f->context = saved;
}

static void test_random(void **state)
{
        static const struct {
                const char *text;
                uint64_t bits;
                const char *expected;
        } table[] = {
                { "${random:1..251}", 251, "1" },
                { "${random:1..251}", 501, "251" },
                { "${random:-5..-5}", 77, "-5" },
                { "${random:-3..3}", 6 + 7, "3" },
                { "${random:-9223372036854775808..9223372036854775807}", 0, "-9223372036854775808" },
                { "${random:-9223372036854775808..9223372036854775807}", UINT64_MAX, "9223372036854775807" },
                { "${random:0..9223372036854775807}", UINT64_MAX, "9223372036854775807" },
                { "${random:1..3}", 0, "1" }, /* a broken source does not hang it */
        };
        Fixture *f = *state;
        bool seen[4] = {};

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *text = NULL;

                f->next_random = table[i].bits;
                assert_ok(expand(f, TEMPLATE_PLAIN, table[i].text, &text));
                assert_string_equal(text, table[i].expected);
        }
        f->context.random = NULL;
        for (unsigned i = 0; i < 200; i++) {
                _cleanup_free_ char *text = NULL;
                uint64_t value;

                assert_ok(expand(f, TEMPLATE_PLAIN, "${random:1..3}", &text));
                assert_ok(parse_uint64(text, &value));
                assert_in_range(value, 1, 3);
                seen[value] = true;
        }
        assert_true(seen[1] && seen[2] && seen[3]);
        f->context.random = next_random;
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                TemplateEscape escape;
                const char *text;
                size_t offset;
                const char *says;
        } table[] = {
                { TEMPLATE_PLAIN, "ab ${", 3, "never closed" },
                { TEMPLATE_PLAIN, "ab ${n", 3, "never closed" },
                { TEMPLATE_PLAIN, "ab ${}", 5, "name is missing" },
                { TEMPLATE_PLAIN, "${1a}", 2, "begins with a letter" },
                { TEMPLATE_PLAIN, "${a b}", 2, "none of env:" },
                { TEMPLATE_PLAIN, "${foo:bar}", 2, "none of env:" },
                { TEMPLATE_PLAIN, "${n:-1}", 3, "Parameter=" },
                { TEMPLATE_PLAIN, "${n:%Q}", 4, "%Q" },
                { TEMPLATE_PLAIN, "${env}", 2, "${env:NAME}" },
                { TEMPLATE_PLAIN, "${env:}", 6, "${env:NAME}" },
                { TEMPLATE_PLAIN, "${env:A=B}", 6, "${env:NAME}" },
                { TEMPLATE_PLAIN, "${credential:../etc/passwd}", 13, "${credential:NAME}" },
                { TEMPLATE_PLAIN, "${credential:..}", 13, "${credential:NAME}" },
                { TEMPLATE_PLAIN, "${credential:.}", 13, "${credential:NAME}" },
                { TEMPLATE_PLAIN, "${last:a b}", 7, "${last:OUTPUT}" },
                { TEMPLATE_PLAIN, "${random:1}", 9, "two whole numbers" },
                { TEMPLATE_PLAIN, "${random:1..x}", 9, "two whole numbers" },
                { TEMPLATE_PLAIN, "${random:1..99999999999999999999}", 9, "two whole numbers" },
                { TEMPLATE_PLAIN, "${random:2..1}", 9, "empty" },
                { TEMPLATE_PLAIN, "${scheduled:}", 11, "format" },
                { TEMPLATE_PLAIN, "${scheduled@:%H}", 11, "time zone" },
                { TEMPLATE_PLAIN, "${scheduled:%H%}", 14, "'%'" },
                { TEMPLATE_PLAIN, "${scheduled:%EY}", 12, "'%E'" },
                { TEMPLATE_JSON, "{\"a\": }", 6, "not JSON" },
                { TEMPLATE_JSON, "", 0, "not JSON" },
                { TEMPLATE_JSON, "{\"a\":\n 1${n}}", 8, "not JSON" },
                { TEMPLATE_JSON, "[${n}1]", SIZE_MAX, "not JSON" },
                { TEMPLATE_JSON, "[${n}${n}]", SIZE_MAX, "not JSON" },
                { TEMPLATE_JSON, "{${n}: 1}", SIZE_MAX, "not JSON" },
                { TEMPLATE_JSON, "[\"a\\${n}\"]", SIZE_MAX, "not JSON" },
                { TEMPLATE_JSON, "[\"${n}]", SIZE_MAX, "not JSON" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                Template *t = NULL;
                TextError error;

                if (template_compile(table[i].text, table[i].escape, &t, &error) != -EBADMSG)
                        fail_msg("%s was accepted", table[i].text);
                if (!strstr(error.message, table[i].says))
                        fail_msg("%s: %s", table[i].text, error.message);
                if (table[i].offset != SIZE_MAX && error.offset != table[i].offset)
                        fail_msg("%s: %zu: %s", table[i].text, error.offset, error.message);
                assert_null(t);
        }
}

static bool knows_parameter(const char *name, bool *ret_is_time, _unused_ void *userdata)
{
        *ret_is_time = streq(name, "when");
        return *ret_is_time || streq(name, "n");
}

static bool knows_output(const char *name, _unused_ void *userdata)
{
        return streq(name, "temp");
}

static bool knows_zone(const char *name, _unused_ void *userdata)
{
        return streq(name, "Europe/Kyiv");
}

static void test_names(_unused_ void **state)
{
        static const TemplateNames names = { .parameter = knows_parameter, .output = knows_output, .zone = knows_zone };
        static const struct {
                const char *text;
                const char *says; /* NULL: good */
        } table[] = {
                { "${n} ${when:%H} ${last:temp} ${scheduled@Europe/Kyiv:%H} ${env:ANY} ${credential:any}", NULL },
                { "x ${m}", "no parameter 'm'" },
                { "x ${n:%H}", "'n' is no time" },
                { "x ${last:tmp}", "no output 'tmp'" },
                { "x ${when@Mars/Crater}", "no time zone 'Mars/Crater'" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(template_freep) Template *t = NULL;
                TextError error;

                assert_ok(template_compile(table[i].text, TEMPLATE_PLAIN, &t, NULL));
                assert_ok(template_check_names(t, &(TemplateNames){}, &error));
                if (!table[i].says) {
                        assert_ok(template_check_names(t, &names, &error));
                        continue;
                }
                assert_int_equal(template_check_names(t, &names, &error), -EBADMSG);
                assert_int_equal(error.offset, 2);
                assert_non_null(strstr(error.message, table[i].says));
        }
}

static void test_constant(_unused_ void **state)
{
        _cleanup_(template_freep) Template *constant = NULL, *empty = NULL, *changing = NULL, *secret = NULL;

        assert_ok(template_compile("a $${b}", TEMPLATE_URL, &constant, NULL));
        assert_true(template_is_constant(constant));
        assert_string_equal(template_constant(constant), "a ${b}");
        assert_ok(template_compile("", TEMPLATE_PLAIN, &empty, NULL));
        assert_string_equal(template_constant(empty), "");
        assert_ok(template_compile("${b}", TEMPLATE_PLAIN, &changing, NULL));
        assert_null(template_constant(changing));
        assert_false(template_has_credential(changing));
        assert_ok(template_compile("a${credential:b}c", TEMPLATE_PLAIN, &secret, NULL));
        assert_true(template_has_credential(secret));
}

static void test_caps(void **state)
{
        _cleanup_(template_freep) Template *t = NULL, *many = NULL;
        _cleanup_buffer_ Buffer out = BUFFER_WITH_MAX(4), text = BUFFER_NULL;
        _cleanup_free_ char *error = NULL;
        Fixture *f = *state;
        TextError compile_error;

        assert_ok(template_compile("${n}${n}${n}", TEMPLATE_PLAIN, &t, NULL));
        assert_int_equal(template_expand(t, &f->context, &out, &error), -E2BIG);
        assert_int_equal(out.len, 0);
        assert_non_null(strstr(error, "larger than 4 bytes"));
        for (unsigned i = 0; i <= TEMPLATE_PARTS_MAX; i++)
                assert_ok(buffer_append_string(&text, "${n}"));
        assert_int_equal(template_compile(text.data, TEMPLATE_PLAIN, &many, &compile_error), -EBADMSG);
}

/* No sentence may hold a secret, whatever is wrong with it. */
static void test_secret_errors(void **state)
{
        _cleanup_free_ char *path = NULL, *error = NULL;
        Fixture *f = *state;

        path = path_join(f->directory, "token");
        assert_ok(write_file_atomic(path, "hush\nhush", 9, 0600, false));
        assert_int_equal(expand(f, TEMPLATE_HEADER, "X ${credential:token}", &error), -EINVAL);
        assert_null(strstr(error, "hush"));
        assert_non_null(strstr(error, "line break"));
}

/*
 * Values of arbitrary bytes never leave their place: an inverse reading of the text finds the value
 * again, or the value was refused.
 */
static void test_containment(void **state)
{
        static const char alphabet[] = "a0.%/?#&=;:@\"'\\{}[]$,+ \n\r\t\x01\x7f\xc3\xbc";
        Fixture *f = *state;
        TemplateContext saved = f->context;
        uint32_t seed = 1;

        for (unsigned round = 0; round < 2000; round++) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL, *back = NULL;
                _cleanup_buffer_ Buffer params = BUFFER_NULL;
                _cleanup_free_ char *url = NULL, *json = NULL, *header = NULL;
                char value[8];
                JsonWriter w;
                size_t n = 0;

                while (n < sizeof(value) - 1) {
                        seed = seed * 1103515245 + 12345;
                        if ((seed >> 16) % 9 == 0)
                                break;
                        value[n++] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
                }
                n = utf8_check(value, n);
                value[n] = '\0';
                json_writer_init(&w, &params, 0);
                json_begin_object(&w);
                json_key(&w, "v");
                json_string_n(&w, value, n);
                json_end_object(&w);
                assert_ok(json_writer_end(&w));
                assert_ok(json_parse(params.data, params.len, NULL, &doc, NULL));
                f->context.params = json_root(doc);

                if (expand(f, TEMPLATE_URL, "http://h/a/${v}/b?c=${v}#${v}", &url) >= 0) {
                        unsigned slashes = 0, others = 0;

                        for (const char *p = url; *p; p++) {
                                slashes += *p == '/';
                                others += strchr("?#&=;:@+\"' \\", *p) != NULL;
                                assert_in_range(*p, '!', '~');
                        }
                        assert_int_equal(slashes, 5);
                        assert_int_equal(others, 4); /* the colon, "?", "=" and "#" of the template */
                } else {
                        assert_true(strspn(value, ".") == n);
                }
                assert_ok(expand(f, TEMPLATE_JSON, "{\"v\": ${v}, \"s\": \"<${v}>\"}", &json));
                assert_ok(json_parse(json, strlen(json), NULL, &back, NULL));
                assert_int_equal(json_root(back)->n, 2);
                assert_true(json_equal(json_get(json_root(back), "v"), json_get(json_root(doc), "v")));
                assert_memory_equal(json_get(json_root(back), "s")->string + 1, value, n);
                if (expand(f, TEMPLATE_HEADER, "A: ${v}", &header) >= 0) {
                        assert_string_equal(header + 3, value);
                        assert_null(strpbrk(header, "\r\n"));
                }
        }
        f->context = saved;
}

static void test_time_format(_unused_ void **state)
{
        static const char *const bad[] = { "", "2026", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Zx",
                                           "1900-01-01T00:00:00.000000Z" };
        usec_t t;

        assert_ok(time_format_parse_iso("2026-11-22T10:00:00.250000Z", &t));
        assert_true(t == SCHEDULED);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(time_format_parse_iso(bad[i], &t), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_values), RUN(test_empty_context), RUN(test_random), RUN(test_refused), RUN(test_names),
                RUN(test_constant), RUN(test_caps), RUN(test_containment), RUN(test_time_format),
                RUN(test_secret_errors),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
