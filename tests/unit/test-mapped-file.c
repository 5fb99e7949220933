/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mapped-file.h"
#include "base/string-util.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

typedef struct Fixture {
        char root[32];
        char *dir, *path, *new_path;
        MappedFile *file;
} Fixture;

static int setup(void **state)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        (void)snprintf(f->root, sizeof(f->root), "/tmp/test-mapped.XXXXXX");
        assert_non_null(mkdtemp(f->root));
        f->dir = path_join(f->root, "state");
        f->path = path_join(f->dir, "file");
        f->new_path = path_join(f->dir, "file.new");
        assert_int_equal(mkdir(f->dir, 0700), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        mapped_file_free(f->file);
        (void)unlink(f->path);
        (void)rmdir(f->dir);
        assert_int_equal(rmdir(f->root), 0);
        free(f->dir);
        free(f->path);
        free(f->new_path);
        free(f);
        return 0;
}

/* Of PAGES pages, of which each is numbered at its beginning. */
static char *make(Fixture *f, size_t pages)
{
        char *data;

        assert_ok(mapped_file_new(f->path, pages * PAGE, 4096 * PAGE, &f->file));
        data = mapped_file_data(f->file);
        for (size_t i = 0; i < pages; i++)
                data[i * PAGE] = (char)('a' + i % 26);
        return data;
}

static void assert_in_file(Fixture *f, size_t pages)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        assert_ok(read_plain_file(f->path, 4096 * PAGE, &text));
        assert_int_equal(text.len, pages * PAGE);
        assert_memory_equal(text.data, mapped_file_data(f->file), pages * PAGE);
}

static int rename_error; /* 0: rename(2) does what it does */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
        errno = rename_error;
        return rename_error > 0 ? -1 : __real_rename(from, to);
}

static void set_full(bool full)
{
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = full ? 0 : limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_name_comes_last(void **state)
{
        Fixture *f = *state;
        char *data = make(f, 3);

        assert_int_equal(mapped_file_error(f->file), 0);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_int_equal(access(f->path, F_OK), -1);
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_keep(f->file), 0);
        data[5] = 'x';
        assert_in_file(f, 3);
        assert_int_equal(access(f->new_path, F_OK), -1);
        /* One that is given up before leaves nothing. */
        f->file = mapped_file_free(f->file);
        assert_int_equal(unlink(f->path), 0);
        (void)make(f, 1);
        f->file = mapped_file_free(f->file);
        assert_int_equal(rmdir(f->dir), 0);
}

static void test_growth(void **state)
{
        Fixture *f = *state;
        char *data = make(f, 2);

        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_grow(f->file, 5000 * PAGE), -E2BIG);
        assert_ok(mapped_file_grow(f->file, 4 * PAGE));
        assert_ptr_equal(mapped_file_data(f->file), data);
        data[4 * PAGE - 1] = 'z';
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 4);
}

/* Without a directory it is memory, and a file when there is one again: in turns. */
static void test_without_directory(void **state)
{
        Fixture *f = *state;
        unsigned turns = 0;
        int r;

        assert_int_equal(rmdir(f->dir), 0);
        (void)make(f, 1000);
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_error(f->file), -ENOENT);
        assert_int_equal(mapped_file_keep(f->file), -ENOENT);
        assert_ok(mapped_file_grow(f->file, 1001 * PAGE));
        assert_int_equal(mkdir(f->dir, 0700), 0);
        while ((r = mapped_file_keep(f->file)) > 0) {
                assert_int_equal(access(f->path, F_OK), -1);
                turns++;
        }
        assert_int_equal(r, 0);
        assert_int_equal(turns, (1001 * PAGE + MAPPED_FILE_TURN - 1) / MAPPED_FILE_TURN - 1);
        assert_in_file(f, 1001);
        ((char *)mapped_file_data(f->file))[77] = 'x';
        assert_in_file(f, 1001);
}

static void test_full_disk(void **state)
{
        Fixture *f = *state;
        char *data = make(f, 2);

        mapped_file_commit(f->file);
        set_full(true);
        assert_ok(mapped_file_grow(f->file, 4 * PAGE));
        assert_int_equal(mapped_file_error(f->file), -EFBIG);
        data[3 * PAGE] = 'x';
        assert_int_equal(mapped_file_keep(f->file), -EFBIG);
        assert_ok(mapped_file_grow(f->file, 8 * PAGE));
        data[7 * PAGE] = 'y';
        set_full(false);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_int_equal(mapped_file_error(f->file), 0);
        assert_in_file(f, 8);
        f->file = mapped_file_free(f->file);

        set_full(true);
        (void)make(f, 2);
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_error(f->file), -EFBIG);
        assert_int_equal(access(f->new_path, F_OK), -1);
        set_full(false);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 2);
}

