/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of the daemon, and what its errors mean to the user. */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/suggest.h"
#include "ctl/text.h"
#include "ctl/verb.h"

#define NO_SUCH_JOB "io.takt.Jobs.NoSuchJob"
#define NO_SUCH_RUN "io.takt.Runs.NoSuchRun"

/* No errors of the daemon, but what is said of these two in some cases. */
#define NOTHING_OF_JOB "no-such-job-to-explain"
#define TEMPLATE_NAME "template-name"
#define JOB_OF_RUN_GONE "job-of-run-gone"
#define NUMBER_FOR_JOB "number-for-job"
#define FORGOTTEN_RUN "forgotten-run"

#define SUGGESTIONS_MAX 5U /* names for which another is looked for: that takes calls */

/* What to say and which status to exit with; {KEY} is that parameter of the error. */
static const struct {
        const char *error;
        int status;
        const char *text;
} errors[] = {
        { "io.takt.Jobs.NoSuchJob", STATUS_NOT_FOUND, "no job {job}; see: taktctl list or, where it has a file or had runs, taktctl why {job}" },
        { NOTHING_OF_JOB, STATUS_NOT_FOUND, "no job {job}, and neither a file nor a run of one; see: taktctl list" },
        { TEMPLATE_NAME, STATUS_NOT_FOUND, "{job} names no job: a template does not run itself; name instances, such as {job}X or '{job}*'" },
        { JOB_OF_RUN_GONE, STATUS_NOT_FOUND, "that run was one of {job}, a job which is not there any more; see: taktctl list" },
        { NUMBER_FOR_JOB, STATUS_NOT_FOUND, "no job {job}; a number is the id of a run, see: taktctl list, or taktctl runs" },
        { "io.takt.Jobs.TooManyJobs", STATUS_FAILED, "there are too many jobs for one answer" },
        { "io.takt.Runs.TooManyRuns", STATUS_FAILED, "there are too many runs for one answer" },
        { "io.takt.Runs.NoSuchRun", STATUS_NOT_FOUND, NO_RUN_TEXT("{run}") },
        { FORGOTTEN_RUN, STATUS_NOT_FOUND,
          "no run {run} any more: ended runs are kept until the daemon ends, and as many as KeepRuns= and KeepRunsTotal= allow; see: taktctl runs" },
        { "io.takt.Runs.NoResult", STATUS_NOT_FOUND, "no run of {job} has succeeded so far, or none is kept; see: taktctl runs {job}" },
        { "io.takt.Runs.BadParameter", STATUS_USAGE, "{job}: {message}" },
        { "io.takt.Runs.IsTemplate", STATUS_USAGE, "{job} is a template; run one of its instances, such as {job}X" },
        { "io.takt.Runs.BadGroup", STATUS_USAGE, "{message}" },
        { "io.takt.Runs.TooManyWatchers", STATUS_FAILED, "there are as many watchers as {limit}= allows" },
        { "io.takt.Runs.TimedOut", STATUS_FAILED, "still under way after that time: {runs}" },
        { "io.takt.Manager.Failed", STATUS_FAILED, "the daemon could not do it: {message}" },
        { "io.takt.Runs.NotRunning", STATUS_NOT_FOUND, "no run of {job} is under way; see: taktctl run {job}" },
        { "io.takt.Runs.InputClosed", STATUS_FAILED, "run {run} takes no more input" },
        { "io.takt.Runs.InputFull", STATUS_FAILED, "run {run} has not read {unsentBytes} bytes so far; {limit}= allows no more" },
        { "io.takt.Runs.TakesNoInput", STATUS_FAILED, "run {run} takes no input; only those of Type=worker do" },
        { "io.takt.Manager.ReloadInProgress", STATUS_FAILED, "another reload is under way; try again later" },
        { "io.takt.Manager.ReloadFailed", STATUS_FAILED, "nothing was reloaded" },
        { "org.varlink.service.PermissionDenied", STATUS_NOT_PERMITTED,
          "not permitted; run it as root or as a member of the group takt" },
        { "org.varlink.service.InvalidParameter", STATUS_USAGE, "the daemon refuses the parameter {parameter}" },
        { "org.varlink.service.MethodNotFound", STATUS_FAILED, "the daemon knows no {method}; is it an older one?" },
        { "org.varlink.service.MethodNotImplemented", STATUS_FAILED, "the daemon knows no {method}; is it an older one?" },
        { "org.varlink.service.InterfaceNotFound", STATUS_FAILED, "the daemon knows no {interface}; is it an older one?" },
};

/* Appends the member KEY of PARAMETERS, a string as it is. */
static int append_parameter(Buffer *out, const JsonValue *parameters, const char *key, size_t n)
{
        const JsonValue *value = json_get_n(parameters, key, n);

        if (!value)
                return buffer_append_char(out, '?');
        if (value->type == JSON_STRING)
                return text_append_clean(out, value->string, value->n, false);
        return json_format(value, 0, out);
}

