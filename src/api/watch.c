/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watch: the stream of events. An event is formatted once, whoever watches. A watcher that does
 * not read as fast as things happen loses events above WATCH_QUEUE_MAX and is told how many, and
 * so it is where there is no memory for an event. The
 * present state comes in turns of the loop, no faster than it is read; of that nothing is lost.
 */
#include "api/internal.h"

#define WATCH_QUEUE_MAX (4U * 1024 * 1024)   /* bytes that wait for one watcher */
#define PRESENT_QUEUE_MAX (1024U * 1024)     /* of them, of the present state */

typedef enum Present {
        PRESENT_UNKNOWN,
        PRESENT_JOBS,
        PRESENT_RUNS,
        PRESENT_DONE,
} Present;

typedef struct Watch {
        Api *api;
        List link;
        VarlinkCall *call;
        JsonDoc *parameters; /* what the filter points into */
        JobFilter jobs;
        ApiUnknown unknown; /* of their names */
        uint32_t events; /* bits of EventType */
        uint64_t n_lost;
        Present present;
        Deferred step;                 /* the next turn of it */
        size_t n_unknown_told;
        char after_job[JOB_NAME_MAX + 1];
        uint64_t after_run;
} Watch;

static void watch_free(Watch *watch)
{
        deferred_cancel(watch->api->context.loop, &watch->step);
        list_unlink(&watch->link);
        watch->api->n_watches--;
        varlink_call_set_gone(watch->call, NULL, NULL);
        varlink_call_set_drained(watch->call, NULL, NULL);
        varlink_call_unref(watch->call);
        json_doc_free(watch->parameters);
        job_filter_deinit(&watch->jobs);
        api_unknown_deinit(&watch->unknown);
        free(watch);
}

/* What could not be sent has ended the call, without a word to who holds it. */
static void free_if_dead(Watch *watch)
{
        if (varlink_call_is_dead(watch->call))
                watch_free(watch);
}

static void on_gone(_unused_ VarlinkCall *call, void *userdata)
{
        watch_free(userdata);
}

/* An event of the stream itself: "unknown", "present", "live", "overflow". */
static void send_own(Watch *watch, const char *name, const char *job, const Run *run, const char *state, uint64_t lost)
{
        JsonWriter *w = varlink_call_begin(watch->call);

        json_key(w, "event");
        json_begin_object(w);
        json_key(w, "seq");
        json_uint(w, watch->api->context.events->sequence);
        json_key(w, "time");
        json_realtime(w, clock_realtime(watch->api->context.services->clock));
        json_key(w, "event");
        json_string(w, name);
        if (job) {
                json_key(w, "job");
                json_string(w, job);
        }
        if (run) {
                json_key(w, "run");
                json_uint(w, run->id);
        }
        if (state) {
                json_key(w, "state");
                json_string(w, state);
        }
        if (lost > 0) {
                json_key(w, "lost");
                json_uint(w, lost);
        }
        json_end_object(w);
        (void)varlink_call_end(watch->call, true);
}

static bool wants_event(const Watch *watch, const Event *event)
{
        return (watch->events & (1U << event->type)) && job_filter_matches(&watch->jobs, event->job);
}

static int format_event(const Event *event, VarlinkAnswer *answer)
{
        JsonWriter *w = varlink_answer_begin(answer);

        json_key(w, "event");
        json_begin_object(w);
        event_write(event, w);
        if (event->run && !event->data && run_state_is_final(event->run->state)) {
                json_key(w, "data");
                run_write(event->run, true, w);
        }
        json_end_object(w);
        return varlink_answer_end(answer);
}

/* WATCH will not see an event; nothing need be on its way to it whose end would be the time to say so. */
static void lose(Watch *watch)
{
        watch->n_lost++;
        loop_defer(watch->api->context.loop, &watch->step);
}

void api_watches_notify(Api *api, const Event *event)
{
        _cleanup_(varlink_answer_deinit) VarlinkAnswer answer = {};
        Watch *watch;
        int r = 0;

        list_foreach(watch, &api->watches, Watch, link) {
                if (!wants_event(watch, event))
                        continue;
                if (watch->n_lost > 0 || varlink_call_queued(watch->call) > WATCH_QUEUE_MAX) {
                        watch->n_lost++;
                        continue;
                }
                if (r == 0 && answer.text.len == 0)
                        r = format_event(event, &answer);
                if (r < 0) {
                        lose(watch);
                        continue;
                }
                (void)varlink_call_send(watch->call, &answer);
                free_if_dead(watch);
        }
}

void api_watches_stop(Api *api)
{
        Watch *watch;

        list_foreach(watch, &api->watches, Watch, link)
                watch_free(watch);
}

/* What one step looked at: false where there is no more of its kind. */
static bool present_unknown(Watch *watch)
{
        if (watch->n_unknown_told == watch->unknown.n_jobs)
                return false;
        send_own(watch, "unknown", watch->unknown.jobs[watch->n_unknown_told++], NULL, NULL, 0);
        return true;
}

