/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/decision.h"

#include <stdarg.h>

void decisions_deinit(Decisions *decisions)
{
        for (size_t i = 0; i < decisions->n; i++)
                free(decisions->items[i].message);
        free(decisions->items);
        *decisions = (Decisions){};
}

static Decision *add(Decisions *d)
{
        if (d->n == d->n_allocated) {
                size_t n = MAX(d->n_allocated * 2, (size_t)32);
                Decision *items = reallocarray(d->items, n, sizeof(*items));

                if (!items)
                        return NULL;
                d->items = items;
                d->n_allocated = n;
        }
        return &d->items[d->n];
}

void decide_by(Decisions *d, usec_t realtime, uint64_t run, const char *what, const Requester *by, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        Decision *decision = add(d);
        va_list ap;
        int r;

        va_start(ap, format);
        r = buffer_appendv(&message, format, ap);
        va_end(ap);
        if (!decision || r < 0) {
                d->error = -ENOMEM;
                return;
        }
        *decision = (Decision){
                .realtime = realtime,
                .run = run == DECISION_AFTER ? 0 : run,
                .rank = run,
                .nth = d->n,
                .what = what,
                .message = buffer_steal(&message),
                .by = by ? *by : REQUESTER_NONE,
        };
        if (decision->message)
                d->n++;
        else
                d->error = -ENOMEM;
}

static int compare(const void *a, const void *b)
{
        const Decision *x = a, *y = b;

        if (x->realtime != y->realtime)
                return x->realtime < y->realtime ? -1 : 1;
        if (x->rank != y->rank)
                return x->rank < y->rank ? -1 : 1;
        return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static void write_one(const Decision *decision, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "time");
        json_realtime(w, decision->realtime);
        if (decision->run > 0) {
                json_key(w, "run");
                json_uint(w, decision->run);
        }
        json_key(w, "what");
        json_string(w, decision->what);
        requester_write(&decision->by, "by", w);
        json_key(w, "message");
        json_string_lossy(w, decision->message, strlen(decision->message));
        json_end_object(w);
}

void decisions_write(Decisions *d, JsonWriter *w)
{
        if (d->error < 0)
                w->error = d->error;
        if (d->n > 0)
                qsort(d->items, d->n, sizeof(*d->items), compare);
        json_begin_array(w);
        for (size_t i = 0; i < d->n; i++)
                write_one(&d->items[i], w);
        json_end_array(w);
}
