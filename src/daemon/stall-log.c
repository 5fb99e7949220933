/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/stall-log.h"

#include "base/buffer.h"
#include "base/log.h"
#include "when/timespan.h"

#define MESSAGE_ID_STALL "396b9940af5142228aa18c7932629c7d"

/* "; 7 more since the last message, of room, hall" */
static void append_folded(const StallLog *log, Buffer *out)
{
        if (log->n_folded == 0)
                return;
        (void)buffer_appendf(out, "; %llu more since the last message", (unsigned long long)log->n_folded);
        for (size_t i = 0; i < log->folded.n; i++)
                (void)buffer_appendf(out, "%s%s", i == 0 ? ", of " : ", ", log->folded.names[i]);
        if (log->folded.full)
                (void)buffer_append_string(out, " and others");
}

static void on_stall(usec_t duration, const Activity *activity, void *userdata)
{
        StallLog *log = userdata;
        usec_t now = clock_boottime(loop_clock(log->loop));
        const char *subject = activity->doing ? activity->subject : NULL;
        const char *job = activity->doing && activity->is_job ? subject : NULL;
        LogField fields[STALL_LOG_NAMES_MAX + 3] = { { "MESSAGE_ID", MESSAGE_ID_STALL }, { "TAKT_JOB", job } };
        _cleanup_buffer_ Buffer folded = BUFFER_NULL;
        char span[TIMESPAN_MAX];

        if (usec_sub(now, log->began_boottime) >= STALL_LOG_INTERVAL) {
                log->began_boottime = now;
                log->n_logged = 0;
        }
        if (++log->n_logged > STALL_LOG_BURST) {
                log->n_folded++;
                if (job)
                        rotation_offer(&log->folded, job);
                return;
        }
        for (size_t i = 0; i < log->folded.n; i++)
                fields[i + 2] = (LogField){ "TAKT_JOB", log->folded.names[i] };
        append_folded(log, &folded);
        timespan_format(duration - duration % USEC_PER_MSEC, span);
        log_full(LOG_WARNING, fields, "The loop was held up for %s by %s%s%s%s", span, activity->doing ?: "a callback",
                 subject ? ": " : "", subject ?: "", buffer_string(&folded));
        log->n_folded = 0;
        rotation_next(&log->folded);
}

void stall_log_init(StallLog *log, Loop *loop)
{
        *log = (StallLog){ .loop = loop, .folded = { .max = STALL_LOG_NAMES_MAX, .max_bytes = STALL_LOG_NAMES_BYTES } };
        loop_watch_stalls(loop, on_stall, log);
}

void stall_log_deinit(StallLog *log)
{
        rotation_deinit(&log->folded);
}
