/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "varlink/frame.h"

typedef struct Pipe {
        VarlinkFrames frames;
        int fds[2];
} Pipe;

static Pipe pipe_new(size_t max_message)
{
        Pipe p = { .frames = VARLINK_FRAMES_INIT(max_message) };

        assert_ok(pipe2(p.fds, O_NONBLOCK | O_CLOEXEC));
        return p;
}

static void pipe_free(Pipe *p)
{
        varlink_frames_deinit(&p->frames);
        close(p->fds[0]);
        close(p->fds[1]);
}

static void feed(Pipe *p, const char *bytes, size_t n)
{
        assert_ok(write_all(p->fds[1], bytes, n));
        assert_int_equal(varlink_frames_read(&p->frames, p->fds[0]), n);
}

static void assert_next(Pipe *p, const char *expected)
{
        const char *message;
        size_t n;

        assert_int_equal(varlink_frames_next(&p->frames, &message, &n), 1);
        assert_int_equal(n, strlen(expected));
        assert_string_equal(message, expected);
}

static void assert_none(Pipe *p)
{
        const char *message;
        size_t n;

        assert_int_equal(varlink_frames_next(&p->frames, &message, &n), 0);
}

static void test_cuts(_unused_ void **state)
{
        static const char bytes[] = "one\0two\0\0three";
        Pipe p = pipe_new(100);

        /* However the stream is cut in two, and byte by byte. */
        for (size_t cut = 1; cut < sizeof(bytes); cut++) {
                const char *message;
                unsigned n_messages = 0;
                size_t n;

                feed(&p, bytes, cut);
                while (varlink_frames_next(&p.frames, &message, &n) > 0)
                        n_messages++;
                feed(&p, bytes + cut, sizeof(bytes) - cut);
                while (varlink_frames_next(&p.frames, &message, &n) > 0)
                        n_messages++;
                assert_int_equal(n_messages, 4);
                assert_string_equal(message, "three");
        }
        for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
                assert_none(&p);
                feed(&p, bytes + i, 1);
                if (!bytes[i]) {
                        assert_next(&p, i == 3 ? "one" : i == 7 ? "two" : "");
                        assert_int_equal(varlink_frames_pending(&p.frames), 0);
                }
        }
        /* Bytes that were looked at are not looked at again. */
        assert_none(&p);
        assert_int_equal(p.frames.scanned, 5);
        assert_int_equal(varlink_frames_read(&p.frames, p.fds[0]), -EAGAIN);
        pipe_free(&p);
}

static void test_caps(_unused_ void **state)
{
        Pipe p = pipe_new(4);
        const char *message;
        size_t n;

        feed(&p, "1234\0", 5);
        assert_next(&p, "1234");
        feed(&p, "1234", 4);
        assert_none(&p);
        feed(&p, "5", 1);
        assert_int_equal(varlink_frames_next(&p.frames, &message, &n), -EMSGSIZE);
        pipe_free(&p);

        p = pipe_new(4);
        feed(&p, "a\0" "12345\0", 8);
        assert_next(&p, "a");
        assert_int_equal(varlink_frames_next(&p.frames, &message, &n), -EMSGSIZE);
        pipe_free(&p);
}

static void test_memory(_unused_ void **state)
{
        enum { SIZE = 60000 };
        _cleanup_free_ char *bytes = new0(char, SIZE);
        Pipe p = pipe_new(SIZE);
        const char *message;
        size_t n, large;

        memset(bytes, 'x', SIZE - 1);
        for (size_t sent = 0; sent < SIZE; sent += 4000)
                feed(&p, bytes + sent, 4000);
        large = p.frames.buffer.allocated;
        varlink_frames_trim(&p.frames);
        assert_int_equal(p.frames.buffer.allocated, large);
        assert_int_equal(varlink_frames_next(&p.frames, &message, &n), 1);
        assert_int_equal(n, SIZE - 1);
        varlink_frames_trim(&p.frames);
        assert_int_equal(p.frames.buffer.allocated, 0);
        feed(&p, "a\0", 2);
        assert_next(&p, "a");

        close(p.fds[1]);
        p.fds[1] = -1;
        assert_int_equal(varlink_frames_read(&p.frames, p.fds[0]), 0);
        pipe_free(&p);
}

/* Who sends much at once is read from in larger pieces, but never without bound. */
static void test_growth(_unused_ void **state)
{
        enum { SIZE = 50000, N = 20 };
        _cleanup_free_ char *bytes = new0(char, SIZE);
        Pipe p = pipe_new(SIZE);
        const char *message;
        size_t n, n_messages = 0, largest = 0, total = 0;

        for (unsigned i = 0; i < N; i++) {
                ssize_t k;

                assert_ok(write_all(p.fds[1], bytes, SIZE));
                while ((k = varlink_frames_read(&p.frames, p.fds[0])) > 0) {
                        total += (size_t)k;
                        largest = MAX(largest, (size_t)k);
                        while (varlink_frames_next(&p.frames, &message, &n) > 0)
                                n_messages++;
                        varlink_frames_trim(&p.frames);
                }
                assert_int_equal(k, -EAGAIN);
        }
        assert_int_equal(total, SIZE * N);
        assert_int_equal(n_messages, SIZE * N);
        assert_in_range(largest, 8192, 16384);
        assert_in_range(p.frames.buffer.allocated, largest, 16384);
        pipe_free(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_cuts), RUN(test_caps), RUN(test_memory), RUN(test_growth) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
