/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/causes.h"

#include "base/string-util.h"
#include "job/instance.h"

struct Causes {
        unsigned n_ref;
        Causes *before; /* owned reference */
        char job[];
};

Causes *causes_new(Causes *before, const char *job)
{
        size_t n = strlen(job) + 1;
        Causes *causes = malloc(sizeof(*causes) + n);

        if (!causes)
                return NULL;
        *causes = (Causes){ .n_ref = 1, .before = causes_ref(before) };
        memcpy(causes->job, job, n);
        return causes;
}

Causes *causes_ref(Causes *causes)
{
        if (causes)
                causes->n_ref++;
        return causes;
}

Causes *causes_unref(Causes *causes)
{
        while (causes && --causes->n_ref == 0) {
                Causes *before = causes->before;

                free(causes);
                causes = before;
        }
        return NULL;
}

/* The part of a name that is its template's, or all of it. */
static size_t family_len(const char *name)
{
        const char *instance = job_name_instance(name);

        return instance ? (size_t)(instance - name) : strlen(name);
}

bool causes_are_same(const char *a, const char *b)
{
        size_t n = family_len(a);

        return n == family_len(b) && memcmp(a, b, n) == 0;
}

bool causes_have(const Causes *causes, const char *job)
{
        for (; causes; causes = causes->before)
                if (causes_are_same(causes->job, job))
                        return true;
        return false;
}
