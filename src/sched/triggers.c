/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On=: runs that events of other jobs' runs start. Where nobody listens for its type (trigger-index.c) an
 * event costs the test of a bit. What it starts is not started inside of the event, but in turns of the loop:
 * a job at a time has its next one, so that a flood of events for one job holds up neither others nor the
 * loop. An event counts for the definitions that are in force when it happens; one that waits survives a
 * change of the job that it is for.
 *
 * A pattern is written without knowing all that it matches. So it never starts a job by what that job's own runs
 * do, nor by what they have led to: an alert job for "*.failed" that fails itself, or two that tell of each
 * other's failures, would go round until TRIGGER_DEPTH_MAX, with several of them at a power of their number. A
 * name is meant: there a loop is an error, and is told as one.
 *
 * Where neither Overlap= nor MaxQueued= is written, events wait here, as the job's runs do, until there is room
 * among these: what came together is worked off one after the other.
 */
#include "sched/trigger-index.h"

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
        Causes *causes; /* of the runs that it starts */
} Input;

typedef struct Pending {
        List link;
        Input *input;
        char *cause; /* "On=…" */
} Pending;

static void on_turn(Timer *timer, usec_t now);

void triggers_init(Scheduler *s)
{
        RB_INIT(&s->triggers.sources);
        list_init(&s->triggers.patterns);
        list_init(&s->triggers.ring);
        list_init(&s->triggers.held);
        s->triggers.turn.callback = on_turn;
}

/* --- what waits --- */

static void input_unref(Input *input)
{
        if (!input || --input->n_ref > 0)
                return;
        causes_unref(input->causes);
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
        if (target->n_pending == 0) {
                list_unlink(&target->ring);
                target->held = false;
        }
        return pending;
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

static void refuse(Scheduler *s, Job *job, const Pending *pending, RunState state, const char *kind, const char *message)
{
        (void)record_refused(s, job,
                             &(RunRequest){
                                     .trigger = RUN_TRIGGER_EVENT,
                                     .cause = find_cause(job, pending->cause),
                                     .origin = pending->input->run,
                                     .event_depth = pending->input->depth,
                                     .causes = pending->input->causes,
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
        trigger_target_unlisten(s, job->triggers);
        drop_pending(s, job, "removed", "the job was removed before its turn came");
        trigger_target_free_if_idle(job);
}

void triggers_shutdown(Scheduler *s)
{
        TriggerTarget *target;

        timer_disarm(s->services->timers, &s->triggers.turn);
        while ((target = list_first(&s->triggers.ring, TriggerTarget, ring) ?:
                                  list_first(&s->triggers.held, TriggerTarget, ring)))
                drop_pending(s, target->job, "shutdown", "the daemon was stopped");
}

/* --- what led to a run --- */

void triggers_note_causes(Run *run, Causes *causes)
{
        RunExtra *extra = causes ? run_make_extra(run) : NULL;

        if (extra)
                extra->causes = causes_ref(causes);
}

/* Of what RUN's events start. A member's run is of its group, which has begun it. NULL: no memory. */
static Causes *make_causes(const Run *run)
{
        _cleanup_(causes_unrefp) Causes *before = NULL;

        before = run->member ? make_causes(run->member->group) : causes_ref(run->extra->causes);
        return run->member && !before ? NULL : causes_new(before, run->job->name);
}

/* Whether what RUN does is JOB's own doing: it is a run of JOB, or one that JOB's events or members led to. */
static bool led_to(const Job *job, const Run *run)
{
        if (streq(run->job->name, job->name))
                return true;
        for (; run->member; run = run->member->group)
                if (causes_are_same(run->member->group->job->name, job->name))
                        return true;
        return causes_have(run->extra->causes, job->name);
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
        write_value(&w, "params", run->extra->params ?: "{}", run->extra->params ? strlen(run->extra->params) : 2);
        write_value(&w, "result", run->result, run->result_len);
        write_value(&w, "outputs", run->extra->outputs ?: "{}", run->extra->outputs ? strlen(run->extra->outputs) : 2);
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
        *input = (Input){
                .n_ref = 1,
                .run = run->id,
                .depth = (uint8_t)(run->event_depth + 1),
                .text = buffer_steal(&text),
                .causes = make_causes(run),
        };
        if (input->text && input->causes)
                return input;
        causes_unref(input->causes);
        free(input->text);
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
        source = event_source_find(s, run->job->name);
        if (source)
                list_foreach(listener, &source->listeners, Listener, link)
                        offer(s, &notice, listener);
        list_foreach(listener, &s->triggers.patterns, Listener, link)
                if ((listener->trigger->events & bit) && fnmatch(listener->trigger->job, run->job->name, 0) == 0 &&
                    !led_to(listener->target->job, run))
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
                                     .causes = pending->input->causes,
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
        trigger_target_free_if_idle(job);
}

/* Whether as many of JOB's runs wait as may, and its file does not say what becomes of more. */
static bool has_no_room(const Job *job)
{
        const ScheduleSettings *rules = &job->spec->schedule;

        return rules->holds_events && job->paused_realtime == 0 && job->n_runs > 0 &&
               job->n_runs - job->n_active >= rules->max_queued;
}

void triggers_job_run_ended(Scheduler *s, Job *job)
{
        TriggerTarget *target = job->triggers;

        if (!target->held || s->shutting_down)
                return;
        target->held = false;
        list_unlink(&target->ring);
        list_append(&s->triggers.ring, &target->ring);
        turn_soon(s);
}

size_t scheduler_n_events_waiting(const Job *job)
{
        return job->triggers ? job->triggers->n_pending : 0;
}

/* A job at a time, each the first that waits for it. */
static void on_turn(Timer *timer, _unused_ usec_t now)
{
        Scheduler *s = container_of(timer, Scheduler, triggers.turn);
        TriggerTarget *target;

        for (unsigned n = 0; n < STARTS_A_TURN && (target = list_first(&s->triggers.ring, TriggerTarget, ring)); n++) {
                list_unlink(&target->ring);
                target->held = has_no_room(target->job);
                list_append(target->held ? &s->triggers.held : &s->triggers.ring, &target->ring);
                if (!target->held)
                        take_one(s, target->job);
        }
        if (!list_is_empty(&s->triggers.ring))
                turn_soon(s);
}
