/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers about all jobs or runs that match, of which there may be a million: a walk takes turns with the rest of
 * the loop, and goes on behind the last name or id. A caller that asked for more gets what each turn found, no
 * faster than it reads; another one gets all of it at the end, up to WALK_REPLY_MAX. Before anything is visited, the
 * names are looked for that are not there.
 */
#include "api/internal.h"

#define WALK_REPLY_MAX (16U * 1024 * 1024)    /* bytes of an answer that is one */
#define WALK_PIECE (64U * 1024)               /* about the bytes of one of many */
#define WALK_QUEUE_MAX (1024U * 1024)         /* bytes that wait for the client before the walk does */

static ApiWalk *walk_free(ApiWalk *walk)
{
        list_unlink(&walk->link);
        deferred_cancel(walk->api->context.loop, &walk->step);
        varlink_call_set_gone(walk->call, NULL, NULL);
        varlink_call_set_drained(walk->call, NULL, NULL);
        varlink_call_unref(walk->call);
        buffer_deinit(&walk->text);
        api_unknown_deinit(&walk->unknown);
        json_doc_free(walk->parameters);
        job_filter_deinit(&walk->filter);
        free(walk);
        return NULL;
}

static void on_gone(_unused_ VarlinkCall *call, void *userdata)
{
        walk_free(userdata);
}

static void begin_piece(ApiWalk *walk)
{
        buffer_clear(&walk->text);
        walk->text.max = WALK_REPLY_MAX;
        json_writer_init(&walk->writer, &walk->text, 0);
        json_begin_array(&walk->writer);
}

/* Whether nothing of what was named is there. The walk is at its end. */
static bool found_nothing(const ApiWalk *walk)
{
        return walk->writer.error >= 0 && walk->n_missing > 0 && walk->n_missing == walk->filter.n + walk->index;
}

/* The walk ends with an error of its own where there is too much to say. */
static int answer(ApiWalk *walk, bool continues)
{
        JsonWriter *w;
        int r;

        if (!continues && found_nothing(walk))
                return api_unknown_error(&walk->unknown, walk->call);
        json_end_array(&walk->writer);
        r = json_writer_end(&walk->writer);
        if (r == -E2BIG)
                return varlink_call_error(walk->call, walk->too_many, NULL, NULL);
        w = varlink_call_begin(walk->call);
        json_key(w, walk->key);
        if (r >= 0)
                json_raw(w, walk->text.data, walk->text.len);
        else
                w->error = r;
        if (!continues)
                api_unknown_write(&walk->unknown, w);
        r = varlink_call_end(walk->call, continues);
        if (r >= 0 && continues)
                begin_piece(walk);
        return r;
}

/* Looks whether the next name is unknown; false: there is none. */
static bool check_next_name(ApiWalk *walk)
{
        size_t i = walk->n_checked;

        if (i == walk->filter.n)
                return false;
        walk->n_checked++;
        if (!job_filter_is_unknown(&walk->filter, i, walk->api->context.scheduler, NULL))
                return true;
        walk->n_missing++;
        if (api_unknown_add_job(&walk->unknown, walk->filter.patterns[i]) < 0)
                walk->writer.error = -ENOMEM;
        return true;
}

static bool take_step(ApiWalk *walk)
{
        /* What is done on a visit may be the end of the last run of a job, and of its name. */
        return check_next_name(walk) || walk->visit_next(walk);
}

/* A turn. True: there is nothing left. */
static bool walk_on(ApiWalk *walk)
{
        Clock *clock = walk->api->context.services->clock;
        usec_t end = usec_add(clock_boottime(clock), API_TURN_USEC);
        bool piecemeal = varlink_call_wants_more(walk->call);

        do
                for (unsigned n = 0; n < API_TURN_CLOCK_EVERY; n++)
                        if (!take_step(walk))
                                return true;
        while (clock_boottime(clock) < end && !(piecemeal && walk->text.len >= WALK_PIECE));
        return false;
}

static void on_step(Deferred *deferred)
{
        ApiWalk *walk = container_of(deferred, ApiWalk, step);
        bool done = walk_on(walk);

        if (done || (varlink_call_wants_more(walk->call) && walk->text.len > 1)) {
                (void)answer(walk, !done);
                if (done || varlink_call_is_dead(walk->call)) {
                        walk_free(walk);
                        return;
                }
        }
        if (varlink_call_queued(walk->call) <= WALK_QUEUE_MAX)
                loop_defer(walk->api->context.loop, &walk->step);
}

static void on_drained(_unused_ VarlinkCall *call, void *userdata)
{
        ApiWalk *walk = userdata;

        loop_defer(walk->api->context.loop, &walk->step);
}

int api_walk_new(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *key, const char *too_many, ApiWalk **ret)
{
        ApiWalk *walk = new0(ApiWalk, 1);
        int r;

        if (!walk)
                return -ENOMEM;
        walk->api = api;
        walk->key = key;
        walk->too_many = too_many;
        walk->step.callback = on_step;
        walk->call = varlink_call_ref(call);
        list_append(&api->walks, &walk->link);
        varlink_call_set_gone(call, on_gone, walk);
        varlink_call_set_drained(call, on_drained, walk);
        begin_piece(walk);
        r = api_copy_parameters(parameters, &walk->parameters);
        if (r >= 0)
                r = job_filter_init(&walk->filter, json_get(json_root(walk->parameters), "jobs"));
        if (r < 0) {
                walk_free(walk);
                return r;
        }
        *ret = walk;
        return 0;
}

void api_walk_begin(ApiWalk *walk, ApiWalkNext visit_next)
{
        walk->visit_next = visit_next;
        on_step(&walk->step);
}

static bool visit_next_job(ApiWalk *walk)
{
        Job *job = job_filter_next(&walk->filter, walk->api->context.scheduler, walk->after_job);

        if (!job || walk->writer.error < 0)
                return false;
        (void)strcpy(walk->after_job, job->name);
        if (job_filter_matches(&walk->filter, job->name) && (!walk->filter.fits || walk->filter.fits(job)))
                walk->visit_job(walk->api, walk->call, job, &walk->writer);
        return true;
}

int api_walk_jobs(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *key, bool (*fits)(const Job *job), ApiJobVisit visit)
{
        ApiWalk *walk;
        int r = api_walk_new(api, call, parameters, key, "io.takt.Jobs.TooManyJobs", &walk);

        if (r < 0)
                return r;
        walk->filter.fits = fits;
        walk->visit_job = visit;
        api_walk_begin(walk, visit_next_job);
        return 0;
}

void api_walks_stop(Api *api)
{
        ApiWalk *walk;

        list_foreach(walk, &api->walks, ApiWalk, link)
                walk_free(walk);
}
