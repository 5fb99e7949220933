/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A million instances of a template may fail each second; the journal must not be flooded by them, and still whoever
 * looks for one of them has to find it. So events are counted in bursts, one for a type of event of a job or of a
 * template with all of its instances, by stretches of EVENT_LOG_INTERVAL:
 *
 *     the first EVENT_LOG_BURST events of a burst have lines of their own, as long as there are fewer than
 *     EVENT_LOG_LINES_MAX of all bursts together;
 *     the others are folded into one message at the end of the stretch. It counts them, and names up to
 *     EVENT_LOG_NAMES_MAX of the jobs they are about, in its text and each in a field TAKT_JOB.
 *
 * Who is named, and who has a line of its own, rotates (base/rotation.h): of N instances that fail in each stretch, every
 * one is named within N / EVENT_LOG_NAMES_MAX stretches, and has a line of its own, with what went wrong, within
 * N / EVENT_LOG_BURST, rounded up, and one more: those whose turn it is have their lines kept for them, whatever else is
 * written. What is remembered for that is names, no more than these two numbers a burst. There are EVENT_LOG_BURSTS_MAX bursts. Where
 * each of these has folded something, a further job is counted with all others, under no name.
 */
#include "daemon/event-log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "job/job.h"
#include "job/spec.h"
#include "when/timespan.h"

/* How an event is logged; the catalog explains the ids. Level -1: not at all. */
static const struct {
        int level;
        const char *message_id;
        const char *colour;
} styles[_EVENT_TYPE_MAX] = {
        [EVENT_QUEUED] = { LOG_DEBUG, NULL, "" },
        [EVENT_RUNNING] = { LOG_DEBUG, NULL, "" },
        [EVENT_PROGRESS] = { LOG_DEBUG, NULL, "" },
        [EVENT_YIELD] = { LOG_DEBUG, NULL, "" },
        [EVENT_STALE] = { LOG_WARNING, "ddbdbb6a9d3c4ba8b5a4f3a35a9ea3a7", "\x1b[33m" },
        [EVENT_FRESH] = { LOG_NOTICE, "e5f24e8ff5e94d6e8f8a9ab2c2b1c4d5", "" },
        [EVENT_RETRYING] = { LOG_NOTICE, "85ae6e434a7f4abcaf136d5ccec68b68", "\x1b[33m" },
        [EVENT_SUCCEEDED] = { LOG_DEBUG, "3e0f89c5d2cd4043953a8b5937c9a088", "\x1b[32m" },
        [EVENT_FAILED] = { LOG_WARNING, "8088f22634cc4796a4a7ca8018dd5bde", "\x1b[1;31m" },
        [EVENT_TIMEOUT] = { LOG_WARNING, "81287c524e51487a8ab5c40b66c06ff7", "\x1b[1;31m" },
        [EVENT_CANCELLED] = { LOG_NOTICE, "ab7bb97081f3425dab6851116caad78d", "\x1b[33m" },
        [EVENT_SKIPPED] = { LOG_NOTICE, "14558ab57dad4316aa1c9bc1d92097f0", "\x1b[33m" },
        [EVENT_MISSED] = { LOG_WARNING, "4a4f0f7a8f3242a1835a4c8c28a946de", "\x1b[33m" },
        [EVENT_LOST] = { LOG_WARNING, "c254f899f88e41bf9e16f862f3612506", "\x1b[1;31m" },
        [EVENT_ADDED] = { LOG_DEBUG, NULL, "" },
        [EVENT_CHANGED] = { LOG_INFO, "300267407a1c4623a2b69a4809d073c8", "" },
        [EVENT_REMOVED] = { LOG_INFO, "2efbbad648c94c1c8ddbcab21f279456", "" },
        [EVENT_PAUSED] = { LOG_NOTICE, "b8af0c0075624a8990be5d0570d26174", "" },
        [EVENT_RESUMED] = { LOG_NOTICE, "ee032e0d21e94e09a8261822e9506e81", "" },
        [EVENT_REFUSED] = { LOG_ERR, "c2e468813c484d9b8f208aea5699d5f7", "\x1b[1;31m" },
        [EVENT_FINISHED] = { LOG_INFO, "9e34b0fd1f9642cbae4a6029a93719a5", "" },
};

