/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On=: runs that events of other jobs' runs start. An event finds who listens by the name of its job, or
 * through the patterns; where nobody listens for its type it costs the test of a bit. What it starts is
 * not started inside of the event, but in turns of the loop: a job at a time has its next one, so that a
 * flood of events for one job holds up neither others nor the loop. An event counts for the definitions
 * that are in force when it happens; one that waits survives a change of the job that it is for.
 */
#include "sched/internal.h"

#include <fnmatch.h>
#include <inttypes.h>

#include "base/string-util.h"

/* Events that one turn takes; other timers and descriptors come in between. */
#define STARTS_A_TURN 128U
/* Bytes of an event's result and outputs that are handed on; of larger ones there is null. */
#define EVENT_VALUE_MAX (64U * 1024)

/* An event as it is handed on; as many as it starts share it. */
typedef struct Input {
        unsigned n_ref;
        uint64_t run;
        uint8_t depth;
        char *text; /* JSON object */
} Input;

typedef struct Pending {
        List link;
        Input *input;
        char *cause; /* "On=…" */
} Pending;

typedef struct Listener {
        List link; /* of its source, or of the patterns */
        TriggerTarget *target;
        EventSource *source; /* NULL: a pattern */
        const EventTrigger *trigger;
} Listener;

struct EventSource {
        RB_ENTRY(EventSource) by_name;
        List listeners;
        char name[];
};

/* What a job listens for, and what waits for it. */
struct TriggerTarget {
        Job *job;
        JobSpec *spec; /* that the listeners are of */
        List ring;     /* while something waits */
        List pending;
        unsigned n_pending;
        uint64_t n_dropped;
        uint64_t last; /* the last event that was taken, so that none is taken twice */
        size_t n_listeners;
        Listener *listeners;
};

static int source_compare(const EventSource *a, const EventSource *b)
{
        return strcmp(a->name, b->name);
}

TREE_GENERATE(EventSourceTree, EventSource, by_name, source_compare)

static void on_turn(Timer *timer, usec_t now);

void triggers_init(Scheduler *s)
{
        RB_INIT(&s->triggers.sources);
        list_init(&s->triggers.patterns);
        list_init(&s->triggers.ring);
        s->triggers.turn.callback = on_turn;
}

/* --- who listens --- */

static EventSource *find_source(Scheduler *s, const char *name)
{
        EventSource *source = RB_ROOT(&s->triggers.sources);

        while (source) {
                int order = strcmp(name, source->name);

                if (order == 0)
                        return source;
                source = order < 0 ? RB_LEFT(source, by_name) : RB_RIGHT(source, by_name);
        }
        return NULL;
}

static EventSource *find_or_add_source(Scheduler *s, const char *name)
{
        EventSource *source = find_source(s, name);
        size_t n = strlen(name) + 1;

        if (source)
                return source;
        source = calloc(1, sizeof(*source) + n);
        if (!source)
                return NULL;
        memcpy(source->name, name, n);
        list_init(&source->listeners);
        (void)RB_INSERT(EventSourceTree, &s->triggers.sources, source);
        return source;
}

/* Counts who listens for each type, so that the mask says whether anybody does. */
static void count(Scheduler *s, unsigned events, int by)
{
        for (unsigned i = 0; i < 32; i++)
                if (events & (1U << i)) {
                        s->triggers.n_by_bit[i] += (unsigned)by;
                        if (s->triggers.n_by_bit[i] > 0)
                                s->triggers.mask |= 1U << i;
                        else
                                s->triggers.mask &= ~(1U << i);
                }
}

static int listen_for(Scheduler *s, TriggerTarget *target, const EventTrigger *trigger)
{
        Listener *listener = &target->listeners[target->n_listeners];
        EventSource *source = trigger->is_pattern ? NULL : find_or_add_source(s, trigger->job);

        if (!source && !trigger->is_pattern)
                return -ENOMEM;
        if (trigger->is_pattern && s->triggers.n_patterns >= TRIGGER_PATTERNS_MAX) {
                scheduler_emit_job(s, target->job, EVENT_REFUSED, "there are as many patterns in On= as may be; one is not listened for");
                return 0;
        }
        s->triggers.n_patterns += trigger->is_pattern;
        *listener = (Listener){ .target = target, .source = source, .trigger = trigger };
        list_append(source ? &source->listeners : &s->triggers.patterns, &listener->link);
        count(s, trigger->events, 1);
        target->n_listeners++;
        return 0;
}