static void test_taken_away(void **state)
{
        Fixture *f = *state;
        char *data = make(f, 3);

        mapped_file_commit(f->file);
        assert_int_equal(unlink(f->path), 0);
        data[1] = 'x';
        assert_int_equal(mapped_file_keep(f->file), -ENOENT);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 3);
        /* Another one in its place, which we are not to write to. */
        assert_ok(write_file_atomic(f->path, "other", 5, 0600, false));
        assert_int_equal(mapped_file_keep(f->file), -ENOENT);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 3);
}

/* The new file gets no name, and the next process must not take the old one for it. */
static void test_name_is_refused(void **state)
{
        Fixture *f = *state;

        assert_ok(write_file_atomic(f->path, "old", 3, 0600, false));
        (void)make(f, 1);
        rename_error = EBUSY;
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_error(f->file), -EBUSY);
        assert_int_equal(mapped_file_keep(f->file), -EBUSY);
        assert_int_equal(access(f->path, F_OK), -1);
        assert_false(mapped_file_is_stale(f->file));
        rename_error = 0;
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 1);
}

/* Another file has the name until now: one that can't be kept whole does not take it. */
static void test_replace(void **state)
{
        Fixture *f = *state;
        MappedFile *old;

        (void)make(f, 2);
        mapped_file_commit(f->file);
        mapped_file_commit(f->file);
        assert_in_file(f, 2);
        old = f->file;

        (void)make(f, 4);
        rename_error = ENOSPC;
        assert_int_equal(mapped_file_replace(f->file), -ENOSPC);
        rename_error = 0;
        mapped_file_free(f->file);

        /* A page that the disk does not give. */
        assert_ok(mapped_file_new(f->path, 4 * PAGE, 4096 * PAGE, &f->file));
        assert_int_equal(truncate(f->new_path, (off_t)PAGE), 0);
        ((char *)mapped_file_data(f->file))[2 * PAGE] = 'c';
        assert_int_equal(mapped_file_replace(f->file), -EIO);
        mapped_file_free(f->file);
        f->file = old;
        assert_in_file(f, 2);

        (void)make(f, 4);
        assert_ok(mapped_file_replace(f->file));
        mapped_file_free(old);
        assert_in_file(f, 4);
}

static void test_directory_in_its_place(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *inside = path_join(f->path, "inside");

        assert_int_equal(mkdir(f->path, 0700), 0);
        assert_int_equal(mkdir(f->new_path, 0700), 0);
        (void)make(f, 1);
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 1);
        f->file = mapped_file_free(f->file);
        assert_int_equal(unlink(f->path), 0);

        assert_int_equal(mkdir(f->path, 0700), 0);
        assert_int_equal(mkdir(inside, 0700), 0);
        (void)make(f, 1);
        mapped_file_commit(f->file);
        assert_int_equal(mapped_file_error(f->file), -EISDIR);
        assert_int_equal(mapped_file_keep(f->file), -EISDIR);
        assert_int_equal(rmdir(inside), 0);
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 1);
}

/* The kernel has no page to give, as the file ends before it: SIGBUS. */
static void test_lost_pages(void **state)
{
        Fixture *f = *state;
        char *data = make(f, 600);

        mapped_file_commit(f->file);
        assert_int_equal(truncate(f->path, (off_t)PAGE), 0);
        assert_int_equal(data[0], 'a');
        assert_int_equal(data[PAGE], 0);
        data[2 * PAGE + 7] = 'x';
        assert_int_equal(data[2 * PAGE], 0);
        assert_int_equal(data[2 * PAGE + 7], 'x');
        assert_int_equal(mapped_file_error(f->file), -EIO);
        assert_int_equal(mapped_file_take_lost(f->file), 2);
        assert_int_equal(mapped_file_take_lost(f->file), 0);
        assert_int_equal(mapped_file_keep(f->file), -EIO);
        /* The copy comes to all other pages. */
        while (mapped_file_keep(f->file) > 0)
                continue;
        assert_int_equal(mapped_file_error(f->file), 0);
        assert_int_equal(mapped_file_take_lost(f->file), 597);
        assert_in_file(f, 600);
        assert_int_equal(data[0], 'a');
        assert_int_equal(data[2 * PAGE + 7], 'x');
        data[599 * PAGE] = 'y';
        assert_int_equal(mapped_file_keep(f->file), 0);
        assert_in_file(f, 600);
}

/* That of memory that isn't of such a file ends the process as ever. */
static void test_signal_of_others(void **state)
{
        Fixture *f = *state;
        int status;
        pid_t pid;

        (void)make(f, 1);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd = open(f->new_path, O_RDWR | O_CLOEXEC);
                char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

                map[PAGE] = 'x';
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGBUS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_name_comes_last), TEST(test_growth), TEST(test_without_directory), TEST(test_full_disk),
                TEST(test_taken_away), TEST(test_name_is_refused), TEST(test_replace),
                TEST(test_directory_in_its_place), TEST(test_lost_pages), TEST(test_signal_of_others),
        };

        (void)signal(SIGXFSZ, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
