/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/run-note.h"

#include <stdio.h>

#include "job/job.h"
#include "job/spec.h"

/* The number tells a text of another format. */
#define FORMAT_HEAD "run2 %llu %u %u %u %llu %llu %llu %llu %llu %llu %llu "

typedef unsigned long long ull;

int run_note_write(const Run *run, Buffer *text)
{
        int r;

        if (run->member || run->secrets.n > 0 || job_spec_is_guarded(run->spec))
                return -EOPNOTSUPP;
        if (run->params && strlen(run->params) > RUN_NOTE_MAX / 2)
                return -E2BIG;
        r = buffer_appendf(text, FORMAT_HEAD "%s", (ull)run->id, (unsigned)run->trigger, run->attempts,
                           (unsigned)run->uid, (ull)run->origin, (ull)run->scheduled_realtime,
                           (ull)run->created_realtime, (ull)run->started_realtime, (ull)run->due_boottime,
                           (ull)run->started_boottime, (ull)clock_boottime(run->services->clock), run->job->name);
        if (r >= 0 && run->params)
                r = buffer_append_char(text, ' ');
        if (r >= 0 && run->params)
                r = buffer_append_string(text, run->params);
        return r;
}

int run_note_parse(const char *text, RunNote *ret)
{
        ull id, origin, scheduled, created, started, due, started_boottime, attempt;
        char name[JOB_NAME_MAX + 1];
        unsigned trigger, attempts, uid;
        RunNote note;
        int n = -1;

        if (sscanf(text, FORMAT_HEAD "%n", &id, &trigger, &attempts, &uid, &origin, &scheduled, &created, &started, &due, &started_boottime,
                   &attempt, &n) != 11 || n < 0)
                return -EBADMSG;
        note = (RunNote){
                .id = id,
                .trigger = (RunTrigger)trigger,
                .attempts = attempts,
                .uid = uid,
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
