/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The HTTP client against the servers that http-client.sh starts and names in the environment. */
#include "tests/unit/test.h"

#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/string-util.h"
#include "drivers/http.h"

#define TIMEOUT (20 * USEC_PER_SEC) /* for what must not time out */

/* What a callback kept of its response. */
typedef struct Outcome {
        Loop *loop;
        unsigned *pending; /* the loop is left when it falls to 0 */
        unsigned calls;
        char *error, *message, *body, *content_type, *etag, *last_modified, *url, *ip;
        size_t body_size;
        HttpResponse response; /* without the strings */
} Outcome;

static struct {
        Loop *loop;
        HttpClient *client;
        const char *nginx, *odd, *closed, *ca, *socket_path, *tls_port;
} t;

static void on_done(_unused_ HttpTransfer *transfer, const HttpResponse *response, void *userdata)
{
        Outcome *o = userdata;

        o->calls++;
        o->response = *response;
        o->error = response->error ? strdup(response->error) : NULL;
        o->message = strdup(response->message);
        o->content_type = strdup(response->content_type);
        o->etag = strdup(response->etag);
        o->last_modified = strdup(response->last_modified);
        o->url = strdup(response->url);
        o->ip = strdup(response->remote_ip);
        o->body_size = response->body->len;
        o->body = buffer_steal(response->body);
        if (--*o->pending == 0)
                loop_exit(t.loop, 0);
}

static void outcome_deinit(Outcome *o)
{
        char *strings[] = { o->error, o->message, o->body, o->content_type, o->etag, o->last_modified, o->url, o->ip };

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        *o = (Outcome){};
}
#define _cleanup_outcome_ _cleanup_(outcome_deinit)

static HttpRequest *request_new(const HttpOptions *options)
{
        HttpOptions copy = options ? *options : (HttpOptions){};
        HttpRequest *request;

        copy.timeout = copy.timeout ?: TIMEOUT;
        assert_ok(http_request_new(&copy, &request, NULL));
        return request;
}

static Outcome fetch_start(const HttpOptions *options, const HttpStart *start)
{
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(options);
        unsigned pending = 1;
        Outcome o = { .pending = &pending };

        assert_ok(http_transfer_start(t.client, request, start, on_done, &o, NULL));
        assert_int_equal(o.calls, 0);
        assert_ok(loop_run(t.loop));
        assert_int_equal(o.calls, 1);
        o.pending = NULL;
        return o;
}

static Outcome fetch(const HttpOptions *options, const char *base, const char *path)
{
        _cleanup_free_ char *url = xasprintf("%s%s", base, path);
        HttpOptions copy = options ? *options : (HttpOptions){};

        copy.url = url;
        copy.validators = true;
        return fetch_start(&copy, &(HttpStart){});
}

static void assert_fails(const HttpOptions *options, const char *base, const char *path, const char *error,
                         const char *text)
{
        _cleanup_outcome_ Outcome o = fetch(options, base, path);

        if (!o.error || !streq(o.error, error) || !strstr(o.message, text))
                fail_msg("%s%s: %s (%s), not %s (%s)", base, path, o.error ?: "no error", o.message, error, text);
}

static void test_get(_unused_ void **state)
{
        _cleanup_outcome_ Outcome first = fetch(NULL, t.nginx, "/"), second = fetch(NULL, t.nginx, "/");
        _cleanup_outcome_ Outcome missing = fetch(NULL, t.nginx, "/missing");

        assert_null(first.error);
        assert_string_equal(first.message, "");
        assert_int_equal(first.response.status, 200);
        assert_string_equal(first.body, "{\"answer\": 42}\n");
        assert_string_equal(first.content_type, "application/json");
        assert_string_equal(first.ip, "127.0.0.1");
        assert_true(strlen(first.etag) > 0 && strlen(first.last_modified) > 0);
        assert_int_equal(first.response.http_version, 11);
        assert_int_equal(first.response.bytes_received, 15);
        assert_false(first.response.reused);
        assert_true(first.response.timing.connect > 0 && first.response.timing.tls == 0);
        assert_true(first.response.timing.first_byte >= first.response.timing.connect);
        assert_true(first.response.timing.total >= first.response.timing.first_byte);
        assert_true(second.response.reused);
        assert_null(missing.error);
        assert_int_equal(missing.response.status, 404);
        assert_true(missing.response.reused);
}