static int event_level(const Event *event)
{
        static const int success_levels[] = { LOG_DEBUG, LOG_INFO, LOG_NOTICE };

        if (event->type == EVENT_SUCCEEDED && event->run)
                return success_levels[event->run->spec->job.log_level_success];
        return styles[event->type].level;
}

/* --- bursts --- */

static bool burst_is_of_many(const EventBurst *burst)
{
        size_t n = strlen(burst->job);

        return n == 0 || burst->job[n - 1] == '@';
}

static void append_names(const Rotation *names, Buffer *out)
{
        for (size_t i = 0; i < names->n; i++)
                (void)buffer_appendf(out, "%s%s", i == 0 ? ", of " : ", ", names->names[i]);
        if (names->full)
                (void)buffer_append_string(out, " and others");
}

/* Each name is a field of its own, so that the journal has the message for every job that it names. */
static void tell_folded(const EventBurst *burst)
{
        LogField fields[EVENT_LOG_NAMES_MAX + 3] = {
                { "MESSAGE_ID", styles[burst->type].message_id },
                { "TAKT_JOB", *burst->job ? burst->job : NULL },
        };
        _cleanup_buffer_ Buffer names = BUFFER_NULL;

        for (size_t i = 0; i < burst->named.n; i++)
                fields[i + 2] = (LogField){ "TAKT_JOB", burst->named.names[i] };
        append_names(&burst->named, &names);
        log_full(burst->level, fields, "%s: %s: … %u more like this%s", *burst->job ? burst->job : "other jobs",
                 event_type_to_string(burst->type), burst->n_folded, buffer_string(&names));
}

static void forget_due(EventBurst *burst)
{
        for (unsigned i = 0; i < burst->n_due; i++)
                free(burst->due[i]);
        burst->n_due = 0;
}

/* A stretch is over: who was folded in it is told of, and has its turn in the next. */
static void burst_turn(EventBurst *burst)
{
        forget_due(burst);
        if (burst->n_folded > 0)
                tell_folded(burst);
        for (size_t i = 0; i < burst->next.n; i++) {
                char *name = strdup(burst->next.names[i]);

                if (name)
                        burst->due[burst->n_due++] = name;
        }
        rotation_next(&burst->next);
        rotation_next(&burst->named);
        burst->began_realtime = 0;
        burst->n = burst->n_folded = 0;
}

static void burst_end(EventBurst *burst)
{
        if (!burst->job)
                return;
        burst_turn(burst);
        forget_due(burst);
        rotation_deinit(&burst->named);
        rotation_deinit(&burst->next);
        free(burst->job);
        *burst = (EventBurst){};
}

/* NAME is copied. */
static int burst_begin(EventBurst *burst, const char *name, size_t n, EventType type)
{
        char *job = strndup(name, n);

        if (!job)
                return -ENOMEM;
        burst_end(burst);
        *burst = (EventBurst){
                .job = job,
                .type = type,
                .named = { .max = EVENT_LOG_NAMES_MAX, .max_bytes = EVENT_LOG_NAMES_BYTES },
                .next = { .max = EVENT_LOG_BURST },
        };
        return 0;
}

static void end_if_over(EventLog *log, EventBurst *burst, usec_t now_realtime)
{
        usec_t began = burst->began_realtime;

        if (began == 0)
                return;
        if (now_realtime < began || now_realtime - began >= EVENT_LOG_INTERVAL)
                burst_turn(burst);
        else
                log->check_realtime = MIN(log->check_realtime, began + EVENT_LOG_INTERVAL);
}

