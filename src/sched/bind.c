/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters of runs that nobody starts by hand: defaults, and one parameter that is given by name. */
#include "sched/internal.h"

int bind_params(Scheduler *s, const Job *job, const char *name, const JsonValue *value, const char *const *args, size_t n,
                Buffer *out, ParameterError *ret_error)
{
        const ParameterContext context = { .now_realtime = scheduler_realtime(s) };
        const ParameterSet *set = job->spec->job.parameters;
        JsonMember member = { .key = name, .key_len = name ? (uint32_t)strlen(name) : 0 };
        const JsonValue named = { .type = JSON_OBJECT, .n = 1, .members = &member };
        bool wanted = value && parameter_set_find(set, name, NULL);

        if (!set && n == 0)
                return 0;
        if (wanted)
                member.value = *value;
        return parameter_bind(set, wanted ? &named : NULL, args, n, &context, out, ret_error);
}

int bind_earlier_params(Scheduler *s, const Job *job, const char *text, Buffer *out, ParameterError *ret_error)
{
        const ParameterSet *set = job->spec->job.parameters;
        ParameterContext context = { .now_realtime = scheduler_realtime(s) };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r = json_parse(text, strlen(text), NULL, &doc, NULL);

        if (r < 0)
                return r;
        /*
         * The event that started a run is among its parameters, also where the job declares none of that
         * name.
         */
        if (json_get(json_root(doc), "event") && !parameter_set_find(set, "event", NULL))
                return buffer_append_string(out, text);
        context.earlier = json_root(doc);
        return parameter_bind(set, NULL, NULL, 0, &context, out, ret_error);
}