static void test_methods(_unused_ void **state)
{
        static const char *const headers[] = { "X-One: 1", "Accept:", "X-Empty;" };
        static const struct {
                HttpOptions options;
                HttpStart start;
                const char *expected[5];
                const char *unexpected;
        } table[] = {
                { {}, {}, { "GET /echo HTTP/1.1\r\n", "User-Agent: takt/", "Accept: */*" }, "Content-" },
                { { .method = "HEAD" }, {}, { "" }, "HEAD" },
                { { .method = "DELETE" }, {}, { "DELETE /echo" }, "Content-" },
                { { .method = "PUT" }, {}, { "PUT /echo", "Content-Length: 0\r\n" }, NULL },
                { { .body = "a=1", .body_size = 3 }, {}, { "POST /echo", "Content-Length: 3\r\n", "\r\n\r\na=1" },
                  "Content-Type" },
                { { .method = "PATCH", .body = "{}", .body_size = 2, .content_type = "application/json" },
                  { .body = "[1]", .body_size = 3, .headers = headers, .n_headers = 1 },
                  { "PATCH /echo", "Content-Type: application/json\r\n", "X-One: 1\r\n", "\r\n\r\n[1]" }, "{}" },
                { { .headers = headers, .n_headers = 3, .user_agent = "probe" },
                  { .body = "", .content_type = "text/plain" },
                  { "POST", "X-One: 1\r\n", "X-Empty:\r\n", "User-Agent: probe\r\n", "Content-Type: text/plain\r\n" },
                  "Accept" },
                { { .auth = HTTP_AUTH_BASIC, .user = "me", .secret = "pw" }, {}, { "Authorization: Basic bWU6cHc=" },
                  NULL },
                { { .auth = HTTP_AUTH_BASIC, .user = "me", .secret = "old" }, { .secret = "pw" },
                  { "Authorization: Basic bWU6cHc=" }, NULL },
                { { .auth = HTTP_AUTH_BEARER }, { .secret = "tok" }, { "Authorization: Bearer tok\r\n" }, NULL },
                { { .version = HTTP_VERSION_1_0 }, {}, { "GET /echo HTTP/1.0" }, NULL },
                { { .compressed = true }, {}, { "Accept-Encoding:", "gzip" }, NULL },
        };
        _cleanup_free_ char *url = xasprintf("%s/echo", t.odd);

        for (size_t i = 0; i < 2 * ARRAY_SIZE(table); i++) {
                HttpOptions options = table[i / 2].options;
                HttpStart start = table[i / 2].start;
                _cleanup_outcome_ Outcome o = {};

                *(i % 2 ? &options.url : &start.url) = url;
                o = fetch_start(&options, &start);
                if (o.error)
                        fail_msg("%zu: %s", i, o.message);
                for (size_t k = 0; k < ARRAY_SIZE(table[i / 2].expected) && table[i / 2].expected[k]; k++)
                        if (!strstr(o.body, table[i / 2].expected[k]))
                                fail_msg("%zu: no \"%s\" in %s", i, table[i / 2].expected[k], o.body);
                if (table[i / 2].unexpected && strstr(o.body, table[i / 2].unexpected))
                        fail_msg("%zu: \"%s\" in %s", i, table[i / 2].unexpected, o.body);
                assert_null(strstr(o.body, "Expect:"));
        }
}

