/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a job is due next, from which trigger, and what shifts it. */
#include "api/internal.h"

#include "base/string-util.h"
#include "when/timespan.h"

#define JOB_NEXT_MAX 1000U

static const char *const shift_texts[_OUTLOOK_SHIFT_MAX] = {
        [OUTLOOK_GAP] = "its time is skipped by a change of the clock: right after the gap (DstGap=)",
        [OUTLOOK_FOLD_FIRST] = "its time comes twice by a change of the clock: the first (DstFold=)",
        [OUTLOOK_FOLD_SECOND] = "its time comes twice by a change of the clock: the second (DstFold=)",
};

static int add_clause(Buffer *out, const char *text)
{
        return buffer_appendf(out, "%s%s", out->len > 0 ? "; " : "", text);
}

static int add_delay(Buffer *out, const JobOutlook *o, usec_t span, const char *key)
{
        char text[TIMESPAN_MAX];

        if (span == 0)
                return 0;
        return buffer_appendf(out, "%sput off by %s%s (%s)", out->len > 0 ? "; " : "", o->decided ? "" : "up to ",
                              timespan_format(span > USEC_PER_SEC ? span - span % USEC_PER_MSEC : span, text), key);
}

int api_outlook_note(const JobOutlook *o, Buffer *out)
{
        int r = 0;

        if (o->time.shift != OUTLOOK_AS_WRITTEN)
                r = add_clause(out, shift_texts[o->time.shift]);
        if (r >= 0 && o->time.n_excluded > 0)
                r = buffer_appendf(out, "%s%s%u before it excluded (Exclude=)", out->len > 0 ? "; " : "",
                                   o->time.n_excluded >= OUTLOOK_EXCLUDED_MAX ? "at least " : "", o->time.n_excluded);
        if (r >= 0)
                r = add_delay(out, o, o->jitter, "RandomizedDelaySec=");
        return r < 0 ? r : add_delay(out, o, o->slack, "AccuracySec=");
}

void api_write_occurrence(const Job *job, const JobOutlook *o, JsonWriter *w)
{
        const Occurrence *occurrence = &o->time.occurrence;
        _cleanup_buffer_ Buffer note = BUFFER_NULL;
        const char *trigger = job_spec_trigger(job->spec, occurrence->trigger) ?: "", *shift;

        if (api_outlook_note(o, &note) < 0)
                w->error = -ENOMEM;
        json_begin_object(w);
        json_key(w, "scheduled");
        json_realtime(w, occurrence->scheduled_realtime);
        json_key(w, "begins");
        json_realtime(w, job_outlook_earliest(o));
        if (!o->decided) {
                json_key(w, "beginsLatest");
                json_realtime(w, job_outlook_latest(o));
        }
        json_key(w, "trigger");
        json_string_lossy(w, trigger, strlen(trigger));
        json_key(w, "decided");
        json_bool(w, o->decided);
        json_key(w, "jitterUsec");
        json_uint(w, o->jitter);
        json_key(w, "slackUsec");
        json_uint(w, o->slack);
        shift = outlook_shift_to_string(o->time.shift);
        if (shift) {
                json_key(w, "shift");
                json_string(w, shift);
        }
        json_key(w, "excluded");
        json_uint(w, o->time.n_excluded);
        if (note.len > 0) {
                json_key(w, "note");
                json_string(w, note.data);
        }
        json_end_object(w);
}

/* What keeps times that there are from counting; NULL: nothing. */
static const char *hold_of(const Job *job)
{
        if (job->removed)
                return "removed";
        if (job->is_template)
                return "template";
        if (job->on_demand)
                return "on-demand";
        if (!job->spec->job.enabled)
                return "disabled";
        return job->paused_realtime > 0 ? "paused" : NULL;
}

void api_write_end(const Job *job, OutlookEnd end, JsonWriter *w)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const char *hold = hold_of(job);

        if (hold) {
                json_key(w, "held");
                json_string(w, hold);
        }
        if (end == OUTLOOK_GOES_ON || !job_has_schedule(job))
                return;
        json_key(w, "end");
        json_begin_object(w);
        json_key(w, "reason");
        json_string(w, outlook_end_to_string(end));
        json_key(w, "message");
        if (api_end_note(job, end, &text) >= 0)
                json_string(w, buffer_string(&text));
        else
                w->error = -ENOMEM;
        json_key(w, "final");
        json_bool(w, job_outlook_is_final(job, end));
        json_end_object(w);
}

int api_end_note(const Job *job, OutlookEnd end, Buffer *out)
{
        bool by_events = outlook_end_is_for_good(end) && !job_outlook_is_final(job, end);

        return buffer_appendf(out, "%s%s", outlook_end_to_text(end), by_events ? "; events still start it (On=)" : "");
}

void api_write_catch_ups(const Job *job, JsonWriter *w)
{
        usec_t realtime;
        size_t n = scheduler_n_catch_ups(job, &realtime);

        if (n == 0)
                return;
        json_key(w, "catchUps");
        json_uint(w, n);
        json_key(w, "catchUpNext");
        json_realtime(w, realtime > 0 ? realtime : USEC_INFINITY);
}

int api_jobs_next(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const JsonValue *count = json_get(parameters, "count");
        int64_t n = json_is(count, JSON_INT) ? count->integer : 1;
        const char *name = json_string_or_null(json_get(parameters, "job")) ?: "";
        Job *job = scheduler_find_job(api->context.scheduler, name);
        _cleanup_free_ JobOutlook *outlook = NULL;
        OutlookEnd end;
        JsonWriter *w;
        size_t found;

        if (!job)
                return api_no_such_job(call, name);
        if (n < 1 || n > JOB_NEXT_MAX)
                return varlink_call_invalid_parameter(call, "count");
        outlook = new0(JobOutlook, (size_t)n);
        if (!outlook)
                return -ENOMEM;
        found = scheduler_job_outlook(api->context.scheduler, job, outlook, (size_t)n, &end);
        w = varlink_call_begin(call);
        json_key(w, "times");
        json_begin_array(w);
        for (size_t i = 0; i < found; i++)
                json_realtime(w, job_outlook_earliest(&outlook[i]));
        json_end_array(w);
        json_key(w, "occurrences");
        json_begin_array(w);
        for (size_t i = 0; i < found; i++)
                api_write_occurrence(job, &outlook[i], w);
        json_end_array(w);
        api_write_catch_ups(job, w);
        api_write_end(job, end, w);
        return varlink_call_end(call, false);
}
