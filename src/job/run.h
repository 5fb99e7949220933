/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * One execution of a job. Owned by the scheduler from its creation to its end; a kind sees it from
 * start() to the one call that ends the attempt.
 */

#include <sys/types.h>

#include "base/tree.h"

#include "base/list.h"
#include "job/causes.h"
#include "job/event.h"
#include "job/requester.h"
#include "job/secret.h"
#include "job/services.h"
#include "json/json.h"
#include "json/writer.h"
#include "loop/timer.h"

typedef struct Job Job;
typedef struct JobSpec JobSpec;
typedef struct Run Run;

typedef enum RunState {
        RUN_QUEUED,
        RUN_RUNNING,
        RUN_RETRYING,
        RUN_SUCCEEDED,
        RUN_FAILED,
        RUN_TIMEOUT,
        RUN_CANCELLED,
        RUN_SKIPPED,
        RUN_MISSED,
        RUN_LOST,
        _RUN_STATE_MAX,
} RunState;

/* What started it. */
typedef enum RunTrigger {
        RUN_TRIGGER_SCHEDULE,
        RUN_TRIGGER_STARTUP,
        RUN_TRIGGER_MANUAL,
        RUN_TRIGGER_CATCH_UP, /* a missed occurrence, by Missed= */
        RUN_TRIGGER_EVENT, /* of another job: On= */
        RUN_TRIGGER_GROUP, /* as a member of a group's run */
        _RUN_TRIGGER_MAX,
} RunTrigger;

/* Why it was asked to end before its time. */
typedef enum RunStop {
        RUN_STOP_NONE,
        RUN_STOP_CANCEL,
        RUN_STOP_TIMEOUT,
        RUN_STOP_REPLACED,
        RUN_STOP_REMOVED, /* its job, while it waited */
        RUN_STOP_SHUTDOWN,
        RUN_STOP_GROUP, /* the group whose member it is */
        _RUN_STOP_MAX,
} RunStop;

/* What kept a run from starting at once, or for good. */
typedef enum RunHold {
        RUN_HOLD_NONE,
        RUN_HOLD_RUN,   /* a run of its job that came before: Overlap= */
        RUN_HOLD_QUEUE, /* as many runs of its job waited as may: MaxQueued= */
        RUN_HOLD_PLACE, /* as many runs of all jobs were under way as may: MaxRuns= */
        RUN_HOLD_RESOURCE, /* a resource was held by others: Use= */
        _RUN_HOLD_MAX,
} RunHold;

/* The scheduler's: called when an attempt ended outside start(), and for progress. */
typedef struct RunOwner {
        void (*ended)(Run *run);
        void (*time)(Run *run, usec_t now_boottime); /* NULL: not asked for */
        void (*progress)(Run *run, EventType type, const char *message, const char *data);
} RunOwner;

/* What only some runs have to tell, in a block of its own. */
typedef struct RunStory {
        Requester started_by;   /* by hand */
        Requester cancelled_by;
        char *failed_attempts;  /* job/failed-attempts.h; NULL: none */
        char *resource;         /* that it waited for; NULL: for none … */
        uint64_t resource_run;  /* … and the run that had it; 0: not known */
        uint64_t replaces;      /* the lost run whose place it takes; 0: none */
        bool waited;            /* with an earlier daemon, which ended before it could begin */
} RunStory;

/* What many runs never have; made once one of them has it: run_make_extra(). */
typedef struct RunExtra {
        char *params; /* JSON text of an object; NULL: {} */
        JsonDoc *params_doc;
        char *outputs; /* JSON text of an object; NULL: {} */
        char *details; /* JSON text of an object: what the kind measured; NULL: none */
        char *error_kind;
        char *error_message;
        uint64_t hold_run;    /* of RUN_HOLD_RUN; 0: none */
        usec_t jitter, slack; /* how much later it was put off to, by RandomizedDelaySec= and AccuracySec= */
        RunStory *story;      /* NULL: nothing of that; see run_story() */
        Causes *causes;       /* the jobs whose events led here; NULL: none did */
        SecretSet secrets;    /* that were put in for it, beside those of its definition */
} RunExtra;

/* What a run costs while it is under way, but for the state of its kind, and RunExtra. */
#define RUN_SIZE_MAX 272U

