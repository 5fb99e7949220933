/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

static void burst_end(EventBurst *burst)
{
        if (burst->n_folded > 0)
                log_full(styles[burst->type].level,
                         (const LogField[]){
                                 { "MESSAGE_ID", styles[burst->type].message_id },
                                 { "TAKT_JOB", burst->job },
                                 {},
                         },
                         "%s: %s: … %u more like this", burst->job, event_type_to_string(burst->type), burst->n_folded);
        free(burst->job);
        *burst = (EventBurst){};
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

/* Whether EVENT is one too many. Bursts whose time is over are told of on the way: they are few. */
static bool fold(EventLog *log, const Event *event)
{
        EventBurst *found = NULL, *oldest = &log->bursts[0];
        size_t n = burst_name_length(event->job);

        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++) {
                EventBurst *burst = &log->bursts[i];

                /* A clock that was set back ends them as well. */
                if (burst->job && usec_sub(event->realtime, burst->began_realtime) >= EVENT_LOG_INTERVAL)
                        burst_end(burst);
                else if (burst->job && event->realtime < burst->began_realtime)
                        burst_end(burst);
                if (burst_is_of(burst, event, n))
                        found = burst;
                if (burst->began_realtime < oldest->began_realtime)
                        oldest = burst;
        }
        if (!found) {
                burst_end(oldest);
                oldest->job = strndup(event->job, n);
                if (!oldest->job)
                        return false;
                oldest->type = event->type;
                oldest->began_realtime = event->realtime;
                found = oldest;
        }
        if (++found->n <= EVENT_LOG_BURST)
                return false;
        found->n_folded++;
        return true;
}

static _noinline_ void log_event(EventLog *log, const Event *event, int level)
{
        _cleanup_buffer_ Buffer by = BUFFER_NULL;
        char id[24] = "";

        if (fold(log, event))
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

void event_log_init(EventLog *log, bool live)
{
        *log = (EventLog){
                .observer.notify = on_event,
                .live = live,
                .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
        };
}

void event_log_deinit(EventLog *log)
{
        for (size_t i = 0; i < EVENT_LOG_BURSTS_MAX; i++)
                if (log->bursts[i].job)
                        burst_end(&log->bursts[i]);
}