static int expand(Buffer *out, const char *text, const JsonValue *parameters)
{
        int r = 0;

        while (*text && r >= 0) {
                size_t n = strcspn(text, "{");

                r = buffer_append(out, text, n);
                text += n;
                if (*text == '{' && r >= 0) {
                        n = strcspn(++text, "}");
                        r = append_parameter(out, parameters, text, n);
                        text += n + 1;
                }
        }
        return r;
}

void ctl_print_problems(const JsonValue *problems)
{
        for (uint32_t i = 0; json_is(problems, JSON_ARRAY) && i < problems->n; i++) {
                const JsonValue *p = &problems->items[i];
                int64_t line = json_get_int(p, "line", 0), column = json_get_int(p, "column", 0);

                /* Zero: the line, or the file, as a whole. */
                fputs(json_get_string(p, "file", "?"), stderr);
                if (line > 0)
                        fprintf(stderr, ":%" PRIi64, line);
                if (column > 0)
                        fprintf(stderr, ":%" PRIi64, column);
                fprintf(stderr, ": %s%s\n", streq(json_get_string(p, "severity", ""), "warning") ? "warning: " : "",
                        json_get_string(p, "message", "?"));
        }
}

/* Instead of what the table says of it, where a job has nearly that name, or had it. False: none has. */
static bool suggest(Ctl *ctl, const JsonValue *parameters)
{
        const char *job = json_get_string(parameters, "job", NULL);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *found = NULL;
        bool removed;

        if (!job || ctl->unknown.n_suggested == SUGGESTIONS_MAX)
                return false;
        ctl->unknown.n_suggested++;
        found = suggest_job(ctl, job, &removed);
        if (removed) {
                (void)ctl_error(STATUS_NOT_FOUND, "%s was removed, only its runs under way go on; see: taktctl why %s", job, job);
                return true;
        }
        if (!found || expand(&text, "no job {job}", parameters) < 0)
                return false;
        (void)ctl_error(STATUS_NOT_FOUND, "%s; did you mean %s?", buffer_string(&text), found);
        return true;
}

/* What is said of a job that is not there. */
static const char *missing_job_error(const Ctl *ctl, const char *job)
{
        static const char *const of_instances[] = { "pause", "resume", "cancel", "wait" };
        size_t n = strlen(job);

        for (size_t i = 0; i < ARRAY_SIZE(of_instances) && ctl->verb; i++)
                if (n > 1 && job[n - 1] == '@' && streq(ctl->verb->name, of_instances[i]))
                        return TEMPLATE_NAME;
        if (ctl->options.again)
                return JOB_OF_RUN_GONE;
        if (n > 0 && strspn(job, "0123456789") == n)
                return NUMBER_FOR_JOB;
        /* It has looked for all that could be asked for next. */
        return ctl->verb && streq(ctl->verb->name, "why") ? NOTHING_OF_JOB : NO_SUCH_JOB;
}

static int tell_error(Ctl *ctl, const char *error, const JsonValue *parameters)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (streq(error, NO_SUCH_JOB)) {
                error = missing_job_error(ctl, json_get_string(parameters, "job", ""));
                if (!streq(error, TEMPLATE_NAME) && !streq(error, JOB_OF_RUN_GONE) && suggest(ctl, parameters))
                        return STATUS_NOT_FOUND;
        }
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
                if (streq(errors[i].error, error)) {
                        if (expand(&text, errors[i].text, parameters) < 0)
                                return ctl_oom();
                        (void)ctl_error(errors[i].status, "%s", buffer_string(&text));
                        fputs(json_get_string(parameters, "usage", ""), stderr);
                        return errors[i].status;
                }
        if (json_format(parameters, 0, &text) < 0)
                return ctl_oom();
        return ctl_error(STATUS_FAILED, "the daemon answers %s %s", error, buffer_string(&text));
}

/* --- what is not there --- */

int ctl_note_unknown_job(Ctl *ctl, const char *job)
{
        Unknown *unknown = &ctl->unknown;
        char **jobs;

        if (unknown->n_jobs > 0 && streq(unknown->jobs[unknown->n_jobs - 1], job))
                return 0;
        jobs = reallocarray(unknown->jobs, unknown->n_jobs + 1, sizeof(*jobs));
        if (!jobs)
                return ctl_oom();
        unknown->jobs = jobs;
        jobs[unknown->n_jobs] = strdup(job);
        if (!jobs[unknown->n_jobs])
                return ctl_oom();
        unknown->n_jobs++;
        return 0;
}