static void unlisten(Scheduler *s, TriggerTarget *target)
{
        for (size_t i = 0; i < target->n_listeners; i++) {
                Listener *listener = &target->listeners[i];

                list_unlink(&listener->link);
                s->triggers.n_patterns -= !listener->source;
                count(s, listener->trigger->events, -1);
                if (listener->source && list_is_empty(&listener->source->listeners)) {
                        RB_REMOVE(EventSourceTree, &s->triggers.sources, listener->source);
                        free(listener->source);
                }
        }
        free(target->listeners);
        target->listeners = NULL;
        target->n_listeners = 0;
        target->spec = job_spec_unref(target->spec);
}

static void free_if_idle(Job *job)
{
        TriggerTarget *target = job->triggers;

        if (!target || target->n_listeners > 0 || target->n_pending > 0)
                return;
        list_unlink(&target->ring);
        free(target->listeners);
        job_spec_unref(target->spec);
        free(target);
        job->triggers = NULL;
}

static TriggerTarget *find_or_add_target(Job *job)
{
        TriggerTarget *target = job->triggers;

        if (target)
                return target;
        target = new0(TriggerTarget, 1);
        if (!target)
                return NULL;
        target->job = job;
        list_init(&target->ring);
        list_init(&target->pending);
        return job->triggers = target;
}

int triggers_set(Scheduler *s, Job *job)
{
        const EventTriggerList *on = &job->spec->schedule.on;
        TriggerTarget *target;
        int r = 0;

        if (job->triggers)
                unlisten(s, job->triggers);
        if (on->n > 0 && job->spec->job.enabled && job_has_schedule(job)) {
                target = find_or_add_target(job);
                if (!target)
                        return -ENOMEM;
                target->spec = job_spec_ref(job->spec);
                target->listeners = new0(Listener, on->n);
                r = target->listeners ? 0 : -ENOMEM;
                for (size_t i = 0; i < on->n && r >= 0; i++)
                        r = listen_for(s, target, &on->triggers[i]);
        }
        free_if_idle(job);
        return r;
}

/* --- what waits --- */

static void input_unref(Input *input)
{
        if (!input || --input->n_ref > 0)
                return;
        free(input->text);
        free(input);
}

static void pending_free(Pending *pending)
{
        input_unref(pending->input);
        free(pending->cause);
        free(pending);
}

static Pending *take_pending(TriggerTarget *target)
{
        Pending *pending = list_first(&target->pending, Pending, link);

        list_unlink(&pending->link);
        target->n_pending--;
        if (target->n_pending == 0)
                list_unlink(&target->ring);
        return pending;
}

static void refuse(Scheduler *s, Job *job, const Pending *pending, RunState state, const char *kind, const char *message)
{
        (void)record_refused(s, job,
                             &(RunRequest){
                                     .trigger = RUN_TRIGGER_EVENT,
                                     .origin = pending->input->run,
                                     .event_depth = pending->input->depth,
                             },
                             state, kind, message);
}

/* Ends all that waits for JOB, which is still there afterwards. */
static void drop_pending(Scheduler *s, Job *job, const char *kind, const char *message)
{
        while (job->triggers && job->triggers->n_pending > 0) {
                Pending *pending = take_pending(job->triggers);

                refuse(s, job, pending, RUN_CANCELLED, kind, message);
                pending_free(pending);
        }
}

void triggers_remove(Scheduler *s, Job *job)
{
        if (!job->triggers)
                return;
        unlisten(s, job->triggers);
        drop_pending(s, job, "removed", "the job was removed before its turn came");
        free_if_idle(job);
}