struct Run {
        uint64_t id;
        Job *job;
        JobSpec *spec; /* the definition it began with; a reload does not change it */
        const Services *services;
        RunState state : 8;
        RunTrigger trigger : 8;
        RunStop stop : 8;
        RunHold hold : 8;
        bool starting : 1;  /* inside kind->start() */
        bool ended : 1;     /* the kind has ended the attempt */
        bool failed : 1;    /* how the attempt ended */
        bool undecoded : 1; /* the result is the bytes of JSON yet */
        bool kind_done : 1; /* the kind's state is not there yet, or given back; what follows may use its memory: job/refine.h … */
        bool refining : 1;  /* … as it does */
        bool noted : 1;     /* job/run-keeper.h */
        bool repeated : 1;  /* this attempt is not its first one */
        RunStop unwanted : 8; /* the first reason besides a timeout; where there is one, it is not tried again */
        uint8_t event_depth; /* events that led here, each a run's that an event had started */
        unsigned attempts;  /* those of the lost runs whose place it takes included */
        const char *cause;  /* the trigger as SPEC has it, "Every=1s"; lives as long as that; NULL: none */

        uint64_t origin; /* whose event started it, of whose group it is a member, or that was started again by hand; 0: none */
        struct Member *member; /* in that group; NULL: it is in none */
        struct Guard *guard;   /* what it holds: sched/guard.h; NULL: nothing */

        usec_t scheduled_realtime;
        usec_t created_realtime;
        usec_t started_realtime; /* of the first attempt; 0: never */
        usec_t finished_realtime;
        usec_t due_boottime; /* its scheduled time; USEC_INFINITY: not known */
        usec_t started_boottime;
        usec_t finished_boottime;

        Timer timer; /* of the attempt's timeout, or of the next attempt */
        List link;   /* in its job's list of runs */
        List queue;  /* in the scheduler's queue */
        RB_ENTRY(Run) by_id;

        char *result; /* JSON text; NULL: none */
        size_t result_len;
        const RunExtra *extra; /* for reading, never NULL; run_make_extra() for writing */

        const struct RunOwner *owner;

        _Alignas(max_align_t) char kind_state[];
};
_Static_assert(sizeof(struct Run) <= RUN_SIZE_MAX, "a hundred thousand may be under way");

/* --- for kinds --- */

/* The kind's section as the run's definition has it. */
const void *run_config(const Run *run);
/* The kind's own state: run_size bytes, zeroed before each attempt. */
static inline void *run_state(Run *run)
{
        return run->kind_state;
}
static inline const void *run_const_state(const Run *run)
{
        return run->kind_state;
}
Run *run_from_state(void *kind_state);

/* The parameters as an object; NULL where there are none. */
const JsonValue *run_params(const Run *run);

/* What the kind has kept of the job from earlier runs; NULL: nothing, or the job became one of another kind. */
void *run_memo(const Run *run);
/* Keeps MEMO, a block for free() that is taken over also on failure, in its place. -ENOMEM. */
int run_set_memo(Run *run, void *memo);

/*
 * Ends the attempt well. RESULT is JSON text that is taken over, NULL for null. Outputs, where the
 * kind has made them, are set before with run_set_outputs().
 */
void run_succeed(Run *run, char *result, size_t result_len);
/* The same where the result is the N bytes BYTES of JSON, copied, which are decoded off the loop: job/refine.h. */
void run_succeed_undecoded(Run *run, const char *bytes, size_t n);
/* Ends the attempt badly: KIND is one of the stable words of takt.job(5), the message is for people. */
void run_fail(Run *run, const char *kind, const char *format, ...) _printf_(3, 4);
/*
 * Right before the end of an attempt: the callback of a timer that was told NOW has done nothing yet that takes time, or
 * start() hasn't. It spares the scheduler a look at the clocks.
 */
static inline void run_note_time(Run *run, usec_t now_boottime)
{
        if (run->owner->time)
                run->owner->time(run, now_boottime);
}
/* When start() was called, in there: from what is noted, if it is. */
static inline usec_t run_begin_boottime(const Run *run)
{
        return !run->repeated && !run->guard ? run->started_boottime : clock_boottime(run->services->clock);
}
/* A result that a failed attempt leaves (a response that was not expected, output of a command); taken over. */
void run_set_result(Run *run, char *result, size_t result_len);
/* JSON text of an object, taken over also on failure. -ENOMEM. */
int run_set_outputs(Run *run, char *outputs);
/* What was measured on the way (phases of a transfer, processor time): JSON text of an object, taken over. Lost without memory. */
void run_set_details(Run *run, char *details);

/* Tells watchers of progress. DATA is JSON text or NULL. */
void run_progress(Run *run, const char *message, const char *data);

/*
 * Notes a secret that was put in: from now on, nothing of the above tells it. Those of ${credential:…}
 * are noted as they are put in. -ENOMEM, -E2BIG.
 */
