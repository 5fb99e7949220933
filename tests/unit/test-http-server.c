/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/socket.h"
#include "base/string-util.h"
#include "loop/http-server.h"

static struct {
        Loop *loop;
        HttpServer *server;
        unsigned fds;
} t;

static int on_hello(const HttpServerRequest *request, HttpServerReply *reply, void *userdata)
{
        assert_string_equal(userdata, "userdata");
        reply->content_type = "application/json";
        return buffer_appendf(&reply->body, "{\"query\": \"%s\", \"accept\": \"%s\"}", request->query, request->accept);
}

static int on_ill(_unused_ const HttpServerRequest *request, HttpServerReply *reply, _unused_ void *userdata)
{
        reply->status = 503;
        return 0;
}

static int on_fail(_unused_ const HttpServerRequest *request, _unused_ HttpServerReply *reply, _unused_ void *userdata)
{
        return -EIO;
}

static const HttpServerRoute routes[] = {
        { "/hello", on_hello },
        { "/ill", on_ill },
        { "/fail", on_fail },
};

static int try_server(const char *address, HttpServer **ret, const char **ret_problem)
{
        return http_server_new(t.loop, address, routes, ARRAY_SIZE(routes), (char *)"userdata", ret, ret_problem);
}

static int connect_port(int family, uint16_t port)
{
        struct sockaddr_in ipv4 = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port),
        };
        struct sockaddr_in6 ipv6 = {
                .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port),
        };
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(fd, errno);
        if (family == AF_INET)
                assert_return_code(connect(fd, (struct sockaddr *)&ipv4, sizeof(ipv4)), errno);
        else
                assert_return_code(connect(fd, (struct sockaddr *)&ipv6, sizeof(ipv6)), errno);
        return fd;
}

static void on_answer(IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        Buffer *answer = userdata;
        char data[4096];
        ssize_t n = read(fd, data, sizeof(data));

        if (n > 0) {
                assert_ok(buffer_append(answer, data, (size_t)n));
                return;
        }
        io_source_free(source);
        loop_exit(t.loop, 0);
}

/* Sends REQUEST on FD, which it closes; returns all that comes until the server closes. */
static char *exchange_fd(int fd, const char *request)
{
        Buffer answer = BUFFER_NULL;
        IoSource *source;

        assert_ok(write_all(fd, request, strlen(request)));
        assert_ok(io_source_new(t.loop, fd, IO_READ, on_answer, &answer, &source));
        assert_ok(loop_run(t.loop));
        close(fd);
        return buffer_steal(&answer);
}

static char *exchange(const char *method, const char *target)
{
        _cleanup_free_ char *request = xasprintf("%s %s HTTP/1.1\r\nHost: x\r\nAccept: text/x\r\n"
                                                 "Connection: close\r\n\r\n", method, target);

        return exchange_fd(connect_port(AF_INET, http_server_port(t.server)), request);
}

static void test_routes(_unused_ void **state)
{
        static const struct {
                const char *method, *target, *begin, *end, *contains;
        } table[] = {
                { "GET", "/hello?a=b%20c", "HTTP/1.1 200 OK\r\n",
                  "\r\n\r\n{\"query\": \"a=b%20c\", \"accept\": \"text/x\"}", "Content-Type: application/json\r\n" },
                { "GET", "/hello", "HTTP/1.1 200 OK\r\n", "\"query\": \"\", \"accept\": \"text/x\"}",
                  "Content-Length: 33\r\n" },
                { "HEAD", "/hello", "HTTP/1.1 200 OK\r\n", "\r\n\r\n", "Content-Length: 33\r\n" },
                { "POST", "/hello", "HTTP/1.1 405 ", "\n", "Allow: GET, HEAD\r\n" },
                { "DELETE", "/hello", "HTTP/1.1 405 ", "\n", "" },
                { "GET", "/", "HTTP/1.1 404 ", "\n", "" },
                { "GET", "/hello/", "HTTP/1.1 404 ", "\n", "" },
                { "GET", "/ill", "HTTP/1.1 503 ", "\r\n\r\n", "Content-Length: 0\r\n" },
                { "GET", "/fail", "HTTP/1.1 500 ", "\r\n\r\n", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *answer = exchange(table[i].method, table[i].target);
                size_t n = strlen(answer), end = strlen(table[i].end);

                if (!startswith(answer, table[i].begin) || !strstr(answer, table[i].contains) || n < end ||
                    !streq(answer + n - end, table[i].end))
                        fail_msg("%s %s: %s", table[i].method, table[i].target, answer);
        }
}

static void test_bad_requests(_unused_ void **state)
{
        static const char *const requests[] = {
                "GARBAGE\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "BREW /hello HTTP/1.1\r\n\r\n",
                "GET http://[::1 HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nno colon\r\n\r\n",
                "POST /hello HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                "POST /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        };
        _cleanup_free_ char *last = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                int fd = connect_port(AF_INET, http_server_port(t.server));
                _cleanup_free_ char *answer = NULL;

                assert_ok(write_all(fd, requests[i], strlen(requests[i])));
                /* Nothing more will come: for the requests that evhttp waits on. */
                assert_int_equal(shutdown(fd, SHUT_WR), 0);
                answer = exchange_fd(fd, "");
                assert_false(startswith(answer, "HTTP/1.1 2"));
        }
        last = exchange("GET", "/hello");
        assert_non_null(startswith(last, "HTTP/1.1 200"));
}

