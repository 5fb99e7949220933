/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <locale.h>
#include <stdio.h>

#include "ctl/table.h"
#include "ctl/verb.h"

static const TableColumn columns[] = { { "NAME", false, 4 }, { "N", true, 0 }, { "TEXT", false, 4 } };

static char *printed(Table *table, size_t width, bool header, bool colour)
{
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        assert_ok(table_print(table, width, header, colour, f));
        assert_int_equal(fclose(f), 0);
        return text;
}

static void assert_printed(Table *table, size_t width, bool header, bool colour, const char *expected)
{
        _cleanup_free_ char *text = printed(table, width, header, colour);

        assert_string_equal(text, expected);
}

static void test_table(_unused_ void **state)
{
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));

        assert_printed(table, 0, false, false, "");
        assert_printed(table, 0, true, false, "NAME  N  TEXT\n");
        table_add(table, STYLE_NONE, "grün");
        table_addf(table, STYLE_BAD, "%d", 7);
        table_add(table, STYLE_NONE, "one line\nand \x1b[2J another");
        table_add(table, STYLE_NONE, "日本");
        table_add(table, STYLE_NONE, "100");
        table_add(table, STYLE_NONE, NULL);
        assert_int_equal(table_rows(table), 2);
        assert_printed(table, 0, true, false,
                       "NAME    N  TEXT\n"
                       "grün    7  one line\\nand \\x1b[2J another\n"
                       "日本  100  -\n");
        assert_printed(table, 30, false, false,
                       "grün    7  one line\\nand \\x1b…\n"
                       "日本  100  -\n");
        /* As narrow as it gets. */
        assert_printed(table, 5, false, true,
                       "grün    \x1b[1;31m7\x1b[0m  one…\n"
                       "日本  100  -\n");
}

/* The last column, where it may, goes on below. */
static void test_table_wrapped(_unused_ void **state)
{
        static const TableColumn wrapped[] = { { "N", true, 0 }, { "WHY", false, 10, true } };
        _cleanup_(table_freep) Table *table = table_new(wrapped, ARRAY_SIZE(wrapped));

        table_add(table, STYLE_NONE, "7");
        table_add(table, STYLE_BAD, "run 12 was still under way");
        table_add(table, STYLE_NONE, "8");
        table_add(table, STYLE_NONE, "antidisestablishmentarianism 日本日本日本");
        table_add(table, STYLE_NONE, "9");
        table_add(table, STYLE_NONE, "short");
        assert_printed(table, 0, false, false,
                       "7  run 12 was still under way\n"
                       "8  antidisestablishmentarianism 日本日本日本\n"
                       "9  short\n");
        assert_printed(table, 15, true, false,
                       "N  WHY\n"
                       "7  run 12 was\n"
                       "   still under\n"
                       "   way\n"
                       "8  antidisestab\n"
                       "   lishmentaria\n"
                       "   nism\n"
                       "   日本日本日本\n"
                       "9  short\n");
        assert_printed(table, 15, false, true,
                       "7  \x1b[1;31mrun 12 was\n"
                       "   still under\n"
                       "   way\x1b[0m\n"
                       "8  antidisestab\n"
                       "   lishmentaria\n"
                       "   nism\n"
                       "   日本日本日本\n"
                       "9  short\n");
}

static void test_short_times(_unused_ void **state)
{
        const usec_t noon = UINT64_C(1795348800000000); /* 2026-11-22 12:00 */
        char text[TIMESTAMP_MAX];

        assert_string_equal(time_to_short_text(noon, USEC_PER_SEC, zone_utc(), text), "2026-11-22 12:00:00");
        assert_string_equal(time_to_short_text(noon, USEC_PER_MSEC, zone_utc(), text), "2026-11-22 12:00:00.000");
        assert_string_equal(time_to_short_text(noon + 50 * USEC_PER_MSEC, USEC_PER_MSEC, zone_utc(), text), "2026-11-22 12:00:00.050");
        assert_string_equal(time_to_short_text(noon + 123456, USEC_PER_MSEC, zone_utc(), text), "2026-11-22 12:00:00.123");
        assert_string_equal(time_to_short_text(USEC_INFINITY, USEC_PER_MSEC, zone_utc(), text), "-");
        assert_string_equal(time_to_day_text(noon, noon + USEC_PER_HOUR, zone_utc(), text), "12:00:00");
        assert_string_equal(time_to_day_text(noon, noon + USEC_PER_DAY, zone_utc(), text), "2026-11-22 12:00:00");
        assert_string_equal(time_to_day_text(USEC_INFINITY, noon, zone_utc(), text), "-");
}

static void test_clean(_unused_ void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        static const char text[] = "a\tb\r\n\xc2\x9b\x7f\xc3\xa4\0z";

        assert_ok(text_append_clean(&out, text, sizeof(text) - 1, true));
        assert_string_equal(out.data, "a\tb\\x0d\n\\x9b\\x7f\xc3\xa4\\x00z");
        assert_int_equal(text_width("日本a"), 5);
        assert_int_equal(text_fit("日本a", 3), 3);
        assert_int_equal(text_fit("\xff\xff", 1), 1);
}