static void test_options_refused(_unused_ void **state)
{
        static const char *const broken[] = { "X: a\r\nY: b" }, *const nameless[] = { ": x" };
        static const char *const resolve[] = { "host:99999:127.0.0.1" };
        static const HttpOptions table[] = {
                { .headers = broken, .n_headers = 1 },
                { .headers = nameless, .n_headers = 1 },
                { .method = "GET /" },
                { .method = "" },
                { .method = "HEAD", .body = "x", .body_size = 1 },
                { .user_agent = "a\nb" },
                { .secret = "a\nb", .auth = HTTP_AUTH_BEARER },
                { .key_file = "key.pem" },
                { .resolve = resolve, .n_resolve = 1 },
        };
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(NULL);
        HttpRequest *none = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                const char *problem = NULL;

                assert_int_equal(http_request_new(&table[i], &none, &problem), -EINVAL);
                assert_non_null(problem);
                assert_null(none);
        }
        assert_int_equal(http_transfer_start(t.client, request, &(HttpStart){}, on_done, NULL, NULL), -EINVAL);
        assert_int_equal(http_transfer_start(t.client, request,
                                             &(HttpStart){ .url = t.odd, .headers = broken, .n_headers = 1 },
                                             on_done, NULL, NULL), -EINVAL);
        assert_int_equal(http_transfer_start(t.client, request, &(HttpStart){ .url = t.odd, .etag = "\"\r\nX: 1" },
                                             on_done, NULL, NULL), -EINVAL);
        assert_int_equal(http_client_active(t.client), 0);
}

static void test_faults(_unused_ void **state)
{
        HttpOptions quick = { .timeout = 300 * USEC_PER_MSEC };
        HttpOptions small = { .max_bytes = 100000, .compressed = true };
        HttpOptions follow = { .max_redirects = 3 };
        HttpOptions packed = { .compressed = true };

        assert_fails(NULL, "", "http://", "url", "");
        assert_fails(NULL, "", "http://user:hidden@ho st/", "url", "");
        assert_fails(NULL, "", "ftp://127.0.0.1/x", "url", "ftp");
        assert_fails(NULL, "", "file:///etc/passwd", "url", "file");
        assert_fails(NULL, "", "http://no-such-host.invalid/", "resolve", "no-such-host.invalid");
        assert_fails(NULL, t.closed, "/", "connect", "127.0.0.1");
        assert_fails(NULL, t.odd, "/close", "closed", "127.0.0.1");
        assert_fails(NULL, t.odd, "/half", "closed", "127.0.0.1");
        assert_fails(NULL, t.odd, "/garbage", "protocol", "127.0.0.1");
        assert_fails(&packed, t.odd, "/bad-gzip", "protocol", "127.0.0.1");
        assert_fails(&quick, t.odd, "/never", "timeout", "before the answer began");
        assert_fails(&quick, t.odd, "/half-hold", "timeout", "before the answer was whole");
        assert_fails(&small, t.odd, "/endless", "too-large", "127.0.0.1");
        assert_fails(&small, t.odd, "/huge", "too-large", "127.0.0.1");
        assert_fails(&small, t.odd, "/bomb", "too-large", "127.0.0.1");
        assert_fails(NULL, t.odd, "/endless-headers", "too-large", "headers");
        assert_fails(&follow, t.odd, "/loop", "redirect", "127.0.0.1");
        assert_fails(&follow, t.odd, "/to-ftp", "redirect", "ftp");
        assert_fails(&follow, t.odd, "/to-file", "redirect", "file");
}

static void test_no_password_in_message(_unused_ void **state)
{
        _cleanup_free_ char *url = xasprintf("http://me:hidden@%s/close", t.odd + strlen("http://"));
        _cleanup_outcome_ Outcome o = fetch(NULL, url, "");

        assert_string_equal(o.error, "closed");
        assert_null(strstr(o.message, "hidden"));
}

static void test_redirects(_unused_ void **state)
{
        HttpOptions follow = { .max_redirects = 5, .auth = HTTP_AUTH_BASIC, .user = "me", .secret = "pw" };
        HttpOptions bearer = { .max_redirects = 5, .auth = HTTP_AUTH_BEARER, .secret = "tok" };
        _cleanup_outcome_ Outcome stays = fetch(NULL, t.odd, "/moved"), moves = fetch(&follow, t.odd, "/moved");
        _cleanup_outcome_ Outcome leaves = fetch(&follow, t.odd, "/elsewhere");
        _cleanup_outcome_ Outcome token = fetch(&bearer, t.odd, "/elsewhere");

        assert_int_equal(stays.response.status, 302);
        assert_int_equal(moves.response.status, 200);
        assert_int_equal(moves.response.redirects, 1);
        assert_non_null(strstr(moves.url, "/echo"));
        assert_non_null(strstr(moves.body, "Authorization: Basic"));
        assert_int_equal(leaves.response.status, 200);
        assert_non_null(strstr(leaves.url, "localhost"));
        assert_null(strstr(leaves.body, "Authorization"));
        assert_int_equal(token.response.status, 200);
        assert_null(strstr(token.body, "Authorization"));
}

