/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/group.h"

#include "base/string-util.h"
#include "job/expand.h"

static const char *const mode_names[] = { "gather", "chain", "taskgroup", NULL };
static const char *const error_names[] = { "raise", "keep", NULL };

static const ConfigKey group_keys[] = {
        { "Mode", .type = &config_type_choice, .offset = offsetof(GroupConfig, mode), .choices = mode_names,
          .default_value = "gather", .help = "How the members run: side by side, one after another, or side by side until one fails." },
        { "Run", .type = &config_type_commands, .offset = offsetof(GroupConfig, runs),
          .help = "A member: a job and its arguments, by position or as --NAME=VALUE." },
        { "For", .type = &config_type_commands, .offset = offsetof(GroupConfig, items),
          .help = "Items for each of which the Run= lines are run, as ${item}: words, A..B for whole numbers, or a JSON array." },
        { "Concurrency", .type = &config_type_unsigned, .offset = offsetof(GroupConfig, concurrency), .max = GROUP_MEMBERS_MAX,
          .default_value = "0", .help = "The most members, or chains, side by side; 0 for no limit but MaxRuns=." },
        { "Errors", .type = &config_type_choice, .offset = offsetof(GroupConfig, errors), .choices = error_names,
          .default_value = "raise", .help = "Whether a member that fails makes the group fail, or its error stands in the place of its result." },
        {},
};

const ConfigSection group_section = { "Group", group_keys, sizeof(GroupConfig) };

/* Of a chain, the lines are one for each item. */
static bool has_several_members(const JobSpec *spec)
{
        const GroupConfig *c = spec->config;

        return c->items.n > 0 || (c->mode != GROUP_CHAIN && c->runs.n > 1);
}

const KeyNeed group_needs[] = {
        { "Concurrency", has_several_members, "there is nothing that could run side by side", "Mode" },
        {},
};

/* The jobs that Run= lines name outright are noted with their places. */
static int add_references(JobSpec *spec, const GroupConfig *config, const ConfigItems *items, ConfigReport *report)
{
        size_t line = 0, first = 0;
        int r = 0;

        for (size_t i = 0; i < items->n; i++)
                if (streq(items->items[i].section, "Group") && streq(items->items[i].key, "Run") &&
                    items->items[i].value[0] == '\0')
                        first = i;
        for (size_t i = first; i < items->n && r >= 0; i++) {
                const ConfigItem *item = &items->items[i];
                const char *name;

                if (!streq(item->section, "Group") || !streq(item->key, "Run") || item->value[0] == '\0')
                        continue;
                if (command_line_has_credential(config->runs.lines[line]))
                        return config_item_error(item, report, 0, "a credential can't be an argument, for those are shown; "
                                                 "say ${credential:…} in the member's own file");
                name = template_constant(command_line_word(config->runs.lines[line], 0));
                if (name && !job_name_is_valid(name))
                        return config_item_error(item, report, 0, "'%s' can't be the name of a job", name);
                if (name)
                        r = job_spec_add_reference(spec, name, config->runs.lines[line], item);
                line++;
        }
        return r;
}

int group_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        const GroupConfig *c = config;

        if (c->runs.n == 0)
                return config_items_error(items, report, "Group", "Run", 0, "a group needs a Run= line: a job and its arguments");
        if (c->mode == GROUP_TASKGROUP && c->errors == GROUP_KEEP)
                return config_items_contradiction(items, report, "Group", "Errors", "Group", "Mode",
                                                  "a taskgroup ends with its first failure, so none can be kept; say Mode=gather");
        return add_references(spec, c, items, report);
}

/* --- items --- */

void group_items_deinit(GroupItems *items)
{
        for (size_t i = 0; i < items->n_words; i++)
                free(items->words[i]);
        for (size_t i = 0; i < items->n_docs; i++)
                json_doc_free(items->docs[i]);
        free(items->items);
        free(items->words);
        free(items->docs);
        *items = (GroupItems){};
}

