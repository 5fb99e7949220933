/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/environment-fetch.h"

#include "base/file.h"
#include "base/string-util.h"
#include "json/writer.h"
#include "kinds/command.h"
#include "kinds/environment-file.h"
#include "work/limits.h"
#include "work/work.h"

struct EnvironmentFetch {
        Run *run;
        const StringList *files;
        size_t next; /* that is read, or will be */
        WorkCall *call; /* NULL: nothing is read now */
        void (*done)(Run *run);
        StringList found;
};

static int fail_memory(Run *run)
{
        run_fail(run, "memory", "no memory for the environment");
        return -ENOMEM;
}

/* FETCH may be gone afterwards, as in all that fails. */
static int fail(const EnvironmentFetch *fetch, int r, const char *why)
{
        if (r == -ENOMEM)
                return fail_memory(fetch->run);
        run_fail(fetch->run, "exec", "EnvironmentFile=%s can't be read: %s", fetch->files->strings[fetch->next], why ?: strerror(-r));
        return r;
}

static bool is_optional(const EnvironmentFetch *fetch)
{
        return fetch->files->strings[fetch->next][0] == '-';
}

/* What the names of variables say is secret is noted before anybody can repeat it. */
static int take_text(EnvironmentFetch *fetch, const char *text, size_t n)
{
        Run *run = fetch->run;
        const char *file = fetch->files->strings[fetch->next];
        _cleanup_(string_list_deinit) StringList found = {};
        unsigned line;
        int r = strlen(text) == n ? environment_file_parse(text, &found, &line) : -EILSEQ;

        for (size_t i = 0; r >= 0 && i < found.n; i++) {
                SecretSet *secrets = run_secrets(run);

                r = secrets ? secret_set_add_pair(secrets, found.strings[i]) : -ENOMEM;
                if (r >= 0)
                        r = environment_assign(&fetch->found, found.strings[i]);
        }
        if (r == -ENOMEM)
                return fail_memory(run);
        if (r == -EBADMSG)
                run_fail(run, "exec", "EnvironmentFile=%s: line %u is no NAME=VALUE", file, line);
        else if (r < 0)
                run_fail(run, "exec", "EnvironmentFile=%s can't be used: %s", file, strerror(-r));
        return MIN(r, 0);
}

static int ask(EnvironmentFetch *fetch);

static void on_answer(_unused_ WorkCall *call, const WorkAnswer *answer, void *userdata)
{
        EnvironmentFetch *fetch = userdata;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r = 0;

        fetch->call = NULL;
        if (answer->error < 0 && !(streq(answer->kind, "missing") && is_optional(fetch))) {
                (void)fail(fetch, answer->error, answer->message);
                return;
        }
        if (answer->error >= 0) {
                r = json_parse(answer->text, answer->n, NULL, &doc, NULL);
                if (r >= 0 && !json_is(json_root(doc), JSON_STRING))
                        r = -EBADMSG;
                if (r < 0) {
                        (void)fail(fetch, r, NULL);
                        return;
                }
                r = take_text(fetch, json_root(doc)->string, json_root(doc)->n);
        }
        if (r < 0)
                return;
        fetch->next++;
        if (fetch->next < fetch->files->n)
                (void)ask(fetch);
        else
                fetch->done(fetch->run);
}

static int make_request(const EnvironmentFetch *fetch, Buffer *line)
{
        _cleanup_free_ char *base = command_default_directory(fetch->run->services->environment);
        _cleanup_free_ char *path = base ? path_join(base, fetch->files->strings[fetch->next] + is_optional(fetch)) : NULL;
        JsonWriter w;

        if (!path)
                return -ENOMEM;
        json_writer_init(&w, line, 0);
        json_begin_object(&w);
        json_key(&w, "do");
        json_string(&w, "read");
        json_key(&w, "path");
        json_string(&w, path);
        json_key(&w, "max");
        json_uint(&w, ENVIRONMENT_FILE_MAX);
        json_end_object(&w);
        return json_writer_end(&w);
}

static int ask(EnvironmentFetch *fetch)
{
        Work *work = fetch->run->services->work;
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        int r = work ? make_request(fetch, &line) : -EOPNOTSUPP;

        if (r >= 0)
                r = work_ask(work, WORK_FILES, buffer_string(&line), line.len, NULL, 0, WORK_TIMEOUT_USEC, on_answer, fetch, &fetch->call);
        return r < 0 ? fail(fetch, r, NULL) : 1;
}

int environment_fetch_start(Run *run, const StringList *files, void (*done)(Run *run), EnvironmentFetch **ret)
{
        EnvironmentFetch *fetch;

        if (files->n == 0)
                return 0;
        fetch = new0(EnvironmentFetch, 1);
        if (!fetch)
                return fail_memory(run);
        *fetch = (EnvironmentFetch){ .run = run, .files = files, .done = done };
        *ret = fetch;
        return ask(fetch);
}

bool environment_fetch_is_under_way(const EnvironmentFetch *fetch)
{
        return fetch && fetch->call;
}

const StringList *environment_fetch_result(const EnvironmentFetch *fetch)
{
        static const StringList none = {};

        return fetch ? &fetch->found : &none;
}

EnvironmentFetch *environment_fetch_free(EnvironmentFetch *fetch)
{
        if (!fetch)
                return NULL;
        work_call_stop(fetch->call);
        string_list_deinit(&fetch->found);
        free(fetch);
        return NULL;
}