/* Beyond the cap connections wait; they are served when others end. */
static void test_connection_cap(_unused_ void **state)
{
        int idle[HTTP_SERVER_CONNECTIONS_MAX + 8];
        _cleanup_free_ char *answer = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
                idle[i] = connect_port(AF_INET, http_server_port(t.server));
        for (size_t i = 0; i < HTTP_SERVER_CONNECTIONS_MAX; i++) {
                _cleanup_free_ char *one = NULL;

                one = exchange_fd(idle[i], "GET /ill HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                assert_non_null(startswith(one, "HTTP/1.1 503"));
                assert_true(http_server_connections(t.server) <= HTTP_SERVER_CONNECTIONS_MAX);
        }
        answer = exchange("GET", "/hello"); /* behind the last ones in the queue */
        assert_non_null(startswith(answer, "HTTP/1.1 200"));
        assert_int_equal(http_server_connections(t.server), ARRAY_SIZE(idle) - HTTP_SERVER_CONNECTIONS_MAX);
        for (size_t i = HTTP_SERVER_CONNECTIONS_MAX; i < ARRAY_SIZE(idle); i++)
                close(idle[i]);
}

static void on_exit_timer(_unused_ Timer *timer, _unused_ usec_t now)
{
        loop_exit(t.loop, 0);
}

/* Without descriptors the loop does not spin, and serves again when there are some. */
static void test_no_descriptors(_unused_ void **state)
{
        Timer timer = { .callback = on_exit_timer };
        struct rlimit saved, none;
        struct rusage before, after;
        char data[16];
        int fd = connect_port(AF_INET, http_server_port(t.server));

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
        none = saved;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        getrusage(RUSAGE_SELF, &before);
        assert_ok(timer_arm_after(loop_timers(t.loop), &timer, USEC_PER_SEC / 2));
        assert_ok(loop_run(t.loop));
        getrusage(RUSAGE_SELF, &after);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        assert_int_equal(http_server_connections(t.server), 0);
        assert_true(after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw < 10000);
        assert_int_equal(recv(fd, data, sizeof(data), MSG_DONTWAIT), -1);
        free(exchange_fd(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
}

static void test_localhost(_unused_ void **state)
{
        HttpServer *server, *second;
        int fd;

        assert_ok(try_server("localhost:0", &server, NULL));
        assert_int_not_equal(http_server_port(server), 0);
        close(connect_port(AF_INET, http_server_port(server)));
        fd = socket(AF_INET6, SOCK_STREAM, 0);
        if (fd >= 0) {
                struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

                if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
                        char text[32];

                        close(connect_port(AF_INET6, http_server_port(server)));
                        (void)snprintf(text, sizeof(text), "[::1]:%u", http_server_port(server));
                        assert_int_equal(try_server(text, &second, NULL), -EADDRINUSE);
                }
                close(fd);
        }
        http_server_free(server);
}

static void test_addresses_refused(_unused_ void **state)
{
        static const char *const table[] = {
                "", ":80", "80", "0.0.0.0:80", "192.168.1.1:80", "[::]:80", "::1:80", "[::1]", "[::1:80", "::1]:80",
                "localhost", "localhost:", "localhost:65536", "localhost:x", "example.org:80", "127.0.0.1:-1", "a/b",
                "[]:80", "]:80", "[127.0.0.1:80",
        };
        HttpServer *server = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                const char *problem = NULL;

                assert_int_equal(try_server(table[i], &server, &problem), -EINVAL);
                assert_non_null(problem);
                assert_null(server);
        }
}

static void test_unix_socket(_unused_ void **state)
{
        char dir[] = "/tmp/test-http-server.XXXXXX";
        _cleanup_free_ char *path = NULL, *lock = NULL, *answer = NULL;
        HttpServer *server, *second;
        int stale, lock_fd;

        assert_non_null(mkdtemp(dir));
        path = path_join(dir, "status.sock");
        lock = path_join(dir, "status.sock.lock");
        stale = unix_listen(path, 0600, &lock_fd);
        assert_ok(stale);
        close(stale);
        close(lock_fd);
        assert_int_equal(access(path, F_OK), 0);

        assert_ok(try_server(path, &server, NULL));
        assert_int_equal(http_server_port(server), 0);
        assert_int_equal(try_server(path, &second, NULL), -EADDRINUSE);
        answer = exchange_fd(unix_connect(path), "GET /hello HTTP/1.0\r\n\r\n");
        assert_non_null(strstr(answer, "{\"query\""));
        http_server_free(server);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(unlink(lock), 0);
        assert_int_equal(rmdir(dir), 0);
}

static unsigned count_fds(void)
{
        _cleanup_(closedirp) DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(dir))
                n++;
        return n;
}

static int setup(_unused_ void **state)
{
        t.fds = count_fds();
        assert_ok(loop_new(clock_system(), &t.loop));
        assert_ok(try_server("127.0.0.1:0", &t.server, NULL));
        return 0;
}

static int teardown(_unused_ void **state)
{
        /* A connection of its own that is open when the server goes. */
        int fd = connect_port(AF_INET, http_server_port(t.server));

        t.server = http_server_free(t.server);
        t.loop = loop_free(t.loop);
        close(fd);
        assert_int_equal(count_fds(), t.fds);
        return 0;
}

#define SERVER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                SERVER_TEST(test_routes),         SERVER_TEST(test_bad_requests), SERVER_TEST(test_connection_cap),
                SERVER_TEST(test_no_descriptors), SERVER_TEST(test_localhost),    SERVER_TEST(test_addresses_refused),
                SERVER_TEST(test_unix_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