static void test_spans(_unused_ void **state)
{
        static const struct {
                usec_t span;
                const char *text;
        } table[] = {
                { 0, "0" },
                { 180, "180us" },
                { 21 * USEC_PER_MSEC, "21ms" },
                { 21 * USEC_PER_MSEC + 789, "21.7ms" },
                { 3250 * USEC_PER_MSEC + 1, "3.25s" },
                { 59 * USEC_PER_SEC + 999999, "59.9s" },
                { 125 * USEC_PER_SEC + 5, "2min 5s" },
                { 3 * USEC_PER_HOUR + 61 * USEC_PER_SEC, "3h 1min" },
                { 5 * USEC_PER_DAY + 119 * USEC_PER_MINUTE, "5d 1h" },
                { 11 * USEC_PER_DAY + 5 * USEC_PER_HOUR, "11d" },
                { USEC_INFINITY, "infinity" },
        };
        char text[TIMESPAN_MAX], relative[RELATIVE_MAX], time[TIMESTAMP_MAX];
        usec_t now = UINT64_C(1795341600) * USEC_PER_SEC;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                assert_string_equal(span_to_text(table[i].span, text), table[i].text);
        assert_string_equal(relative_to_text(now + 3500 * USEC_PER_MSEC, now, relative), "in 3s");
        assert_string_equal(relative_to_text(now - 90 * USEC_PER_SEC, now, relative), "1min 30s ago");
        assert_string_equal(relative_to_text(now + 20500, now, relative), "in 20ms");
        assert_string_equal(relative_to_text(now - 5, now, relative), "now");
        assert_string_equal(relative_to_text(USEC_INFINITY, now, relative), "-");
        assert_string_equal(time_to_text(now + 123456, USEC_PER_SEC, zone_utc(), time), "Sun 2026-11-22 10:00:00 UTC");
        assert_string_equal(time_to_short_text(now + 250000, 1, zone_utc(), time), "2026-11-22 10:00:00.25");
        assert_string_equal(time_to_short_text(USEC_INFINITY, 1, zone_utc(), time), "-");
        assert_string_equal(time_to_text(USEC_INFINITY, USEC_PER_SEC, zone_utc(), time), "-");
}

static void test_colour(_unused_ void **state)
{
        setenv("TAKT_COLORS", "1", 1);
        setenv("NO_COLOR", "1", 1);
        assert_true(colour_wanted());
        unsetenv("TAKT_COLORS");
        assert_false(colour_wanted());
        unsetenv("NO_COLOR");
}

/* --- the command line --- */

typedef struct Parsed {
        Ctl ctl;
        char *args[16];
        size_t n;
        int status;
} Parsed;

/* Words separated by blanks. TEXT lives as long as what is parsed. */
static Parsed parse(char *text)
{
        char *argv[16] = { (char *)"taktctl" };
        Parsed parsed = {};
        int argc = 1;

        for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        parsed.status = options_parse(&parsed.ctl, argc, argv, parsed.args, &parsed.n);
        return parsed;
}

static void test_options(_unused_ void **state)
{
        char nothing[] = "", many[] = "-q runs --env=/e -n5 a --state failed b -sjx --json";
        char args[] = "run -w job -p a=b=c -- --city Berlin -q", group[] = "-jqn 7 next -t 1";
        Parsed p = parse(nothing);

        assert_int_equal(p.status, 0);
        assert_string_equal(p.ctl.verb->name, "list");
        assert_true(p.ctl.options.timeout == USEC_INFINITY);

        p = parse(many);
        assert_int_equal(p.status, 0);
        assert_string_equal(p.ctl.verb->name, "runs");
        assert_string_equal(p.ctl.options.env, "/e");
        assert_int_equal(p.ctl.options.lines, 5);
        assert_int_equal(p.ctl.options.states.n, 2);
        assert_string_equal(p.ctl.options.states.words[1], "jx");
        assert_true(p.ctl.options.json && p.ctl.options.quiet);
        assert_int_equal(p.n, 2);
        assert_string_equal(p.args[1], "b");
        options_deinit(&p.ctl.options);

        p = parse(args);
        assert_int_equal(p.status, 0);
        assert_int_equal(p.n, 4);
        assert_string_equal(p.args[1], "--city");
        assert_true(p.ctl.options.wait && !p.ctl.options.quiet);
        assert_string_equal(p.ctl.options.params.words[0], "a=b=c");
        options_deinit(&p.ctl.options);

        p = parse(group);
        assert_int_equal(p.status, STATUS_USAGE); /* next takes no timeout */
        assert_int_equal(p.ctl.options.lines, 7);
        options_deinit(&p.ctl.options);
}

static void test_wrong_usage(_unused_ void **state)
{
        static const char *const table[] = {
                "lsit",           "--jsn",       "-x",           "list --wait",       "run",
                "ping pong",      "next -n 0",   "next -n x",    "next -n 9999999",   "next -n",
                "--json=yes",     "--env",       "--env / --user list", "wait 1 -t never", "result a b",
                "--env-ironment",
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *text = strdup(table[i]);
                Parsed p = parse(text);

                assert_int_equal(p.status, STATUS_USAGE);
                options_deinit(&p.ctl.options);
        }
}

static void test_tables(_unused_ void **state)
{
        unsigned used = 0;

        for (const Verb *v = verbs; v->name; v++) {
                used |= v->options;
                assert_ptr_equal(verb_find(v->name), v);
                assert_true(v->min_args <= v->max_args && v->run && v->summary);
        }
        for (const Option *o = options; o->name; o++) {
                assert_int_equal(o->verbs & ~used, 0);
                for (const Option *other = o + 1; other->name; other++)
                        assert_true(!streq(o->name, other->name) && (!o->letter || o->letter != other->letter));
        }
        assert_string_equal(verb_nearest("lsit"), "list");
        assert_string_equal(verb_nearest("resutl"), "result");
        assert_null(verb_nearest("environment"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_table),   RUN(test_table_wrapped), RUN(test_short_times),
                RUN(test_clean),       RUN(test_spans),  RUN(test_colour),
                RUN(test_options), RUN(test_wrong_usage), RUN(test_tables),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
