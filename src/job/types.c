/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/types.h"

#include "job/parameter.h"

static int site_error(const ConfigSite *site, int r, const TextError *error)
{
        if (r != -EBADMSG)
                return r;
        return config_item_error(site->item, site->report, error->offset, "%s", error->message);
}

static int parse_template(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        Template **member = target, *t;
        TextError error = {};
        int r = template_compile(value, (TemplateEscape)key->data, &t, &error);

        if (r < 0)
                return site_error(site, r, &error);
        template_free(*member);
        *member = t;
        return 0;
}

static void clear_template(_unused_ const ConfigKey *key, void *target)
{
        Template **member = target;

        *member = template_free(*member);
}

static int parse_templates(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        TemplateList *list = target;
        Template **grown;
        TextError error = {};
        int r;

        if (list->n >= TEMPLATE_LIST_MAX)
                return config_item_error(site->item, site->report, 0, "given more than %u times", TEMPLATE_LIST_MAX);
        grown = reallocarray(list->templates, list->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        list->templates = grown;
        r = template_compile(value, (TemplateEscape)key->data, &list->templates[list->n], &error);
        if (r < 0)
                return site_error(site, r, &error);
        list->n++;
        return 0;
}

static void clear_templates(_unused_ const ConfigKey *key, void *target)
{
        TemplateList *list = target;

        for (size_t i = 0; i < list->n; i++)
                template_free(list->templates[i]);
        free(list->templates);
        *list = (TemplateList){};
}

static int parse_command(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        CommandLine **member = target, *line;
        TextError error = {};
        int r = command_line_compile(value, &line, &error);

        if (r < 0)
                return site_error(site, r, &error);
        command_line_free(*member);
        *member = line;
        return 0;
}

static void clear_command(_unused_ const ConfigKey *key, void *target)
{
        CommandLine **member = target;

        *member = command_line_free(*member);
}

static int parse_commands(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        CommandList *list = target;
        TextError error = {};
        CommandLine **grown;
        int r;

        if (list->n >= COMMAND_LIST_MAX)
                return config_item_error(site->item, site->report, 0, "given more than %u times", COMMAND_LIST_MAX);
        /* Grown at powers of two. */
        if ((list->n & (list->n - 1)) == 0) {
                grown = reallocarray(list->lines, MAX(list->n * 2, (size_t)1), sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                list->lines = grown;
        }
        r = command_line_compile(value, &list->lines[list->n], &error);
        if (r < 0)
                return site_error(site, r, &error);
        list->n++;
        return 0;
}

static void clear_commands(_unused_ const ConfigKey *key, void *target)
{
        CommandList *list = target;

        for (size_t i = 0; i < list->n; i++)
                command_line_free(list->lines[i]);
        free(list->lines);
        *list = (CommandList){};
}

static int parse_parameter(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        ParameterSet **member = target;
        TextError error = {};

        if (!*member)
                *member = parameter_set_new();
        if (!*member)
                return -ENOMEM;
        return site_error(site, parameter_set_add(*member, value, &error), &error);
}

static void clear_parameter(_unused_ const ConfigKey *key, void *target)
{
        ParameterSet **member = target;

        *member = parameter_set_free(*member);
}

const ConfigType config_type_template = { .metavar = "TEXT", .parse = parse_template, .clear = clear_template };
const ConfigType config_type_templates = {
        .metavar = "TEXT", .repeatable = true, .parse = parse_templates, .clear = clear_templates,
};
const ConfigType config_type_command = { .metavar = "COMMAND", .parse = parse_command, .clear = clear_command };
const ConfigType config_type_commands = {
        .metavar = "COMMAND", .repeatable = true, .parse = parse_commands, .clear = clear_commands,
};
const ConfigType config_type_parameter = {
        .metavar = "NAME:TYPE[=DEFAULT] [HELP]", .repeatable = true, .parse = parse_parameter, .clear = clear_parameter,
};

bool config_type_is_expanded(const ConfigType *type)
{
        return type == &config_type_template || type == &config_type_templates || type == &config_type_command ||
               type == &config_type_commands;
}

/* Calls FN for each template behind a row until it returns other than 0. */
typedef int (*TemplateVisit)(const Template *t, const CommandLine *line, void *userdata);

static int visit_templates(const ConfigKey *key, const void *member, TemplateVisit visit, void *userdata)
{
        if (key->type == &config_type_template) {
                Template *const *t = member;

                return *t ? visit(*t, NULL, userdata) : 0;
        }
        if (key->type == &config_type_command) {
                CommandLine *const *line = member;

                return *line ? visit(NULL, *line, userdata) : 0;
        }
        if (key->type == &config_type_commands) {
                const CommandList *list = member;

                for (size_t i = 0; i < list->n; i++) {
                        int r = visit(NULL, list->lines[i], userdata);

                        if (r != 0)
                                return r;
                }
        }
        if (key->type == &config_type_templates) {
                const TemplateList *list = member;

                for (size_t i = 0; i < list->n; i++) {
                        int r = visit(list->templates[i], NULL, userdata);

                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

typedef struct NameCheck {
        const TemplateNames *names;
        TextError error;
} NameCheck;

static int check_names(const Template *t, const CommandLine *line, void *userdata)
{
        NameCheck *check = userdata;

        return t ? template_check_names(t, check->names, &check->error) :
                   command_line_check_names(line, check->names, &check->error);
}

/* The assignment of KEY to which the problem most likely belongs: the last one that has the offset. */
static const ConfigItem *find_item(const ConfigItems *items, const char *section, const char *key, size_t offset)
{
        for (size_t i = items->n; i-- > 0;)
                if (streq(items->items[i].section, section) && streq(items->items[i].key, key) &&
                    strlen(items->items[i].value) > offset)
                        return &items->items[i];
        return NULL;
}

int config_section_check_templates(const ConfigSection *section, const void *structure, const ConfigItems *items,
                                   const TemplateNames *names, ConfigReport *report)
{
        NameCheck check = { .names = names };
        int r = 0;

        for (const ConfigKey *key = section->keys; key->name; key++) {
                const ConfigItem *item;

                if (visit_templates(key, (const char *)structure + key->offset, check_names, &check) == 0)
                        continue;
                item = find_item(items, section->name, key->name, check.error.offset);
                r = item ? config_item_error(item, report, check.error.offset, "%s", check.error.message) :
                           config_report_add(report, items->files[0], 0, 0, "%s=: %s", key->name, check.error.message);
        }
        return r;
}

/* The values of a key and its assignments, side by side. */
typedef struct EachTemplate {
        const ConfigSection *section;
        const ConfigKey *key;
        const ConfigItems *items;
        const ConfigItem *item;
        ConfigTemplateVisit visit;
        void *userdata;
} EachTemplate;

static int visit_with_item(const Template *t, const CommandLine *line, void *userdata)
{
        EachTemplate *each = userdata;
        int r = 0;

        each->item = each->key->type->repeatable ?
                             config_items_next(each->items, each->section->name, each->key->name, each->item) :
                             config_items_find(each->items, each->section->name, each->key->name);
        if (!each->item)
                return 0;
        if (t)
                return each->visit(each->item, t, each->userdata);
        for (size_t i = 0; i < command_line_size(line) && r == 0; i++)
                r = each->visit(each->item, command_line_word(line, i), each->userdata);
        return r;
}

int config_section_each_template(const ConfigSection *section, const void *structure, const ConfigItems *items,
                                 ConfigTemplateVisit visit, void *userdata)
{
        int r = 0;

        for (const ConfigKey *key = section->keys; key->name && r == 0; key++) {
                EachTemplate each = { section, key, items, NULL, visit, userdata };

                r = visit_templates(key, (const char *)structure + key->offset, visit_with_item, &each);
        }
        return r;
}

static int is_secret(const Template *t, const CommandLine *line, _unused_ void *userdata)
{
        return t ? template_has_credential(t) : command_line_has_credential(line);
}

static bool has_template(const ConfigSection *section, const void *structure,
                         int (*is_it)(const Template *t, const CommandLine *line, void *userdata))
{
        for (const ConfigKey *key = section->keys; key->name; key++)
                if (visit_templates(key, (const char *)structure + key->offset, is_it, NULL) != 0)
                        return true;
        return false;
}

bool config_section_has_credential(const ConfigSection *section, const void *structure)
{
        return has_template(section, structure, is_secret);
}

static int is_in_job_zone(const Template *t, const CommandLine *line, _unused_ void *userdata)
{
        if (t)
                return template_uses_job_zone(t);
        for (size_t i = 0; i < command_line_size(line); i++)
                if (template_uses_job_zone(command_line_word(line, i)))
                        return 1;
        return 0;
}

bool config_section_uses_job_zone(const ConfigSection *section, const void *structure)
{
        return has_template(section, structure, is_in_job_zone);
}