static int note_unknown_run(Ctl *ctl, int64_t run, bool forgotten)
{
        Unknown *unknown = &ctl->unknown;
        UnknownRun *runs = reallocarray(unknown->runs, unknown->n_runs + 1, sizeof(*runs));

        if (!runs)
                return ctl_oom();
        unknown->runs = runs;
        runs[unknown->n_runs++] = (UnknownRun){ run, forgotten };
        return 0;
}

int ctl_note_unknown(Ctl *ctl, const JsonValue *parameters)
{
        const JsonValue *jobs = json_get(parameters, "unknown"), *runs = json_get(parameters, "unknownRuns");
        const JsonValue *forgotten = json_get(parameters, "forgottenRuns");
        uint32_t n_forgotten = 0;
        int r = 0;

        for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n && r == 0; i++)
                r = ctl_note_unknown_job(ctl, json_string_or_null(&jobs->items[i]) ?: "?");
        for (uint32_t i = 0; json_is(runs, JSON_ARRAY) && i < runs->n && r == 0; i++)
                if (json_is(&runs->items[i], JSON_INT)) {
                        int64_t run = runs->items[i].integer;
                        /* They come in the same order. */
                        bool is_forgotten = json_is(forgotten, JSON_ARRAY) && n_forgotten < forgotten->n &&
                                            forgotten->items[n_forgotten].integer == run;

                        n_forgotten += is_forgotten;
                        r = note_unknown_run(ctl, run, is_forgotten);
                }
        return r;
}

static void tell_unknown(Ctl *ctl, const char *error, const char *key, const JsonValue *value)
{
        JsonMember member = { .key = key, .key_len = (uint32_t)strlen(key), .value = *value };
        JsonValue parameters = { .type = JSON_OBJECT, .n = 1, .members = &member };

        (void)tell_error(ctl, error, &parameters);
}

void ctl_tell_unknown(Ctl *ctl)
{
        Unknown *unknown = &ctl->unknown;

        for (size_t i = 0; i < unknown->n_runs; i++)
                tell_unknown(ctl, unknown->runs[i].forgotten ? FORGOTTEN_RUN : NO_SUCH_RUN, "run",
                             &(JsonValue){ .type = JSON_INT, .integer = unknown->runs[i].run });
        for (size_t i = 0; i < unknown->n_jobs; i++) {
                char *job = unknown->jobs[i];

                tell_unknown(ctl, NO_SUCH_JOB, "job",
                             &(JsonValue){ .type = JSON_STRING, .n = (uint32_t)strlen(job), .string = job });
                free(job);
        }
        free(unknown->jobs);
        free(unknown->runs);
        *unknown = (Unknown){
                .n_suggested = unknown->n_suggested,
                .any = unknown->any || unknown->n_jobs > 0 || unknown->n_runs > 0,
        };
}

int ctl_tell_none(const Ctl *ctl)
{
        if (!ctl->options.json && !ctl->options.quiet && !ctl->unknown.any && ctl->unknown.n_jobs == 0)
                puts("No job matches.");
        return 0;
}

int ctl_go_on(Ctl *ctl, int r)
{
        if (r != STATUS_NOT_FOUND)
                return r;
        ctl->unknown.any = true;
        return 0;
}

int ctl_reply_status(Ctl *ctl, const VarlinkReply *reply)
{
        int r;

        if (!reply->error)
                return ctl_note_unknown(ctl, reply->parameters);
        if ((streq(reply->error, NO_SUCH_JOB) || streq(reply->error, NO_SUCH_RUN)) &&
            (json_get(reply->parameters, "unknown") || json_get(reply->parameters, "unknownRuns"))) {
                r = ctl_note_unknown(ctl, reply->parameters);
                return r != 0 ? r : STATUS_NOT_FOUND;
        }
        ctl_print_problems(json_get(reply->parameters, "problems"));
        return tell_error(ctl, reply->error, reply->parameters);
}

int ctl_resolve(Ctl *ctl)
{
        _cleanup_free_ char *error = NULL;
        int r;

        if (ctl->environment)
                return 0;
        r = environment_resolve(ctl->options.scope, ctl->options.env, 0, &ctl->environment, &error);
        if (r >= 0)
                return 0;
        return error ? ctl_error(STATUS_USAGE, "%s", error) : ctl_oom();
}

static int no_daemon(const Environment *environment)
{
        _cleanup_free_ char *option = environment_option(environment);

        if (!option)
                return ctl_oom();
        switch (environment->scope) {
        case ENVIRONMENT_SYSTEM:
                return ctl_error(STATUS_NO_DAEMON, "no daemon for the system's environment; "
                                                   "start it with: systemctl start taktd");
        case ENVIRONMENT_USER:
                return ctl_error(STATUS_NO_DAEMON, "no daemon for the user's environment; "
                                                   "start it with: taktd --user");
        default:
                return ctl_error(STATUS_NO_DAEMON, "no daemon for this environment; start it with: taktd %s",
                                 option);
        }
}

