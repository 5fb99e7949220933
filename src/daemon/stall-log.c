/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/stall-log.h"

#include <stdio.h>

#include "base/log.h"
#include "when/timespan.h"

#define MESSAGE_ID_STALL "396b9940af5142228aa18c7932629c7d"

static void on_stall(usec_t duration, const Activity *activity, void *userdata)
{
        StallLog *log = userdata;
        usec_t now = clock_boottime(loop_clock(log->loop));
        const char *subject = activity->doing ? activity->subject : NULL;
        char span[TIMESPAN_MAX], folded[64] = "";

        if (usec_sub(now, log->began_boottime) >= STALL_LOG_INTERVAL) {
                log->began_boottime = now;
                log->n_logged = 0;
        }
        if (++log->n_logged > STALL_LOG_BURST) {
                log->n_folded++;
                return;
        }
        if (log->n_folded > 0)
                (void)snprintf(folded, sizeof(folded), "; %llu more since the last message",
                               (unsigned long long)log->n_folded);
        timespan_format(duration - duration % USEC_PER_MSEC, span);
        log_full(LOG_WARNING,
                 (const LogField[]){
                         { "MESSAGE_ID", MESSAGE_ID_STALL },
                         { "TAKT_JOB", activity->doing && activity->is_job ? subject : NULL },
                         {},
                 },
                 "The loop was held up for %s by %s%s%s%s", span, activity->doing ?: "a callback", subject ? ": " : "",
                 subject ?: "", folded);
        log->n_folded = 0;
}

void stall_log_init(StallLog *log, Loop *loop)
{
        *log = (StallLog){ .loop = loop };
        loop_watch_stalls(loop, on_stall, log);
}