void triggers_shutdown(Scheduler *s)
{
        TriggerTarget *target;

        timer_disarm(s->services->timers, &s->triggers.turn);
        while ((target = list_first(&s->triggers.ring, TriggerTarget, ring)))
                drop_pending(s, target->job, "shutdown", "the daemon was stopped");
}

/* --- an event --- */

static void write_value(JsonWriter *w, const char *key, const char *text, size_t n)
{
        json_key(w, key);
        if (text && n <= EVENT_VALUE_MAX)
                json_raw(w, text, n);
        else
                json_null(w);
}

static int format_event(const Run *run, const char *name, usec_t realtime, const char *message, const char *data, Buffer *out)
{
        RunRecord record;
        JsonWriter w;

        run_get_record(run, &record);
        json_writer_init(&w, out, 0);
        json_begin_object(&w);
        json_key(&w, "event");
        json_string(&w, name);
        json_key(&w, "job");
        json_string(&w, run->job->name);
        json_key(&w, "run");
        json_uint(&w, run->id);
        json_key(&w, "state");
        json_string(&w, run_state_to_string(run->state));
        json_key(&w, "time");
        json_realtime(&w, realtime);
        json_key(&w, "message");
        if (message)
                json_string_lossy(&w, message, strlen(message));
        else
                json_null(&w);
        write_value(&w, "data", data, data ? strlen(data) : 0);
        write_value(&w, "params", run->params ?: "{}", run->params ? strlen(run->params) : 2);
        write_value(&w, "result", run->result, run->result_len);
        write_value(&w, "outputs", run->outputs ?: "{}", run->outputs ? strlen(run->outputs) : 2);
        json_key(&w, "error");
        run_record_write_error(&record, &w);
        json_end_object(&w);
        return json_writer_end(&w);
}

static Input *make_input(Scheduler *s, const Run *run, unsigned bit, const char *message, const char *data)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        Input *input = new0(Input, 1);

        if (!input || format_event(run, event_bit_to_string(bit), scheduler_realtime(s), message, data, &text) < 0)
                goto failed;
        *input = (Input){ .n_ref = 1, .run = run->id, .depth = (uint8_t)(run->event_depth + 1), .text = buffer_steal(&text) };
        if (input->text)
                return input;
failed:
        free(input);
        return NULL;
}

static void turn_soon(Scheduler *s)
{
        if (!timer_is_armed(&s->triggers.turn))
                (void)timer_arm(s->services->timers, &s->triggers.turn, scheduler_boottime(s));
}

/* Puts the event into the target's queue; one that finds no place there, or no memory, is counted. */
static void push(Scheduler *s, const Listener *listener, Input *input)
{
        TriggerTarget *target = listener->target;
        Pending *pending = input && target->n_pending < TRIGGER_PENDING_MAX ? new0(Pending, 1) : NULL;

        if (pending)
                pending->cause = strdup(listener->trigger->text);
        if (!pending || !pending->cause) {
                free(pending);
                target->n_dropped++;
                return;
        }
        input->n_ref++;
        pending->input = input;
        list_append(&target->pending, &pending->link);
        if (target->n_pending++ == 0)
                list_append(&s->triggers.ring, &target->ring);
        turn_soon(s);
}

typedef struct Notice {
        const Run *run;
        unsigned bit;
        const char *message, *data;
        Input *input; /* made for the first who wants it */
} Notice;

static void offer(Scheduler *s, Notice *notice, const Listener *listener)
{
        TriggerTarget *target = listener->target;

        if (!(listener->trigger->events & notice->bit) || target->last == s->triggers.n_events)
                return;
        target->last = s->triggers.n_events;
        if (!notice->input)
                notice->input = make_input(s, notice->run, notice->bit, notice->message, notice->data);
        push(s, listener, notice->input);
}

void triggers_offer(Scheduler *s, const Run *run, unsigned bit, const char *message, const char *data)
{
        Notice notice = { .run = run, .bit = bit, .message = message, .data = data };
        EventSource *source;
        Listener *listener;

        /* What was cut off goes no further. */
        if (s->shutting_down || run->event_depth > TRIGGER_DEPTH_MAX)
                return;
        s->triggers.n_events++;
        source = find_source(s, run->job->name);
        if (source)
                list_foreach(listener, &source->listeners, Listener, link)
                        offer(s, &notice, listener);
        list_foreach(listener, &s->triggers.patterns, Listener, link)
                if ((listener->trigger->events & bit) && fnmatch(listener->trigger->job, run->job->name, 0) == 0)
                        offer(s, &notice, listener);
        input_unref(notice.input);
}

