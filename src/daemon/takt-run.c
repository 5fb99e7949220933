/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takt-run: one job file, run once in the foreground by the same engine, with no daemon and no
 * socket. Prints the result and exits with the outcome; a job file that begins with
 * `#!/usr/bin/env takt-run` is a script.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "daemon/engine.h"

#define EXIT_USAGE 2

typedef struct Runner {
        Engine engine;
        Environment *environment; /* NULL: none */
        Settings *settings;
        char *state_directory;
        EventObserver observer;
        SignalSource *signals[2];
        Job *job;
        bool json;
        bool verbose;
        int exit_code;
} Runner;

static void help(void)
{
        printf("Usage: %s [OPTION…] FILE.job [ARGUMENT…]\n\n"
               "Runs a job file once, without a daemon, and prints its result.\n\n"
               "  -h --help      Show this help, or with FILE.job the job's own usage\n"
               "     --version   Show the version\n"
               "     --env DIR   Run it in this environment\n"
               "     --json      Print the whole run as JSON instead of its result\n"
               "  -v --verbose   Tell of progress on standard error\n\n"
               "Exit status: 0 the run succeeded, 1 it did not, 2 the file or an argument is\n"
               "wrong. See takt-run(1).\n",
               program_invocation_short_name);
}

/* A string is printed as it is, everything else as JSON; null not at all. */
static void print_result(const Run *run)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const JsonValue *root;

        if (!run->result || json_parse(run->result, run->result_len, NULL, &doc, NULL) < 0)
                return;
        root = json_root(doc);
        if (root->type == JSON_STRING) {
                (void)fwrite(root->string, 1, root->n, stdout);
                putchar('\n');
        } else if (root->type != JSON_NULL) {
                (void)fwrite(run->result, 1, run->result_len, stdout);
                putchar('\n');
        }
}

static void print_run(const Run *run)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        run_write(run, false, &w);
        if (json_writer_end(&w) >= 0)
                puts(text.data);
}

static void on_event(EventObserver *observer, const Event *event)
{
        Runner *r = container_of(observer, Runner, observer);
        const Run *run = event->run;

        if (!run)
                return;
        if (r->verbose && (event_type_is_progress(event->type) || event->type == EVENT_RETRYING))
                fprintf(stderr, "%s: %s\n", event_type_to_string(event->type), event->message ?: "");
        if (!run_state_is_final(run->state))
                return;
        r->exit_code = run->state == RUN_SUCCEEDED ? EXIT_SUCCESS : EXIT_FAILURE;
        if (r->json)
                print_run(run);
        else if (run->state == RUN_SUCCEEDED)
                print_result(run);
        if (run->state != RUN_SUCCEEDED)
                fprintf(stderr, "takt-run: %s: %s: %s\n", event->job, run_state_to_string(run->state),
                        run->extra->error_message ?: "");
        loop_exit(r->engine.loop, 0);
}

static void on_signal(_unused_ SignalSource *source, _unused_ int signo, void *userdata)
{
        Runner *r = userdata;
        Run *run = scheduler_next_run(r->engine.scheduler, NULL);

        if (run)
                scheduler_cancel(r->engine.scheduler, run);
}

static void print_problems(const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (config_problem_format(&report->problems[i], &text) >= 0)
                        fprintf(stderr, "%s\n", text.data);
        }
}

static int load(const char *path, JobSpec **ret)
{
        ConfigReport report = CONFIG_REPORT_NULL;
        int r = job_spec_load_file(path, &report, ret);

        print_problems(&report);
        config_report_deinit(&report);
        if (r == -ENOTSUP)
                fprintf(stderr, "%s: this template can't run as it is; run a link to it, with an instance in its name\n", path);
        return r;
}

static int print_usage(const JobSpec *spec, const char *path, FILE *stream)
{
        _cleanup_buffer_ Buffer usage = BUFFER_NULL;
        int r = parameter_usage(spec->job.parameters, path, NULL, &usage);

        if (r >= 0)
                (void)fputs(buffer_string(&usage), stream);
        return r;
}

/* Where LEDs are remembered, so that the next process can give them back: beside other state, or for the session. */
static int find_state_directory(Runner *r)
{
        const char *runtime = getenv("XDG_RUNTIME_DIR");

        if (r->environment)
                r->state_directory = strdup(r->environment->state);
        else if (runtime && runtime[0] == '/')
                r->state_directory = path_join(runtime, "takt");
        else
                r->state_directory = xasprintf("/tmp/takt-%u", (unsigned)geteuid());
        if (!r->state_directory)
                return -ENOMEM;
        /* Where it can't be made LEDs are still given back, unless this process crashes. */
        (void)mkdir_p(r->state_directory, 0700);
        return 0;
}

