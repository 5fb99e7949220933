/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/environment.h"
#include "config/settings.h"

static char root[] = "/tmp/test-environment.XXXXXX";
static const char *const variables[] = {
        "TAKT_ENV",        "XDG_CONFIG_HOME",         "XDG_STATE_HOME",  "XDG_RUNTIME_DIR",
        "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "RUNTIME_DIRECTORY",
};

static int setup(_unused_ void **state)
{
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(_unused_ void **state)
{
        _cleanup_free_ char *command = xasprintf("rm -rf '%s'", root);

        return command && system(command) == 0 ? 0 : -1;
}

static int clean(_unused_ void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
                unsetenv(variables[i]);
        setenv("HOME", "/home/nobody", 1);
        return 0;
}

static Environment *resolved(EnvironmentScope scope, const char *dir, unsigned flags)
{
        _cleanup_free_ char *error = NULL;
        Environment *e = NULL;

        assert_ok(environment_resolve(scope, dir, flags, &e, &error));
        assert_null(error);
        return e;
}

static void assert_refused(EnvironmentScope scope, const char *dir, int expected, const char *words)
{
        _cleanup_free_ char *error = NULL;
        Environment *e = NULL;

        assert_int_equal(environment_resolve(scope, dir, 0, &e, &error), expected);
        assert_null(e);
        assert_non_null(error);
        assert_non_null(strstr(error, words));
}

static void test_directory(_unused_ void **state)
{
        _cleanup_(environment_freep) Environment *e = NULL, *by_variable = NULL;
        _cleanup_free_ char *dir = path_join(root, "plant"), *error = NULL, *option = NULL, *expected = NULL;
        _cleanup_free_ char *indirect = xasprintf("%s/./plant/../plant/", root);

        assert_refused(ENVIRONMENT_AUTO, dir, -ENOENT, "no environment at");
        assert_int_equal(environment_create(dir, 0, &error), 0);
        e = resolved(ENVIRONMENT_SYSTEM, indirect, 0);
        assert_int_equal(e->scope, ENVIRONMENT_DIR);
        assert_string_equal(e->name, "plant");
        assert_string_equal(e->path, dir);
        assert_string_equal(startswith(e->socket, dir), "/run/takt.sock");
        assert_string_equal(startswith(e->packs, dir), "/packs");
        assert_string_equal(startswith(e->state, dir), "/state");
        option = environment_option(e);
        expected = xasprintf("--env %s", dir);
        assert_string_equal(option, expected);

        setenv("TAKT_ENV", indirect, 1);
        by_variable = resolved(ENVIRONMENT_AUTO, NULL, 0);
        assert_string_equal(by_variable->path, dir);
        assert_refused(ENVIRONMENT_AUTO, e->jobs, -ENOENT, "taktctl env create");
        setenv("TAKT_ENV", e->config_file, 1);
        assert_refused(ENVIRONMENT_AUTO, NULL, -ENOENT, "is no environment");
}

static void test_user(_unused_ void **state)
{
        _cleanup_(environment_freep) Environment *e = NULL, *xdg = NULL;

        assert_refused(ENVIRONMENT_USER, NULL, -ENXIO, "$XDG_RUNTIME_DIR is not set");
        setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
        e = resolved(ENVIRONMENT_USER, NULL, 0);
        assert_string_equal(e->name, "user");
        assert_string_equal(e->config_file, "/home/nobody/.config/takt/takt.conf");
        assert_string_equal(e->state, "/home/nobody/.local/state/takt");
        assert_string_equal(e->packs, "/home/nobody/.local/state/takt/packs");
        assert_string_equal(e->socket, "/run/user/7/takt/takt.sock");

        setenv("XDG_CONFIG_HOME", "/c", 1);
        setenv("XDG_STATE_HOME", "relative is ignored", 1);
        xdg = resolved(ENVIRONMENT_USER, NULL, 0);
        assert_string_equal(xdg->jobs, "/c/takt/jobs");
        assert_string_equal(xdg->state, "/home/nobody/.local/state/takt");
        unsetenv("HOME");
        assert_refused(ENVIRONMENT_USER, NULL, -ENXIO, "$HOME is not set");
}

static void test_system(_unused_ void **state)
{
        _cleanup_(environment_freep) Environment *client = NULL, *service = NULL;

        /* What belongs to the service that a client happens to be called by is not the client's. */
        setenv("RUNTIME_DIRECTORY", "/run/r:/run/other", 1);
        setenv("STATE_DIRECTORY", "/var/lib/s", 1);
        client = resolved(ENVIRONMENT_SYSTEM, NULL, 0);
        assert_string_equal(client->socket, "/run/takt/takt.sock");
        assert_string_equal(client->config_file, "/etc/takt/takt.conf");
        assert_string_equal(client->state, "/var/lib/takt");
        service = resolved(ENVIRONMENT_SYSTEM, NULL, ENVIRONMENT_SERVICE);
        assert_string_equal(service->socket, "/run/r/takt.sock");
        assert_string_equal(service->state, "/var/lib/s");
        assert_string_equal(service->jobs, "/etc/takt/jobs");
}

static void read_text(const char *path, Buffer *text)
{
        buffer_clear(text);
        assert_ok(read_file_at(AT_FDCWD, path, 1024 * 1024, text));
}

static void test_create(_unused_ void **state)
{
        _cleanup_free_ char *dir = path_join(root, "new/deep"), *error = NULL, *bad = path_join(root, "file");
        _cleanup_(environment_freep) Environment *e = NULL;
        _cleanup_free_ char *activate = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        struct stat st;

        assert_int_equal(environment_create(dir, 0, &error), 0);
        e = resolved(ENVIRONMENT_AUTO, dir, 0);
        assert_int_equal(stat(e->state, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
        assert_ok(environment_make_directories(e));
        activate = path_join(e->bin, "activate");
        read_text(activate, &text);
        assert_null(strstr(text.data, root));

        /* Again: mends what is broken, keeps what is the user's. */
        assert_ok(write_file_atomic(e->config_file, "# mine\n", 7, 0644, false));
        assert_ok(write_file_atomic(activate, "", 0, 0644, false));
        assert_int_equal(rmdir(e->schemas), 0);
        assert_int_equal(environment_create(dir, 0, &error), 1);
        read_text(e->config_file, &text);
        assert_string_equal(text.data, "# mine\n");
        read_text(activate, &text);
        assert_true(text.len > 0);
        assert_int_equal(access(e->schemas, F_OK), 0);

        /* Not over what is something else, unless told to. */
        assert_int_equal(unlink(e->config_file), 0);
        assert_int_equal(environment_create(dir, 0, &error), -ENOTEMPTY);
        assert_non_null(strstr(error, "not empty"));
        free(error);
        assert_int_equal(environment_create(dir, ENVIRONMENT_FORCE, &error), 0);

        assert_ok(write_file_atomic(bad, "x", 1, 0600, false));
        assert_int_equal(environment_create(bad, 0, &error), -ENOTDIR);
        free(error);
        assert_int_equal(environment_create("", 0, &error), -EINVAL);
}

static void load_settings(const char *path)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;

        assert_ok(settings_load(path, &report, &settings));
        assert_int_equal(report.n, 0);
        assert_int_equal(settings->max_runs, 10000);
}

/* What is shown as the default can be set, and the file is fine as it is. */
static void test_settings(_unused_ void **state)
{
        _cleanup_free_ char *dir = path_join(root, "set"), *error = NULL;
        _cleanup_(environment_freep) Environment *e = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        assert_int_equal(environment_create(dir, 0, &error), 0);
        e = resolved(ENVIRONMENT_AUTO, dir, 0);
        load_settings(e->config_file);
        read_text(e->config_file, &text);
        assert_non_null(strstr(text.data, "\n#MaxRuns=10000\n"));
        for (char *p = text.data; (p = strstr(p, "\n#")); p++)
                if (p[2] != ' ')
                        p[1] = ' ';
        assert_ok(write_file_atomic(e->config_file, text.data, text.len, 0644, false));
        load_settings(e->config_file);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_directory, clean),
                cmocka_unit_test_setup(test_user, clean),
                cmocka_unit_test_setup(test_system, clean),
                cmocka_unit_test_setup(test_create, clean),
                cmocka_unit_test_setup(test_settings, clean),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
