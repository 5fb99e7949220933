/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a step of a group runs: its line of Run=, with what it knows of the item and the step before put in. */
#include "job/expand.h"
#include "kinds/group.h"

/* Beside the parameters, in the order of the values below. */
enum {
        VALUE_ITEM,
        VALUE_INDEX,
        VALUE_INPUT,
        N_VALUES,
};

const char *const group_placeholders[] = {
        [VALUE_ITEM] = "item", [VALUE_INDEX] = "index", [VALUE_INPUT] = "input", [N_VALUES] = NULL,
};

static const CommandLine *line_of(const GroupConfig *config, const GroupRun *g, const Track *track)
{
        size_t i = (size_t)(track - g->tracks);

        return config->runs.lines[config->mode == GROUP_CHAIN ? track->step : i % config->runs.n];
}

/* Of the track's items, counted from 0. */
static size_t index_of(const GroupConfig *config, const GroupRun *g, const Track *track)
{
        size_t i = (size_t)(track - g->tracks);

        return config->mode == GROUP_CHAIN ? i : i / config->runs.n;
}

/* The values of the placeholders, NULL where there is none; the result of the step before is parsed. */
static void take_values(const Run *run, const GroupRun *g, const Track *track, GroupStep *step, const JsonValue **values)
{
        static const JsonValue null = { .type = JSON_NULL };
        const GroupConfig *config = group_config(run);
        size_t i = index_of(config, g, track);

        step->index = (JsonValue){ .type = JSON_INT, .integer = (int64_t)i };
        values[VALUE_ITEM] = g->items.n > 0 ? &g->items.items[i] : NULL;
        values[VALUE_INDEX] = &step->index;
        if (track->step > 0)
                values[VALUE_INPUT] = track->text && json_parse(track->text, track->len, NULL, &step->doc, NULL) >= 0 ?
                                      json_root(step->doc) : &null;
        else /* what a chain begins with is the item, or what the group was given */
                values[VALUE_INPUT] = config->mode == GROUP_CHAIN && values[VALUE_ITEM] ? values[VALUE_ITEM] :
                                      json_get(run_params(run), "input");
}

/* A line without placeholders is what its templates say; WORDS has room for them and points into LINE. */
static bool constant_words(const CommandLine *line, const char **words)
{
        for (size_t i = 0; i < command_line_size(line); i++) {
                words[i] = template_constant(command_line_word(line, i));
                if (!words[i])
                        return false;
        }
        return true;
}

/* The parameters of RUN, and VALUES beside them. Points into all of these. */
static void make_params(const Run *run, const JsonValue *const *values, JsonMember *members, JsonValue *ret)
{
        const JsonValue *params = run_params(run);
        uint32_t n = 0;

        for (size_t i = 0; i < N_VALUES; i++)
                if (values[i])
                        members[n++] = (JsonMember){ group_placeholders[i], (uint32_t)strlen(group_placeholders[i]), *values[i] };
        for (uint32_t i = 0; params && i < params->n; i++)
                members[n++] = params->members[i];
        *ret = (JsonValue){ .type = JSON_OBJECT, .n = n, .members = members };
}

static int expand_words(Run *run, const CommandLine *line, const JsonValue *const *values, char ***ret, char **ret_error)
{
        const JsonValue *params = run_params(run);
        _cleanup_free_ JsonMember *members = new0(JsonMember, N_VALUES + (params ? params->n : 0));
        TemplateContext context;
        JsonValue all;

        if (!members)
                return -ENOMEM;
        run_template_context(run, &context);
        make_params(run, values, members, &all);
        context.params = &all;
        return command_line_expand(line, &context, ret, ret_error);
}

int group_step_make(Run *run, const GroupRun *g, const Track *track, GroupStep *step, char **ret_error)
{
        const CommandLine *line = line_of(group_config(run), g, track);
        const JsonValue *values[N_VALUES] = {};
        size_t n = command_line_size(line);
        const char *const *words;
        int r;

        step->job = template_constant(command_line_word(line, 0)) ?: "?";
        take_values(run, g, track, step, values);
        step->constant = n <= ARRAY_SIZE(step->few) ? step->few : new0(const char *, n);
        if (!step->constant)
                return -ENOMEM;
        r = constant_words(line, step->constant) ? 0 : expand_words(run, line, values, &step->expanded, ret_error);
        if (r < 0)
                return r;
        words = step->expanded ? (const char *const *)step->expanded : step->constant;
        step->job = words[0];
        step->args = words + 1;
        step->n_args = n - 1;
        step->input = command_line_uses(line, group_placeholders[VALUE_INPUT]) ? NULL : values[VALUE_INPUT];
        return 0;
}

void group_step_deinit(GroupStep *step)
{
        if (step->constant != step->few)
                free(step->constant);
        words_free(step->expanded);
        json_doc_free(step->doc);
}
