/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/missed.h"

#include "base/log.h"
#include "base/string-util.h"
#include "sched/catch-up.h"
#include "sched/keep.h"
#include "sched/occurrence.h"
#include "when/timespan.h"

static const struct {
        RunState state;
        const char *kind;
        const char *why;
} reasons[] = {
        [MISSED_AWAY] = { RUN_MISSED, "late", "passed unseen: the machine slept or the daemon was held up" },
        [MISSED_STOPPED] = { RUN_MISSED, "stopped", "passed while the daemon was stopped" },
        [MISSED_STEPPED] = { RUN_MISSED, "clock-set", "passed over when the wall clock was set" },
        [MISSED_PAUSED] = { RUN_SKIPPED, "paused", "came due while the job was paused" },
};

/* What these take, and a little more. */
#define MESSAGE_RESERVED 192U
#define DETAILS_RESERVED 192U

/* A process that lags behind makes these by the hundred thousand: by hand, as printf() takes three times as long. */
_Static_assert(TIMESPAN_MAX + UINT64_DIGITS_MAX + sizeof("more than  occurrences , noticed  after its time") <= MESSAGE_RESERVED,
               "all of it but the reason");

static char *format_message(const MissedRun *missed, usec_t late)
{
        bool one = missed->n == 1 && !missed->more;
        char span[TIMESPAN_MAX], *p, *text = malloc(MESSAGE_RESERVED + strlen(missed->why));

        if (!text)
                return NULL;
        (void)timespan_format(late > USEC_PER_SEC ? late - late % USEC_PER_MSEC : late, span);
        if (one) {
                p = stpcpy(text, "one occurrence ");
        } else {
                p = put_uint64(stpcpy(text, missed->more ? "more than " : ""), missed->n);
                p = stpcpy(p, " occurrences ");
        }
        p = stpcpy(stpcpy(stpcpy(p, missed->why), ", noticed "), span);
        (void)stpcpy(p, one ? " after its time" : " after the last");
        return text;
}

static char *format_details(const MissedRun *missed, usec_t late)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        /* In one step; without the memory the writer says so. */
        (void)buffer_reserve(&text, DETAILS_RESERVED);
        json_writer_init(&w, &text, 0);
        json_begin_object(&w);
        json_key(&w, "occurrences");
        json_uint(&w, missed->n);
        json_key(&w, "more");
        json_bool(&w, missed->more);
        json_key(&w, "first");
        json_realtime(&w, missed->first_realtime);
        json_key(&w, "last");
        json_realtime(&w, missed->last_realtime);
        json_key(&w, "noticedLateUsec");
        json_uint(&w, late);
        json_end_object(&w);
        return json_writer_end(&w) < 0 ? NULL : buffer_steal(&text);
}

void missed_record(Scheduler *s, Job *job, const MissedRun *missed)
{
        usec_t late = usec_sub(scheduler_realtime(s), missed->last_realtime);
        _cleanup_free_ char *message = NULL, *details = NULL;
        int r;

        if (missed->n == 0)
                return;
        message = format_message(missed, late);
        details = format_details(missed, late);
        r = record_occurrence(s, job, missed->state,
                              &(RunRequest){ .scheduled_realtime = missed->last_realtime, .cause = missed->cause },
                              missed->kind, message ?: missed->why, TAKE_PTR(details));
        if (r < 0)
                log_errno(LOG_ERR, r, "%s: %llu occurrences are in no record: %m", job->name, (unsigned long long)missed->n);
}

usec_t missed_lateness(const Occurrence *o, const ScheduleNow *now)
{
        return o->clock == SCHEDULE_CLOCK_WALL ? usec_sub(now->realtime, o->scheduled_realtime)
                                               : usec_sub(now->boottime, o->due_boottime);
}

/* Scheduled times that JOB shall catch up on, the oldest first. LATEST_RUNS: the latest of all does, and is none of them. */
static size_t choose(const Job *job, const ScheduleNow *now, const ScheduleMissed *due, bool latest_runs,
                     MissedReason reason, ScheduleTime times[static CATCH_UP_MAX + 1])
{
        const ScheduleSettings *rules = &job->spec->schedule;
        bool in_window = missed_lateness(&due->last, now) <= rules->missed_window;
        size_t n = 0;

        if (rules->missed == MISSED_ALL) {
                n = schedule_newest(&rules->schedule, &job->schedule, now, rules->missed_window, times,
                                    CATCH_UP_MAX + latest_runs);
                if (n > 0 && latest_runs)
                        n--;
        }
        if (n > 0 || latest_runs)
                return n;
        if ((rules->missed != MISSED_SKIP && in_window) ||
            (reason != MISSED_PAUSED && schedule_delay_is_due(&rules->schedule, &job->schedule, now)))
                times[n++] = (ScheduleTime){ due->last.scheduled_realtime, due->last.trigger };
        return n;
}

