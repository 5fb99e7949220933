/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/key.h"

#include <assert.h>

#include "base/string-util.h"
#include "when/timespan.h"

void string_list_deinit(StringList *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->strings[i]);
        free(list->strings);
        *list = (StringList){};
}

int string_list_take(StringList *list, char *s)
{
        char **strings = s ? reallocarray(list->strings, list->n + 2, sizeof(*strings)) : NULL;

        if (!strings) {
                free(s);
                return -ENOMEM;
        }
        list->strings = strings;
        strings[list->n++] = s;
        strings[list->n] = NULL;
        return 0;
}

int string_list_append(StringList *list, const char *s)
{
        return string_list_take(list, strdup(s));
}

static int parse_string(_unused_ const ConfigKey *key, const char *value, _unused_ const ConfigSite *site, void *target)
{
        return free_and_strdup(target, value);
}

static void clear_string(_unused_ const ConfigKey *key, void *target)
{
        char **s = target;

        free(TAKE_PTR(*s));
}

static int parse_strings(_unused_ const ConfigKey *key, const char *value, _unused_ const ConfigSite *site, void *target)
{
        return string_list_append(target, value);
}

static void clear_strings(_unused_ const ConfigKey *key, void *target)
{
        string_list_deinit(target);
}

static int parse_bool(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        if (parse_boolean(value, target) < 0)
                return config_item_error(site->item, site->report, 0, "'%s' is no boolean; say yes or no", value);
        return 0;
}

static void clear_bool(_unused_ const ConfigKey *key, void *target)
{
        *(bool *)target = false;
}

static int range_error(const ConfigKey *key, const ConfigSite *site)
{
        if (key->max == 0)
                return config_item_error(site->item, site->report, 0, "must be at least %llu",
                                         (unsigned long long)key->min);
        return config_item_error(site->item, site->report, 0, "must be from %llu to %llu",
                                 (unsigned long long)key->min, (unsigned long long)key->max);
}

/* Adds the problem where NUMBER is outside the row's range. */
static int check_range(const ConfigKey *key, uint64_t number, const ConfigSite *site)
{
        if (number >= key->min && (key->max == 0 || number <= key->max))
                return 0;
        return range_error(key, site);
}

static int parse_unsigned(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        uint64_t number;
        int r = parse_uint64(value, &number);

        if (r == -EINVAL)
                return config_item_error(site->item, site->report, 0, "'%s' is no whole number", value);
        if (r < 0 || (key->max == 0 && number > UINT32_MAX))
                return config_item_error(site->item, site->report, 0, "'%s' is too large a number", value);
        r = check_range(key, number, site);
        if (r >= 0)
                *(unsigned *)target = (unsigned)number;
        return r;
}

static void clear_unsigned(_unused_ const ConfigKey *key, void *target)
{
        *(unsigned *)target = 0;
}

static int parse_bytes(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        uint64_t number;
        int r = parse_size(value, &number);

        if (r < 0)
                return config_item_error(site->item, site->report, 0,
                                         "'%s' is no size; say a number of bytes, or one with K, M or G", value);
        r = check_range(key, number, site);
        if (r >= 0)
                *(uint64_t *)target = number;
        return r;
}

static void clear_bytes(_unused_ const ConfigKey *key, void *target)
{
        *(uint64_t *)target = 0;
}

/* The range of a span in the words of a person. */
static int span_range_error(const ConfigKey *key, const ConfigSite *site)
{
        char least[TIMESPAN_MAX], most[TIMESPAN_MAX];

        timespan_format(key->min, least);
        if (key->max == 0)
                return config_item_error(site->item, site->report, 0, "must be at least %s", least);
        timespan_format(key->max, most);
        return config_item_error(site->item, site->report, 0, "must be from %s to %s", least, most);
}

static int parse_span(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        WhenError error = {};
        usec_t span;
        int r = timespan_parse(value, &span, &error);

        if (r < 0)
                return config_item_error(site->item, site->report, error.offset, "%s", error.message);
        if (span < key->min || (key->max > 0 && span > key->max))
                return span_range_error(key, site);
        *(usec_t *)target = span;
        return 0;
}

static void clear_span(_unused_ const ConfigKey *key, void *target)
{
        *(usec_t *)target = 0;
}

static int parse_number(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        double number;

        if (parse_double(value, &number) < 0)
                return config_item_error(site->item, site->report, 0, "'%s' is no number", value);
        if (number < (double)key->min || (key->max > 0 && number > (double)key->max))
                return range_error(key, site);
        *(double *)target = number;
        return 0;
}

/* Without a range, so that it may be negative. */
static int parse_real(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        return parse_double(value, target) < 0 ? config_item_error(site->item, site->report, 0, "'%s' is no number", value) : 0;
}

