/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/lookout.h"

#include "base/file.h"
#include "base/log.h"
#include "job/surroundings.h"
#include "kinds/command.h"

/* Mentions that one request asks about. */
#define LOOKOUT_BATCH 64U
/* Names of one load that are not there and for which directories are read to find what was meant. */
#define LOOKOUT_SUGGESTIONS_MAX 100U

/* A mention that is asked about. */
typedef struct Asked {
        JobSpec *spec; /* NULL: takt.conf */
        const Mention *mention;
} Asked;

struct Lookout {
        Engine *engine;
        Loader *loader;
        char *path, *leds;
        Surroundings surroundings;
        Deferred step;
        usec_t end_boottime;
        LookoutDone done;
        void *userdata;

        JobSpec *spec; /* whose mentions are next; NULL: takt.conf's */
        const MentionList *list;
        size_t next, file;
        Asked asked[LOOKOUT_BATCH];
        size_t n_asked;
        unsigned n_suggestions;
        WorkCall *call;
};

/* --- a batch of questions --- */

static void tell(Lookout *l, const Asked *asked, int error, const char *nearest)
{
        _cleanup_free_ char *message = mention_describe(asked->mention, &l->surroundings, error, nearest);

        if (message)
                loader_warn(l->loader, asked->spec, asked->mention, message);
}

static void write_look(const Look *look, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "type");
        json_int(w, look->type);
        json_key(w, "name");
        json_string(w, look->name);
        json_key(w, "directory");
        json_string(w, look->directory);
        if (look->path) {
                json_key(w, "path");
                json_string(w, look->path);
        }
        json_key(w, "byAnother");
        json_bool(w, look->by_another);
        json_end_object(w);
}

static int add_mention(Lookout *l, const Mention *mention, JsonWriter *w)
{
        const Asked asked = { l->spec, mention };
        _cleanup_free_ char *directory = NULL;
        Look look;
        int r = mention_to_look(mention, &l->surroundings, &look, &directory);

        if (r == -ENOENT)
                tell(l, &asked, r, NULL);
        if (r <= 0)
                return r == -ENOMEM ? r : 0;
        write_look(&look, w);
        l->asked[l->n_asked++] = asked;
        return 0;
}

/* Goes to the next list that mentions anything. False: there is none, or not in this turn. */
static bool next_list(Lookout *l)
{
        l->spec = loader_next_mentions(l->loader, &l->file);
        l->list = l->spec ? &l->spec->mentions : NULL;
        l->next = 0;
        return l->list;
}

static int gather(Lookout *l, JsonWriter *w)
{
        /* What needs no question counts as well, so that a turn has an end. */
        for (unsigned n = 0; n < LOOKOUT_BATCH; n++) {
                int r;

                if ((!l->list || l->next == l->list->n) && !next_list(l))
                        return 0;
                r = add_mention(l, &l->list->mentions[l->next++], w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_at_end(const Lookout *l)
{
        return !l->list && l->file == loader_n_files(l->loader);
}

/* --- turns --- */

static void finish(Lookout *l, bool complete)
{
        if (!complete)
                loader_warn_of_load(l->loader, "not all programs, files and users that jobs name could be looked for");
        l->done(l->userdata);
}

static int take_answer(Lookout *l, const WorkAnswer *answer)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const JsonValue *found;
        int r = answer->error < 0 ? answer->error : json_parse(answer->text, answer->n, NULL, &doc, NULL);

        if (r < 0)
                return r;
        found = json_root(doc);
        if (!json_is(found, JSON_ARRAY) || found->n != l->n_asked)
                return -EBADMSG;
        for (uint32_t i = 0; i < found->n; i++) {
                const JsonValue *error = json_get(&found->items[i], "error");

                if (json_is(error, JSON_INT) && error->integer == ENOENT && l->n_suggestions < LOOKOUT_SUGGESTIONS_MAX)
                        l->n_suggestions++;
                if (json_is(error, JSON_INT) && error->integer > 0)
                        tell(l, &l->asked[i], -(int)error->integer, json_string_or_null(json_get(&found->items[i], "nearest")));
        }
        l->n_asked = 0;
        return 0;
}

static void on_answer(_unused_ WorkCall *call, const WorkAnswer *answer, void *userdata)
{
        Lookout *l = userdata;
        int r;

        l->call = NULL;
        r = take_answer(l, answer);
        if (r >= 0)
                loop_defer(l->engine->loop, &l->step);
        else
                finish(l, false);
}

static int ask(Lookout *l, const Buffer *text)
{
        usec_t now = clock_boottime(l->engine->services.clock);
        _cleanup_buffer_ Buffer header = BUFFER_NULL;

        if (now >= l->end_boottime)
                return -ETIMEDOUT;
        if (buffer_appendf(&header, "{\"do\":\"look\",\"suggestions\":%u}", LOOKOUT_SUGGESTIONS_MAX - l->n_suggestions) < 0)
                return -ENOMEM;
        return work_ask(l->engine->work, WORK_FILES, header.data, header.len, text->data, text->len, l->end_boottime - now,
                        on_answer, l, &l->call);
}

static void on_step(Deferred *deferred)
{
        Lookout *l = container_of(deferred, Lookout, step);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, 0);
        json_begin_array(&w);
        r = gather(l, &w);
        json_end_array(&w);
        if (r >= 0)
                r = json_writer_end(&w);
        if (r >= 0 && l->n_asked > 0)
                r = ask(l, &text);
        if (r < 0)
                log_debug("What jobs name can't be looked for: %s", strerror(-r));
        if (r < 0 || (l->n_asked == 0 && is_at_end(l)))
                finish(l, r >= 0);
        else if (l->n_asked == 0)
                loop_defer(l->engine->loop, &l->step);
}

int lookout_new(Engine *engine, const Environment *environment, const Settings *settings, Loader *loader,
                const ResourceSet *resources, LookoutDone done, void *userdata, Lookout **ret)
{
        _cleanup_(lookout_freep) Lookout *l = new0(Lookout, 1);

        if (!l)
                return -ENOMEM;
        l->engine = engine;
        l->path = command_default_path(environment);
        l->leds = path_join(settings->sysfs_root, "class/leds");
        if (!l->path || !l->leds)
                return -ENOMEM;
        l->loader = loader;
        l->surroundings = (Surroundings){
                .directory = environment_work_directory(environment),
                .path = l->path,
                .leds = l->leds,
                .credentials = engine->services.credentials_directory,
                .of_daemon = true,
        };
        l->list = &resources->mentions;
        l->done = done;
        l->userdata = userdata;
        l->end_boottime = usec_add(clock_boottime(engine->services.clock), LOOKOUT_USEC);
        l->step.callback = on_step;
        loop_defer(engine->loop, &l->step);
        *ret = TAKE_PTR(l);
        return 0;
}

Lookout *lookout_free(Lookout *lookout)
{
        if (!lookout)
                return NULL;
        if (lookout->step.callback)
                deferred_cancel(lookout->engine->loop, &lookout->step);
        work_call_stop(lookout->call);
        free(lookout->path);
        free(lookout->leds);
        free(lookout);
        return NULL;
}
