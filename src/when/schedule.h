/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * When a job is due. A Schedule is what [Schedule] says, immutable once loaded and shared by all
 * instances of a template; a ScheduleState is the little that each job remembers. Everything here
 * is a function of these two and of the clocks that the caller read.
 *
 * Intervals (Every= without Align=, After=, OnStartup=) stand on the boot clock and don't notice a
 * step of the wall clock; the rest stands on the wall clock.
 *
 * The caller's way:
 *
 *      schedule_state_init()                           at load
 *      schedule_next() → arm a timer at due_boottime   again after a step of the wall clock
 *      schedule_take() when it is due                  then schedule_next() once more
 *      schedule_run_ended() when a run has ended
 */

#include "base/clock.h"
#include "when/calendar.h"
#include "when/cron.h"
#include "when/dst.h"

#define SCHEDULE_TRIGGERS_MAX 64 /* per job; one bit of ScheduleState.done each */
#define SCHEDULE_EXCLUDES_MAX 64 /* per job */
/* The least period and delay: what is asked for more often is a loop, not a schedule. */
#define SCHEDULE_PERIOD_MIN USEC_PER_MSEC
/* Excluded stretches that one search steps over before it says how far it came. */
#define SCHEDULE_EXCLUDED_MAX 5000
/* Such searches that follow each other at once: when a schedule is loaded or shown, and through what has passed. */
#define SCHEDULE_LOOKS_MAX 20
/*
 * A wall clock that goes back to no more than this before what has run is taken as corrected: that does
 * not run again. One that goes back further was wrong before, and counting starts from where it is.
 */
#define SCHEDULE_STEP_BACK_MAX (3 * USEC_PER_HOUR)

typedef enum TriggerType {
        TRIGGER_EVERY,    /* anchor + k × span; with Align=, on the wall clock's grid */
        TRIGGER_AFTER,    /* end of the last run + span; the first at load */
        TRIGGER_STARTUP,  /* start of the daemon + span (or load, where that is later), once */
        TRIGGER_AT,       /* at_realtime, once */
        TRIGGER_CALENDAR,
        TRIGGER_CRON,
} TriggerType;

typedef struct Trigger {
        TriggerType type;
        union {
                usec_t span;        /* EVERY (at least SCHEDULE_PERIOD_MIN), AFTER, STARTUP */
                usec_t at_realtime; /* AT */
                Calendar *calendar; /* owned */
                Cron *cron;         /* owned */
        };
        int64_t at_local; /* of AT: local microseconds, where AT_IS_LOCAL: it names a time of the schedule's zone */
        bool at_is_local;
} Trigger;

typedef struct Schedule {
        Trigger *triggers; /* owned */
        size_t n_triggers;
        Calendar **excludes; /* Exclude=: owned */
        size_t n_excludes;
        Zone *zone; /* TimeZone=: owned reference; NULL: UTC */
        bool zone_is_machine; /* no TimeZone=: the machine's */
        Zone *zone_before;    /* owned reference: see schedule_change_zone(); NULL: none */
        uint32_t zone_change; /* … and the change that ZONE is of */
        DstGap gap;
        DstFold fold;
        bool align;            /* Align=: the grid of EVERY lies on the wall clock … */
        bool align_from;       /* … with nothing before the origin */
        int64_t align_origin;  /* local microseconds of one of its points */
        usec_t until_realtime; /* Until=: nothing is due later */
        int64_t until_local;   /* as at_local */
        bool until_is_local;
        uint32_t max_count;    /* Count=: runs in all; 0: no limit */
} Schedule;

#define SCHEDULE_NULL ((Schedule){ .until_realtime = USEC_INFINITY })

void schedule_deinit(Schedule *schedule);
#define _cleanup_schedule_ _cleanup_(schedule_deinit)

/* Takes over what TRIGGER owns, also on failure. -E2BIG above SCHEDULE_TRIGGERS_MAX, -ENOMEM. */
int schedule_add_trigger(Schedule *schedule, Trigger trigger);
/* Takes over CALENDAR, also on failure. -E2BIG, -ENOMEM. */
int schedule_add_exclude(Schedule *schedule, Calendar *calendar);

/*
 * Reads Align= into SCHEDULE: a boolean (the grid goes through midnight of a Monday, so that 15min
 * are quarters of the hour and 1w begins on Mondays), or a date and time of the schedule's zone
 * from which to count. Periods of whole days keep their local time across a change of offset.
 * -EINVAL, -ERANGE; ERROR may be NULL.
 */
int schedule_parse_align(Schedule *schedule, const char *s, WhenError *error);

/*
 * Puts SCHEDULE on ZONE, of which it takes a reference, and At= and Until= on the instants that they name there:
 * the machine's zone is another, or what is known of a zone. What goes on from a state goes on from now.
 */
void schedule_set_zone(Schedule *schedule, Zone *zone);

/*
 * The same in change number CHANGE, which may come for each of those who share SCHEDULE. Returns the zone before it
 * (borrowed) until the next change; NULL where that has the same times. ZONE NULL: there is no other, it stays.
 */
Zone *schedule_change_zone(Schedule *schedule, Zone *zone, uint32_t change);

typedef struct ScheduleNow {
        usec_t boottime;
        usec_t realtime;
        usec_t startup_boottime; /* start of the daemon */
} ScheduleNow;

