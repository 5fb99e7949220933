/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taktctl simulate becomes this program, with its command line as it is. It needs no daemon: jobs are read from
 * their files, all of the environment's or those that are named by a path.
 */
#include <fnmatch.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/string-util.h"
#include "config/settings.h"
#include "ctl/pager.h"
#include "ctl/table.h"
#include "ctl/verb.h"
#include "daemon/identity.h"
#include "daemon/loader.h"
#include "simulate/durations.h"
#include "simulate/report.h"
#include "when/timestamp.h"

#define SPAN_DEFAULT USEC_PER_DAY
#define ROWS_MAX 40U /* of the histogram */
#define PROGRESS_AFTER USEC_PER_SEC
#define PROGRESS_EVERY (200 * USEC_PER_MSEC)

static volatile sig_atomic_t interrupted;

typedef struct Simulate {
        Ctl ctl;
        Simulation simulation;
        Settings *settings;
        ResourceSet resources;
        usec_t from_realtime, until_realtime;
        usec_t started_boottime, shown_boottime;
        char **patterns; /* arguments that are no files; borrowed */
        size_t n_patterns;
        int status; /* the worst of what could not be loaded, or is not there */
} Simulate;

static void on_signal(_unused_ int signal)
{
        interrupted = 1;
}

/* --- jobs --- */

static bool is_path(const char *arg)
{
        size_t n = strlen(arg);

        return strchr(arg, '/') || (n > 4 && streq(arg + n - 4, ".job"));
}

static void print_problems(Simulate *m, const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                _cleanup_buffer_ Buffer line = BUFFER_NULL;

                if (config_problem_format(&report->problems[i], &line) >= 0)
                        fprintf(stderr, "%s\n", buffer_string(&line));
        }
        if (report->n_dropped > 0)
                fprintf(stderr, "and %zu more\n", report->n_dropped);
        if (report->n > 0)
                m->status = MAX(m->status, STATUS_FAILED);
}

/* A file that is named stands for the job of that name, whatever the environment has of it. */
static int add_file(Simulate *m, const char *path)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        Scheduler *scheduler = m->simulation.scheduler;
        Job *job;
        int r;

        if (access(path, R_OK) < 0)
                return ctl_error(STATUS_USAGE, "%s: %s", path, strerror(errno));
        r = job_spec_load_file(path, &report, &spec);
        if (r == -EBADMSG) {
                print_problems(m, &report);
                return STATUS_USAGE;
        }
        if (r < 0)
                return r == -ENOMEM ? ctl_oom() : ctl_error(STATUS_USAGE, "%s: %s", path, strerror(-r));
        job = scheduler_find_job(scheduler, spec->name);
        if (job)
                scheduler_remove_job(scheduler, job);
        return scheduler_add_job(scheduler, spec, NULL) < 0 ? ctl_oom() : 0;
}

static bool is_wanted(const Simulate *m, const char *name)
{
        for (size_t i = 0; i < m->n_patterns; i++)
                if (fnmatch(m->patterns[i], name, 0) == 0)
                        return true;
        return false;
}

/* Takes out what was not asked for, and tells of each argument that names nothing. */
static void select_jobs(Simulate *m)
{
        Scheduler *scheduler = m->simulation.scheduler;

        for (size_t i = 0; i < m->n_patterns; i++) {
                bool found = strpbrk(m->patterns[i], "*?[") != NULL;

                for (Job *job = NULL; !found && (job = scheduler_next_job(scheduler, job));)
                        found = fnmatch(m->patterns[i], job->name, 0) == 0;
                if (!found)
                        m->status = ctl_error(STATUS_NOT_FOUND, "no job %s in %s", m->patterns[i], m->ctl.environment->jobs);
        }
        for (Job *job = scheduler_next_job(scheduler, NULL), *next; job; job = next) {
                next = scheduler_next_job(scheduler, job);
                if (m->n_patterns > 0 && !is_wanted(m, job->name))
                        scheduler_remove_job(scheduler, job);
        }
}

static int load_environment(Simulate *m)
{
        const char *directory = m->ctl.environment->jobs;
        _cleanup_(loader_freep) Loader *loader = NULL;
        LoaderCounts counts;
        int r;

        r = loader_new(directory, false, &m->resources, &loader);
        if (r >= 0)
                r = loader_step(loader, clock_system(), USEC_INFINITY);
        if (r >= 0)
                r = loader_apply(loader, m->simulation.scheduler, &m->simulation.events, USEC_INFINITY, &counts);
        if (r < 0)
                return ctl_error(STATUS_USAGE, "%s: %s", directory, strerror(-r));
        print_problems(m, loader_report(loader));
        select_jobs(m);
        return 0;
}