/* Tells of what is over. A clock that was set back ends everything. */
static void end_stretches(EventLog *log, usec_t now_realtime)
{
        bool set_back = now_realtime < log->last_realtime;

        log->last_realtime = now_realtime;
        if (now_realtime < log->check_realtime && !set_back)
                return;
        log->check_realtime = USEC_INFINITY;
        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++)
                end_if_over(log, &log->bursts[i], now_realtime);
        for (size_t i = 0; i < _EVENT_TYPE_MAX; i++)
                end_if_over(log, &log->others[i], now_realtime);
}

/* Instances of a template count as one job: a million of them fail together when they fail. */
static size_t burst_name_length(const char *job)
{
        const char *instance = job_name_instance(job);

        return instance ? (size_t)(instance - job) : strlen(job);
}

static bool burst_is_of(const EventBurst *burst, const Event *event, size_t n)
{
        return burst->job && burst->type == event->type && strncmp(burst->job, event->job, n) == 0 && !burst->job[n];
}

static EventBurst *burst_of_others(EventLog *log, const Event *event)
{
        EventBurst *burst = &log->others[event->type];

        return burst->job || burst_begin(burst, "", 0, event->type) >= 0 ? burst : NULL;
}

/* The one that counts EVENT; what has folded nothing makes room. NULL: no memory. */
static EventBurst *burst_of(EventLog *log, const Event *event)
{
        size_t n = burst_name_length(event->job);
        EventBurst *room = NULL;

        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++) {
                EventBurst *burst = &log->bursts[i];

                if (burst_is_of(burst, event, n))
                        return burst;
                if (burst->n_folded == 0 && (!room || burst->began_realtime < room->began_realtime))
                        room = burst;
        }
        if (!room)
                return burst_of_others(log, event);
        return burst_begin(room, event->job, n, event->type) >= 0 ? room : NULL;
}

/* --- which event has a line of its own --- */

/* Whether it is NAME's turn; it has one a stretch. */
static bool take_due(EventBurst *burst, const char *name)
{
        for (unsigned i = 0; i < burst->n_due; i++)
                if (burst->due[i] && streq(burst->due[i], name)) {
                        free(burst->due[i]);
                        burst->due[i] = NULL;
                        return true;
                }
        return false;
}

/* What all lines together may be. */
static bool take_line(EventLog *log, usec_t now_realtime)
{
        if (now_realtime < log->began_realtime || now_realtime - log->began_realtime >= EVENT_LOG_INTERVAL) {
                log->began_realtime = now_realtime;
                log->n_lines = 0;
        }
        return log->n_lines < EVENT_LOG_LINES_MAX && ++log->n_lines > 0;
}

static void on_timer(Timer *timer, _unused_ usec_t now_boottime)
{
        EventLog *log = container_of(timer, EventLog, timer);
        bool folded = false;

        end_stretches(log, clock_realtime(log->clock));
        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++)
                folded = folded || log->bursts[i].n_folded > 0;
        for (size_t i = 0; i < _EVENT_TYPE_MAX; i++)
                folded = folded || log->others[i].n_folded > 0;
        if (folded)
                (void)timer_arm_after(log->timers, &log->timer, EVENT_LOG_INTERVAL);
}

static void fold_into(EventLog *log, EventBurst *burst, const Event *event, int level)
{
        burst->n_folded++;
        burst->level = level;
        if (burst_is_of_many(burst)) {
                rotation_offer(&burst->named, event->job);
                rotation_offer(&burst->next, event->job);
        }
        if (log->timers && !timer_is_armed(&log->timer))
                (void)timer_arm_after(log->timers, &log->timer, EVENT_LOG_INTERVAL);
}

/* Whether EVENT has no line of its own. */
static bool fold(EventLog *log, const Event *event, int level)
{
        EventBurst *burst;
        bool has_line;

        end_stretches(log, event->realtime);
        burst = burst_of(log, event);
        if (!burst)
                return !take_line(log, event->realtime);
        if (burst->began_realtime == 0) {
                burst->began_realtime = event->realtime;
                log->check_realtime = MIN(log->check_realtime, event->realtime + EVENT_LOG_INTERVAL);
        }
        if (take_due(burst, event->job))
                return false;
        has_line = burst->n + burst->n_due < EVENT_LOG_BURST && take_line(log, event->realtime);
        if (has_line)
                burst->n++;
        else
                fold_into(log, burst, event, level);
        return !has_line;
}

