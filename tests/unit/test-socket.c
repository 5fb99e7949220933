/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_short), RUN(test_long), RUN(test_not_a_socket) };

        return cmocka_run_group_tests(tests, setup, teardown);
}