static int load_jobs(Simulate *m, char **args, size_t n)
{
        size_t n_files = 0;
        int r = 0;

        for (size_t i = 0; i < n; i++)
                n_files += is_path(args[i]);
        m->patterns = new0(char *, n + 1);
        if (!m->patterns)
                return ctl_oom();
        for (size_t i = 0; i < n; i++)
                if (!is_path(args[i]))
                        m->patterns[m->n_patterns++] = args[i];
        /* Files alone need no environment. */
        if (n_files == 0 || m->n_patterns > 0)
                r = load_environment(m);
        for (size_t i = 0; i < n && r == 0; i++) {
                if (is_path(args[i]))
                        r = add_file(m, args[i]);
                if (r == STATUS_USAGE) {
                        m->status = MAX(m->status, r);
                        r = 0;
                }
        }
        if (r == 0 && m->status != 0 && n > 0 && !scheduler_next_job(m->simulation.scheduler, NULL))
                return m->status;
        if (r == 0 && simulation_take_jobs(&m->simulation) < 0)
                return ctl_oom();
        return r;
}

/* --- time --- */

static int parse_times(Simulate *m)
{
        const CtlOptions *o = &m->ctl.options;
        WhenError error = {};
        usec_t span;

        m->from_realtime = clock_realtime(clock_system());
        if (o->from && timestamp_parse(o->from, m->ctl.zone, &m->from_realtime, &error) < 0)
                return ctl_error(STATUS_USAGE, "--from: %s", error.message);
        m->until_realtime = usec_add(m->from_realtime, SPAN_DEFAULT);
        if (o->until && o->until[0] == '+') {
                if (timespan_parse(o->until + 1, &span, &error) < 0)
                        return ctl_error(STATUS_USAGE, "--until: %s", error.message);
                m->until_realtime = usec_add(m->from_realtime, span);
        } else if (o->until && timestamp_parse(o->until, m->ctl.zone, &m->until_realtime, &error) < 0) {
                return ctl_error(STATUS_USAGE, "--until: %s", error.message);
        }
        if (m->until_realtime <= m->from_realtime || m->until_realtime == USEC_INFINITY)
                return ctl_error(STATUS_USAGE, "--until must be a time after --from");
        return 0;
}

/* Stretches begin where local time is round. */
static int set_buckets(Simulate *m)
{
        usec_t step = simulation_step(m->from_realtime, m->until_realtime, ROWS_MAX), start, offset;
        ZoneSpan span;

        zone_span(m->ctl.zone, (int64_t)(m->from_realtime / USEC_PER_SEC), &span);
        offset = (usec_t)((int64_t)m->from_realtime + span.offset * (int64_t)USEC_PER_SEC) % step;
        start = usec_sub(m->from_realtime, offset);
        return simulation_set_buckets(&m->simulation, start, step, (m->until_realtime - start - 1) / step + 1) < 0 ? ctl_oom() : 0;
}

static void show_progress(Simulate *m, usec_t now)
{
        const Simulation *s = &m->simulation;
        char text[TIMESTAMP_MAX];

        if (m->ctl.options.quiet || now - m->started_boottime < PROGRESS_AFTER || now - m->shown_boottime < PROGRESS_EVERY ||
            !isatty(STDERR_FILENO))
                return;
        m->shown_boottime = now;
        fprintf(stderr, "\r%3u %%  %s\x1b[K",
                (unsigned)((s->reached_realtime - m->from_realtime) / ((m->until_realtime - m->from_realtime) / 100 + 1)),
                time_to_short_text(s->reached_realtime, USEC_PER_SEC, m->ctl.zone, text));
}

static bool on_progress(_unused_ const Simulation *s, void *userdata)
{
        Simulate *m = userdata;
        usec_t now = clock_boottime(clock_system());

        show_progress(m, now);
        return !interrupted && usec_sub(now, m->started_boottime) < m->ctl.options.timeout;
}

static void on_told(const Run *run, void *userdata)
{
        Simulate *m = userdata;

        report_print_run(&m->ctl, run);
        if (ferror(stdout))
                interrupted = 1;
}

/* --- all of it --- */

