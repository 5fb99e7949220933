/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show and cat: what is known of jobs, and what their files say. */
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/verb.h"

typedef struct Show {
        JsonArray array;
        size_t n;
} Show;

/* KEY=VALUE, text as it is and all else as JSON. */
static int print_member(const JsonMember *member)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const JsonValue *value = &member->value;
        int r = 0;

        if (value->type == JSON_STRING)
                r = text_append_clean(&text, value->string, value->n, false);
        else if (value->type != JSON_NULL)
                r = json_format(value, 0, &text);
        if (r < 0)
                return ctl_oom();
        printf("%s=%s\n", member->key, buffer_string(&text));
        return 0;
}

static int show_job(Ctl *ctl, const JsonValue *job, void *userdata)
{
        Show *show = userdata;

        if (ctl->options.json)
                return json_array_add(&show->array, job);
        if (show->n++ > 0)
                putchar('\n');
        else
                ctl_pager(ctl);
        for (uint32_t i = 0; job->type == JSON_OBJECT && i < job->n; i++) {
                int r = print_member(&job->members[i]);

                if (r != 0)
                        return r;
        }
        return 0;
}

static int cat_file(Ctl *ctl, const JsonValue *file, void *userdata)
{
        const JsonValue *value = json_get(file, "text");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        Show *cat = userdata;

        if (ctl->options.json)
                return json_array_add(&cat->array, file);
        if (json_is(value, JSON_STRING) && text_append_clean(&text, value->string, value->n, true) < 0)
                return ctl_oom();
        if (cat->n++ > 0)
                putchar('\n');
        else
                ctl_pager(ctl);
        printf("%s# %s%s\n%s", style_begin(STYLE_DIM, ctl->colour), json_get_string(file, "path", "?"),
               style_end(STYLE_DIM, ctl->colour), buffer_string(&text));
        if (text.len > 0 && text.data[text.len - 1] != '\n')
                putchar('\n');
        return 0;
}

static int each_of(Ctl *ctl, char **args, size_t n, const char *method, const char *key, CtlEach each)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        Show show = {};
        int r;

        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_each(ctl, method, parameters, key, each, &show);
        if (r == 0 && ctl->options.json)
                json_array_end(&show.array);
        return r == 0 && show.n == 0 ? ctl_tell_none(ctl) : r;
}

int verb_show(Ctl *ctl, char **args, size_t n)
{
        return each_of(ctl, args, n, "io.takt.Jobs.List", "jobs", show_job);
}

int verb_cat(Ctl *ctl, char **args, size_t n)
{
        return each_of(ctl, args, n, "io.takt.Jobs.Cat", "files", cat_file);
}
