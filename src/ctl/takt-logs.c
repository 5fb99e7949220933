/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the journal has of an environment's jobs, found by the fields TAKT_ENV and TAKT_JOB; taktctl
 * logs becomes this program. Names are left to the journal's index; where one is a pattern, all
 * entries of the environment are looked at, so that jobs that come later are followed, too. An entry
 * that stands for several jobs has as many of these fields.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/string-util.h"
#include "ctl/pager.h"
#include "ctl/text.h"
#include "ctl/verb.h"

typedef struct Logs {
        sd_journal *journal;
        Ctl *ctl;
        char **jobs;
        size_t n_jobs;
        bool patterns; /* one of JOBS is one */
        usec_t since;  /* 0: from the beginning */
        bool brief;    /* for status: nothing is said where there is nothing to show */
        const char **unknown; /* names of JOBS that the daemon does not know */
        size_t n_unknown;
} Logs;

static int fail(const Logs *logs, int r)
{
        if (logs->brief)
                return r == -EACCES || r == -EPERM ? STATUS_NOT_PERMITTED : STATUS_FAILED;
        return r == -ENOMEM ? ctl_oom() : ctl_error(STATUS_FAILED, "can't read the journal: %s", strerror(-r));
}

/* --- which entries --- */

/* The text of a field, which the caller frees; "" where the entry has none. NULL: no memory. */
static char *get_field(const Logs *logs, const char *name)
{
        size_t n, skip = strlen(name) + 1;
        const void *data;

        if (sd_journal_get_data(logs->journal, name, &data, &n) < 0 || n < skip)
                return strdup("");
        return strndup((const char *)data + skip, n - skip);
}

static bool is_pattern(const char *job)
{
        return job[strcspn(job, "*?[\\")] != '\0';
}

/* The next job that the current entry is about, which the caller frees; NULL: no other, or RET is -ENOMEM. */
static char *next_job(const Logs *logs, int *ret)
{
        const void *data;
        size_t n;

        while (sd_journal_enumerate_data(logs->journal, &data, &n) > 0) {
                const char *text = data;
                size_t skip = strlen("TAKT_JOB=");
                char *job;

                if (n < skip || memcmp(text, "TAKT_JOB=", skip) != 0)
                        continue;
                job = strndup(text + skip, n - skip);
                if (!job)
                        *ret = -ENOMEM;
                return job;
        }
        return NULL;
}

static bool matches(const Logs *logs, const char *job)
{
        for (size_t i = 0; i < logs->n_jobs; i++)
                if (fnmatch(logs->jobs[i], job, 0) == 0)
                        return true;
        return false;
}

/* 1 if the current entry is wanted, 0 if not, -ENOMEM. */
static int is_wanted(const Logs *logs)
{
        char *job;
        int r = !logs->patterns;

        sd_journal_restart_data(logs->journal);
        while (r == 0 && (job = next_job(logs, &r))) {
                r = matches(logs, job);
                free(job);
        }
        return r;
}

static int add_match(Logs *logs, const char *field, const char *value)
{
        _cleanup_free_ char *match = xasprintf("%s=%s", field, value);

        return match ? sd_journal_add_match(logs->journal, match, 0) : -ENOMEM;
}

/* Whether the journal has something of JOB: 0 or more; negative errno. The matches are left to who comes next. */
static int has_entries(Logs *logs, const char *job)
{
        int r = add_match(logs, "TAKT_ENV", logs->ctl->options.env);

        if (r >= 0)
                r = add_match(logs, "TAKT_JOB", job);
        if (r >= 0)
                r = sd_journal_seek_head(logs->journal);
        if (r >= 0)
                r = sd_journal_next(logs->journal);
        sd_journal_flush_matches(logs->journal);
        return r;
}

/* Keeps those names that neither the daemon nor the journal knows. */
static int note_unknown(Logs *logs)
{
        for (size_t i = 0; i < logs->n_unknown; i++) {
                int r = has_entries(logs, logs->unknown[i]);

                if (r < 0)
                        return r;
                if (r == 0 && ctl_note_unknown_job(logs->ctl, logs->unknown[i]) != 0)
                        return -ENOMEM;
        }
        return 0;
}

static int add_matches(Logs *logs)
{
        int r = note_unknown(logs);

        if (r >= 0)
                r = add_match(logs, "TAKT_ENV", logs->ctl->options.env);
        for (size_t i = 0; i < logs->n_jobs; i++)
                logs->patterns = logs->patterns || is_pattern(logs->jobs[i]);
        for (size_t i = 0; i < logs->n_jobs && !logs->patterns && r >= 0; i++)
                r = add_match(logs, "TAKT_JOB", logs->jobs[i]);
        return r;
}

/* --- where to begin; each returns as sd_journal_next() does, with the first entry current --- */

