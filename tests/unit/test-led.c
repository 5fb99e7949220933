/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/seal.h"
#include "base/log.h"
#include "base/string-util.h"
#include "drivers/led.h"

/* A tree of plain files in the place of sysfs, and a state directory. */
typedef struct Fixture {
        char root[64];
        char sysfs[96];
        char state[96];
        LedSet *set;
} Fixture;

static char *fixture_path(Fixture *f, const char *name)
{
        char *path = xasprintf("%s/%s", f->root, name);

        assert_non_null(path);
        return path;
}

static void put(Fixture *f, const char *name, const char *content)
{
        _cleanup_free_ char *path = fixture_path(f, name);

        assert_ok(write_file_atomic(path, content, strlen(content), 0644, false));
}

static void assert_content(Fixture *f, const char *name, const char *content)
{
        _cleanup_free_ char *path = fixture_path(f, name);
        _cleanup_buffer_ Buffer b = BUFFER_NULL;

        assert_ok(read_file_at(AT_FDCWD, path, 4096, &b));
        assert_string_equal(buffer_string(&b), content);
}

static void assert_saved(Fixture *f, const char *words)
{
        _cleanup_buffer_ Buffer line = BUFFER_NULL;

        assert_ok(buffer_append_string(&line, words));
        assert_ok(seal_line(&line));
        assert_content(f, "state/leds/status", line.data);
}

static void assert_no_state(Fixture *f)
{
        _cleanup_(closedirp) DIR *dir = opendir(f->state);
        _cleanup_free_ char *path = fixture_path(f, "state/leds/status");

        assert_non_null(dir);
        assert_int_equal(access(path, F_OK), -1);
}

static void add_led(Fixture *f, const char *name, const char *brightness, const char *max, const char *trigger)
{
        const char *const attributes[][2] = {
                { "brightness", brightness }, { "max_brightness", max }, { "trigger", trigger },
        };
        _cleanup_free_ char *dir = xasprintf("%s/class/leds/%s", f->sysfs, name);

        assert_ok(mkdir_p(dir, 0755));
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
                _cleanup_free_ char *path = NULL;

                if (!attributes[i][1])
                        continue;
                path = xasprintf("sys/class/leds/%s/%s", name, attributes[i][0]);
                put(f, path, attributes[i][1]);
        }
}

static int setup(void **state)
{
        Fixture *f = new0(Fixture, 1);

        strcpy(f->root, "/tmp/test-led.XXXXXX");
        assert_non_null(mkdtemp(f->root));
        (void)snprintf(f->sysfs, sizeof(f->sysfs), "%s/sys", f->root);
        (void)snprintf(f->state, sizeof(f->state), "%s/state", f->root);
        assert_ok(mkdir_p(f->state, 0700));
        add_led(f, "status", "37\n", "255\n", "none usb-gadget [heartbeat] timer\n");
        assert_ok(led_set_new(f->sysfs, f->state, &f->set));
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *command = xasprintf("rm -r %s", f->root);

        led_set_free(f->set);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

static void test_switch_and_restore(void **state)
{
        Fixture *f = *state;
        Led *led;

        assert_ok(led_acquire(f->set, "status", "job one", &led));
        assert_content(f, "sys/class/leds/status/trigger", "none");
        assert_content(f, "sys/class/leds/status/brightness", "0");
        assert_saved(f, "37 heartbeat");
        assert_ok(led_switch(led, true));
        assert_content(f, "sys/class/leds/status/brightness", "255");
        assert_ok(led_switch(led, false));
        assert_content(f, "sys/class/leds/status/brightness", "0");
        assert_ok(led_release(led));
        assert_content(f, "sys/class/leds/status/trigger", "heartbeat");
        assert_content(f, "sys/class/leds/status/brightness", "37");
        assert_no_state(f);

        /* The file now holds a trigger without brackets, alone. */
        assert_ok(led_acquire(f->set, "status", "job two", &led));
        f->set = led_set_free(f->set);
        assert_content(f, "sys/class/leds/status/trigger", "heartbeat");
        assert_no_state(f);
}

static void test_one_owner(void **state)
{
        Fixture *f = *state;
        LedSet *other;
        Led *led, *second;

        add_led(f, "other::led", "1\n", "1\n", NULL);
        assert_ok(led_acquire(f->set, "status", "job one", &led));
        assert_string_equal(led_set_owner(f->set, "status"), "job one");
        assert_null(led_set_owner(f->set, "other::led"));
        assert_int_equal(led_acquire(f->set, "status", "job two", &second), -EBUSY);
        assert_ok(led_acquire(f->set, "other::led", "job two", &second));

        /* As another daemon would, which has a state of its own or shares ours. */
        assert_ok(led_set_new(f->sysfs, f->state, &other));
        assert_int_equal(led_acquire(other, "status", "job", &second), -EBUSY);
        assert_int_equal(led_set_recover(other), 0);
        assert_saved(f, "37 heartbeat");
        led_set_free(other);

        assert_ok(led_release(led));
        assert_null(led_set_owner(f->set, "status"));
        assert_ok(led_acquire(f->set, "status", "job two", &led));
}

/* Without triggers in the kernel, and where the trigger was "none", brightness is all there is. */
static void test_plain_led(void **state)
{
        Fixture *f = *state;
        Led *led;

        add_led(f, "bare", "3\n", "7\n", NULL);
        add_led(f, "none", "9\n", "9\n", "[none] timer\n");
        assert_ok(led_acquire(f->set, "bare", "job", &led));
        assert_ok(led_switch(led, true));
        assert_content(f, "sys/class/leds/bare/brightness", "7");
        assert_ok(led_release(led));
        assert_content(f, "sys/class/leds/bare/brightness", "3");
        assert_ok(led_acquire(f->set, "none", "job", &led));
        assert_ok(led_release(led));
        assert_content(f, "sys/class/leds/none/brightness", "9");
        assert_content(f, "sys/class/leds/none/trigger", "none");
}

/* A process that is killed while it owns the LED. */
static void crash_with_led(Fixture *f)
{
        int status;
        pid_t pid = fork();

        assert_return_code(pid, errno);
        if (pid == 0) {
                Led *led;

                if (led_acquire(f->set, "status", "job", &led) < 0 || led_switch(led, true) < 0)
                        _exit(1);
                _exit(42);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 42);
        assert_content(f, "sys/class/leds/status/brightness", "255");
        assert_content(f, "sys/class/leds/status/trigger", "none");
}

static void test_recover(void **state)
{
        Fixture *f = *state;

        assert_int_equal(led_set_recover(f->set), 0);
        crash_with_led(f);
        assert_int_equal(led_set_recover(f->set), 1);
        assert_content(f, "sys/class/leds/status/trigger", "heartbeat");
        assert_content(f, "sys/class/leds/status/brightness", "37");
        assert_no_state(f);
        assert_int_equal(led_set_recover(f->set), 0);
}

/* What the crashed owner saved survives the next owner where nobody recovered it in between. */
static void test_acquire_after_crash(void **state)
{
        Fixture *f = *state;
        Led *led;

        crash_with_led(f);
        assert_ok(led_acquire(f->set, "status", "job", &led));
        assert_ok(led_release(led));
        assert_content(f, "sys/class/leds/status/trigger", "heartbeat");
        assert_content(f, "sys/class/leds/status/brightness", "37");
}

static void test_recover_garbage(void **state)
{
        static const char *const texts[] = { "", "37", "37 \n", "x heartbeat\n", "37 heartbeat", "-1 timer\n" };
        Fixture *f = *state;
        _cleanup_free_ char *dir = fixture_path(f, "state/leds");

        assert_ok(mkdir_p(dir, 0700));
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                put(f, "state/leds/status", texts[i]);
                assert_int_equal(led_set_recover(f->set), 0);
                assert_no_state(f);
        }
        {
                _cleanup_buffer_ Buffer line = BUFFER_NULL;

                assert_ok(buffer_append_string(&line, "37 heartbeat"));
                assert_ok(seal_line(&line));
                line.data[1] ^= 1;
                put(f, "state/leds/status", line.data);
                assert_int_equal(led_set_recover(f->set), 0);
                assert_no_state(f);
        }
        put(f, "state/leds/gone", "1 timer\n");
        assert_int_equal(led_set_recover(f->set), 0);
        assert_content(f, "sys/class/leds/status/brightness", "37\n");
        assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
}

