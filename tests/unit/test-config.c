/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/settings.h"
#include "job/spec.h"

static char root[] = "/tmp/test-config.XXXXXX";

static int setup(_unused_ void **state)
{
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(_unused_ void **state)
{
        _cleanup_free_ char *command = xasprintf("rm -rf '%s'", root);

        return command && system(command) == 0 ? 0 : -1;
}

static char *put_bytes(const char *name, const char *bytes, size_t n)
{
        char *path = path_join(root, name);

        assert_non_null(path);
        assert_ok(write_file_atomic(path, bytes, n, 0644, false));
        return path;
}

static char *put(const char *name, const char *text)
{
        return put_bytes(name, text, strlen(text));
}

static void assert_problem(const ConfigReport *report, size_t i, const char *text)
{
        _cleanup_buffer_ Buffer formatted = BUFFER_NULL;

        assert_true(i < report->n);
        assert_ok(config_problem_format(&report->problems[i], &formatted));
        assert_string_equal(buffer_string(&formatted), text);
}

typedef struct Parsed {
        ConfigItems items;
        ConfigReport report;
        int r;
} Parsed;

static void parsed_deinit(Parsed *p)
{
        config_items_deinit(&p->items);
        config_report_deinit(&p->report);
}
#define _cleanup_parsed_ _cleanup_(parsed_deinit)

/* Out of a block of exactly N bytes, so that a sanitizer sees a look past the end. */
static Parsed parse_bytes(const char *bytes, size_t n)
{
        _cleanup_free_ char *copy = malloc(n > 0 ? n : 1);
        Parsed p = {};

        assert_non_null(copy);
        memcpy(copy, bytes, n);
        p.r = config_parse_text("f", copy, n, &p.items, &p.report);
        return p;
}

static Parsed parse(const char *text)
{
        return parse_bytes(text, strlen(text));
}

static void assert_item(const Parsed *p, size_t i, const char *section, const char *key, const char *value)
{
        assert_true(i < p->items.n);
        assert_string_equal(p->items.items[i].section, section);
        assert_string_equal(p->items.items[i].key, key);
        assert_string_equal(p->items.items[i].value, value);
}

/* --- grammar --- */

static void test_assignments(_unused_ void **state)
{
        _cleanup_parsed_ Parsed p = parse("# a comment\n; another\n\n[Job]\nType = http \n\tDescription=a = b # c\nEmpty=\n[Http]\nUrl=x");

        assert_int_equal(p.r, 0);
        assert_int_equal(p.items.n, 4);
        assert_item(&p, 0, "Job", "Type", "http");
        assert_item(&p, 1, "Job", "Description", "a = b # c");
        assert_item(&p, 2, "Job", "Empty", "");
        assert_item(&p, 3, "Http", "Url", "x");
        assert_int_equal(p.items.items[0].line, 5);
        assert_int_equal(p.items.items[0].key_column, 1);
        assert_int_equal(p.items.items[0].column, 8);
        assert_int_equal(p.items.items[1].key_column, 2);
        assert_int_equal(p.items.items[3].line, 9);
        assert_non_null(config_items_find(&p.items, "Http", "Url"));
        assert_null(config_items_find(&p.items, "Job", "Url"));
}

static void test_continuation(_unused_ void **state)
{
        _cleanup_parsed_ Parsed p = parse("[Exec]\nCommand=one \\\n  two\\\n# passed over\\\n   three\nNext=\\\n  x\nLast=end\\");

        assert_int_equal(p.r, 0);
        assert_int_equal(p.items.n, 3);
        assert_item(&p, 0, "Exec", "Command", "one two three");
        assert_item(&p, 1, "Exec", "Next", "x");
        assert_item(&p, 2, "Exec", "Last", "end");

        /* The place of an error within a value is where the file has it. */
        config_item_error(&p.items.items[0], &p.report, 0, "first");
        config_item_error(&p.items.items[0], &p.report, strlen("one "), "second");
        config_item_error(&p.items.items[0], &p.report, strlen("one two th"), "third");
        config_item_error(&p.items.items[1], &p.report, 0, "fourth");
        config_item_error(&p.items.items[2], &p.report, 99, "past the end");
        assert_problem(&p.report, 0, "f:2:9: Command=: first");
        assert_problem(&p.report, 1, "f:3:3: Command=: second");
        assert_problem(&p.report, 2, "f:5:6: Command=: third");
        assert_problem(&p.report, 3, "f:7:3: Next=: fourth");
        assert_problem(&p.report, 4, "f:8:9: Last=: past the end");
}

/* Columns count characters, as editors do, not bytes. */
static void test_columns_of_characters(_unused_ void **state)
{
        _cleanup_parsed_ Parsed p = parse("[Job]\nÄnderung = grün ist x\n");

        assert_int_equal(p.r, 0);
        config_item_key_error(&p.items.items[0], &p.report, "key");
        config_item_error(&p.items.items[0], &p.report, strlen("grün ist "), "value");
        assert_problem(&p.report, 0, "f:2:1: key");
        assert_problem(&p.report, 1, "f:2:21: Änderung=: value");
}

static void test_line_ends(_unused_ void **state)
{
        _cleanup_parsed_ Parsed bom = parse("\xef\xbb\xbf[Job]\r\nType=exec\r\nDescription=a \\\r\n  b\r\n\r\n");
        _cleanup_parsed_ Parsed alone = parse("\xef\xbb\xbf");
        _cleanup_parsed_ Parsed empty = parse("");
        _cleanup_parsed_ Parsed blank = parse("\n\n \t\n");

        assert_int_equal(bom.r, 0);
        assert_int_equal(bom.items.n, 2);
        assert_item(&bom, 0, "Job", "Type", "exec");
        assert_item(&bom, 1, "Job", "Description", "a b");
        assert_int_equal(alone.r, 0);
        assert_int_equal(alone.items.n, 0);
        assert_int_equal(empty.r, 0);
        assert_int_equal(empty.items.n_files, 1);
        assert_int_equal(blank.items.n, 0);
}

static void test_not_text(_unused_ void **state)
{
        static const char nul[] = "[Job]\nType=\0exec\n";
        _cleanup_parsed_ Parsed p = parse_bytes(nul, sizeof(nul) - 1);
        _cleanup_parsed_ Parsed latin = parse("[Job]\nDescription=gr\xfcn\n");
        _cleanup_parsed_ Parsed cut = parse("[Job]\nDescription=gr\xc3");
        _cleanup_parsed_ Parsed surrogate = parse("# \xed\xa0\x80\n");

        assert_int_equal(p.r, -EBADMSG);
        assert_problem(&p.report, 0, "f:2:6: a NUL byte; the file must be text");
        assert_int_equal(latin.r, -EBADMSG);
        assert_problem(&latin.report, 0, "f:2:15: not valid UTF-8");
        assert_problem(&cut.report, 0, "f:2:15: not valid UTF-8");
        assert_problem(&surrogate.report, 0, "f:1:3: not valid UTF-8");
        assert_int_equal(latin.items.n, 0);
}

/* All problems are found in one go, each at its place. */
static void test_broken_grammar(_unused_ void **state)
{
        _cleanup_parsed_ Parsed p = parse("Early=1\nnonsense\n  =x\n[Job\n[]\n[Job] trailing\n[Job]\nType=exec\n");

        assert_int_equal(p.r, -EBADMSG);
        assert_problem(&p.report, 0, "f:1:1: the assignment stands before any [Section]");
        assert_problem(&p.report, 1, "f:2:1: neither [Section] nor Key=value nor a comment");
        assert_problem(&p.report, 2, "f:3:3: neither [Section] nor Key=value nor a comment");
        assert_problem(&p.report, 3, "f:4:1: a section is one word in brackets on a line of its own, such as [Job]");
        assert_problem(&p.report, 4, "f:5:1: a section is one word in brackets on a line of its own, such as [Job]");
        assert_problem(&p.report, 5, "f:6:1: a section is one word in brackets on a line of its own, such as [Job]");
        assert_int_equal(p.report.n, 6);
        assert_item(&p, 0, "Job", "Type", "exec");
}

/* What follows a broken section header belongs to no one knows what: it is not held against the section before. */
static void test_after_broken_section(_unused_ void **state)
{
        _cleanup_parsed_ Parsed p = parse("[Job]\nType=http\n[Http\nUrl=http://x/ \\\n  y\n[Schedule]\nEvery=1s\n");

        assert_int_equal(p.r, -EBADMSG);
        assert_int_equal(p.report.n, 1);
        assert_int_equal(p.items.n, 2);
        assert_item(&p, 1, "Schedule", "Every", "1s");
}

static void test_many_problems(_unused_ void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_parsed_ Parsed p = {};

        for (unsigned i = 0; i < CONFIG_MAX_PROBLEMS + 7; i++)
                assert_ok(buffer_append_string(&text, "x\n"));
        p.r = config_parse_text("f", text.data, text.len, &p.items, &p.report);
        assert_int_equal(p.r, -EBADMSG);
        assert_int_equal(p.report.n, CONFIG_MAX_PROBLEMS);
        assert_int_equal(p.report.n_dropped, 7);
}

static void test_many_assignments(_unused_ void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_parsed_ Parsed p = {};

        assert_ok(buffer_append_string(&text, "[Job]\n"));
        for (unsigned i = 0; i < CONFIG_MAX_ITEMS + 5; i++)
                assert_ok(buffer_append_string(&text, "k=v\n"));
        p.r = config_parse_text("f", text.data, text.len, &p.items, &p.report);
        assert_int_equal(p.r, -EBADMSG);
        assert_int_equal(p.items.n, CONFIG_MAX_ITEMS);
        assert_problem(&p.report, 0, "f:10002: more than 10000 assignments");
        assert_int_equal(p.report.n, 1);
}

/* --- files --- */

static void test_files(_unused_ void **state)
{
        _cleanup_free_ char *big = calloc(1, CONFIG_FILE_MAX_BYTES + 1), *over = NULL, *just = NULL, *dir = NULL, *fifo = NULL;
        _cleanup_free_ char *expected = NULL, *missing = path_join(root, "missing.job");
        _cleanup_parsed_ Parsed p = {};

        memset(big, '\n', CONFIG_FILE_MAX_BYTES + 1);
        over = put_bytes("over.job", big, CONFIG_FILE_MAX_BYTES + 1);
        just = put_bytes("just.job", big, CONFIG_FILE_MAX_BYTES);
        dir = path_join(root, "dir.job");
        fifo = path_join(root, "fifo.job");
        assert_int_equal(mkdir(dir, 0755), 0);
        assert_int_equal(mkfifo(fifo, 0644), 0);

        assert_int_equal(config_parse_file(over, &p.items, &p.report), -EBADMSG);
        assert_int_equal(config_parse_file(just, &p.items, &p.report), 0);
        assert_int_equal(config_parse_file(missing, &p.items, &p.report), -EBADMSG);
        assert_int_equal(config_parse_file(dir, &p.items, &p.report), -EBADMSG);
        assert_int_equal(config_parse_file(fifo, &p.items, &p.report), -EBADMSG);
        expected = xasprintf("%s: larger than 1048576 bytes", over);
        assert_problem(&p.report, 0, expected);
        assert_int_equal(p.report.n, 4);
}

/* A value may be as long as a file; what is said of it stays short. */
static void test_long_value(_unused_ void **state)
{
        size_t n = CONFIG_FILE_MAX_BYTES - 64;
        _cleanup_free_ char *text = malloc(n + 64), *path = NULL;
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        JobSpec *spec = NULL;
        int k = sprintf(text, "[Job]\nType=sleep\nRetries=");

        for (size_t i = 0; i < n - 100; i += 2)
                memcpy(text + k + i, "ä", 2);
        path = put_bytes("long.job", text, (size_t)k + n - 100);
        assert_int_equal(job_spec_load_file(path, &report, &spec), -EBADMSG);
        assert_int_equal(report.n, 1);
        assert_int_equal(report.problems[0].line, 3);
        assert_int_equal(report.problems[0].column, 9);
        assert_true(strlen(report.problems[0].message) <= CONFIG_MESSAGE_MAX_BYTES);
        assert_int_equal(utf8_check(report.problems[0].message, strlen(report.problems[0].message)),
                         strlen(report.problems[0].message));
}

static void test_dropins(_unused_ void **state)
{
        _cleanup_free_ char *path = put("drop.job", "[Job]\nType=sleep\nDescription=file\n[Sleep]\nDuration=1s\n");
        _cleanup_free_ char *dir = path_join(root, "drop.job.d"), *b = NULL, *a = NULL, *hidden = NULL, *other = NULL;
        _cleanup_parsed_ Parsed p = {};

        assert_int_equal(mkdir(dir, 0755), 0);
        b = put("drop.job.d/20-b.conf", "[Sleep]\nDuration=3s\n");
        a = put("drop.job.d/10-a.conf", "[Sleep]\nDuration=2s\n[Job]\nDescription=\n");
        hidden = put("drop.job.d/.hidden.conf", "[Sleep]\nDuration=9s\n");
        other = put("drop.job.d/readme", "nonsense");
        assert_int_equal(config_parse_file_with_dropins(path, &p.items, &p.report), 0);
        assert_int_equal(p.items.n_files, 3);
        assert_string_equal(config_items_find(&p.items, "Sleep", "Duration")->value, "3s");
        assert_string_equal(config_items_find(&p.items, "Sleep", "Duration")->file, b);
        assert_string_equal(config_items_find(&p.items, "Job", "Description")->value, "");
}

/* --- keys of jobs --- */

typedef struct Loaded {
        JobSpec *spec;
        ConfigReport report;
        int r;
} Loaded;

static void loaded_deinit(Loaded *l)
{
        job_spec_unref(l->spec);
        config_report_deinit(&l->report);
}
#define _cleanup_loaded_ _cleanup_(loaded_deinit)

static Loaded load(const char *text)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        Loaded l = {};

        assert_ok(config_parse_text("f", text, strlen(text), &items, &l.report));
        l.r = job_spec_load_items("job", &items, &l.report, &l.spec);
        return l;
}