/* The newest of N that Count= leaves room for, beside the one that runs. Returns their number, moved to the front. */
static size_t fit_count(const Job *job, bool latest_runs, ScheduleTime *times, size_t n)
{
        uint32_t max = job->spec->schedule.schedule.max_count;
        size_t room = max - job->schedule.count - latest_runs;

        if (max == 0 || n <= room)
                return n;
        memmove(times, times + (n - room), room * sizeof(*times));
        return room;
}

/* What was due before CUT, or all that DUE counts where CUT is USEC_INFINITY. */
static void count_before(const Job *job, const ScheduleNow *now, usec_t cut, const ScheduleMissed *due, MissedRun *ret)
{
        const Schedule *schedule = &job->spec->schedule.schedule;
        ScheduleState state = job->schedule;
        ScheduleMissed missed = *due;
        Occurrence first;

        if (cut != USEC_INFINITY) {
                usec_t back = usec_add(usec_sub(now->realtime, cut), 1);

                schedule_missed(schedule, &job->schedule,
                                &(ScheduleNow){
                                        .boottime = usec_sub(now->boottime, back),
                                        .realtime = usec_sub(now->realtime, back),
                                        .startup_boottime = now->startup_boottime,
                                },
                                MISSED_COUNTED_MAX, &missed);
        }
        ret->n = missed.n;
        ret->more = missed.more;
        ret->first_realtime = ret->last_realtime = missed.last.scheduled_realtime;
        ret->cause = missed.n > 0 ? job_spec_trigger(job->spec, missed.last.trigger) : NULL;
        if (missed.n > 0 && schedule_find(schedule, &state, now, &first) > 0)
                ret->first_realtime = MIN(first.scheduled_realtime, ret->last_realtime);
}

static void run_latest(Scheduler *s, Job *job, const Occurrence *latest)
{
        RunRequest request = {
                .trigger = scheduler_run_trigger(job, latest->trigger),
                .scheduled_realtime = latest->scheduled_realtime,
                .due_boottime = latest->due_boottime,
                .cause = job_spec_trigger(job->spec, latest->trigger),
        };
        int r = scheduler_run(s, job, &request, NULL);

        if (r < 0) {
                log_errno(LOG_ERR, r, "%s: an occurrence was lost: %m", job->name);
                scheduler_job_run_ended(s, job);
        }
}

void missed_account(Scheduler *s, Job *job, const ScheduleNow *now, MissedReason reason)
{
        const Schedule *schedule = &job->spec->schedule.schedule;
        MissedRun missed = { .state = reasons[reason].state, .kind = reasons[reason].kind, .why = reasons[reason].why };
        ScheduleTime times[CATCH_UP_MAX + 1];
        usec_t cut = USEC_INFINITY;
        ScheduleMissed due;
        bool latest_runs;
        size_t n;

        schedule_missed(schedule, &job->schedule, now, MISSED_COUNTED_MAX, &due);
        if (due.n == 0) {
                occurrence_arm(s, job);
                occurrence_tell_end(s, job);
                return;
        }
        latest_runs = reason != MISSED_PAUSED &&
                      missed_lateness(&due.last, now) <= usec_add(MISSED_GRACE, job->spec->schedule.accuracy);
        n = fit_count(job, latest_runs, times, choose(job, now, &due, latest_runs, reason, times));
        if (n > 0)
                cut = times[0].scheduled_realtime;
        else if (latest_runs)
                cut = due.last.scheduled_realtime;
        count_before(job, now, cut, &due, &missed);

        if (n > 0 || latest_runs)
                schedule_take_until(schedule, &job->schedule, now);
        else
                schedule_pass_until(schedule, &job->schedule, now);
        job->schedule.count += (uint32_t)n + latest_runs;
        s->statistics.n_due += due.n;
        job->away = MISSED_AWAY;
        job->deciding = true;
        missed_record(s, job, &missed);
        if (catch_up_add(s, job, times, n) < 0)
                missed_record(s, job, &(MissedRun){
                                              .n = n,
                                              .first_realtime = times[0].scheduled_realtime,
                                              .last_realtime = times[n - 1].scheduled_realtime,
                                              .cause = job_spec_trigger(job->spec, times[n - 1].trigger),
                                              .state = RUN_MISSED,
                                              .kind = "memory",
                                              .why = "can't be caught up on, there is no memory",
                                      });
        if (n > 0 || latest_runs || job->n_runs > 0)
                schedule_run_started(&job->schedule);
        job->deciding = false;
        keep(s, job);
        occurrence_arm(s, job);
        if (latest_runs)
                run_latest(s, job, &due.last);
        else
                occurrence_tell_end(s, job);
}