int run_add_secret(Run *run, const char *value, size_t n);
/* The set that this adds to, for the other ways of secret.h. NULL: no memory. */
SecretSet *run_secrets(Run *run);
/* Takes the secrets out of TEXT[0…*N), which is followed by a NUL: for what is told by other ways than the above. */
void run_redact(const Run *run, char *text, size_t *n);

/* As above with an event of its own name, one of those that event_type_is_progress() knows. */
void run_tell(Run *run, EventType type, const char *message, const char *data);
/*
 * A value before the end: it is the result until the next one, its outputs (set before) are those that
 * ${last:…} knows, and it is published. VALUE is JSON text that is taken over.
 */
void run_yield(Run *run, char *value, size_t n);

static inline bool run_is_stopping(const Run *run)
{
        return run->stop != RUN_STOP_NONE;
}

/* --- for the scheduler and those who look on --- */

/* KIND_SIZE bytes of kind state, room for a pointer at least. -ENOMEM. */
int run_new(size_t kind_size, Run **ret);
Run *run_free(Run *run);
/* NULL: no memory. */
RunExtra *run_make_extra(Run *run);
/* Which run it waits for, or is not begun for. Lost without memory. */
void run_set_hold_run(Run *run, uint64_t id);
/* A copy of TEXT, JSON text of an object, as its parameters. -ENOMEM; errors of json_parse(). */
int run_set_params(Run *run, const char *text);
/* KIND is one of the stable words of takt.job(5), the message is for people; both are copied. NULL, NULL: none. Lost without memory. */
void run_set_error(Run *run, const char *kind, const char *message);
DEFINE_CLEANUP(Run *, run_free);

/* What RUN has to tell, to be added to; NULL: no memory for it. */
RunStory *run_story(Run *run);

/*
 * Whether an earlier daemon had accepted RUN, or the run whose place it takes: no cap on what waits refuses
 * it again.
 */
static inline bool run_was_accepted(const Run *run)
{
        return run->extra->story && (run->extra->story->waited || run->extra->story->replaces > 0);
}

static inline bool run_state_is_final(RunState state)
{
        return state >= RUN_SUCCEEDED;
}

const char *run_state_to_string(RunState state);
int run_state_from_string(const char *s);
const char *run_trigger_to_string(RunTrigger trigger);

/* When it was to begin: its scheduled time and the delays on purpose. */
usec_t run_put_off_boottime(const Run *run);
/*
 * How long after that it started; of what was caught up on, after its scheduled time. 0 for what began by hand or never,
 * and where that is not known.
 */
usec_t run_lateness(const Run *run);

/*
 * What there is to tell of a run, under way or ended: the Run object of io.takt.Runs before it is
 * text. Made of a Run it borrows from that; a store gives the same of what it kept.
 */
typedef struct RunRecord {
        uint64_t id;
        RunState state : 8;
        RunTrigger trigger : 8;
        RunHold hold : 8;
        bool older_definition : 1; /* the job was given another one since it began */
        bool waited : 1; /* as in a RunStory */
        unsigned attempts;
        uint64_t origin; /* as in a Run */
        usec_t scheduled_realtime; /* times: 0 not known */
        usec_t created_realtime;
        usec_t started_realtime;
        usec_t finished_realtime;
        usec_t lateness; /* spans: USEC_INFINITY not known */
        usec_t duration;
        usec_t jitter; /* before that it was put off, by RandomizedDelaySec= … */
        usec_t slack;  /* … and AccuracySec= */
        const char *job;
        const char *params;  /* JSON text of an object; NULL: {} */
        const char *result;  /* JSON text; NULL: none */
        const char *outputs; /* JSON text of an object; NULL: {} */
        const char *details; /* JSON text of an object; NULL: none */
        const char *error_kind;
        const char *error_message;
        const char *cause;           /* the trigger as written; NULL: none */
        const char *failed_attempts; /* as in a RunStory, and so are resource and who asked */
        const char *resource;
        uint64_t resource_run;
        uint64_t replaces;
        uint64_t hold_run;           /* of RUN_HOLD_RUN; 0: none */
        Requester started_by;
        Requester cancelled_by;
} RunRecord;

void run_get_record(const Run *run, RunRecord *ret);
/* Adds the Run object. OMIT_RESULT: with null in the place of the result. */
void run_record_write(const RunRecord *record, bool omit_result, JsonWriter *w);
/* The two of them. */
void run_write(const Run *run, bool omit_result, JsonWriter *w);
/* Adds the value of the member "error". */
void run_record_write_error(const RunRecord *record, JsonWriter *w);
/* Adds a span, or null where it is USEC_INFINITY. */
void run_write_span(JsonWriter *w, usec_t span);