static void test_unknown_key(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=sleep\nDescripton=x\nZzzzzzzzz=1\n[Sleeep]\nDuration=1s\n[Http]\nUrl=x\n"
                                         "[Job]\nEvery=1s\nDuration=1s\n[Frobnicate]\nDuration=1s\n");

        assert_int_equal(l.r, -EBADMSG);
        assert_null(l.spec);
        assert_problem(&l.report, 0, "f:3:1: [Job] has no key Descripton=; did you mean Description=?");
        assert_problem(&l.report, 1, "f:4:1: [Job] has no key Zzzzzzzzz=");
        assert_problem(&l.report, 2, "f:6:1: there is no section [Sleeep]; did you mean [Sleep]?");
        assert_problem(&l.report, 3, "f:8:1: [Http] belongs to Type=http, and this job is Type=sleep");
        assert_problem(&l.report, 4, "f:10:1: [Job] has no key Every=, which is one of [Schedule]");
        assert_problem(&l.report, 5, "f:11:1: [Job] has no key Duration=, which is one of [Sleep]");
        assert_problem(&l.report, 6, "f:13:1: there is no section [Frobnicate]; this job may have [Job], [Schedule], [Result], [Publish] and [Sleep]");
}

/* A kind that is none hides nothing else that is wrong. */
static void test_all_in_one_go(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=slep\nRetries=x\n[Schedule]\nEvery=1parsec\n[Sleep]\nDuraton=1s\n[Http]\nUrl=x\n[Jbo]\nx=y\n");
        _cleanup_loaded_ Loaded none = load("[Job]\nEnter=/bin/echo ${nobody}\n[Schedule]\nEvery=x\n");
        _cleanup_loaded_ Loaded late = load("[Job]\nType=exec\n[Exec]\nCommand=/bin/echo ${nobody}\nInput=${nothing}\n[Publish]\nFile=${nowhere}\n"
                                            "[Schedule]\nEvery=x\n");

        assert_int_equal(l.r, -EBADMSG);
        assert_null(l.spec);
        assert_problem(&l.report, 0, "f:2:6: Type=: 'slep' is no kind of job; did you mean sleep?");
        assert_problem(&l.report, 1, "f:3:9: Retries=: 'x' is no whole number");
        assert_problem(&l.report, 2, "f:7:1: [Sleep] has no key Duraton=; did you mean Duration=?");
        assert_problem(&l.report, 3, "f:11:1: there is no section [Jbo]; did you mean [Job]?");
        assert_non_null(startswith(l.report.problems[4].message, "Every="));
        assert_int_equal(l.report.n, 5);
        assert_int_equal(none.r, -EBADMSG);
        assert_int_equal(none.report.n, 3);
        assert_int_equal(late.r, -EBADMSG);
        assert_null(late.spec);
        assert_int_equal(late.report.n, 4);
}