int ctl_connect(Ctl *ctl)
{
        int r;

        r = ctl_resolve(ctl);
        if (r != 0 || ctl->client)
                return r;
        r = varlink_client_connect(ctl->environment->socket, &ctl->client);
        switch (r) {
        case 0:
                return 0;
        case -ENOENT:
        case -ENOTDIR:
        case -ECONNREFUSED:
                return no_daemon(ctl->environment);
        case -EACCES:
        case -EPERM:
                return ctl_error(STATUS_NOT_PERMITTED, "not permitted to talk to the daemon at %s; "
                                                       "run it as root or as a member of the group takt",
                                 ctl->environment->socket);
        default:
                return r > 0 ? 0 : ctl_error(STATUS_NO_DAEMON, "can't talk to the daemon at %s: %s",
                                             ctl->environment->socket, strerror(-r));
        }
}

static int transport_error(int r)
{
        switch (r) {
        case -ENOMEM:
                return ctl_oom();
        case -ETIMEDOUT:
                return ctl_error(STATUS_NO_DAEMON, "the daemon does not answer");
        case -ECONNRESET:
        case -EPIPE:
                return ctl_error(STATUS_NO_DAEMON, "the daemon has closed the connection");
        case -EBADMSG:
                return ctl_error(STATUS_FAILED, "the daemon's answer is not to be understood");
        default:
                return ctl_error(STATUS_NO_DAEMON, "talking to the daemon: %s", strerror(-r));
        }
}

int ctl_send(Ctl *ctl, const char *method, const char *parameters, unsigned flags)
{
        int r;

        r = ctl_connect(ctl);
        if (r != 0)
                return r;
        r = varlink_client_send(ctl->client, method, parameters, flags);
        return r < 0 ? transport_error(r) : 0;
}

int ctl_receive_within(Ctl *ctl, usec_t timeout, VarlinkReply *ret)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        int r;

        do
                r = varlink_client_receive(ctl->client, timeout, &reply);
        while (r == -EINTR);
        if (r == -ETIMEDOUT)
                return r;
        if (r < 0)
                return transport_error(r);
        r = ctl_reply_status(ctl, &reply);
        if (r != 0)
                return r;
        *ret = reply;
        reply = VARLINK_REPLY_NULL;
        return 0;
}

int ctl_receive(Ctl *ctl, usec_t timeout, VarlinkReply *ret)
{
        int r = ctl_receive_within(ctl, timeout, ret);

        return r < 0 ? transport_error(r) : r;
}

int ctl_call(Ctl *ctl, const char *method, const char *parameters, VarlinkReply *ret)
{
        int r;

        r = ctl_send(ctl, method, parameters, 0);
        return r != 0 ? r : ctl_receive(ctl, CTL_TIMEOUT, ret);
}

int ctl_each(Ctl *ctl, const char *method, const char *parameters, const char *key, CtlEach each, void *userdata)
{
        bool more = true;
        int r;

        r = ctl_send(ctl, method, parameters, VARLINK_CALL_MORE);
        while (r == 0 && more) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                const JsonValue *list;

                r = ctl_receive(ctl, CTL_TIMEOUT, &reply);
                if (r != 0)
                        break;
                more = reply.continues;
                list = json_get(reply.parameters, key);
                for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->n && r == 0; i++)
                        r = each(ctl, &list->items[i], userdata);
        }
        return r;
}

void params_init(Params *params)
{
        *params = (Params){};
        json_writer_init(&params->writer, &params->text, 0);
        json_begin_object(&params->writer);
}

void params_deinit(Params *params)
{
        buffer_deinit(&params->text);
}

void params_string(Params *params, const char *key, const char *value)
{
        json_key(&params->writer, key);
        json_string(&params->writer, value);
}

void params_int(Params *params, const char *key, int64_t value)
{
        json_key(&params->writer, key);
        json_int(&params->writer, value);
}

void params_strings(Params *params, const char *key, const char *const *values, size_t n)
{
        if (n == 0)
                return;
        json_key(&params->writer, key);
        json_begin_array(&params->writer);
        for (size_t i = 0; i < n; i++)
                json_string(&params->writer, values[i]);
        json_end_array(&params->writer);
}

int params_end(Params *params, const char **ret)
{
        int r;

        json_end_object(&params->writer);
        r = json_writer_end(&params->writer);
        if (r == -EINVAL)
                return ctl_error(STATUS_USAGE, "the arguments are not UTF-8");
        if (r < 0)
                return ctl_oom();
        *ret = buffer_string(&params->text);
        return 0;
}
