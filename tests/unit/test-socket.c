/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory-lock.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/string-util.h"

static char root[] = "/tmp/test-socket.XXXXXX";

static int setup(_unused_ void **state)
{
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(_unused_ void **state)
{
        _cleanup_free_ char *command = xasprintf("rm -rf '%s'", root);

        return command && system(command) == 0 ? 0 : -1;
}

/* Serves, is refused a second time, is taken over when stale; as deep as LEVELS directories go. */
static void check_path(unsigned levels)
{
        _cleanup_close_ int fd = -1, lock = -1, client = -1, other = -1, other_lock = -1;
        _cleanup_free_ char *path = NULL;
        _cleanup_buffer_ Buffer dir = BUFFER_NULL;
        struct stat st;

        assert_ok(buffer_append_string(&dir, root));
        for (unsigned i = 0; i < levels; i++)
                assert_ok(buffer_append_string(&dir, "/a-directory-with-a-long-name"));
        assert_ok(mkdir_p(dir.data, 0755));
        path = path_join(dir.data, "x.sock");

        assert_int_equal(unix_connect(path), -ENOENT);
        fd = unix_listen(path, 0660, &lock);
        assert_ok(fd);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0660);
        client = unix_connect(path);
        assert_ok(client);
        assert_int_equal(unix_listen(path, 0660, &other_lock), -EADDRINUSE);

        /* Served without the lock, as by a service manager. */
        lock = safe_close(lock);
        assert_int_equal(unix_listen(path, 0660, &other_lock), -EADDRINUSE);
        assert_int_equal(other_lock, -1);

        /* Left behind. */
        fd = safe_close(fd);
        assert_int_equal(unix_connect(path), -ECONNREFUSED);
        other = unix_listen(path, 0600, &other_lock);
        assert_ok(other);
}

static void test_short(_unused_ void **state)
{
        check_path(1);
}

static void test_long(_unused_ void **state)
{
        check_path(8);
}

static void test_not_a_socket(_unused_ void **state)
{
        _cleanup_free_ char *path = path_join(root, "file");
        char name[300];
        int lock = -1;

        assert_ok(write_file_atomic(path, "x", 1, 0600, false));
        assert_int_equal(unix_listen(path, 0600, &lock), -EEXIST);
        assert_int_equal(lock, -1);
        assert_int_equal(unix_connect(""), -EINVAL);
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(unix_connect(name), -ENAMETOOLONG);
        name[0] = '/';
        assert_int_equal(unix_connect(name), -ENAMETOOLONG);
}

/* --- locks on a directory --- */

static void test_lock(_unused_ void **state)
{
        _cleanup_free_ char *file = path_join(root, "plain"), *missing = path_join(root, "missing"), *command = NULL;
        _cleanup_close_ int fd = directory_lock(root), marked = directory_open(root);

        assert_true(fd >= 0 && marked >= 0);
        assert_int_equal(directory_lock(root), -EBUSY);
        /* What is in it is nothing to it, nor are marks. */
        assert_ok(write_file_atomic(file, "x", 1, 0600, false));
        command = xasprintf("rm -rf '%s'/*", root);
        assert_int_equal(system(command), 0);
        assert_ok(directory_mark(marked, 7));
        assert_int_equal(directory_lock(root), -EBUSY);
        fd = safe_close(fd);
        fd = directory_lock(root);
        assert_true(fd >= 0);
        assert_int_equal(directory_lock(missing), -ENOENT);
        assert_int_equal(directory_open("/dev/null"), -ENOTDIR);
}

/* PIDS: those that are skipped, up to 0. */
static bool is_in(pid_t pid, void *pids)
{
        for (const pid_t *p = pids; *p > 0; p++)
                if (*p == pid)
                        return true;
        return false;
}

static void test_marks(_unused_ void **state)
{
        static const pid_t pids[] = { 4194304, 2, 1, 300 };
        static pid_t none[] = { 0 }, some[] = { 1, 300, 4194304, 0 }, others[] = { 2, 300, 0 }, all[] = { 300, 4194304, 1, 2, 0 };
        _cleanup_close_ int fd = directory_open(root);
        int marks[ARRAY_SIZE(pids)];

        assert_int_equal(directory_find_mark(fd, is_in, none), 0);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                marks[i] = directory_open(root);
                assert_ok(directory_mark(marks[i], pids[i]));
        }
        assert_true(is_in(directory_find_mark(fd, is_in, none), all));
        assert_int_equal(directory_find_mark(fd, is_in, some), 2);
        assert_true(directory_find_mark(fd, is_in, others) == 1 || directory_find_mark(fd, is_in, others) == 4194304);
        assert_int_equal(directory_find_mark(fd, is_in, all), 0);
        /* One's own does not stand in one's way; one goes with the last copy of its descriptor. */
        assert_int_equal(directory_find_mark(marks[1], is_in, some), 0);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                int copy = dup(marks[i]);

                assert_return_code(close(marks[i]), errno);
                assert_true(directory_find_mark(fd, is_in, none) > 0);
                assert_return_code(close(copy), errno);
        }
        assert_int_equal(directory_find_mark(fd, is_in, none), 0);
}

/* The marks of a place outlive the directory, and are of one name and kind. */
static void test_place(_unused_ void **state)
{
        _cleanup_free_ char *there = path_join(root, "there"), *other = path_join(root, "other");
        _cleanup_close_ int fd = directory_open_place(there), marked = directory_open_place(there), open_root = directory_open(root);
        _cleanup_close_ int liar = directory_open_place(there);
        pid_t none[] = { 0 }, self[] = { getpid(), 0 };

        assert_true(fd >= 0 && marked >= 0 && liar >= 0);
        assert_return_code(mkdir(there, 0700), errno);
        assert_ok(directory_mark_place(marked, there, PLACE_HELPER, getpid()));
        assert_int_equal(directory_find_place_mark(fd, there, PLACE_HELPER, is_in, none), getpid());
        assert_return_code(rmdir(there), errno);
        assert_int_equal(directory_find_place_mark(fd, there, PLACE_HELPER, is_in, none), getpid());
        assert_int_equal(directory_find_place_mark(fd, there, PLACE_HELPER, is_in, self), 0);
        assert_int_equal(directory_find_place_mark(fd, there, PLACE_DAEMON, is_in, none), 0);
        assert_int_equal(directory_find_place_mark(fd, other, PLACE_HELPER, is_in, none), 0);
        assert_int_equal(directory_find_place_mark(marked, there, PLACE_HELPER, is_in, none), 0);
        assert_int_equal(directory_find_mark(open_root, is_in, none), 0);
        /* Who names another process, or one that is not there, is not believed. */
        assert_ok(directory_mark_place(liar, other, PLACE_HELPER, getppid()));
        assert_ok(directory_mark_place(liar, other, PLACE_HELPER, 4194303));
        assert_int_equal(directory_find_place_mark(fd, other, PLACE_HELPER, is_in, none), 0);
        assert_ok(directory_mark_place(marked, other, PLACE_HELPER, getpid()));
        assert_int_equal(directory_find_place_mark(fd, other, PLACE_HELPER, is_in, none), getpid());
        marked = safe_close(marked);
        assert_int_equal(directory_find_place_mark(fd, there, PLACE_HELPER, is_in, none), 0);
        assert_int_equal(safe_close(directory_open_place("name-alone")), -1);
        assert_int_equal(directory_open_place("/dev/null/x"), -ENOTDIR);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_short), RUN(test_long), RUN(test_not_a_socket), RUN(test_lock), RUN(test_marks), RUN(test_place),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