static void test_bad_values(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=blink\nEnabled=perhaps\nRetries=-1\nRetries=1001\nRetries=99999999999\n"
                                         "TimeoutSec=5 parsecs\nTimeoutSec=1us\n[Schedule]\nOverlap=maybe\n[Blink]\nDuty=-1\nDuty=1.5\nDuty=nan\n");

        assert_int_equal(l.r, -EBADMSG);
        assert_problem(&l.report, 0, "f:3:9: Enabled=: 'perhaps' is no boolean; say yes or no");
        assert_problem(&l.report, 1, "f:4:9: Retries=: '-1' is no whole number");
        assert_problem(&l.report, 2, "f:5:9: Retries=: must be from 0 to 1000");
        assert_problem(&l.report, 3, "f:6:9: Retries=: must be from 0 to 1000");
        assert_int_equal(l.report.problems[4].line, 7);
        assert_int_equal(l.report.problems[4].column, 14);
        assert_problem(&l.report, 5, "f:8:12: TimeoutSec=: must be at least 1ms");
        assert_problem(&l.report, 6, "f:10:9: Overlap=: 'maybe' is none of skip, queue, replace or parallel");
        assert_problem(&l.report, 7, "f:12:6: Duty=: must be from 0 to 1");
        assert_problem(&l.report, 8, "f:13:6: Duty=: must be from 0 to 1");
        assert_problem(&l.report, 9, "f:14:6: Duty=: 'nan' is no number");
}

