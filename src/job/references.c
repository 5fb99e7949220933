/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Breadth first, so that the path that is shown is the shortest, and no depth of nesting nests calls. */
#include "job/references.h"

#include "base/buffer.h"

#define PATH_SHOWN_MAX 32U /* jobs of a path in a message */

typedef struct Step {
        const JobSpec *spec;
        const JobReference *first; /* the reference of the first step that led here */
        size_t from;               /* index of the step before */
} Step;

typedef struct Walk {
        Step *steps;
        size_t n;
} Walk;

static int add_step(Walk *walk, const JobSpec *spec, const JobReference *first, size_t from)
{
        /* Grown at powers of two. */
        if ((walk->n & (walk->n - 1)) == 0) {
                Step *grown = reallocarray(walk->steps, MAX(walk->n * 2, (size_t)1), sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                walk->steps = grown;
        }
        walk->steps[walk->n++] = (Step){ spec, first, from };
        return 0;
}

/* "a → b → c" of the steps that lead to LAST; of a long way its beginning and its end. */
static int append_path(const Walk *walk, size_t last, Buffer *out)
{
        size_t shown[PATH_SHOWN_MAX], n = 0;
        bool cut = false;
        int r = buffer_append_string(out, walk->steps[0].spec->name);

        for (size_t i = last; i > 0; i = walk->steps[i].from)
                if (n < PATH_SHOWN_MAX)
                        shown[n++] = i;
                else
                        cut = true;
        if (r >= 0 && cut)
                r = buffer_append_string(out, " → …");
        while (n-- > 0 && r >= 0)
                r = buffer_appendf(out, " → %s", walk->steps[shown[n]].spec->name);
        return r;
}

static int tell(const JobSpec *spec, const Walk *walk, size_t last, const JobReference *reference, ConfigReport *report)
{
        _cleanup_buffer_ Buffer path = BUFFER_NULL;
        const JobReference *first = walk->steps[last].first ?: reference;
        int r = append_path(walk, last, &path);

        if (r < 0)
                return r;
        return config_report_add(report, first->file ?: spec->name, first->line, first->column,
                                 "the group would run itself: %s → %s", path.data, spec->name);
}

static int visit(JobSpec *spec, JobLookup lookup, void *userdata, ConfigReport *report, Walk *walk)
{
        static uint64_t visits;
        uint64_t this_visit = ++visits;
        int r = add_step(walk, spec, NULL, 0);

        for (size_t i = 0; r >= 0 && i < walk->n; i++) {
                const JobSpec *at = walk->steps[i].spec;

                for (size_t k = 0; r >= 0 && k < at->n_references; k++) {
                        const JobReference *reference = &at->references[k];
                        JobSpec *next = lookup(reference->job, userdata);

                        if (next == spec)
                                return tell(spec, walk, i, reference, report);
                        if (!next || next->visit == this_visit)
                                continue;
                        next->visit = this_visit;
                        r = add_step(walk, next, walk->steps[i].first ?: reference, i);
                }
        }
        return r;
}

int job_references_check(JobSpec *spec, JobLookup lookup, void *userdata, ConfigReport *report)
{
        Walk walk = {};
        int r;

        if (spec->n_references == 0)
                return 0;
        r = visit(spec, lookup, userdata, report, &walk);
        free(walk.steps);
        return r;
}
