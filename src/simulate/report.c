/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulate/report.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/table.h"
#include "simulate/histogram.h"

#define PEAKS_SHOWN 5U
#define WIDTH_DEFAULT 80U /* where there is no terminal */
#define BAR_MIN 10U

/* Block characters, where the terminal's character set has them. */
static bool unicode_wanted(void)
{
        const char *locale = getenv("LC_ALL");

        if (!locale || !*locale)
                locale = getenv("LC_CTYPE");
        if (!locale || !*locale)
                locale = getenv("LANG");
        /* Asked of the environment: the process itself always takes text for UTF-8. */
        return locale && (strcasestr(locale, "UTF-8") || strcasestr(locale, "utf8"));
}

static int append_jobs(const SimulatedBucket *bucket, Buffer *out)
{
        unsigned shown = MIN(bucket->n_jobs, SIMULATION_PEAK_JOBS);
        int r = 0;

        for (unsigned i = 0; i < shown && r >= 0; i++) {
                r = buffer_appendf(out, "%s%s", i > 0 ? ", " : "", bucket->jobs[i].job->name);
                if (r >= 0 && bucket->jobs[i].n > 1)
                        r = buffer_appendf(out, " (%u)", bucket->jobs[i].n);
        }
        if (r >= 0 && bucket->n_jobs > shown)
                r = buffer_appendf(out, " and %u more jobs", bucket->n_jobs - shown);
        return r;
}

/* --- for people --- */

/* Columns that N takes, at least MIN. */
static size_t digits(uint64_t n, size_t min)
{
        size_t k = 1;

        while (n >= 10) {
                n /= 10;
                k++;
        }
        return MAX(k, min);
}

static int print_histogram(const Ctl *ctl, const Simulation *s)
{
        static const TableColumn columns[] = {
                { "TIME", false, 0 }, { "BEGUN", true, 0 }, { "MOST", true, 0 }, { "", false, 0 },
        };
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        size_t width = ctl->width > 0 ? ctl->width : WIDTH_DEFAULT, used;
        bool unicode = unicode_wanted();
        char text[TIMESTAMP_MAX];
        unsigned most = 0;
        uint64_t begun = 0;

        if (!table)
                return ctl_oom();
        for (size_t i = 0; i < s->n_buckets; i++) {
                most = MAX(most, s->buckets[i].most);
                begun = MAX(begun, s->buckets[i].begun);
        }
        /* The columns before the bar, each with two blanks behind it. */
        used = strlen(time_to_short_text(s->buckets_realtime, 1, ctl->zone, text)) + digits(begun, strlen("BEGUN")) +
               digits(most, strlen("MOST")) + 6;
        for (size_t i = 0; i < s->n_buckets; i++) {
                const SimulatedBucket *bucket = &s->buckets[i];
                usec_t at = s->buckets_realtime + i * s->step;
                _cleanup_buffer_ Buffer bar = BUFFER_NULL;

                if (at >= s->reached_realtime)
                        break;
                if (histogram_bar(bucket->most, most, width > used + BAR_MIN ? width - used : BAR_MIN, unicode, &bar) < 0)
                        return ctl_oom();
                table_add(table, STYLE_NONE, time_to_short_text(at, 1, ctl->zone, text));
                table_addf(table, STYLE_NONE, "%" PRIu64, bucket->begun);
                table_addf(table, STYLE_NONE, "%u", bucket->most);
                table_add(table, bucket->most == most && most > 0 ? STYLE_WARNING : STYLE_NONE, bar.len > 0 ? bar.data : " ");
        }
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}

/* The highest of those below *BEFORE, or equal and later; NULL: none. */
static const SimulatedBucket *next_peak(const Simulation *s, const SimulatedBucket *before)
{
        const SimulatedBucket *best = NULL;

        for (size_t i = 0; i < s->n_buckets; i++) {
                const SimulatedBucket *b = &s->buckets[i];

                if (b->most == 0 || (before && (b->most > before->most || (b->most == before->most && b <= before))))
                        continue;
                if (!best || b->most > best->most)
                        best = b;
        }
        return best;
}

static int print_peaks(const Ctl *ctl, const Simulation *s)
{
        static const TableColumn columns[] = { { "PEAK", false, 0 }, { "MOST", true, 0 }, { "JOBS", false, 20 } };
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        const SimulatedBucket *peak = NULL;
        char text[TIMESTAMP_MAX];

        if (!table)
                return ctl_oom();
        for (unsigned i = 0; i < PEAKS_SHOWN && (peak = next_peak(s, peak)); i++) {
                _cleanup_buffer_ Buffer jobs = BUFFER_NULL;

                if (append_jobs(peak, &jobs) < 0)
                        return ctl_oom();
                table_add(table, STYLE_NONE, time_to_short_text(peak->most_realtime, 1, ctl->zone, text));
                table_addf(table, STYLE_NONE, "%u", peak->most);
                table_add(table, STYLE_NONE, buffer_string(&jobs));
        }
        if (table_rows(table) == 0)
                return 0;
        putchar('\n');
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}