/* "blink, countdown, … or worker" */
static char *list_kinds(void)
{
        Buffer list = BUFFER_NULL;

        for (size_t i = 0; job_kinds[i]; i++)
                assert_ok(buffer_appendf(&list, "%s%s", i == 0 ? "" : job_kinds[i + 1] ? ", " : " or ", job_kinds[i]->name));
        return buffer_steal(&list);
}

static void test_type_is_needed(_unused_ void **state)
{
        _cleanup_free_ char *kinds = list_kinds(), *missing = xasprintf("f: [Job] has no Type=; say %s", kinds),
                            *wrong = xasprintf("f:2:6: Type=: 'elephant' is no kind of job; say %s", kinds);
        _cleanup_loaded_ Loaded none = load("[Job]\nDescription=x\n"), other = load("[Job]\nType=elephant\n"),
                                misspelt = load("[Job]\nType=htpp\n"), nothing = load("");

        assert_problem(&none.report, 0, missing);
        assert_problem(&other.report, 0, wrong);
        assert_problem(&misspelt.report, 0, "f:2:6: Type=: 'htpp' is no kind of job; did you mean http?");
        assert_int_equal(nothing.r, -EBADMSG);
        assert_int_equal(nothing.report.n, 1);
}

/* An empty assignment takes back what was said before it: lists are emptied, the rest is as by default. */
static void test_empty_resets(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=exec\nDescription=x\nDescription=\nDocumentation=a\nDocumentation=\nDocumentation=b\n"
                                         "Enabled=no\nEnabled=\nTimeoutSec=5s\nTimeoutSec=\nRetries=3\nRetries=\n"
                                         "RetryDelaySec=9s\nRetryDelaySec=\n[Exec]\nCommand=/bin/true\nLimit=CPU=1\nLimit=\nKillSignal=9\nKillSignal=\n"
                                         "[Schedule]\nOverlap=queue\nOverlap=\nMaxParallel=3\nMaxParallel=\n");
        _cleanup_loaded_ Loaded plain = load("[Job]\nType=exec\n[Exec]\nCommand=/bin/true\n");

        assert_int_equal(l.r, 0);
        assert_null(l.spec->job.description);
        assert_int_equal(l.spec->job.documentation.n, 1);
        assert_string_equal(l.spec->job.documentation.strings[0], "b");
        assert_true(l.spec->job.enabled);
        assert_int_equal(l.spec->job.timeout, plain.spec->job.timeout);
        assert_int_equal(l.spec->job.retries, 0);
        assert_int_equal(l.spec->job.retry_delay, USEC_PER_SEC);
        assert_int_equal(l.spec->schedule.overlap, OVERLAP_SKIP);
        assert_int_equal(l.spec->schedule.max_parallel, 0);
}

