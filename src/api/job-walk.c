/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers about all jobs that match, of which there may be a million: a walk through their names takes turns
 * with the rest of the loop, and begins anew behind the last name. A caller that asked for more gets what each
 * turn found, no faster than it reads; another one gets all of it at the end, up to WALK_REPLY_MAX.
 */
#include "api/internal.h"

#define WALK_TURN_USEC (2 * USEC_PER_MSEC)
#define WALK_CLOCK_EVERY 16U                  /* jobs between two looks at the clock */
#define WALK_REPLY_MAX (16U * 1024 * 1024)    /* bytes of an answer that is one */
#define WALK_PIECE (64U * 1024)               /* about the bytes of one of many */
#define WALK_QUEUE_MAX (1024U * 1024)         /* bytes that wait for the client before the walk does */

typedef struct Walk {
        Api *api;
        List link;
        VarlinkCall *call;
        ApiJobVisit visit;
        const char *key;
        JsonDoc *parameters;   /* what the patterns point into */
        const char **patterns;
        size_t n_patterns;
        size_t prefix; /* bytes with which all names begin that the only pattern matches */
        char after[JOB_NAME_MAX + 1];
        Deferred step;
        Buffer text; /* an array, not ended */
        JsonWriter writer;
} Walk;

static Walk *walk_free(Walk *walk)
{
        list_unlink(&walk->link);
        deferred_cancel(walk->api->context.loop, &walk->step);
        varlink_call_set_gone(walk->call, NULL, NULL);
        varlink_call_set_drained(walk->call, NULL, NULL);
        varlink_call_unref(walk->call);
        buffer_deinit(&walk->text);
        json_doc_free(walk->parameters);
        free(walk->patterns);
        free(walk);
        return NULL;
}

static void on_gone(_unused_ VarlinkCall *call, void *userdata)
{
        walk_free(userdata);
}

static void begin_piece(Walk *walk)
{
        buffer_clear(&walk->text);
        walk->text.max = WALK_REPLY_MAX;
        json_writer_init(&walk->writer, &walk->text, 0);
        json_begin_array(&walk->writer);
}

/* The walk ends with an error of its own where there is too much to say. */
static int answer(Walk *walk, bool continues)
{
        JsonWriter *w;
        int r;

        json_end_array(&walk->writer);
        r = json_writer_end(&walk->writer);
        if (r == -E2BIG)
                return varlink_call_error(walk->call, "io.takt.Jobs.TooManyJobs", NULL, NULL);
        w = varlink_call_begin(walk->call);
        json_key(w, walk->key);
        if (r >= 0)
                json_raw(w, walk->text.data, walk->text.len);
        else
                w->error = r;
        r = varlink_call_end(walk->call, continues);
        if (r >= 0 && continues)
                begin_piece(walk);
        return r;
}

/* The first job that may match: NULL where there is none any more. */
static Job *next_job(Walk *walk)
{
        Job *job = scheduler_job_after(walk->api->context.scheduler, walk->after);

        return job && walk->prefix > 0 && strncmp(job->name, walk->patterns[0], walk->prefix) > 0 ? NULL : job;
}

/* A turn. True: there is no job left. */
static bool walk_on(Walk *walk)
{
        Clock *clock = walk->api->context.services->clock;
        usec_t end = usec_add(clock_boottime(clock), WALK_TURN_USEC);
        bool piecemeal = varlink_call_wants_more(walk->call);

        do
                for (unsigned n = 0; n < WALK_CLOCK_EVERY; n++) {
                        Job *job = next_job(walk);

                        if (!job || walk->writer.error < 0)
                                return true;
                        (void)strcpy(walk->after, job->name);
                        if (api_matches(walk->patterns, walk->n_patterns, job->name))
                                walk->visit(walk->api, job, &walk->writer);
                }
        while (clock_boottime(clock) < end && !(piecemeal && walk->text.len >= WALK_PIECE));
        return false;
}

static void on_step(Deferred *deferred)
{
        Walk *walk = container_of(deferred, Walk, step);
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
        Walk *walk = userdata;

        loop_defer(walk->api->context.loop, &walk->step);
}

/* The parameters must outlive the call's own. */
static int copy_patterns(Walk *walk, const JsonValue *parameters)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = json_format(parameters, 0, &text);

        if (r >= 0)
                r = json_parse(text.data, text.len, NULL, &walk->parameters, NULL);
        return r < 0 ? r : api_strings(json_get(json_root(walk->parameters), "jobs"), &walk->patterns, &walk->n_patterns);
}

/* One pattern says where to begin: right before the names that share its beginning. */
static void find_start(Walk *walk)
{
        size_t n;

        if (walk->n_patterns != 1)
                return;
        n = strcspn(walk->patterns[0], "*?[\\");
        if (n == 0 || n > JOB_NAME_MAX)
                return;
        walk->prefix = n;
        memcpy(walk->after, walk->patterns[0], n);
        /* The greatest name below it: no name holds a byte that is smaller by one than one of its own and 0x7f behind. */
        walk->after[n - 1]--;
        if (n < JOB_NAME_MAX)
                walk->after[n] = '\x7f';
}

int api_walk_jobs(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *key, ApiJobVisit visit)
{
        Walk *walk = new0(Walk, 1);
        int r;

        if (!walk)
                return -ENOMEM;
        walk->api = api;
        walk->visit = visit;
        walk->key = key;
        walk->step.callback = on_step;
        walk->call = varlink_call_ref(call);
        list_append(&api->walks, &walk->link);
        varlink_call_set_gone(call, on_gone, walk);
        varlink_call_set_drained(call, on_drained, walk);
        begin_piece(walk);
        r = copy_patterns(walk, parameters);
        if (r < 0 || api_refuse_unknown_job(api, call, walk->patterns, walk->n_patterns)) {
                walk_free(walk);
                return MIN(r, 0);
        }
        find_start(walk);
        on_step(&walk->step);
        return 0;
}

void api_walks_stop(Api *api)
{
        Walk *walk;

        list_foreach(walk, &api->walks, Walk, link)
                walk_free(walk);
}