static int go_to_since(const Logs *logs)
{
        int r = logs->since > 0 ? sd_journal_seek_realtime_usec(logs->journal, logs->since) :
                                  sd_journal_seek_head(logs->journal);

        return r < 0 ? r : sd_journal_next(logs->journal);
}

static int go_to_last(const Logs *logs, unsigned n)
{
        uint64_t realtime;
        int r, wanted;

        r = sd_journal_seek_tail(logs->journal);
        while (r >= 0) {
                r = sd_journal_previous(logs->journal);
                if (r > 0)
                        r = sd_journal_get_realtime_usec(logs->journal, &realtime) < 0 ? 0 : realtime >= logs->since;
                if (r <= 0)
                        break;
                wanted = is_wanted(logs);
                if (wanted < 0)
                        return wanted;
                if (wanted > 0 && --n == 0)
                        return 1;
        }
        return r < 0 ? r : go_to_since(logs);
}

/* --- printing --- */

static Style priority_style(const char *priority)
{
        static const Style styles[] = {
                [LOG_EMERG] = STYLE_BAD, [LOG_ALERT] = STYLE_BAD,       [LOG_CRIT] = STYLE_BAD,
                [LOG_ERR] = STYLE_BAD,   [LOG_WARNING] = STYLE_WARNING, [LOG_DEBUG] = STYLE_DIM,
        };
        uint64_t level;

        if (parse_uint64(priority, &level) < 0 || level >= ARRAY_SIZE(styles))
                return STYLE_NONE;
        return styles[level];
}

static int print_text(const Logs *logs, usec_t realtime)
{
        _cleanup_free_ char *message = get_field(logs, "MESSAGE"), *priority = get_field(logs, "PRIORITY");
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;
        char text[TIMESTAMP_MAX];
        Style style;

        if (!message || !priority || text_append_clean(&clean, message, strlen(message), false) < 0)
                return ctl_oom();
        style = priority_style(priority);
        printf("%s %s%s%s\n", time_to_short_text(realtime, USEC_PER_MSEC, logs->ctl->zone, text),
               style_begin(style, logs->ctl->colour), buffer_string(&clean), style_end(style, logs->ctl->colour));
        return 0;
}

static const struct {
        const char *key;
        const char *field;
        bool number;
} members[] = {
        { "run", "TAKT_RUN", true },    { "kind", "TAKT_KIND", false },
        { "state", "TAKT_STATE", false }, { "error", "TAKT_ERROR", false }, { "priority", "PRIORITY", true },
        { "messageId", "MESSAGE_ID", false }, { "message", "MESSAGE", false },
};

/* "job", or "jobs" where the entry stands for several. */
static int write_jobs(const Logs *logs, JsonWriter *w)
{
        _cleanup_free_ char *first = NULL, *second = NULL;
        char *job;
        int r = 0;

        sd_journal_restart_data(logs->journal);
        first = next_job(logs, &r);
        second = first ? next_job(logs, &r) : NULL;
        if (!first)
                return r;
        json_key(w, second ? "jobs" : "job");
        if (second)
                json_begin_array(w);
        json_string_lossy(w, first, strlen(first));
        if (!second)
                return r;
        json_string_lossy(w, second, strlen(second));
        while ((job = next_job(logs, &r))) {
                json_string_lossy(w, job, strlen(job));
                free(job);
        }
        json_end_array(w);
        return r;
}

/* One object; what an entry does not have is left out. */
static int print_json(const Logs *logs, usec_t realtime)
{
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &line, 0);
        json_begin_object(&w);
        json_key(&w, "time");
        json_realtime(&w, realtime);
        if (write_jobs(logs, &w) < 0)
                return ctl_oom();
        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                _cleanup_free_ char *text = get_field(logs, members[i].field);
                uint64_t number;

                if (!text)
                        return ctl_oom();
                if (!*text || (members[i].number && parse_uint64(text, &number) < 0))
                        continue;
                json_key(&w, members[i].key);
                if (members[i].number)
                        json_uint(&w, number);
                else
                        json_string_lossy(&w, text, strlen(text));
        }
        json_end_object(&w);
        if (json_writer_end(&w) < 0)
                return ctl_oom();
        puts(buffer_string(&line));
        return 0;
}

/* Prints the current entry and what comes after it. R is what led here. 0, or an exit status. */
static int print_rest(const Logs *logs, int r, size_t *n)
{
        while (r > 0) {
                uint64_t realtime = 0;
                int wanted = is_wanted(logs), status = 0;

                if (wanted < 0)
                        return ctl_oom();
                (void)sd_journal_get_realtime_usec(logs->journal, &realtime);
                if (wanted > 0) {
                        if (logs->brief && *n == 0)
                                putchar('\n');
                        status = logs->ctl->options.json ? print_json(logs, realtime) : print_text(logs, realtime);
                        (*n)++;
                }
                if (status != 0)
                        return status;
                r = sd_journal_next(logs->journal);
        }
        return r < 0 ? fail(logs, r) : ctl_flush();
}

