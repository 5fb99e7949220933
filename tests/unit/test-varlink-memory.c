/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server whose allocations fail one after the other: each call is answered, or answered with the
 * service's error, or the connection ends; nothing leaks, and the next client is served.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/loop.h"
#include "varlink/frame.h"
#include "varlink/server.h"

#define I "org.example.test."
#define MAX_FAULTS 500

/* --- faults --- */

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);

static bool armed, hit;
static unsigned countdown;
static bool forever; /* all further ones fail as well */

static bool fails(void)
{
        if (!armed || (countdown > 0 && countdown-- > 0))
                return false;
        if (hit && !forever)
                return false;
        hit = true;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
        return fails() ? NULL : __real_reallocarray(p, n, size);
}

/* --- the service --- */

typedef struct Test {
        Loop *loop;
        VarlinkServer *server;
        Deferred later;
        VarlinkCall *call;
        int fd;
        char answers[65536];
        size_t n;
} Test;

static int answer(VarlinkCall *call, const char *text)
{
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "text");
        json_string(w, text);
        return varlink_call_end(call, false);
}

static int echo(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        return answer(call, json_get(parameters, "text")->string);
}

static void on_later(Deferred *deferred)
{
        Test *t = container_of(deferred, Test, later);

        (void)answer(t->call, "later");
        t->call = varlink_call_unref(t->call);
}

static int later(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Test *t = userdata;

        assert_null(t->call);
        t->call = varlink_call_ref(call);
        loop_defer(t->loop, &t->later);
        return 0;
}

static const VarlinkMethod methods[] = { { I "Echo", echo, 0 }, { I "Later", later, 0 }, {} };

static const char interface[] =
        "interface org.example.test\n"
        "method Echo(text: string) -> (text: string)\n"
        "method Later() -> (text: string)\n";

/* --- the client --- */

static void on_answer(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        Test *t = userdata;
        ssize_t n;

        n = read(fd, t->answers + t->n, sizeof(t->answers) - t->n);
        if (n > 0)
                t->n += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
                loop_exit(t->loop, 0);
}

/* Each answer is the expected one or the error, in order; the last may be cut off with what follows. */
static void check_answers(const Test *t, bool complete)
{
        static const char *const expected[] = {
                "{\"parameters\":{\"text\":\"first\"}}",
                "{\"parameters\":{\"text\":\"later\"}}",
                "{\"parameters\":{\"text\":\"last\"}}",
        };
        static const char failed[] =
                "{\"error\":\"org.example.test.Failed\",\"parameters\":{\"message\":\"Cannot allocate memory\"}}";
        size_t at = 0, i = 0;

        for (; at < t->n; i++) {
                assert_true(i < ARRAY_SIZE(expected));
                assert_non_null(memchr(t->answers + at, '\0', t->n - at));
                if (complete || !streq(t->answers + at, failed))
                        assert_string_equal(t->answers + at, expected[i]);
                at += strlen(t->answers + at) + 1;
        }
        if (complete)
                assert_int_equal(i, ARRAY_SIZE(expected));
}

/* One client from its connection to its end. Whether a fault was met. */
static bool serve_client(Test *t, bool faulty, unsigned nth)
{
        static const char calls[] =
                "{\"method\":\"" I "Echo\",\"parameters\":{\"text\":\"first\"}}\0"
                "{\"method\":\"" I "Echo\",\"parameters\":{\"text\":\"silent\"},\"oneway\":true}\0"
                "{\"method\":\"" I "Later\"}\0"
                "{\"method\":\"" I "Echo\",\"parameters\":{\"text\":\"last\"}}";
        IoSource *source;
        int fds[2];

        t->n = 0;
        hit = false;
        assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
        assert_ok(io_source_new(t->loop, fds[1], IO_READ, on_answer, t, &source));
        assert_int_equal(write(fds[1], calls, sizeof(calls)), sizeof(calls));
        assert_ok(shutdown(fds[1], SHUT_WR));

        countdown = nth;
        armed = faulty;
        (void)varlink_server_add_fd(t->server, fds[0]); /* closes it where it fails, which ends the loop too */
        assert_ok(loop_run(t->loop));
        armed = false;
        io_source_free(source);
        close(fds[1]);
        assert_int_equal(varlink_server_n_connections(t->server), 0);
        check_answers(t, !hit);
        return hit;
}

static void run(bool all_further)
{
        static const VarlinkServiceInfo info = { "a", "b", "c", "d", I "Failed" };
        unsigned n = 0;
        bool met = true;

        forever = all_further;
        log_set_max_level(LOG_EMERG);
        while (met) {
                Test t = { .later.callback = on_later };

                assert_true(n < MAX_FAULTS);
                assert_ok(loop_new(clock_system(), &t.loop));
                assert_ok(varlink_server_new(t.loop, &info, NULL, &t.server));
                assert_ok(varlink_server_add_interface(t.server, interface, methods, &t));
                met = serve_client(&t, true, n++);
                assert_false(serve_client(&t, false, 0));
                varlink_server_free(t.server);
                assert_null(t.call);
                loop_free(t.loop);
        }
        assert_true(n > 5);
}

static void test_one_fault(_unused_ void **state)
{
        run(false);
}

static void test_all_further_faults(_unused_ void **state)
{
        run(true);
}

/* The parser of interfaces, and all that a server sets up. */
static void test_setup(_unused_ void **state)
{
        static const VarlinkServiceInfo info = { "a", "b", "c", "d", NULL };
        Loop *loop;

        assert_ok(loop_new(clock_system(), &loop));
        forever = false;
        for (unsigned n = 0;; n++) {
                VarlinkServer *server = NULL;
                int r;

                assert_true(n < MAX_FAULTS);
                hit = false;
                countdown = n;
                armed = true;
                r = varlink_server_new(loop, &info, NULL, &server);
                if (r >= 0)
                        r = varlink_server_add_interface(server, interface, methods, NULL);
                armed = false;
                assert_int_equal(r, hit ? -ENOMEM : 0);
                varlink_server_free(server);
                if (!hit)
                        break;
        }
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_one_fault), RUN(test_all_further_faults), RUN(test_setup) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