static int runner_init(Runner *r)
{
        static const int signals[] = { SIGINT, SIGTERM };
        const char *config = r->environment ? r->environment->config_file : "/dev/null/takt.conf";
        _cleanup_(resource_set_deinit) ResourceSet resources = {};
        ConfigReport report = CONFIG_REPORT_NULL;
        int k;

        k = find_state_directory(r);
        if (k < 0)
                return k;
        k = resource_set_load_with_settings(config, &report, &r->settings, &resources);
        print_problems(&report);
        config_report_deinit(&report);
        if (k >= 0)
                k = engine_init(&r->engine, r->environment, r->settings, r->state_directory, false);
        if (k >= 0)
                k = scheduler_set_resources(r->engine.scheduler, &resources);
        (void)signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; k >= 0 && i < ARRAY_SIZE(signals); i++)
                k = signal_source_new(r->engine.loop, signals[i], on_signal, r, &r->signals[i]);
        if (k < 0)
                return k;
        r->observer.notify = on_event;
        event_bus_subscribe(&r->engine.events, &r->observer);
        return 0;
}

static void runner_deinit(Runner *r)
{
        for (size_t i = 0; i < ARRAY_SIZE(r->signals); i++)
                signal_source_free(r->signals[i]);
        engine_deinit(&r->engine);
        settings_free(r->settings);
        free(r->state_directory);
        environment_free(r->environment);
}

static int run_job(Runner *r, JobSpec *spec, const char *params)
{
        int k = runner_init(r);

        if (k >= 0)
                k = scheduler_add_job(r->engine.scheduler, spec, &r->job);
        if (k >= 0)
                k = scheduler_run(r->engine.scheduler, r->job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL, .params = params }, NULL);
        /* A run that ended at once has told the loop to exit before it began. */
        if (k >= 0 && scheduler_next_run(r->engine.scheduler, NULL))
                k = loop_run(r->engine.loop);
        return k;
}

static int run_file(Runner *r, const char *path, char *const *args, size_t n)
{
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        _cleanup_buffer_ Buffer params = BUFFER_NULL;
        const ParameterContext context = { .now_realtime = clock_realtime(clock_system()) };
        ParameterError error = {};
        int k = load(path, &spec);

        if (k < 0)
                return EXIT_USAGE;
        for (size_t i = 0; i < n; i++)
                if (streq(args[i], "--help") && !parameter_set_find(spec->job.parameters, "help", NULL))
                        return print_usage(spec, path, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        k = parameter_bind(spec->job.parameters, NULL, (const char *const *)args, n, &context, &params, &error);
        if (k < 0) {
                fprintf(stderr, "takt-run: %s\n", error.message[0] ? error.message : strerror(-k));
                (void)print_usage(spec, path, stderr);
                return EXIT_USAGE;
        }
        k = run_job(r, spec, buffer_string(&params));
        return k < 0 ? EXIT_FAILURE : r->exit_code;
}

static int find_environment(Runner *r, const char *directory)
{
        _cleanup_free_ char *error = NULL;
        int k;

        /* Only what was asked for: a script runs in no environment unless it is in one. */
        if (!directory && !getenv("TAKT_ENV"))
                return 0;
        k = environment_resolve(ENVIRONMENT_AUTO, directory, 0, &r->environment, &error);
        if (k < 0)
                fprintf(stderr, "takt-run: %s\n", error ?: strerror(-k));
        return k;
}

int main(int argc, char *argv[])
{
        enum { OPT_VERSION = 256, OPT_ENV, OPT_JSON };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },          { "version", no_argument, NULL, OPT_VERSION },
                { "env", required_argument, NULL, OPT_ENV }, { "json", no_argument, NULL, OPT_JSON },
                { "verbose", no_argument, NULL, 'v' },       {},
        };
        Runner r = { .exit_code = EXIT_FAILURE };
        const char *directory = NULL;
        int c, code;

        /* "+": what follows the file is the job's. */
        while ((c = getopt_long(argc, argv, "+hv", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return EXIT_SUCCESS;
                case OPT_VERSION:
                        puts(PACKAGE_STRING);
                        return EXIT_SUCCESS;
                case OPT_ENV:
                        directory = optarg;
                        break;
                case OPT_JSON:
                        r.json = true;
                        break;
                case 'v':
                        r.verbose = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (optind == argc) {
                fprintf(stderr, "takt-run: say which job file; see takt-run --help\n");
                return EXIT_USAGE;
        }
        log_open(LOG_TARGET_AUTO, LOG_NOTICE);
        if (find_environment(&r, directory) < 0)
                return EXIT_USAGE;
        code = run_file(&r, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1));
        runner_deinit(&r);
        return code;
}