/* --- messages --- */

static _noinline_ void log_event(EventLog *log, const Event *event, int level)
{
        _cleanup_buffer_ Buffer by = BUFFER_NULL;
        char id[24] = "";

        if (fold(log, event, level))
                return;
        if (event->run)
                (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)event->run->id);
        /* The message of what was cancelled says it. */
        if (event->type != EVENT_CANCELLED)
                (void)requester_append(event_requester(event), &by);
        log_full(level,
                 (const LogField[]){
                         { "MESSAGE_ID", styles[event->type].message_id },
                         { "TAKT_JOB", event->job },
                         { "TAKT_RUN", event->run ? id : NULL },
                         { "TAKT_KIND", event->run ? event->run->spec->kind->name : NULL },
                         { "TAKT_STATE", event->run ? run_state_to_string(event->run->state) : NULL },
                         { "TAKT_ERROR", event->run ? event->run->extra->error_kind : NULL },
                         {},
                 },
                 "%s%s%s%s: %s%s%s%s", event->job, event->run ? "[" : "", id, event->run ? "]" : "",
                 event_type_to_string(event->type), buffer_string(&by), event->message ? ": " : "", event->message ?: "");
}

/* What a run came to, on one line: its outputs where it has some, else its result cut short. */
static void print_result(const Run *run)
{
        char span[TIMESPAN_MAX];
        usec_t duration = usec_sub(run->finished_boottime, run->started_boottime);
        const char *text = run->extra->outputs ?: run->result ?: "null";

        timespan_format(duration - duration % (duration > USEC_PER_SEC ? 10 * USEC_PER_MSEC : 100), span);
        printf("  %.100s%s  in %s", text, strlen(text) > 100 ? "…" : "", span);
}

static void print_event(const EventLog *log, const Event *event)
{
        time_t seconds = (time_t)(event->realtime / USEC_PER_SEC);
        const char *colour = log->colour ? styles[event->type].colour : "";
        char id[24] = "";
        struct tm tm;

        if (event->run)
                (void)snprintf(id, sizeof(id), "[%llu]", (unsigned long long)event->run->id);
        if (!localtime_r(&seconds, &tm))
                return;
        printf("%02d:%02d:%02d.%03u  %-16s %-8s %s%s%s", tm.tm_hour, tm.tm_min, tm.tm_sec,
               (unsigned)(event->realtime % USEC_PER_SEC / USEC_PER_MSEC), event->job, id, colour,
               event_type_to_string(event->type), *colour ? "\x1b[0m" : "");
        if (event->type == EVENT_SUCCEEDED)
                print_result(event->run);
        else if (event->message)
                printf("  %s", event->message);
        putchar('\n');
}

static _noinline_ void show_event(EventLog *log, const Event *event)
{
        print_event(log, event);
        /* A terminal that is gone must not end the daemon, nor the words pile up. */
        if (fflush(stdout) != 0)
                log->live = false;
}

static void on_event(EventObserver *observer, const Event *event)
{
        EventLog *log = container_of(observer, EventLog, observer);
        int level;

        if (log->live) {
                show_event(log, event);
                return;
        }
        level = event_level(event);
        if (level <= log_max_level())
                log_event(log, event, level);
}

void event_log_init(EventLog *log, bool live, Clock *clock, TimerQueue *timers)
{
        *log = (EventLog){
                .observer.notify = on_event,
                .live = live,
                .clock = clock,
                .timers = timers,
                .timer.callback = on_timer,
                .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
        };
}

void event_log_deinit(EventLog *log)
{
        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++)
                burst_end(&log->bursts[i]);
        for (size_t i = 0; i < _EVENT_TYPE_MAX; i++)
                burst_end(&log->others[i]);
}