/* Taking a trigger back leaves the other keys of [Schedule] alone. */
static void test_empty_trigger(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=sleep\n[Schedule]\nCount=5\nDstGap=skip\nDstFold=both\nAt=2100-01-01\n"
                                         "Every=1s\nEvery=\nAt=\nEvery=2s\nAt=2101-01-01\n");
        const Schedule *schedule;

        assert_int_equal(l.r, 0);
        schedule = &l.spec->schedule.schedule;
        assert_int_equal(schedule->max_count, 5);
        assert_int_equal(schedule->gap, 1);
        assert_int_equal(schedule->fold, 2);
        assert_int_equal(schedule->n_triggers, 2);
        assert_int_equal(schedule->triggers[0].span, 2 * USEC_PER_SEC);
        /* What is shown to people is what counts. */
        assert_int_equal(l.spec->triggers.n, 2);
        assert_string_equal(l.spec->triggers.strings[0], "Every=2s");
        assert_string_equal(l.spec->triggers.strings[1], "At=2101-01-01");
}

static void test_identity(_unused_ void **state)
{
        _cleanup_loaded_ Loaded a = load("[Job]\nType=sleep\n[Schedule]\nEvery=1s\n");
        _cleanup_loaded_ Loaded b = load("# other words\n[Job]\nType = sleep\n\n[Schedule]\nEvery= \\\n 1s\n");
        _cleanup_loaded_ Loaded c = load("[Job]\nType=sleep\n[Schedule]\nEvery=1s\n[Sleep]\nDuration=2s\n");

        assert_string_equal(a.spec->identity, b.spec->identity);
        assert_string_not_equal(a.spec->identity, c.spec->identity);
        assert_string_equal(a.spec->schedule_identity, c.spec->schedule_identity);
}