/* Makes room for N items more. */
static int reserve_items(GroupItems *items, uint64_t n)
{
        JsonValue *grown;
        size_t allocated;

        if (n > GROUP_MEMBERS_MAX - items->n)
                return -E2BIG;
        if (items->n + n <= items->allocated)
                return 0;
        allocated = MAX(n > 1 ? items->n + n : items->allocated * 2, (size_t)16);
        grown = reallocarray(items->items, allocated, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        items->items = grown;
        items->allocated = allocated;
        return 0;
}

static int add_item(GroupItems *items, const JsonValue *value)
{
        int r = reserve_items(items, 1);

        if (r < 0)
                return r;
        items->items[items->n++] = *value;
        return 0;
}

/* 1 where WORD is a range. */
static int add_range(GroupItems *items, const char *word)
{
        const char *dots = strstr(word, "..");
        _cleanup_free_ char *first = dots ? strndup(word, (size_t)(dots - word)) : NULL;
        int64_t from, to;
        int r = 0;

        if (!dots)
                return 0;
        if (!first)
                return -ENOMEM;
        if (parse_int64(first, &from) < 0 || parse_int64(dots + 2, &to) < 0)
                return 0;
        /* Counted without overflow; an empty range is no item. */
        if (from <= to)
                r = reserve_items(items, MAX((uint64_t)to - (uint64_t)from, (uint64_t)to - (uint64_t)from + 1));
        for (int64_t i = from; i <= to && r >= 0; i++) {
                r = add_item(items, &(JsonValue){ .type = JSON_INT, .integer = i });
                if (i == INT64_MAX)
                        break;
        }
        return r < 0 ? r : 1;
}

/* 1 where WORD is a JSON array. */
static int add_array(GroupItems *items, const char *word)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const JsonValue *root;
        JsonDoc **grown;
        int r;

        if (word[0] != '[')
                return 0;
        r = json_parse(word, strlen(word), NULL, &doc, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        grown = reallocarray(items->docs, items->n_docs + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        items->docs = grown;
        root = json_root(doc);
        items->docs[items->n_docs++] = TAKE_PTR(doc);
        for (uint32_t i = 0; i < root->n && r >= 0; i++)
                r = add_item(items, &root->items[i]);
        return r < 0 ? r : 1;
}

static int add_string(GroupItems *items, const char *word)
{
        char **grown = NULL, *copy;

        /* Grown at powers of two. */
        if ((items->n_words & (items->n_words - 1)) == 0) {
                grown = reallocarray(items->words, MAX(items->n_words * 2, (size_t)1), sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                items->words = grown;
        }
        copy = strdup(word);
        if (!copy)
                return -ENOMEM;
        items->words[items->n_words++] = copy;
        return add_item(items, &(JsonValue){ .type = JSON_STRING, .n = (uint32_t)strlen(copy), .string = copy });
}

static int add_word(GroupItems *items, const char *word)
{
        int r = add_range(items, word);

        if (r == 0)
                r = add_array(items, word);
        return r != 0 ? r : add_string(items, word);
}

int group_items_expand(Run *run, GroupItems *ret)
{
        const GroupConfig *config = run_config(run);
        _cleanup_(group_items_deinit) GroupItems items = {};
        int r = 0;

        for (size_t i = 0; i < config->items.n && r >= 0; i++) {
                _cleanup_(words_freep) char **words = NULL;

                if (run_expand_command(run, config->items.lines[i], &words) < 0)
                        return -EBADMSG;
                for (char **word = words; *word && r >= 0; word++)
                        r = add_word(&items, *word);
        }
        if (r >= 0) {
                *ret = items;
                items = (GroupItems){};
                return 0;
        }
        if (r == -E2BIG)
                run_fail(run, "too-large", "For= has more than %u items", GROUP_MEMBERS_MAX);
        else
                run_fail(run, "memory", "no memory for the items");
        return -EBADMSG;
}
