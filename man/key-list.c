/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a manual of a draft: key-list <draft >page. A line "@KEYS Section@" becomes the list of the
 * section's keys, from the tables that read the files, "@UNIT-PROPERTIES@" that of the properties of units. A table of which the draft says nothing is an
 * error, so that no key goes undocumented.
 */

#include <stdio.h>

#include "base/string-util.h"
#include "config/settings.h"
#include "job/kind.h"
#include "job/resource.h"
#include "job/spec.h"
#include "process/unit-property.h"
#include "when/timespan.h"

#define SECTIONS_MAX 64U

static struct {
        const ConfigSection *section;
        bool is_of_job;
        bool listed;
} sections[SECTIONS_MAX];
static size_t n_sections;

static void add_section(const ConfigSection *section, bool is_of_job)
{
        if (n_sections < SECTIONS_MAX)
                sections[n_sections++] = (typeof(sections[0])){ .section = section, .is_of_job = is_of_job };
}

/* As text of roff, each sentence on a line of its own. */
static void print_text(const char *s)
{
        for (const char *c = s; *c; c++) {
                if (*c == '\\')
                        fputs("\\e", stdout);
                else if (c == s && (*c == '.' || *c == '\''))
                        printf("\\&%c", *c);
                else if (*c == ' ' && c > s && c[-1] == '.')
                        putchar('\n');
                else
                        putchar(*c);
        }
        putchar('\n');
}

static void print_limit(const ConfigKey *key, uint64_t limit, const char *word)
{
        char span[TIMESPAN_MAX];

        if (key->type == &config_type_span)
                printf(" %s %s", word, timespan_format(limit, span));
        else
                printf(" %s %llu", word, (unsigned long long)limit);
}

static void print_range(const ConfigKey *key)
{
        if (key->min == 0 && key->max == 0)
                return;
        printf("It is");
        if (key->min > 0)
                print_limit(key, key->min, key->max > 0 ? "from" : "at least");
        if (key->max > 0)
                print_limit(key, key->max, key->min > 0 ? "to" : "at most");
        puts(".");
}

static void print_key(const ConfigKey *key)
{
        printf(".It Ic %s= Ns Ar %s\n", key->name, key->choices ? "CHOICE" : key->type->metavar);
        print_text(key->help);
        if (key->choices) {
                puts("One of");
                for (size_t i = 0; key->choices[i]; i++)
                        printf("%s.Cm %s%s\n", i > 0 && !key->choices[i + 1] ? "and\n" : "", key->choices[i],
                               !key->choices[i + 1] ? " ." : key->choices[i + 2] ? " ," : "");
        } else {
                print_range(key);
        }
        if (key->type->repeatable)
                puts("May be given several times.");
        if (key->default_value)
                printf("Default:\n.Ql %s .\n", key->default_value);
}

static int print_section(const char *name)
{
        for (size_t i = 0; i < n_sections; i++) {
                if (!streq(sections[i].section->name, name))
                        continue;
                sections[i].listed = true;
                puts(".Bl -tag -width Ds");
                for (const ConfigKey *key = sections[i].section->keys; key->name; key++)
                        print_key(key);
                puts(".El");
                return 0;
        }
        fprintf(stderr, "key-list: there is no section [%s]\n", name);
        return -ENOENT;
}

/* All sections of a job file belong into one manual, and those of takt.conf into another. */
static int check_complete(void)
{
        bool of_job = false;
        int r = 0;

        for (size_t i = 0; i < n_sections; i++)
                of_job = of_job || (sections[i].listed && sections[i].is_of_job);
        for (size_t i = 0; i < n_sections; i++)
                if (!sections[i].listed && sections[i].is_of_job == of_job) {
                        fprintf(stderr, "key-list: the manual says nothing of [%s]\n", sections[i].section->name);
                        r = -ENODATA;
                }
        return r;
}

static int print_unit_properties(void)
{
        _cleanup_free_ char *names = unit_property_names();

        if (!names)
                return -ENOMEM;
        printf("%s.\n", names);
        return 0;
}

int main(void)
{
        char line[1024], name[64];
        int end;

        add_section(&settings_section, false);
        add_section(&resource_section, false);
        for (size_t i = 0; job_sections[i].name; i++)
                add_section(&job_sections[i], true);
        for (size_t i = 0; job_kinds[i]; i++)
                if (job_kinds[i]->section)
                        add_section(job_kinds[i]->section, true);
        while (fgets(line, sizeof(line), stdin)) {
                end = -1;
                if (sscanf(line, "@KEYS %63[A-Za-z]@%n", name, &end) == 1 && end > 0) {
                        if (print_section(name) < 0)
                                return EXIT_FAILURE;
                } else if (streq(line, "@UNIT-PROPERTIES@\n")) {
                        if (print_unit_properties() < 0)
                                return EXIT_FAILURE;
                } else {
                        fputs(line, stdout);
                }
        }
        return check_complete() < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