/* What is taken apart once is the same for each transfer, also after one that was led elsewhere. */
static void test_constant_url(_unused_ void **state)
{
        static const struct {
                const char *path;
                unsigned redirects;
                const char *end;
        } table[] = {
                { "/moved", 1, "/echo" }, { "/echo?a=b%20c&d=#part", 0, "/echo?a=b%20c&d=#part" }, { "", 0, "/" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *url = xasprintf("%s%s", i == 2 ? t.nginx : t.odd, table[i].path);
                HttpOptions options = { .url = url, .max_redirects = 5 };
                _cleanup_(http_request_unrefp) HttpRequest *request = request_new(&options);

                for (unsigned k = 0; k < 3; k++) {
                        unsigned pending = 1;
                        _cleanup_outcome_ Outcome o = { .pending = &pending };

                        assert_ok(http_transfer_start(t.client, request, &(HttpStart){}, on_done, &o, NULL));
                        assert_ok(loop_run(t.loop));
                        assert_null(o.error);
                        assert_int_equal(o.response.status, 200);
                        assert_int_equal(o.response.redirects, table[i].redirects);
                        assert_string_equal(o.url + strlen(o.url) - strlen(table[i].end), table[i].end);
                        assert_string_equal(o.etag, ""); /* nobody asked for it */
                }
        }
}

static void test_compressed(_unused_ void **state)
{
        HttpOptions options = { .compressed = true };
        _cleanup_outcome_ Outcome o = fetch(&options, t.odd, "/gzip");

        assert_null(o.error);
        assert_string_equal(o.body, "{\"packed\": true}");
        assert_int_not_equal(o.response.bytes_received, o.body_size);
}

static void test_digest(_unused_ void **state)
{
        HttpOptions options = { .auth = HTTP_AUTH_DIGEST, .user = "me", .secret = "pw" };
        _cleanup_outcome_ Outcome o = fetch(&options, t.odd, "/digest");
        _cleanup_outcome_ Outcome without = fetch(NULL, t.odd, "/digest");

        assert_int_equal(o.response.status, 200);
        assert_string_equal(o.body, "welcome");
        assert_int_equal(without.response.status, 401);
}

static void test_conditional(_unused_ void **state)
{
        _cleanup_free_ char *url = xasprintf("%s/tagged", t.odd);
        const HttpOptions options = { .validators = true };
        _cleanup_outcome_ Outcome first = fetch_start(&options, &(HttpStart){ .url = url, .etag = "" });
        _cleanup_outcome_ Outcome second = {};

        assert_int_equal(first.response.status, 200);
        assert_string_equal(first.etag, "\"one\"");
        assert_string_equal(first.last_modified, "Sun, 22 Nov 2026 10:00:00 GMT");
        second = fetch_start(&options, &(HttpStart){ .url = url, .etag = first.etag, .last_modified = first.last_modified });
        assert_int_equal(second.response.status, 304);
        assert_int_equal(second.body_size, 0);
}

static void test_unix_socket_and_resolve(_unused_ void **state)
{
        _cleanup_free_ char *resolve = xasprintf("some.invalid:%s:127.0.0.1", strrchr(t.odd, ':') + 1);
        _cleanup_free_ char *named = xasprintf("http://some.invalid:%s/echo", strrchr(t.odd, ':') + 1);
        const char *const list[] = { resolve };
        HttpOptions unix_socket = { .unix_socket = t.socket_path };
        HttpOptions no_socket = { .unix_socket = "/no/such/socket" };
        HttpOptions resolved = { .resolve = list, .n_resolve = 1 };
        HttpOptions proxied = { .proxy = t.odd };
        _cleanup_outcome_ Outcome a = fetch(&unix_socket, "http://any.invalid", "/");
        _cleanup_outcome_ Outcome b = fetch(&resolved, named, "");
        _cleanup_outcome_ Outcome c = fetch(&proxied, "http://behind.invalid", "/echo");

        assert_string_equal(a.body, "{\"answer\": 42}\n");
        assert_fails(&no_socket, "http://any.invalid", "/", "connect", "/no/such/socket");
        assert_non_null(strstr(b.body, "Host: some.invalid"));
        assert_non_null(strstr(c.body, "GET http://behind.invalid/echo"));
        /* What one request resolves is not known to others. */
        assert_fails(NULL, named, "", "resolve", "some.invalid");
        proxied.proxy = t.closed;
        assert_fails(&proxied, "http://behind.invalid", "/", "connect", "");
}

static void test_tls(_unused_ void **state)
{
        _cleanup_free_ char *url = xasprintf("https://localhost:%s/", t.tls_port);
        HttpOptions trusted = { .ca_file = t.ca }, old = { .ca_file = t.ca, .version = HTTP_VERSION_1_1 };
        HttpOptions insecure = { .insecure = true }, no_file = { .ca_file = "/no/such/file" };
        _cleanup_outcome_ Outcome a = fetch(&trusted, url, ""), b = fetch(&insecure, url, "");
        _cleanup_outcome_ Outcome c = fetch(&trusted, url, ""), d = fetch(&old, url, "");

        assert_null(a.error);
        assert_int_equal(a.response.http_version, 20);
        assert_true(a.response.timing.tls > a.response.timing.connect);
        assert_int_equal(b.response.status, 200);
        assert_true(c.response.reused);
        assert_int_equal(d.response.http_version, 11);
        assert_fails(NULL, url, "", "tls", "localhost");
        assert_fails(&no_file, url, "", "tls", "localhost");
        assert_fails(NULL, "https://", t.nginx + strlen("http://"), "tls", "127.0.0.1");
}

/* A server may close while its connection rests here; the next transfer gets a new one. */
static void test_closed_while_idle(_unused_ void **state)
{
        for (int i = 0; i < 3; i++) {
                _cleanup_outcome_ Outcome o = fetch(NULL, t.odd, "/close-after");
                _cleanup_outcome_ Outcome other = fetch(NULL, t.odd, "/late?0.05");

                assert_string_equal(o.body, "bye");
                assert_int_equal(other.response.status, 200);
        }
}

static void test_parallel(_unused_ void **state)
{
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(NULL);
        _cleanup_free_ char *slow = xasprintf("%s/late?0.2", t.odd), *fast = xasprintf("%s/", t.nginx);
        Outcome outcomes[64] = {};
        unsigned pending = ARRAY_SIZE(outcomes);
        usec_t total = 0;

        for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
                outcomes[i].pending = &pending;
                assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = i % 2 ? slow : fast }, on_done,
                                              &outcomes[i], NULL));
        }
        assert_int_equal(http_client_active(t.client), ARRAY_SIZE(outcomes));
        assert_ok(loop_run(t.loop));
        assert_int_equal(http_client_active(t.client), 0);
        for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
                assert_int_equal(outcomes[i].calls, 1);
                assert_int_equal(outcomes[i].response.status, 200);
                total += outcomes[i].response.timing.total;
                outcome_deinit(&outcomes[i]);
        }
        assert_true(total > 32 * 200 * USEC_PER_MSEC); /* the slow ones were slow, at the same time */
}