static int parse_seed(const char *text, uint64_t *ret)
{
        *ret = 1;
        if (text && (parse_uint64(text, ret) < 0 || *ret == 0))
                return ctl_error(STATUS_USAGE, "--seed wants a number above 0, not \"%s\"", text);
        return 0;
}

/* Where the settings are broken, the resources may be good all the same. */
static int load_settings(Simulate *m, SchedulerLimits *limits)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL, known = CONFIG_REPORT_NULL;
        const char *path = m->ctl.environment->config_file;
        int r = resource_set_load_with_settings(path, &report, &m->settings, &m->resources);

        if (r >= 0) {
                limits->max_runs = m->settings->max_runs;
                limits->max_queued = m->settings->max_queued;
                return 0;
        }
        print_problems(m, &report);
        return r == -ENOMEM || resource_set_load(path, &known, &m->resources) == -ENOMEM ? -ENOMEM : 0;
}

static int set_up(Simulate *m, char **args, size_t n)
{
        SchedulerLimits limits = { .machine_key = machine_key() };
        int r;

        r = parse_times(m);
        if (r == 0)
                r = parse_seed(m->ctl.options.seed, &limits.seed);
        if (r == 0)
                r = ctl_resolve(&m->ctl);
        if (r != 0)
                return r;
        if (load_settings(m, &limits) < 0 || simulation_init(&m->simulation, m->from_realtime, &limits) < 0 ||
            scheduler_set_resources(m->simulation.scheduler, &m->resources) < 0)
                return ctl_oom();
        r = load_jobs(m, args, n);
        if (r == 0)
                r = durations_set(&m->ctl, &m->simulation);
        return r == 0 ? set_buckets(m) : r;
}

static int say_incomplete(const Simulate *m, SimulationEnd end)
{
        char text[TIMESTAMP_MAX];

        return ctl_error(STATUS_FAILED, "%s; simulated up to %s only",
                         end == SIMULATION_TOO_LONG ? "too much happens in that time" : interrupted ? "interrupted" : "the time of --timeout is up",
                         time_to_text(m->simulation.reached_realtime, USEC_PER_SEC, m->ctl.zone, text));
}

static int simulate(Simulate *m)
{
        Simulation *s = &m->simulation;
        SimulationEnd end;
        int r = 0;

        s->userdata = m;
        s->go_on = on_progress;
        s->told = m->ctl.options.list ? on_told : NULL;
        m->started_boottime = clock_boottime(clock_system());
        (void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESETHAND }, NULL);
        end = simulation_run(s, m->until_realtime);
        if (m->shown_boottime > 0)
                fputs("\r\x1b[K", stderr);
        if (!m->ctl.options.list) {
                ctl_pager(&m->ctl);
                r = m->ctl.options.json ? report_print_json(&m->ctl, s, m->from_realtime, end == SIMULATION_DONE) :
                                          report_print(&m->ctl, s, m->from_realtime);
        }
        if (r == 0)
                r = ctl_flush();
        if (r == 0 && end != SIMULATION_DONE)
                r = say_incomplete(m, end);
        return r == 0 ? m->status : r;
}

int main(int argc, char **argv)
{
        _cleanup_free_ char **args = new0(char *, (size_t)argc + 1);
        Simulate m = {};
        size_t n = 0;
        int r;

        (void)setlocale(LC_CTYPE, "");
        if (!streq(nl_langinfo(CODESET), "UTF-8"))
                (void)setlocale(LC_CTYPE, "C.UTF-8");
        m.ctl.colour = colour_wanted();
        m.ctl.terminal = isatty(STDOUT_FILENO);
        m.ctl.width = terminal_width();
        r = args ? options_parse(&m.ctl, argc, argv, args, &n) : ctl_oom();
        if (r == 0 && (!m.ctl.verb || !streq(m.ctl.verb->name, "simulate")))
                r = ctl_error(STATUS_USAGE, "takt-simulate is what taktctl simulate runs");
        if (r == 0 && zone_load(m.ctl.options.time_zone, &m.ctl.zone, NULL) < 0)
                m.ctl.zone = zone_ref(zone_utc());
        if (r == 0)
                r = set_up(&m, args, n);
        if (r == 0)
                r = simulate(&m);
        pager_close();
        simulation_deinit(&m.simulation);
        resource_set_deinit(&m.resources);
        settings_free(m.settings);
        free(m.patterns);
        environment_free(m.ctl.environment);
        zone_unref(m.ctl.zone);
        options_deinit(&m.ctl.options);
        return r;
}
