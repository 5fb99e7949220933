/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run, gather and wait. With --wait the call streams the run's states until its end. The daemon answers the
 * calls of a connection in their order, so cancelling on ^C takes a connection of its own.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "ctl/run-text.h"
#include "ctl/verb.h"

/* Values of -p as an object; they are text, which the job's parameters turn into what they want. */
static int write_params(const Words *words, Params *params)
{
        if (words->n == 0)
                return 0;
        json_key(&params->writer, "params");
        json_begin_object(&params->writer);
        for (size_t i = 0; i < words->n; i++) {
                const char *equals = strchr(words->words[i], '=');
                _cleanup_free_ char *name = NULL;

                if (!equals || equals == words->words[i])
                        return ctl_error(STATUS_USAGE, "--param wants NAME=VALUE, not \"%s\"", words->words[i]);
                name = strndup(words->words[i], (size_t)(equals - words->words[i]));
                if (!name)
                        return ctl_oom();
                params_string(params, name, equals + 1);
        }
        json_end_object(&params->writer);
        return 0;
}

/* Asks for the end of a run while another call waits for it. */
static void cancel_beside(Ctl *ctl, int64_t id)
{
        _cleanup_(varlink_client_freep) VarlinkClient *client = NULL;
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        RunNames name = { .ids = &id, .n_ids = 1 };

        params_init(&params);
        run_names_write(&name, &params);
        if (params_end(&params, &parameters) != 0)
                return;
        if (varlink_client_connect(ctl->environment->socket, &client) >= 0)
                (void)varlink_client_call(client, "io.takt.Runs.Cancel", parameters, CTL_TIMEOUT, &reply);
        (void)ctl_reply_status(ctl, &reply);
}

/* What ^C did so far. */
typedef struct Interrupt {
        int fd; /* signalfd of SIGINT, which is blocked */
        bool asked;
        bool sent; /* the daemon was asked, too: that has to wait until the run's id is known */
} Interrupt;

static int interrupt_init(Interrupt *interrupt)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return negative_errno();
        *interrupt = (Interrupt){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) };
        return interrupt->fd < 0 ? negative_errno() : 0;
}

/* Waits for a reply or ^C. 1: a reply can be read, 0: ^C, or an exit status, negated. */
static int wait_input(Ctl *ctl, Interrupt *interrupt)
{
        struct pollfd fds[] = {
                { .fd = varlink_client_fd(ctl->client), .events = POLLIN },
                { .fd = interrupt->fd, .events = POLLIN },
        };
        struct signalfd_siginfo info;

        while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
                if (errno != EINTR)
                        return -ctl_error(STATUS_FAILED, "poll: %s", strerror(errno));
        if (fds[1].revents & POLLIN && read(interrupt->fd, &info, sizeof(info)) == sizeof(info))
                return 0;
        return 1;
}

static int leave(int64_t id)
{
        if (id > 0)
                fprintf(stderr, "Run %" PRIi64 " goes on; wait for it with: taktctl wait %" PRIi64 "\n", id, id);
        else
                fprintf(stderr, "The daemon has not answered yet; the run may begin all the same, see: taktctl runs\n");
        return -ECANCELED;
}

/* The next state of the run of the call under way, while ^C may come between. ID is 0 before the first. */
static int next_state(Ctl *ctl, Interrupt *interrupt, int64_t id, VarlinkReply *ret)
{
        for (;;) {
                int r;

                if (interrupt->asked && !interrupt->sent && id > 0) {
                        interrupt->sent = true;
                        cancel_beside(ctl, id);
                }
                r = varlink_client_receive(ctl->client, 0, ret);
                if (r != -ETIMEDOUT)
                        return r;
                r = wait_input(ctl, interrupt);
                if (r < 0)
                        return -EIO;
                if (r > 0)
                        continue;
                if (interrupt->asked)
                        return leave(id);
                interrupt->asked = true;
                fprintf(stderr, "\nCancelling; ^C again leaves the run to itself.\n");
        }
}