/* Transfers that wait for a connection wait within their timeout, and go on when one is free. */
static void test_limits(_unused_ void **state)
{
        HttpLimits limits = { .max_transfers = 3, .max_host_connections = 1 };
        HttpOptions quick = { .timeout = 200 * USEC_PER_MSEC };
        _cleanup_(http_request_unrefp) HttpRequest *slow = request_new(NULL), *hurried = request_new(&quick);
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        _cleanup_free_ char *url = xasprintf("%s/late?0.6", t.odd);
        _cleanup_outcome_ Outcome first = {}, second = {}, third = {};
        HttpStart start = { .url = url };
        unsigned pending = 3;

        first.pending = second.pending = third.pending = &pending;
        assert_ok(http_client_new(t.loop, &limits, &client));
        assert_ok(http_transfer_start(client, slow, &start, on_done, &first, NULL));
        assert_ok(http_transfer_start(client, hurried, &start, on_done, &second, NULL));
        assert_ok(http_transfer_start(client, slow, &start, on_done, &third, NULL));
        assert_int_equal(http_transfer_start(client, slow, &start, on_done, &third, NULL), -EBUSY);
        assert_ok(loop_run(t.loop));
        assert_null(first.error);
        assert_string_equal(second.error, "timeout");
        assert_null(third.error);
        assert_true(third.response.timing.total >= USEC_PER_SEC);
}

