/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/stall-log.h"

#include "base/buffer.h"
#include "base/log.h"
#include "when/timespan.h"

#define MESSAGE_ID_STALL "396b9940af5142228aa18c7932629c7d"

/* What is below a millisecond is no answer to where 50 of them went. */
static int append_part(Buffer *text, usec_t span, const char *what)
{
        char buffer[TIMESPAN_MAX];

        if (span < USEC_PER_MSEC)
                return 0;
        return buffer_appendf(text, "%s%s %s", text->len > 0 ? ", " : "", timespan_format(span - span % USEC_PER_MSEC, buffer), what);
}

/* "3ms of work, 70ms waiting for a processor" */
static int append_parts(Buffer *text, const LoopStall *stall)
{
        bool knows_waiting = stall->waiting != USEC_INFINITY;
        int r = append_part(text, stall->work, "of work");

        if (r >= 0 && knows_waiting)
                r = append_part(text, stall->waiting, "waiting for a processor");
        return r < 0 ? r : append_part(text, stall->blocked, knows_waiting ? "blocked or stopped" : "not running");
}

/* Whether what was being done is to blame: without the waiting it would have been a stall as well, or most of it. */
static bool is_own(const LoopStall *stall)
{
        usec_t own = stall->work + stall->blocked;

        return stall->waiting == USEC_INFINITY || own >= LOOP_STALL_USEC || own >= stall->waiting;
}

/* " by the start of a run: JOB" */
static int append_blame(Buffer *text, const Activity *activity)
{
        const char *subject = activity->doing ? activity->subject : NULL;

        return buffer_appendf(text, " by %s%s%s", activity->doing ?: "a callback", subject ? ": " : "", subject ?: "");
}

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

/* Whether this one, of JOB (NULL: of none), is told of; others are counted. */
static bool may_log(StallLog *log, const char *job)
{
        usec_t now = clock_boottime(loop_clock(log->loop));

        if (usec_sub(now, log->began_boottime) >= STALL_LOG_INTERVAL) {
                log->began_boottime = now;
                log->n_logged = 0;
        }
        if (++log->n_logged <= STALL_LOG_BURST)
                return true;
        log->n_folded++;
        if (job)
                rotation_offer(&log->folded, job);
        return false;
}

static void on_stall(const LoopStall *stall, const Activity *activity, void *userdata)
{
        StallLog *log = userdata;
        _cleanup_buffer_ Buffer parts = BUFFER_NULL, blame = BUFFER_NULL, folded = BUFFER_NULL;
        bool own = is_own(stall);
        const char *job = own && activity->doing && activity->is_job ? activity->subject : NULL;
        LogField fields[STALL_LOG_NAMES_MAX + 3] = { { "MESSAGE_ID", MESSAGE_ID_STALL }, { "TAKT_JOB", job } };
        char span[TIMESPAN_MAX];

        if (!may_log(log, job))
                return;
        for (size_t i = 0; i < log->folded.n; i++)
                fields[i + 2] = (LogField){ "TAKT_JOB", log->folded.names[i] };
        append_folded(log, &folded);
        /* Without memory, less is told. */
        (void)append_parts(&parts, stall);
        if (own)
                (void)append_blame(&blame, activity);
        log_full(LOG_WARNING, fields, "The loop was held up for %s (%s)%s%s",
                 timespan_format(stall->duration - stall->duration % USEC_PER_MSEC, span), buffer_string(&parts),
                 buffer_string(&blame), buffer_string(&folded));
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