/* It blinks where its state can't be kept, and is given back. What a link leads to is left alone. */
static void test_unsaved(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *dir = fixture_path(f, "state/leds"), *other = fixture_path(f, "other");
        Led *led;

        for (unsigned i = 0; i < 3; i++) {
                if (i == 0) {
                        put(f, "state/leds", "");
                } else {
                        assert_ok(mkdir_p(other, 0700));
                        put(f, "other/precious", "1 timer\n");
                        assert_int_equal(symlink(i == 1 ? other : "leds", dir), 0);
                }
                assert_true(led_set_recover(f->set) < 0);
                assert_ok(led_acquire(f->set, "status", "job", &led));
                assert_int_equal(led_set_error(f->set), -ENOTDIR);
                assert_ok(led_release(led));
                assert_content(f, "sys/class/leds/status/trigger", "heartbeat");
                assert_content(f, "sys/class/leds/status/brightness", "37");
                if (i > 0)
                        assert_content(f, "other/precious", "1 timer\n");
                assert_int_equal(unlink(dir), 0);
        }
        assert_ok(led_acquire(f->set, "status", "job", &led));
        assert_int_equal(led_set_error(f->set), 0);
        assert_ok(led_release(led));
}

static void test_refused(void **state)
{
        static const char *const names[] = { "", ".", "..", "../leds/status", "a/b", "/sys", "a\nb" };
        Fixture *f = *state;
        Led *led;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_int_equal(led_acquire(f->set, names[i], "job", &led), -EINVAL);
        assert_int_equal(led_acquire(f->set, "absent", "job", &led), -ENODEV);
        add_led(f, "odd", "what\n", "1\n", NULL);
        assert_int_equal(led_acquire(f->set, "odd", "job", &led), -EIO);
        add_led(f, "half", "1\n", NULL, NULL);
        assert_int_equal(led_acquire(f->set, "half", "job", &led), -ENODEV);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_switch_and_restore, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_owner, setup, teardown),
                cmocka_unit_test_setup_teardown(test_plain_led, setup, teardown),
                cmocka_unit_test_setup_teardown(test_recover, setup, teardown),
                cmocka_unit_test_setup_teardown(test_acquire_after_crash, setup, teardown),
                cmocka_unit_test_setup_teardown(test_recover_garbage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unsaved, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        };

        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