static int print_all(Logs *logs)
{
        const CtlOptions *o = &logs->ctl->options;
        size_t n = 0;
        int r;

        if (o->follow)
                ctl_tell_unknown(logs->ctl);
        else
                ctl_pager(logs->ctl);
        r = o->lines > 0 ? go_to_last(logs, o->lines) : go_to_since(logs);
        if (r < 0)
                return fail(logs, r);
        r = print_rest(logs, r, &n);
        while (r == 0 && o->follow) {
                r = sd_journal_wait(logs->journal, UINT64_MAX);
                if (r < 0)
                        return fail(logs, r);
                r = print_rest(logs, sd_journal_next(logs->journal), &n);
        }
        if (r == 0 && n == 0 && !o->quiet && !o->json && !logs->brief && logs->ctl->unknown.n_jobs < logs->n_jobs)
                fprintf(stderr, "taktctl: the journal has nothing of this\n");
        return r;
}

/* --- opening --- */

/* No entry can be seen. */
static int fail_empty(const Logs *logs)
{
        static const char *const directories[] = { "/run/log/journal", "/var/log/journal" };
        bool exists = false;

        for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
                exists = exists || access(directories[i], F_OK) == 0;
        if (logs->brief)
                return exists && geteuid() != 0 ? STATUS_NOT_PERMITTED : STATUS_FAILED;
        if (exists && geteuid() != 0)
                return ctl_error(STATUS_NOT_PERMITTED, "not permitted to read the journal; run it as root or as a member "
                                 "of the group systemd-journal");
        return ctl_error(STATUS_FAILED, "there is no journal on this machine; taktd logs to its standard error");
}

static int open_journal(const Logs *logs, sd_journal **ret)
{
        const char *directory = getenv("TAKT_JOURNAL");
        _cleanup_(sd_journal_closep) sd_journal *journal = NULL;
        uint64_t bytes = 0;
        int r;

        r = directory ? sd_journal_open_directory(&journal, directory, 0) : sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
        if (r >= 0)
                r = sd_journal_get_usage(journal, &bytes);
        if (r < 0)
                return fail(logs, r);
        if (bytes == 0)
                return fail_empty(logs);
        *ret = journal;
        journal = NULL;
        return 0;
}

/* One of make_command() in logs.c. */
static void read_option(Logs *logs, Environment *environment, const char *arg)
{
        CtlOptions *o = &logs->ctl->options;
        const char *value;
        uint64_t lines;

        o->json = o->json || streq(arg, "--json");
        o->quiet = o->quiet || streq(arg, "--quiet");
        o->follow = o->follow || streq(arg, "--follow");
        o->no_pager = o->no_pager || streq(arg, "--no-pager");
        logs->brief = logs->brief || streq(arg, "--brief");
        if ((value = startswith(arg, "--env=")))
                o->env = value;
        else if ((value = startswith(arg, "--timezone=")))
                o->time_zone = value;
        else if ((value = startswith(arg, "--lines=")) && parse_uint64(value, &lines) == 0)
                o->lines = (unsigned)lines;
        else if ((value = startswith(arg, "--unknown=")))
                logs->unknown[logs->n_unknown++] = value;
        else if ((value = startswith(arg, "--socket="))) {
                environment->socket = (char *)value;
                logs->ctl->environment = environment;
        }
}

/*
 * takt-logs [OPTION…] -- SINCE-USEC JOB…, where --env is the name of the environment, and each --unknown is one of the
 * JOBs that its daemon, at --socket, does not know.
 */
int main(int argc, char **argv)
{
        _cleanup_(sd_journal_closep) sd_journal *journal = NULL;
        _cleanup_free_ const char **unknown = new0(const char *, (size_t)argc);
        Environment environment = {};
        Ctl ctl = {};
        Logs logs = { .ctl = &ctl, .unknown = unknown };
        int i, r;

        if (!unknown)
                return ctl_oom();
        for (i = 1; i < argc && !streq(argv[i], "--"); i++)
                read_option(&logs, &environment, argv[i]);
        if (i + 2 >= argc || !ctl.options.env || parse_uint64(argv[i + 1], &logs.since) < 0)
                return ctl_error(STATUS_USAGE, "takt-logs is what taktctl logs runs");
        logs.jobs = argv + i + 2;
        logs.n_jobs = (size_t)(argc - i - 2);
        ctl.colour = colour_wanted();
        if (zone_load(ctl.options.time_zone, &ctl.zone, NULL) < 0)
                ctl.zone = zone_ref(zone_utc());
        r = open_journal(&logs, &journal);
        if (r == 0) {
                logs.journal = journal;
                r = add_matches(&logs);
                r = r < 0 ? fail(&logs, r) : print_all(&logs);
        }
        pager_close();
        ctl_tell_unknown(&ctl);
        zone_unref(ctl.zone);
        return ctl.unknown.any ? MAX(r, STATUS_NOT_FOUND) : r;
}
