/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/run-note.h"

#include <stdio.h>

#include "base/string-util.h"
#include "job/job.h"
#include "job/spec.h"

/* The number tells a text of another format; as run_note_write() puts it. */
#define FORMAT_HEAD "run3 %llu %u %u %u %u %llu %llu %llu %llu %llu %llu %llu "

typedef unsigned long long ull;

int run_note_write(const Run *run, Buffer *text)
{
        const Requester by = run->extra->story ? run->extra->story->started_by : REQUESTER_NONE;
        const uint64_t numbers[] = {
                run->id, run->trigger, run->attempts, by.uid, (uint64_t)by.pid, run->origin, run->scheduled_realtime,
                run->created_realtime, run->started_realtime, run_put_off_boottime(run), run->started_boottime, clock_boottime(run->services->clock),
        };
        char head[sizeof("run3 ") + ARRAY_SIZE(numbers) * (UINT64_DIGITS_MAX + 1)], *p = stpcpy(head, "run3 ");
        int r;

        if (run->member || run->extra->secrets.n > 0 || job_spec_is_guarded(run->spec))
                return -EOPNOTSUPP;
        if (run->extra->params && strlen(run->extra->params) > RUN_NOTE_MAX / 2)
                return -E2BIG;
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                p = put_uint64(p, numbers[i]);
                *p++ = ' ';
        }
        r = buffer_append(text, head, (size_t)(p - head));
        if (r >= 0)
                r = buffer_append_string(text, run->job->name);
        if (r >= 0 && run->extra->params)
                r = buffer_append_char(text, ' ');
        if (r >= 0 && run->extra->params)
                r = buffer_append_string(text, run->extra->params);
        return r;
}

int run_note_parse(const char *text, RunNote *ret)
{
        ull id, origin, scheduled, created, started, due, started_boottime, attempt;
        char name[JOB_NAME_MAX + 1];
        unsigned trigger, attempts, uid, pid;
        RunNote note;
        int n = -1;

        if (sscanf(text, FORMAT_HEAD "%n", &id, &trigger, &attempts, &uid, &pid, &origin, &scheduled, &created, &started, &due, &started_boottime,
                   &attempt, &n) != 12 || n < 0)
                return -EBADMSG;
        note = (RunNote){
                .id = id,
                .trigger = (RunTrigger)trigger,
                .attempts = attempts,
                .started_by = { uid, (pid_t)pid },
                .origin = origin,
                .scheduled_realtime = scheduled,
                .created_realtime = created,
                .started_realtime = started,
                .due_boottime = due,
                .started_boottime = started_boottime,
                .attempt_boottime = attempt,
                .job = text + n,
                .job_len = strcspn(text + n, " "),
        };
        if (note.job[note.job_len] == ' ')
                note.params = note.job + note.job_len + 1;
        if (id == 0 || id > INT64_MAX || trigger >= _RUN_TRIGGER_MAX || attempts == 0 || note.job_len > JOB_NAME_MAX)
                return -EBADMSG;
        memcpy(name, note.job, note.job_len);
        name[note.job_len] = '\0';
        if (!job_name_is_valid(name))
                return -EBADMSG;
        *ret = note;
        return 0;
}