/* The members of a group whose job is not there, where the command line named them. */
static int note_missing_members(Ctl *ctl, const JsonValue *run)
{
        const JsonValue *errors = json_get(json_get(run, "details"), "errors");
        int r = 0;

        for (uint32_t i = 0; json_is(errors, JSON_ARRAY) && i < errors->n && r == 0; i++)
                if (streq(json_get_string(json_get(&errors->items[i], "error"), "kind", ""), "no-such-job"))
                        r = ctl_note_unknown_job(ctl, json_get_string(&errors->items[i], "job", "?"));
        return r;
}

static int finish(Ctl *ctl, const JsonValue *run)
{
        int r;

        if (run_status(run) != STATUS_OK)
                run_print_failure(run);
        r = ctl->options.json ? ctl_print_json(ctl, run) : run_print_result(ctl, run);
        if (r == 0 && ctl->verb->run == verb_gather)
                r = note_missing_members(ctl, run);
        return r != 0 ? r : run_status(run);
}

/* Calls METHOD, which starts a run, and waits for its end. */
static int run_and_wait(Ctl *ctl, const char *method, const char *parameters)
{
        Interrupt interrupt = { .fd = -1 };
        int64_t id = 0;
        int r;

        if (interrupt_init(&interrupt) < 0)
                return ctl_error(STATUS_FAILED, "can't take signals: %s", strerror(errno));
        r = ctl_send(ctl, method, parameters, VARLINK_CALL_MORE);
        while (r == 0) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                const JsonValue *run;

                r = next_state(ctl, &interrupt, id, &reply);
                if (r < 0) {
                        r = r == -ECANCELED ? STATUS_FAILED :
                            r == -EIO       ? STATUS_FAILED :
                                              ctl_error(STATUS_NO_DAEMON, "the daemon has gone: %s", strerror(-r));
                        break;
                }
                r = ctl_reply_status(ctl, &reply);
                if (r != 0)
                        break;
                run = json_get(reply.parameters, "run");
                id = json_get_int(run, "run", 0);
                if (!reply.continues) {
                        r = finish(ctl, run);
                        break;
                }
        }
        safe_close(interrupt.fd);
        return r;
}

static int run_only(Ctl *ctl, const char *parameters)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        const JsonValue *run;
        int r;

        r = ctl_call(ctl, "io.takt.Runs.Start", parameters, &reply);
        if (r != 0)
                return r;
        run = json_get(reply.parameters, "run");
        if (ctl->options.json)
                return ctl_print_json(ctl, run);
        printf("%" PRIi64 "\n", json_get_int(run, "run", 0));
        /* An overlap may have ended it at once. */
        if (!run_is_final(run) || run_status(run) == STATUS_OK)
                return 0;
        run_print_failure(run);
        return run_status(run);
}

/* What is run: a job or, with --again, a run. */
static int write_subject(const Ctl *ctl, const char *subject, Params *params)
{
        int64_t run;

        if (!ctl->options.again) {
                params_string(params, "job", subject);
                return 0;
        }
        if (parse_int64(subject, &run) < 0 || run < 1)
                return ctl_error(STATUS_USAGE, "--again wants the id of a run, not \"%s\"; see: taktctl runs", subject);
        params_int(params, "again", run);
        return 0;
}

int verb_run(Ctl *ctl, char **args, size_t n)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        params_init(&params);
        r = write_subject(ctl, args[0], &params);
        if (r == 0)
                r = write_params(&ctl->options.params, &params);
        if (r != 0)
                return r;
        params_strings(&params, "args", (const char *const *)args + 1, n - 1);
        r = params_end(&params, &parameters);
        if (r != 0)
                return r;
        return ctl->options.wait ? run_and_wait(ctl, "io.takt.Runs.Start", parameters) : run_only(ctl, parameters);
}

int verb_gather(Ctl *ctl, char **args, size_t n)
{
        const CtlOptions *o = &ctl->options;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        params_init(&params);
        params_strings(&params, "runs", (const char *const *)args, n);
        params_strings(&params, "for", o->items.words, o->items.n);
        if (o->mode)
                params_string(&params, "mode", o->mode);
        if (o->errors)
                params_string(&params, "errors", o->errors);
        if (o->concurrency > 0)
                params_int(&params, "concurrency", o->concurrency);
        if (o->timeout != USEC_INFINITY)
                params_int(&params, "timeoutUsec", (int64_t)o->timeout);
        r = params_end(&params, &parameters);
        return r != 0 ? r : run_and_wait(ctl, "io.takt.Runs.Gather", parameters);
}