/* Without descriptors a transfer fails, and the next one works when there are some. */
static void test_no_descriptors(_unused_ void **state)
{
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(NULL);
        _cleanup_outcome_ Outcome o = {}, next = {};
        struct rlimit saved, none;
        unsigned pending = 1;

        o.pending = &pending;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
        none = saved;
        none.rlim_cur = 0;
        assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = t.nginx }, on_done, &o, NULL));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        (void)loop_run(t.loop);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        assert_string_equal(o.error, "connect");
        next = fetch(NULL, t.nginx, "/");
        assert_int_equal(next.response.status, 200);
}

typedef struct CancelTest {
        Outcome outcome;
        HttpTransfer *victims[4];
        Timer timer;
} CancelTest;

static void cancel_victims(CancelTest *c)
{
        for (size_t i = 0; i < ARRAY_SIZE(c->victims); i++)
                c->victims[i] = http_transfer_cancel(c->victims[i]);
}

static void on_done_cancel(HttpTransfer *transfer, const HttpResponse *response, void *userdata)
{
        CancelTest *c = userdata;

        cancel_victims(c);
        on_done(transfer, response, &c->outcome);
}

static void on_never(_unused_ HttpTransfer *transfer, _unused_ const HttpResponse *response, _unused_ void *userdata)
{
        fail_msg("a cancelled transfer called back");
}

static void on_cancel_timer(Timer *timer, _unused_ usec_t now)
{
        cancel_victims(container_of(timer, CancelTest, timer));
        loop_exit(t.loop, 0);
}

static void start_victims(CancelTest *c, HttpRequest *request, const char *const paths[4])
{
        for (size_t i = 0; i < ARRAY_SIZE(c->victims); i++) {
                _cleanup_free_ char *url = xasprintf("%s%s", t.odd, paths[i]);

                assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = url }, on_never, NULL,
                                              &c->victims[i]));
        }
}

static void test_cancel(_unused_ void **state)
{
        static const char *const paths[] = { "/never", "/half-hold", "/late?9", "/never" };
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(&(HttpOptions){ .timeout = USEC_INFINITY });
        _cleanup_free_ char *url = xasprintf("%s/echo", t.odd);
        unsigned pending = 1;
        CancelTest c = { .outcome.pending = &pending, .timer.callback = on_cancel_timer };

        /* Before anything has happened. */
        start_victims(&c, request, paths);
        cancel_victims(&c);

        /* From the loop, in flight. */
        start_victims(&c, request, paths);
        assert_ok(timer_arm_after(loop_timers(t.loop), &c.timer, 100 * USEC_PER_MSEC));
        assert_ok(loop_run(t.loop));

        /* From the callback of another. */
        start_victims(&c, request, paths);
        assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = url }, on_done_cancel, &c, NULL));
        assert_ok(loop_run(t.loop));
        outcome_deinit(&c.outcome);
        assert_int_equal(http_client_active(t.client), 0);
}

typedef struct Duel {
        HttpTransfer *transfers[2];
        unsigned calls;
} Duel;

static void on_duel(HttpTransfer *transfer, const HttpResponse *response, void *userdata)
{
        Duel *duel = userdata;

        assert_int_equal(response->status, 200);
        duel->calls++;
        http_transfer_cancel(duel->transfers[duel->transfers[0] == transfer]);
        loop_exit(t.loop, 0);
}

/* Both may have ended in one turn of the loop; the one that is cancelled then stays silent. */
static void test_cancel_ended(_unused_ void **state)
{
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(NULL);
        _cleanup_free_ char *url = xasprintf("%s/", t.nginx);

        for (int i = 0; i < 50; i++) {
                Duel duel = {};

                for (int k = 0; k < 2; k++)
                        assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = url }, on_duel, &duel,
                                                      &duel.transfers[k]));
                assert_ok(loop_run(t.loop));
                assert_int_equal(duel.calls, 1);
                assert_int_equal(http_client_active(t.client), 0);
        }
}

