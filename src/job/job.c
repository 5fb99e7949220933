/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/job.h"

#include <assert.h>

#include "job/spec.h"

int job_new(JobSpec *spec, Job **ret)
{
        _cleanup_free_ Job *job = new0(Job, 1);

        if (!job)
                return -ENOMEM;
        /* The name is the definition's: a job keeps its name when its definition changes. */
        job->name = strdup(spec->name);
        if (!job->name)
                return -ENOMEM;
        job->spec = job_spec_ref(spec);
        job->next_realtime = USEC_INFINITY;
        list_init(&job->runs);
        *ret = TAKE_PTR(job);
        return 0;
}

Job *job_free(Job *job)
{
        if (!job)
                return NULL;
        assert(list_is_empty(&job->runs));
        json_doc_free(job->last_outputs_doc);
        free(job->last_outputs);
        free(job->memo);
        job_spec_unref(job->spec);
        free(job->name);
        free(job);
        return NULL;
}

const char *job_state_to_string(const Job *job)
{
        if (job->n_active > 0)
                return "running";
        if (!job->spec->job.enabled)
                return "disabled";
        if (job->paused_realtime > 0)
                return "paused";
        if (job->next_realtime != USEC_INFINITY)
                return "waiting";
        return job->spec->schedule.schedule.n_triggers == 0 ? "idle" : "finished";
}

const JsonValue *job_last_outputs(Job *job)
{
        if (!job->last_outputs)
                return NULL;
        if (!job->last_outputs_doc &&
            json_parse(job->last_outputs, strlen(job->last_outputs), NULL, &job->last_outputs_doc, NULL) < 0)
                return NULL;
        return json_root(job->last_outputs_doc);
}