typedef struct ScheduleState {
        usec_t anchor_boottime; /* run 0 of EVERY's grid; when the job was loaded */
        usec_t last_boottime;   /* of EVERY's grid all is taken up to here; USEC_INFINITY: nothing yet */
        usec_t last_realtime;   /* on the wall clock all is taken up to here */
        usec_t ended_boottime;  /* AFTER counts from here; USEC_INFINITY: a run is under way, 0: none yet */
        uint64_t done;          /* one-time triggers that are taken, by index */
        uint32_t count;         /* runs, counted by the caller; beyond Count= nothing is due */
        bool ahead;             /* last_realtime was taken before its time: a look into the future */
} ScheduleState;

/*
 * Begins at NOW: run 0 of EVERY and the first of AFTER are due at once, the wall clock's triggers
 * from now on. A caller that goes on from an earlier process sets last_realtime (and, in the same
 * boot, anchor_boottime and last_boottime) to what it kept.
 */
void schedule_state_init(ScheduleState *state, const ScheduleNow *now);

typedef enum ScheduleClock {
        SCHEDULE_CLOCK_BOOT,
        SCHEDULE_CLOCK_WALL, /* to be computed again after a step of the wall clock or a change of zone */
} ScheduleClock;

typedef struct Occurrence {
        usec_t due_boottime;       /* when to act, as the clocks stand to each other now; not after now: overdue */
        usec_t scheduled_realtime; /* what the run is told */
        uint32_t trigger;          /* index in triggers[] */
        ScheduleClock clock;
} Occurrence;

/*
 * The earliest occurrence that STATE has not taken: strictly later than the last one of its clock,
 * and overdue where it was due before now. 1 found, 0 none: as things stand the job never runs
 * again by time (After= may start anew when the run under way ends). To look ahead, call this and
 * schedule_take() in turn on a copy of the state.
 *
 * -EAGAIN: all that the search came across is excluded, and it has come as far as *RET. Nothing is due before
 * that; then schedule_pass() and look again.
 */
int schedule_next(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, Occurrence *ret);
/* Marks what lies before OCCURRENCE, at which a search gave up, as looked through. */
void schedule_pass(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, const Occurrence *occurrence);
/* Both together: as schedule_next(), -EAGAIN only after SCHEDULE_LOOKS_MAX searches. */
int schedule_find(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, Occurrence *ret);

/* Marks OCCURRENCE as taken, and with it each trigger that falls on the same instant. Not counted in count. */
void schedule_take(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now,
                   const Occurrence *occurrence);
/* Marks all that was due up to and including NOW as taken; After= counts from NOW where it was. */
void schedule_take_until(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now);

/*
 * The same for what does not run: an At= that passed so has its time again should the wall clock turn
 * out to have been far ahead, and be set back.
 */
void schedule_pass_until(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now);

/*
 * Nothing that was due up to and including NOW is still to be taken: what Exclude= and Until= ruled out
 * by then stays so, however the wall clock is set. To be called before it is, and before a pause.
 */
void schedule_settle(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now);
/* The wall clock was set, to NOW. */
void schedule_clock_set(ScheduleState *state, const ScheduleNow *now);

/* AFTER: a run begins, or has ended (or was skipped) at BOOTTIME. */
void schedule_run_started(ScheduleState *state);
void schedule_run_ended(ScheduleState *state, usec_t boottime);

typedef struct ScheduleMissed {
        uint64_t n;      /* occurrences */
        bool more;       /* there were more: what is not O(1) to count was counted up to MAX, or SCHEDULE_LOOKS_MAX */
        Occurrence last; /* the latest of all, where N > 0 */
} ScheduleMissed;

/*
 * What STATE has not taken and was due up to and including NOW. O(1) for EVERY with no Exclude=,
 * O(MAX) searches for the rest; the latest one is exact also where there were more than MAX. Behind more
 * than SCHEDULE_LOOKS_MAX × SCHEDULE_EXCLUDED_MAX excluded stretches in a row it does not look.
 */
void schedule_missed(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now,
                     uint64_t max, ScheduleMissed *ret);

/* When something was due, and by which trigger. */
typedef struct ScheduleTime {
        usec_t scheduled_realtime;
        uint32_t trigger; /* index in triggers[] */
} ScheduleTime;

/*
 * The newest, at most MAX, of these that are no older than WINDOW, into TIMES with
 * the oldest first. Returns their number. Where there are more it bisects for the age of the oldest that
 * counts: some 50 × MAX searches at worst.
 */
size_t schedule_newest(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, usec_t window,
                       ScheduleTime *times, size_t max);

/* A delay (After=, OnStartup=) is among them: it names no point in time, so it can be late but not missed. */
bool schedule_delay_is_due(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now);

/*
 * Whether a trigger that has had its time is due once more when the daemon is started the next time:
 * OnStartup=, with nothing that may have ended the schedule by then.
 */
bool schedule_begins_anew(const Schedule *schedule, const ScheduleState *state);

/*
 * Whether SCHEDULE can fire at all from NOW on: what a loader refuses or reports otherwise. A
 * schedule of no trigger is fine (such a job is started by hand or by events). -ETIME where its
 * times have all passed, -EINVAL where it never had any; ERROR (may be NULL) says why.
 */
int schedule_check(const Schedule *schedule, const ScheduleNow *now, WhenError *error);