static int print_jobs(const Ctl *ctl, const Simulation *s)
{
        static const TableColumn columns[] = {
                { "JOB", false, 12 }, { "RUNS", true, 0 }, { "SKIPPED", true, 0 }, { "MISSED", true, 0 }, { "MOST", true, 0 },
                { "TAKING", true, 0 }, { "FIRST", false, 8 }, { "LAST", false, 8 },
        };
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        char text[TIMESTAMP_MAX], span[TIMESPAN_MAX];

        if (!table)
                return ctl_oom();
        for (size_t i = 0; i < s->n_jobs; i++) {
                const SimulatedJob *job = s->jobs[i];

                table_add(table, STYLE_NONE, job->name);
                table_addf(table, STYLE_NONE, "%" PRIu64, job->runs);
                table_addf(table, job->skipped > 0 ? STYLE_WARNING : STYLE_NONE, "%" PRIu64, job->skipped);
                table_addf(table, job->missed > 0 ? STYLE_WARNING : STYLE_NONE, "%" PRIu64, job->missed);
                table_addf(table, STYLE_NONE, "%u", job->most);
                table_add(table, STYLE_NONE, job->duration > 0 ? span_to_text(job->duration, span) : NULL);
                table_add(table, STYLE_NONE, time_to_short_text(job->first_realtime ?: USEC_INFINITY, USEC_PER_MSEC, ctl->zone, text));
                table_add(table, STYLE_NONE, time_to_short_text(job->last_realtime ?: USEC_INFINITY, USEC_PER_MSEC, ctl->zone, text));
        }
        putchar('\n');
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}

typedef struct LeftOut {
        size_t groups;  /* jobs that begin runs which are not simulated */
        size_t events;  /* jobs that events would start which are not */
        size_t instant; /* jobs of which no duration is known */
} LeftOut;

static LeftOut find_left_out(const Simulation *s)
{
        LeftOut left = {};

        for (size_t i = 0; i < s->n_jobs; i++) {
                left.groups += s->jobs[i]->is_group && s->jobs[i]->runs > 0;
                left.events += s->jobs[i]->has_unknown_events;
                left.instant += s->jobs[i]->runs > 0 && s->jobs[i]->duration == 0;
        }
        return left;
}

static const char *plural(uint64_t n)
{
        return n == 1 ? "" : "s";
}

/* What there would be besides, so that nobody takes the numbers for all of it. */
static void print_left_out(const Simulation *s)
{
        LeftOut left = find_left_out(s);

        if (s->begun_by_events + left.groups + left.events + left.instant > 0)
                putchar('\n');
        if (s->begun_by_events > 0)
                printf("%" PRIu64 " of these runs were started by events of others (On=); --list tells by which.\n", s->begun_by_events);
        if (left.groups > 0)
                printf("Left out: the members of %" PRIu64 " run%s of %zu group%s.\n", s->begun_groups, plural(s->begun_groups),
                       left.groups, plural(left.groups));
        if (left.events > 0)
                printf("Left out: what failures, values and the like would start, by On= of %zu job%s.\n", left.events, plural(left.events));
        if (left.instant > 0)
                printf("No duration is known of %zu job%s, whose runs take no time here; see --duration.\n", left.instant, plural(left.instant));
}

int report_print(const Ctl *ctl, const Simulation *s, usec_t from_realtime)
{
        char from[TIMESTAMP_MAX], until[TIMESTAMP_MAX];
        int r;

        if (!ctl->options.quiet)
                printf("%s to %s:\n%zu jobs, %" PRIu64 " runs, %" PRIu64 " skipped, %" PRIu64 " missed\n\n",
                       time_to_text(from_realtime, USEC_PER_MSEC, ctl->zone, from),
                       time_to_text(s->reached_realtime, USEC_PER_MSEC, ctl->zone, until), s->n_jobs, s->begun, s->skipped,
                       s->missed);
        r = print_histogram(ctl, s);
        if (r == 0)
                r = print_peaks(ctl, s);
        if (r == 0)
                r = print_jobs(ctl, s);
        if (r == 0 && !ctl->options.quiet)
                print_left_out(s);
        return r;
}

static const char *what_of(const Run *run)
{
        return run_state_is_final(run->state) ? run_state_to_string(run->state) : "run";
}

/* What started it, where that is an event; NULL: a schedule. */
static const char *event_of(const Run *run)
{
        return run->trigger == RUN_TRIGGER_EVENT ? run->cause : NULL;
}