static bool present_job(Watch *watch)
{
        Job *job = job_filter_next(&watch->jobs, watch->api->context.scheduler, watch->after_job);

        if (!job)
                return false;
        (void)strcpy(watch->after_job, job->name);
        if (job_filter_matches(&watch->jobs, job->name))
                send_own(watch, "present", job->name, NULL, job_state_to_string(job_state(job)), 0);
        return true;
}

static bool present_run(Watch *watch)
{
        Run *run = scheduler_run_after(watch->api->context.scheduler, watch->after_run);

        if (!run)
                return false;
        watch->after_run = run->id;
        if (job_filter_matches(&watch->jobs, run->job->name))
                send_own(watch, "present", run->job->name, run, run_state_to_string(run->state), 0);
        return true;
}

/* A turn, which ends early where the watcher reads more slowly. */
static void present_some(Watch *watch)
{
        static bool (*const present[])(Watch *watch) = {
                [PRESENT_UNKNOWN] = present_unknown,
                [PRESENT_JOBS] = present_job,
                [PRESENT_RUNS] = present_run,
        };
        Clock *clock = watch->api->context.services->clock;
        usec_t end = usec_add(clock_boottime(clock), API_TURN_USEC);

        do
                for (unsigned n = 0; n < API_TURN_CLOCK_EVERY && watch->present != PRESENT_DONE; n++)
                        if (!present[watch->present](watch) && ++watch->present == PRESENT_DONE)
                                send_own(watch, "live", NULL, NULL, NULL, 0);
        while (watch->present != PRESENT_DONE && !varlink_call_is_dead(watch->call) &&
               varlink_call_queued(watch->call) <= PRESENT_QUEUE_MAX && clock_boottime(clock) < end);
}

static void tell_lost(Watch *watch)
{
        uint64_t lost = watch->n_lost;

        watch->n_lost = 0;
        if (lost > 0)
                send_own(watch, "overflow", NULL, NULL, NULL, lost);
}

static void on_step(Deferred *deferred)
{
        Watch *watch = container_of(deferred, Watch, step);

        if (varlink_call_queued(watch->call) == 0)
                tell_lost(watch);
        present_some(watch);
        if (varlink_call_is_dead(watch->call))
                watch_free(watch);
        else if (watch->present != PRESENT_DONE && varlink_call_queued(watch->call) <= PRESENT_QUEUE_MAX)
                loop_defer(watch->api->context.loop, &watch->step);
}

static void on_drained(_unused_ VarlinkCall *call, void *userdata)
{
        Watch *watch = userdata;

        if (watch->present != PRESENT_DONE)
                loop_defer(watch->api->context.loop, &watch->step);
        tell_lost(watch);
        free_if_dead(watch);
}

static uint32_t read_events(const JsonValue *names)
{
        uint32_t bits = 0;

        if (!json_is(names, JSON_ARRAY) || names->n == 0)
                return UINT32_MAX;
        for (uint32_t i = 0; i < names->n; i++) {
                int type = event_type_from_string(json_string_or_null(&names->items[i]) ?: "");

                if (type >= 0)
                        bits |= 1U << type;
        }
        return bits;
}

/* The filters must outlive the call's parameters. 0: nothing that they name is there; else 1, or -ENOMEM. */
static int read_filters(Watch *watch, const JsonValue *parameters)
{
        int r = api_copy_parameters(parameters, &watch->parameters);
        ssize_t n;

        watch->events = read_events(json_get(parameters, "events"));
        if (r >= 0)
                r = job_filter_init(&watch->jobs, json_get(json_root(watch->parameters), "jobs"));
        if (r < 0)
                return r;
        n = api_unknown_find_jobs(&watch->unknown, &watch->jobs, watch->api->context.scheduler, NULL);
        return n < 0 ? (int)n : watch->jobs.n == 0 || (size_t)n < watch->jobs.n;
}

int api_runs_watch(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        Watch *watch;
        int r;

        if (!varlink_call_wants_more(call))
                return varlink_call_error(call, "org.varlink.service.ExpectedMore", NULL, NULL);
        if (api->n_watches >= api->context.settings(api->context.userdata)->max_watchers)
                return varlink_call_error(call, "io.takt.Runs.TooManyWatchers", "limit", "MaxWatchers");
        watch = new0(Watch, 1);
        if (!watch)
                return -ENOMEM;
        watch->api = api;
        watch->call = varlink_call_ref(call);
        watch->step.callback = on_step;
        list_append(&api->watches, &watch->link);
        api->n_watches++;
        varlink_call_set_gone(call, on_gone, watch);
        varlink_call_set_drained(call, on_drained, watch);
        r = read_filters(watch, parameters);
        if (r > 0) {
                on_step(&watch->step);
                return 0;
        }
        if (r == 0)
                r = api_unknown_error(&watch->unknown, call);
        watch_free(watch);
        return r;
}