/*
 * This program's getaddrinfo() is the one that libcurl calls: it holds a look-up of "held" names
 * until it is released, as a name server that does not answer does.
 */
static struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool released;
        unsigned n_held, n_done;
} resolver = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int getaddrinfo(const char *restrict name, _unused_ const char *restrict service,
                _unused_ const struct addrinfo *restrict hints, _unused_ struct addrinfo **restrict ret)
{
        if (startswith(name, "held")) {
                pthread_mutex_lock(&resolver.mutex);
                resolver.n_held++;
                while (!resolver.released)
                        pthread_cond_wait(&resolver.changed, &resolver.mutex);
                resolver.n_done++;
                pthread_cond_broadcast(&resolver.changed);
                pthread_mutex_unlock(&resolver.mutex);
        }
        return EAI_NONAME;
}

/* A look-up that hangs blocks neither the loop nor the end of its transfer. */
static void test_hanging_name(_unused_ void **state)
{
        HttpOptions options = { .timeout = 150 * USEC_PER_MSEC }, connect = { .connect_timeout = 150 * USEC_PER_MSEC };
        _cleanup_(http_request_unrefp) HttpRequest *request = request_new(NULL);
        HttpTransfer *transfer;

        assert_fails(&options, "http://held-one.invalid", "/", "timeout", "before the name was looked up");
        assert_fails(&connect, "http://held-two.invalid", "/", "timeout", "held-two.invalid");
        assert_ok(http_transfer_start(t.client, request, &(HttpStart){ .url = "http://held-three.invalid/" }, on_never,
                                      NULL, &transfer));
        for (int i = 0; i < 10; i++) {
                _cleanup_outcome_ Outcome o = fetch(NULL, t.nginx, "/");

                assert_int_equal(o.response.status, 200);
        }
        http_transfer_cancel(transfer);
        pthread_mutex_lock(&resolver.mutex);
        assert_int_equal(resolver.n_done, 0);
        resolver.released = true;
        pthread_cond_broadcast(&resolver.changed);
        while (resolver.n_done < resolver.n_held)
                pthread_cond_wait(&resolver.changed, &resolver.mutex);
        pthread_mutex_unlock(&resolver.mutex);
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
        assert_ok(loop_new(clock_system(), &t.loop));
        assert_ok(http_client_new(t.loop, NULL, &t.client));
        return 0;
}

static int teardown(_unused_ void **state)
{
        t.client = http_client_free(t.client);
        t.loop = loop_free(t.loop);
        return 0;
}

#define HTTP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                HTTP_TEST(test_get),          HTTP_TEST(test_methods),      HTTP_TEST(test_options_refused),
                HTTP_TEST(test_faults),       HTTP_TEST(test_redirects),    HTTP_TEST(test_constant_url),
                HTTP_TEST(test_no_password_in_message),
                HTTP_TEST(test_compressed),   HTTP_TEST(test_digest),       HTTP_TEST(test_conditional),
                HTTP_TEST(test_tls),          HTTP_TEST(test_parallel),     HTTP_TEST(test_unix_socket_and_resolve),
                HTTP_TEST(test_limits),       HTTP_TEST(test_cancel),       HTTP_TEST(test_closed_while_idle),
                HTTP_TEST(test_hanging_name), HTTP_TEST(test_cancel_ended), HTTP_TEST(test_no_descriptors),
        };
        unsigned fds = count_fds();
        int failed;

        t.nginx = getenv("TAKT_TEST_NGINX");
        t.odd = getenv("TAKT_TEST_ODD");
        t.closed = getenv("TAKT_TEST_CLOSED");
        t.ca = getenv("TAKT_TEST_CA");
        t.socket_path = getenv("TAKT_TEST_SOCKET");
        t.tls_port = getenv("TAKT_TEST_TLS_PORT");
        if (!t.nginx || !t.odd || !t.closed || !t.ca || !t.socket_path || !t.tls_port) {
                (void)fprintf(stderr, "run http-client.sh, which starts the servers\n");
                return EXIT_FAILURE;
        }
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        if (count_fds() != fds) {
                (void)fprintf(stderr, "%u descriptors are left of %u\n", count_fds(), fds);
                return EXIT_FAILURE;
        }
        return failed;
}