static void print_run_json(const Run *run, usec_t at)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        json_begin_object(&w);
        json_key(&w, "time");
        json_realtime(&w, at);
        json_key(&w, "job");
        json_string(&w, run->job->name);
        json_key(&w, "what");
        json_string(&w, what_of(run));
        json_key(&w, "scheduled");
        json_realtime(&w, run->scheduled_realtime);
        json_key(&w, "event");
        if (event_of(run))
                json_string(&w, event_of(run));
        else
                json_null(&w);
        json_end_object(&w);
        if (json_writer_end(&w) >= 0)
                puts(buffer_string(&text));
        else
                (void)ctl_oom();
}

void report_print_run(const Ctl *ctl, const Run *run)
{
        bool begins = !run_state_is_final(run->state);
        usec_t at = begins ? run->started_realtime : run->finished_realtime;
        const char *event = event_of(run);
        char text[TIMESTAMP_MAX];

        if (ctl->options.json) {
                print_run_json(run, at);
                return;
        }
        printf("%s  %-8s %s%s%s%s%s%s\n", time_to_text(at, USEC_PER_MSEC, ctl->zone, text), what_of(run), run->job->name,
               event ? " (" : "", event ?: "", event ? ")" : "", begins ? "" : ": ", begins ? "" : run->extra->error_message ?: "");
}

/* --- JSON --- */

static void write_peak(const Simulation *s, const SimulatedBucket *bucket, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "time");
        json_realtime(w, s->buckets_realtime + (size_t)(bucket - s->buckets) * s->step);
        json_key(w, "begun");
        json_uint(w, bucket->begun);
        json_key(w, "most");
        json_uint(w, bucket->most);
        json_key(w, "mostAt");
        json_realtime(w, bucket->most_realtime);
        json_key(w, "jobs");
        json_begin_object(w);
        for (unsigned i = 0; i < MIN(bucket->n_jobs, SIMULATION_PEAK_JOBS); i++) {
                json_key(w, bucket->jobs[i].job->name);
                json_uint(w, bucket->jobs[i].n);
        }
        json_end_object(w);
        json_key(w, "moreJobs");
        json_uint(w, bucket->n_jobs > SIMULATION_PEAK_JOBS ? bucket->n_jobs - SIMULATION_PEAK_JOBS : 0);
        json_end_object(w);
}

static void write_job(const SimulatedJob *job, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "job");
        json_string(w, job->name);
        json_key(w, "runs");
        json_uint(w, job->runs);
        json_key(w, "skipped");
        json_uint(w, job->skipped);
        json_key(w, "missed");
        json_uint(w, job->missed);
        json_key(w, "most");
        json_uint(w, job->most);
        json_key(w, "durationUsec");
        json_uint(w, job->duration);
        json_key(w, "first");
        json_realtime(w, job->first_realtime);
        json_key(w, "last");
        json_realtime(w, job->last_realtime);
        json_end_object(w);
}

int report_print_json(const Ctl *ctl, const Simulation *s, usec_t from_realtime, bool complete)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const SimulatedBucket *peak = NULL;
        const LeftOut left = find_left_out(s);
        JsonWriter w;

        json_writer_init(&w, &text, ctl->terminal ? 2 : 0);
        json_begin_object(&w);
        json_key(&w, "from");
        json_realtime(&w, from_realtime);
        json_key(&w, "until");
        json_realtime(&w, s->reached_realtime);
        json_key(&w, "complete");
        json_bool(&w, complete);
        json_key(&w, "runs");
        json_uint(&w, s->begun);
        json_key(&w, "skipped");
        json_uint(&w, s->skipped);
        json_key(&w, "missed");
        json_uint(&w, s->missed);
        json_key(&w, "byEvents");
        json_uint(&w, s->begun_by_events);
        json_key(&w, "leftOut");
        json_begin_object(&w);
        json_key(&w, "groupRuns");
        json_uint(&w, s->begun_groups);
        json_key(&w, "groups");
        json_uint(&w, left.groups);
        json_key(&w, "jobsWithOtherEvents");
        json_uint(&w, left.events);
        json_key(&w, "jobsWithoutDuration");
        json_uint(&w, left.instant);
        json_end_object(&w);
        json_key(&w, "jobs");
        json_begin_array(&w);
        for (size_t i = 0; i < s->n_jobs; i++)
                write_job(s->jobs[i], &w);
        json_end_array(&w);
        json_key(&w, "stepUsec");
        json_uint(&w, s->step);
        json_key(&w, "histogram");
        json_begin_array(&w);
        for (size_t i = 0; i < s->n_buckets && s->buckets_realtime + i * s->step < s->reached_realtime; i++)
                write_peak(s, &s->buckets[i], &w);
        json_end_array(&w);
        json_key(&w, "peaks");
        json_begin_array(&w);
        for (unsigned i = 0; i < PEAKS_SHOWN && (peak = next_peak(s, peak)); i++)
                write_peak(s, peak, &w);
        json_end_array(&w);
        json_end_object(&w);
        if (json_writer_end(&w) < 0)
                return ctl_oom();
        puts(buffer_string(&text));
        return 0;
}
