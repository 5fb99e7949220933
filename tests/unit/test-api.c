/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of methods against the interfaces' texts. */
#include "test.h"

#include <stdio.h>

#include "api/internal.h"
#include "varlink/interface.h"

static const struct {
        const char *name;
        const char *text;
        const VarlinkMethod *methods;
} interfaces[] = {
        { "io.takt.Manager", api_manager_text, api_manager_methods },
        { "io.takt.Jobs", api_jobs_text, api_jobs_methods },
        { "io.takt.Runs", api_runs_text, api_runs_methods },
};

static VarlinkInterface *parse(size_t i)
{
        VarlinkInterface *interface = NULL;
        TextError error = {};
        int r = varlink_interface_parse(interfaces[i].text, strlen(interfaces[i].text), &interface, &error);

        if (r < 0)
                fail_msg("%s: offset %zu: %s", interfaces[i].name, error.offset, error.message);
        assert_string_equal(varlink_interface_name(interface), interfaces[i].name);
        return interface;
}

static bool has_row(const VarlinkMethod *methods, const char *name)
{
        bool found = false;

        for (; methods->name; methods++)
                if (streq(methods->name, name)) {
                        assert_false(found); /* only one */
                        found = true;
                }
        return found;
}

static void test_described_methods_have_a_row(_unused_ void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
                _cleanup_(varlink_interface_freep) VarlinkInterface *interface = parse(i);
                const VarlinkMember *members;
                size_t n;

                members = varlink_interface_members(interface, &n);
                for (size_t k = 0; k < n; k++) {
                        char name[128];

                        (void)snprintf(name, sizeof(name), "%s.%s", interfaces[i].name, members[k].name);
                        if (members[k].kind == VARLINK_MEMBER_METHOD && !has_row(interfaces[i].methods, name))
                                fail_msg("%s has no row", name);
                        /* What people read of it. */
                        if (members[k].kind != VARLINK_MEMBER_TYPE && members[k].comment_len == 0)
                                fail_msg("%s has no comment", name);
                }
        }
}

static void test_rows_are_described(_unused_ void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
                _cleanup_(varlink_interface_freep) VarlinkInterface *interface = parse(i);

                for (const VarlinkMethod *m = interfaces[i].methods; m->name; m++) {
                        const char *dot = strrchr(m->name, '.');

                        assert_non_null(m->function);
                        assert_true(m->authority == API_READ || m->authority == API_CONTROL);
                        assert_int_equal(strncmp(m->name, interfaces[i].name, (size_t)(dot - m->name)), 0);
                        if (!varlink_interface_find(interface, VARLINK_MEMBER_METHOD, dot + 1, strlen(dot + 1)))
                                fail_msg("%s is not described", m->name);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_described_methods_have_a_row),
                cmocka_unit_test(test_rows_are_described),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