static void clear_number(_unused_ const ConfigKey *key, void *target)
{
        *(double *)target = 0;
}

static void clear_choice(_unused_ const ConfigKey *key, void *target)
{
        *(int *)target = 0;
}

static int parse_choice(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_buffer_ Buffer names = BUFFER_NULL;

        for (int i = 0; key->choices[i]; i++) {
                if (streq(key->choices[i], value)) {
                        *(int *)target = i;
                        return 0;
                }
                (void)buffer_appendf(&names, "%s%s", i > 0 ? key->choices[i + 1] ? ", " : " or " : "", key->choices[i]);
        }
        return config_item_error(site->item, site->report, 0, "'%s' is none of %s", value, buffer_string(&names));
}

const ConfigType config_type_string = { .metavar = "TEXT", .parse = parse_string, .clear = clear_string };
const ConfigType config_type_strings = {
        .metavar = "TEXT", .repeatable = true, .parse = parse_strings, .clear = clear_strings,
};
const ConfigType config_type_bool = { .metavar = "BOOLEAN", .parse = parse_bool, .clear = clear_bool };
const ConfigType config_type_unsigned = { .metavar = "NUMBER", .parse = parse_unsigned, .clear = clear_unsigned };
const ConfigType config_type_size = { .metavar = "BYTES", .parse = parse_bytes, .clear = clear_bytes };
const ConfigType config_type_span = { .metavar = "TIMESPAN", .parse = parse_span, .clear = clear_span };
const ConfigType config_type_double = { .metavar = "NUMBER", .parse = parse_number, .clear = clear_number };
const ConfigType config_type_real = { .metavar = "NUMBER", .parse = parse_real, .clear = clear_number };
const ConfigType config_type_choice = { .metavar = "CHOICE", .parse = parse_choice, .clear = clear_choice };

const ConfigKey *config_section_find(const ConfigSection *section, const char *name)
{
        for (const ConfigKey *key = section->keys; key->name; key++)
                if (streq(key->name, name))
                        return key;
        return NULL;
}

const char *config_section_nearest(const ConfigSection *section, const char *name)
{
        Nearest nearest = { .name = name };

        for (const ConfigKey *key = section->keys; key->name; key++)
                nearest_look(&nearest, key->name);
        return nearest.found;
}

static int set_default(const ConfigKey *key, void *structure)
{
        ConfigItem item = { .key = (char *)key->name, .value = (char *)key->default_value };
        ConfigReport report = CONFIG_REPORT_NULL;
        int r;

        if (!key->default_value)
                return 0;
        r = key->type->parse(key, key->default_value, &(ConfigSite){ .item = &item, .report = &report },
                             (char *)structure + key->offset);
        config_report_deinit(&report);
        assert(r != -EBADMSG);
        return r;
}

int config_section_init(const ConfigSection *section, void *structure)
{
        for (const ConfigKey *key = section->keys; key->name; key++) {
                int r = set_default(key, structure);

                if (r < 0)
                        return r;
        }
        return 0;
}

void config_section_deinit(const ConfigSection *section, void *structure)
{
        for (const ConfigKey *key = section->keys; key->name; key++)
                if (key->type->clear)
                        key->type->clear(key, (char *)structure + key->offset);
}

/* An empty assignment: back to the default. */
static int reset_key(const ConfigKey *key, void *structure)
{
        if (key->type->clear)
                key->type->clear(key, (char *)structure + key->offset);
        return set_default(key, structure);
}

int config_section_apply(const ConfigSection *section, const ConfigItem *item, void *structure, ConfigReport *report)
{
        const ConfigKey *key = config_section_find(section, item->key);
        ConfigSite site = { .item = item, .report = report };

        if (!key) {
                const char *nearest = config_section_nearest(section, item->key);

                return config_item_key_error(item, report, "[%s] has no key %s=%s%s%s", section->name, item->key,
                                             nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "=?" : "");
        }
        if (item->value[0] == '\0')
                return reset_key(key, structure);
        return key->type->parse(key, item->value, &site, (char *)structure + key->offset);
}

bool config_item_says_default(const ConfigItem *item, const ConfigKey *key)
{
        static const ConfigType *const plain[] = {
                &config_type_bool, &config_type_unsigned, &config_type_size,   &config_type_span,
                &config_type_double, &config_type_real,   &config_type_choice,
        };
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        const ConfigSite site = { item, &report };
        union {
                uint64_t n;
                bool b;
                int i;
                double d;
        } value = {}, otherwise = {};

        for (size_t i = 0; i < ARRAY_SIZE(plain) && key->default_value; i++)
                if (key->type == plain[i])
                        return key->type->parse(key, item->value, &site, &value) >= 0 &&
                               key->type->parse(key, key->default_value, &site, &otherwise) >= 0 && value.n == otherwise.n;
        return false;
}