/* The job of the run that --again names. RUN_REPLY holds the name. */
static int ask_for_job(Ctl *ctl, const char *subject, VarlinkReply *run_reply, int64_t *ret_run, const char **ret_job)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int64_t run;
        int r;

        if (parse_int64(subject, &run) < 0)
                return ctl_error(STATUS_NOT_FOUND, NO_RUN_TEXT("%s"), subject);
        params_init(&params);
        params_int(&params, "run", run);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Runs.Get", parameters, run_reply);
        *ret_run = run;
        if (r == 0)
                *ret_job = json_get_string(json_get(run_reply->parameters, "run"), "job", "?");
        return r;
}

/* taktctl run JOB --help */
int verb_run_usage(Ctl *ctl, char **args, _unused_ size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL, run = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters, *job = args[0];
        int64_t again = 0;
        int r = 0;

        if (ctl->options.again)
                r = ask_for_job(ctl, args[0], &run, &again, &job);
        if (r != 0)
                return r;
        params_init(&params);
        params_string(&params, "job", job);
        if (ctl->options.again)
                params_int(&params, "again", again);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Jobs.Usage", parameters, &reply);
        if (r != 0)
                return r;
        if (ctl->options.json)
                return ctl_print_json(ctl, json_get(reply.parameters, "parameters"));
        fputs(json_get_string(reply.parameters, "usage", ""), stdout);
        return 0;
}

/* --- wait --- */

typedef struct Waited {
        JsonArray array;
        int status; /* the worst so far */
} Waited;

static int waited_run(Ctl *ctl, const JsonValue *run, Waited *waited)
{
        int status = run_status(run);

        waited->status = MAX(waited->status, status);
        if (ctl->options.json)
                return json_array_add(&waited->array, run);
        if (status != STATUS_OK)
                run_print_failure(run);
        else if (!ctl->options.quiet)
                printf("Run %" PRIi64 " of %s: %s.\n", json_get_int(run, "run", 0),
                       json_get_string(run, "job", "?"), json_get_string(run, "state", "?"));
        return ctl_flush();
}

static int wait_for(Ctl *ctl, const char *parameters, Waited *waited)
{
        bool more = true;
        int r;

        r = ctl_send(ctl, "io.takt.Runs.Wait", parameters, VARLINK_CALL_MORE);
        while (r == 0 && more) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                const JsonValue *runs;

                r = ctl_receive(ctl, USEC_INFINITY, &reply);
                if (r != 0)
                        return r;
                more = reply.continues;
                ctl_tell_unknown(ctl);
                runs = json_get(reply.parameters, "runs");
                for (uint32_t i = 0; json_is(runs, JSON_ARRAY) && i < runs->n && r == 0; i++)
                        r = waited_run(ctl, &runs->items[i], waited);
        }
        return r;
}

int verb_wait(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(run_names_deinit) RunNames names = RUN_NAMES_NULL;
        const CtlOptions *o = &ctl->options;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        Waited waited = {};
        int r;

        if (o->any && o->all)
                return ctl_error(STATUS_USAGE, "--any and --all don't go together");
        params_init(&params);
        r = run_names_parse(ctl, args, n, &names);
        if (r == 0)
                r = run_names_resolve(ctl, &names);
        if (r != 0)
                return r;
        ctl_tell_unknown(ctl);
        run_names_write(&names, &params);
        if (o->timeout <= INT64_MAX)
                params_int(&params, "timeoutUsec", (int64_t)o->timeout);
        json_key(&params.writer, "any");
        json_bool(&params.writer, o->any);
        r = params_end(&params, &parameters);
        if (r == 0 && names.n_ids > 0)
                r = wait_for(ctl, parameters, &waited);
        else if (r == 0 && !o->json && !o->quiet && !ctl->unknown.any)
                puts("There is no run to wait for.");
        if (o->json && (r == 0 || waited.array.n > 0))
                json_array_end(&waited.array);
        return r != 0 ? r : waited.status;
}