static void test_schedule_errors(_unused_ void **state)
{
        _cleanup_loaded_ Loaded l = load("[Job]\nType=sleep\n[Schedule]\nEvery=0\nAfter=infinity\nAt=tomorrowish\nOnCalendar=*-13-*\nTimeZone=Mars/Base\n");

        assert_int_equal(l.r, -EBADMSG);
        assert_int_equal(l.report.n, 5);
        assert_int_equal(l.report.problems[0].line, 8);
        assert_int_equal(l.report.problems[1].line, 4);
        assert_int_equal(l.report.problems[2].line, 5);
        assert_int_equal(l.report.problems[3].line, 6);
        assert_int_equal(l.report.problems[4].line, 7);
}

/* --- settings --- */

static void test_settings(_unused_ void **state)
{
        _cleanup_free_ char *path = put("takt.conf", "[Daemon]\nMaxRuns=7\nKeepRuns=0\nLogLevel=debug\nListen=127.0.0.1:1\nListen=\n");
        _cleanup_free_ char *missing = path_join(root, "none.conf");
        _cleanup_free_ char *bad = put("bad.conf", "[Daemon]\nMaxRuns=0\nMaxRun=5\n[Demon]\nx=1\n");
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(settings_freep) Settings *settings = NULL, *defaults = NULL, *none = NULL;

        assert_ok(settings_load(path, &report, &settings));
        assert_int_equal(settings->max_runs, 7);
        assert_int_equal(settings->keep_runs, 0);
        assert_int_equal(settings->log_level, 7);
        assert_null(settings->listen);
        assert_ok(settings_load(missing, &report, &defaults));
        assert_int_equal(defaults->max_runs, 10000);
        assert_int_equal(report.n, 0);
        assert_int_equal(settings_load(bad, &report, &none), -EBADMSG);
        assert_null(none);
        assert_int_equal(report.n, 3);
        assert_int_equal(report.problems[0].line, 2);
        assert_non_null(strstr(report.problems[1].message, "MaxRuns="));
        assert_int_equal(report.problems[2].line, 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_assignments),     RUN(test_continuation),   RUN(test_columns_of_characters),
                RUN(test_line_ends),       RUN(test_not_text),       RUN(test_broken_grammar),
                RUN(test_after_broken_section), RUN(test_many_problems), RUN(test_many_assignments),
                RUN(test_files),           RUN(test_long_value),     RUN(test_dropins),
                RUN(test_unknown_key),     RUN(test_bad_values),     RUN(test_type_is_needed), RUN(test_all_in_one_go),
                RUN(test_empty_resets),    RUN(test_empty_trigger),  RUN(test_identity),
                RUN(test_schedule_errors), RUN(test_settings),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
