/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of keys themselves, and the sizes of what there is one of for each job and run. */
#include "test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "config/settings.h"
#include "job/job.h"
#include "job/spec.h"

static void check_help(const char *where, const char *help)
{
        if (!help || !isupper((unsigned char)help[0]) || help[strlen(help) - 1] != '.' || strchr(help, '\n'))
                fail_msg("%s: the help is no sentence: %s", where, help ?: "none");
}

static void check_key(const ConfigSection *section, const ConfigKey *key)
{
        char where[128];

        (void)snprintf(where, sizeof(where), "[%s] %s=", section->name, key->name);
        check_help(where, key->help);
        if (!isupper((unsigned char)key->name[0]))
                fail_msg("%s: keys begin with a capital letter", where);
        if (!key->type || !key->type->parse || !key->type->metavar)
                fail_msg("%s: has no type", where);
        if (key->offset >= section->size)
                fail_msg("%s: is outside of the section's structure", where);
        if ((key->type == &config_type_choice) != !!key->choices)
                fail_msg("%s: choices go with the type choice", where);
        if (key->max > 0 && key->min > key->max)
                fail_msg("%s: has no value in its range", where);
        if (config_section_find(section, key->name) != key)
                fail_msg("%s: is there twice", where);
}

/* Every default is one that a file could say: config_section_init() asserts it, and the range is checked there. */
static void check_section(const ConfigSection *section)
{
        void *structure = calloc(1, section->size);

        assert_non_null(structure);
        for (const ConfigKey *key = section->keys; key->name; key++)
                check_key(section, key);
        assert_int_equal(config_section_init(section, structure), 0);
        config_section_deinit(section, structure);
        free(structure);
}

static void test_tables(_unused_ void **state)
{
        check_section(&settings_section);
        for (size_t i = 0; job_sections[i].name; i++)
                check_section(&job_sections[i]);
        for (size_t i = 0; job_kinds[i]; i++) {
                check_help(job_kinds[i]->name, job_kinds[i]->help);
                assert_ptr_equal(job_kind_find(job_kinds[i]->name), job_kinds[i]);
                if (job_kinds[i]->section)
                        check_section(job_kinds[i]->section);
        }
}

/* A section of one kind is no section of another, nor one that every job has. */
static void test_sections(_unused_ void **state)
{
        for (size_t i = 0; job_kinds[i]; i++) {
                for (size_t j = 0; job_kinds[i]->section && job_kinds[j]; j++)
                        if (i != j && job_kinds[j]->section)
                                assert_string_not_equal(job_kinds[i]->section->name, job_kinds[j]->section->name);
                for (size_t j = 0; job_kinds[i]->section && job_sections[j].name; j++)
                        assert_string_not_equal(job_kinds[i]->section->name, job_sections[j].name);
        }
}

#if defined(__x86_64__) && defined(__LP64__)
static const bool sizes_are_stated = true;
#else
static const bool sizes_are_stated = false;
#endif

/* What ARCHITECTURE.md says of SIZE, with WORDS around the number. */
static void check_stated(const char *document, const char *before, size_t size, const char *after)
{
        char stated[64];

        (void)snprintf(stated, sizeof(stated), "%s%zu%s", before, size, after);
        if (!strstr(document, stated))
                fail_msg("ARCHITECTURE.md does not say \"%s\"", stated);
}

static void check_document(const char *document)
{
        check_stated(document, "Job (", sizeof(Job), " bytes)");
        check_stated(document, "Run (", sizeof(Run), " bytes)");
        check_stated(document, "| ", sizeof(RunExtra), " bytes and these");
        check_stated(document, "timer entry | inside Job or Run | ", sizeof(Timer), " bytes");
        for (size_t i = 0; job_kinds[i]; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), " %s ", job_kinds[i]->name);
                check_stated(document, name, sizeof(Run) + job_kinds[i]->run_size, "");
        }
}

static void test_sizes(_unused_ void **state)
{
        _cleanup_buffer_ Buffer document = BUFFER_NULL;
        const char *directory = getenv("TAKT_SRCDIR");

        print_message("Job %zu bytes, Run %zu, Timer %zu\n", sizeof(Job), sizeof(Run), sizeof(Timer));
        for (size_t i = 0; job_kinds[i]; i++)
                print_message("a run of %s: %zu bytes\n", job_kinds[i]->name, sizeof(Run) + job_kinds[i]->run_size);
        assert_true(sizeof(Job) <= JOB_SIZE_MAX);
        if (!directory || !sizes_are_stated) {
                print_message("not compared with ARCHITECTURE.md: that is about x86-64, and found by TAKT_SRCDIR=\n");
                return;
        }
        assert_int_equal(chdir(directory), 0);
        assert_ok(read_file_at(AT_FDCWD, "ARCHITECTURE.md", SIZE_MAX, &document));
        check_document(buffer_string(&document));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_tables),
                RUN(test_sections),
                RUN(test_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
