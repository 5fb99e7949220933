/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/job.h"

#include <assert.h>

#include "base/activity.h"
#include "job/spec.h"

static const JobExtra no_extra;

JobExtra *job_make_extra(Job *job)
{
        JobExtra *extra = (JobExtra *)job->extra;

        if (extra != &no_extra)
                return extra;
        extra = new0(JobExtra, 1);
        if (extra)
                job->extra = extra;
        return extra;
}

static void free_extra(Job *job)
{
        JobExtra *extra = (JobExtra *)job->extra;

        if (extra == &no_extra)
                return;
        json_doc_free(extra->last_outputs_doc);
        free(extra->last_outputs);
        free(extra->memo);
        free(extra);
}

int job_set_memo(Job *job, void *memo)
{
        JobExtra *extra;

        if (!memo && !job->extra->memo)
                return 0;
        extra = job_make_extra(job);
        if (!extra) {
                free(memo);
                return -ENOMEM;
        }
        free(extra->memo);
        extra->memo = memo;
        return 0;
}

int job_new(const char *name, JobSpec *spec, Job **ret)
{
        size_t n = strlen(name) + 1;
        Job *job = calloc(1, sizeof(*job) + n);

        if (!job)
                return -ENOMEM;
        memcpy(job->name, name, n);
        job->spec = job_spec_ref(spec);
        job->is_template = job_name_is_template(name);
        job->extra = &no_extra;
        job->next_realtime = USEC_INFINITY;
        list_init(&job->runs);
        *ret = job;
        return 0;
}

Job *job_free(Job *job)
{
        if (!job)
                return NULL;
        assert(list_is_empty(&job->runs));
        activity_forget(job->name);
        free_extra(job);
        job_spec_unref(job->spec);
        free(job);
        return NULL;
}

const char *job_state_to_string(JobState state)
{
        static const char *const names[_JOB_STATE_MAX] = {
                [JOB_DISABLED] = "disabled", [JOB_PAUSED] = "paused", [JOB_RUNNING] = "running",
                [JOB_WAITING] = "waiting",   [JOB_IDLE] = "idle",     [JOB_FINISHED] = "finished",
                [JOB_TEMPLATE] = "template", [JOB_REMOVED] = "removed",
        };

        return names[state];
}

/* Something else than the clock does start a job that has no time before it. */
static bool may_begin_again(const Job *job)
{
        const ScheduleSettings *rules = &job->spec->schedule;

        return rules->schedule.n_triggers == 0 || rules->on.n > 0 || job->on_demand ||
               (rules->counts_from_start && schedule_begins_anew(&rules->schedule, &job->schedule));
}

JobState job_state(const Job *job)
{
        if (job->removed)
                return JOB_REMOVED;
        if (job->n_active > 0)
                return JOB_RUNNING;
        if (job->is_template)
                return JOB_TEMPLATE;
        if (!job->spec->job.enabled)
                return JOB_DISABLED;
        if (job->paused_realtime > 0)
                return JOB_PAUSED;
        if (job->next_realtime != USEC_INFINITY || timer_is_armed(&job->timer) || job->catch_up)
                return JOB_WAITING;
        return may_begin_again(job) ? JOB_IDLE : JOB_FINISHED;
}

int job_append_text(const Job *job, const char *text, Buffer *out)
{
        return job_instance_substitute(text, job_name_instance(job->name), out);
}

const JsonValue *job_last_outputs(Job *job)
{
        JobExtra *extra = (JobExtra *)job->extra;

        if (!extra->last_outputs)
                return NULL;
        if (!extra->last_outputs_doc &&
            json_parse(extra->last_outputs, strlen(extra->last_outputs), NULL, &extra->last_outputs_doc, NULL) < 0)
                return NULL;
        return json_root(extra->last_outputs_doc);
}