/* --- a run --- */

/* The parameters of a run that EVENT starts, which is among them even where it is no parameter of the job. */
static int make_params(Scheduler *s, const Job *job, const Input *input, Buffer *out, ParameterError *ret_error)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer bound = BUFFER_NULL;
        int r = json_parse(input->text, strlen(input->text), NULL, &doc, NULL);

        if (r >= 0)
                r = bind_params(s, job, "event", json_root(doc), NULL, 0, &bound, ret_error);
        if (r < 0)
                return r;
        if (parameter_set_find(job->spec->job.parameters, "event", NULL))
                return buffer_append(out, bound.data, bound.len);
        r = buffer_appendf(out, "{\"event\":%s", input->text);
        if (r >= 0 && bound.len > 2)
                r = buffer_append_char(out, ',');
        return r < 0 ? r : buffer_append_string(out, bound.len > 2 ? bound.data + 1 : "}");
}

/* The trigger as the job's definition has it now, which may not have it any more. */
static const char *find_cause(const Job *job, const char *cause)
{
        const EventTriggerList *on = &job->spec->schedule.on;

        for (size_t i = 0; i < on->n; i++)
                if (streq(on->triggers[i].text, cause))
                        return on->triggers[i].text;
        return NULL;
}

static int start(Scheduler *s, Job *job, const Pending *pending)
{
        _cleanup_buffer_ Buffer params = BUFFER_NULL;
        ParameterError error = {};
        int r = make_params(s, job, pending->input, &params, &error);

        if (r == -EINVAL || r == -E2BIG) {
                refuse(s, job, pending, RUN_FAILED, "bad-parameter", error.message);
                return 0;
        }
        if (r < 0)
                return r;
        return scheduler_run(s, job,
                             &(RunRequest){
                                     .trigger = RUN_TRIGGER_EVENT,
                                     .params = params.data,
                                     .cause = find_cause(job, pending->cause),
                                     .origin = pending->input->run,
                                     .event_depth = pending->input->depth,
                             },
                             NULL);
}

static void take_one(Scheduler *s, Job *job)
{
        Pending *pending = take_pending(job->triggers);
        _cleanup_free_ char *message = NULL;
        uint64_t n = job->triggers->n_dropped;

        if (job->paused_realtime > 0) {
                refuse(s, job, pending, RUN_SKIPPED, "paused", "an event came while the job was paused");
        } else if (pending->input->depth > TRIGGER_DEPTH_MAX) {
                message = xasprintf("events have started runs %u deep: On= makes a loop", TRIGGER_DEPTH_MAX);
                refuse(s, job, pending, RUN_FAILED, "trigger-loop", message ?: "On= makes a loop");
        } else if (start(s, job, pending) < 0) {
                job->triggers->n_dropped++;
        }
        if (job->triggers->n_pending == 0 && n > 0) {
                job->triggers->n_dropped = 0;
                free(message);
                message = xasprintf("%" PRIu64 " events came while %u waited", n, TRIGGER_PENDING_MAX);
                refuse(s, job, pending, RUN_SKIPPED, "too-many-events", message ?: "too many events");
        }
        pending_free(pending);
        free_if_idle(job);
}

/* A job at a time, each the first that waits for it. */
static void on_turn(Timer *timer, _unused_ usec_t now)
{
        Scheduler *s = container_of(timer, Scheduler, triggers.turn);
        TriggerTarget *target;

        for (unsigned n = 0; n < STARTS_A_TURN && (target = list_first(&s->triggers.ring, TriggerTarget, ring)); n++) {
                list_unlink(&target->ring);
                list_append(&s->triggers.ring, &target->ring);
                take_one(s, target->job);
        }
        if (!list_is_empty(&s->triggers.ring))
                turn_soon(s);
}
