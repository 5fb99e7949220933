/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each test has a server of its own in a child process, so that clients can block; the child's exit
 * status says whether the server came down cleanly, with nothing leaked.
 */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "varlink/client.h"
#include "varlink/frame.h"
#include "varlink/method-table.h"
#include "varlink/server.h"

#define TIMEOUT (30 * USEC_PER_SEC)
#define I "org.example.test."

static const char interface[] =
        "# For tests.\n"
        "interface org.example.test\n"
        "type Thing (name: string, inner: ?Thing)\n"
        "method Echo(text: ?string, thing: ?Thing) -> (text: ?string)\n"
        "# Answers when the loop has turned.\n"
        "method Later(text: string) -> (text: string)\n"
        "method Stream(n: int, size: int) -> (i: int, data: string)\n"
        "method Flood(size: int) -> (data: string)\n"
        "method Repeat(n: int, size: int) -> (data: string)\n"
        "method Watch() -> ()\n"
        "method State() -> (notes: int, gone: int, connections: int, dead: int)\n"
        "method Note() -> ()\n"
        "method Secret() -> ()\n"
        "method Missing() -> ()\n"
        "method Fail() -> ()\n"
        "method Forget() -> ()\n"
        "method Reauthorize() -> ()\n"
        "error Odd (reason: string)\n";

/* --- the service --- */

typedef struct Service {
        Loop *loop;
        VarlinkServer *server;
        int64_t n_notes, n_gone, n_dead;
        unsigned authority;
} Service;

typedef struct Pending {
        Service *service;
        Timer timer;
        VarlinkCall *call;
        char *text;
        int64_t i, n, size;
} Pending;

static Pending *pending_new(Service *service, VarlinkCall *call)
{
        Pending *pending = new0(Pending, 1);

        pending->service = service;
        pending->call = varlink_call_ref(call);
        return pending;
}

static void pending_free(Pending *pending)
{
        timer_disarm(loop_timers(pending->service->loop), &pending->timer);
        varlink_call_unref(pending->call);
        free(pending->text);
        free(pending);
}

static int reply_text(VarlinkCall *call, const char *text)
{
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "text");
        json_string(w, text);
        return varlink_call_end(call, false);
}

static int echo(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        const JsonValue *text = json_get(parameters, "text");

        return reply_text(call, text ? json_string_or_null(text) : NULL);
}

static void pending_gone(_unused_ VarlinkCall *call, void *userdata)
{
        Pending *pending = userdata;

        pending->service->n_gone++;
        pending_free(pending);
}

static void on_later(Timer *timer, _unused_ usec_t now)
{
        Pending *pending = container_of(timer, Pending, timer);

        pending->service->n_dead += varlink_call_is_dead(pending->call);
        (void)reply_text(pending->call, pending->text);
        pending_free(pending);
}

static int later(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Service *service = userdata;
        Pending *pending = pending_new(service, call);

        pending->text = strdup(json_get(parameters, "text")->string);
        pending->timer.callback = on_later;
        varlink_call_set_gone(call, pending_gone, pending);
        return timer_arm_after(loop_timers(service->loop), &pending->timer, 2 * USEC_PER_MSEC);
}

/* As much as the client reads. */
static void stream_more(VarlinkCall *call, void *userdata)
{
        Pending *pending = userdata;

        while (varlink_call_queued(call) < 100000) {
                JsonWriter *w = varlink_call_begin(call);
                bool last = pending->i + 1 == pending->n;

                json_key(w, "i");
                json_int(w, pending->i++);
                json_key(w, "data");
                json_string_n(w, pending->text, (size_t)pending->size);
                if (varlink_call_end(call, !last) < 0 || last) {
                        pending_free(pending);
                        return;
                }
        }
}

static char *text_of(int64_t size)
{
        char *text = malloc((size_t)size + 1);

        memset(text, 'x', (size_t)size);
        text[size] = '\0';
        return text;
}

static int stream(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Pending *pending;

        if (!varlink_call_wants_more(call))
                return varlink_call_expected_more(call);
        pending = pending_new(userdata, call);
        pending->n = json_get(parameters, "n")->integer;
        pending->size = json_get(parameters, "size")->integer;
        pending->text = text_of(pending->size);
        varlink_call_set_gone(call, pending_gone, pending);
        varlink_call_set_drained(call, stream_more, pending);
        stream_more(call, pending);
        return 0;
}

/* Cares for nothing; the server has to. */
static int flood(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        _cleanup_free_ char *text = text_of(json_get(parameters, "size")->integer);

        for (;;) {
                JsonWriter *w = varlink_call_begin(call);
                int r;

                json_key(w, "data");
                json_string(w, text);
                r = varlink_call_end(call, true);
                if (r < 0 || varlink_call_is_dead(call))
                        return r;
        }
}

/* Formats once, sends N times, and ends with the last. */
static int repeat(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        _cleanup_free_ char *text = text_of(json_get(parameters, "size")->integer);
        _cleanup_(varlink_answer_deinit) VarlinkAnswer answer = {};
        JsonWriter *w;

        for (unsigned i = 0; i < 2; i++) {
                w = varlink_answer_begin(&answer);
                json_key(w, "data");
                json_string(w, i == 0 ? "of another use" : text);
                assert_ok(varlink_answer_end(&answer));
        }
        for (int64_t i = 0; i < json_get(parameters, "n")->integer; i++) {
                int r = varlink_call_send(call, &answer);

                if (r < 0)
                        return r;
        }
        return varlink_call_reply_empty(call);
}

static int watch(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        varlink_call_set_gone(call, pending_gone, pending_new(userdata, call));
        return 0;
}

static int state(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Service *service = userdata;
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "notes");
        json_int(w, service->n_notes);
        json_key(w, "gone");
        json_int(w, service->n_gone);
        json_key(w, "connections");
        json_uint(w, varlink_server_n_connections(service->server));
        json_key(w, "dead");
        json_int(w, service->n_dead);
        return varlink_call_end(call, false);
}

static int note(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Service *service = userdata;

        service->n_notes++;
        return varlink_call_reply_empty(call);
}

static int fail_in_answer(VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        json_key(varlink_call_begin(call), "half");
        return -EIO;
}

static int forget(_unused_ VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        return 0;
}

static unsigned authorize(const struct ucred *peer, void *userdata)
{
        Service *service = userdata;
        const gid_t *groups;
        size_t n = varlink_peer_groups(peer, &groups);

        /* The peer is a process of ours. */
        if (peer->uid != getuid() || (int)n != getgroups(0, NULL))
                return 0;
        return service->authority;
}

static int reauthorize(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Service *service = userdata;

        service->authority = 2;
        varlink_server_set_authorize(service->server, authorize, service);
        return varlink_call_reply_empty(call);
}

static const VarlinkMethod methods[] = {
        { I "Echo", echo, 0 },
        { I "Later", later, 0 },
        { I "Stream", stream, 0 },
        { I "Flood", flood, 0 },
        { I "Repeat", repeat, 0 },
        { I "Watch", watch, 0 },
        { I "State", state, 0 },
        { I "Note", note, 0 },
        { I "Secret", note, 2 },
        { I "Missing", NULL, 0 },
        { I "Fail", fail_in_answer, 0 },
        { I "Forget", forget, 0 },
        { I "Reauthorize", reauthorize, 0 },
        {},
};

static const VarlinkServiceInfo info = {
        .vendor = "Example",
        .product = "test",
        .version = "1",
        .url = "https://example.org",
        .failed = "org.example.test.Odd",
};

static void on_term(_unused_ SignalSource *source, _unused_ int signo, void *userdata)
{
        loop_exit(userdata, 0);
}

/* The child. NOFILE: descriptors that it may have, 0 for the usual number. */
static void serve(int listen_fd, const VarlinkLimits *limits, rlim_t nofile)
{
        Service service = { .authority = 1 };
        SignalSource *term;

        assert_ok(loop_new(clock_system(), &service.loop));
        assert_ok(signal_source_new(service.loop, SIGTERM, on_term, service.loop, &term));
        assert_ok(varlink_server_new(service.loop, &info, limits, &service.server));
        assert_ok(varlink_server_add_interface(service.server, interface, methods, &service));
        varlink_server_set_authorize(service.server, authorize, &service);
        assert_ok(varlink_server_listen_fd(service.server, listen_fd));
        if (nofile > 0)
                assert_ok(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ nofile, nofile }));
        assert_ok(loop_run(service.loop));
        varlink_server_free(service.server);
        signal_source_free(term);
        loop_free(service.loop);
        exit(EXIT_SUCCESS);
}

/* --- its clients --- */

typedef struct Fixture {
        struct sockaddr_un address;
        socklen_t address_len;
        pid_t pid;
} Fixture;

static Fixture fixture_new_full(const VarlinkLimits *limits, rlim_t nofile)
{
        Fixture f = { .address.sun_family = AF_UNIX, .address_len = sizeof(f.address) };
        int fd;

        /* The kernel gives it a free abstract name. */
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_ok(bind(fd, (struct sockaddr *)&f.address, sizeof(sa_family_t)));
        assert_ok(listen(fd, 512));
        assert_ok(getsockname(fd, (struct sockaddr *)&f.address, &f.address_len));
        f.pid = fork();
        assert_true(f.pid >= 0);
        if (f.pid == 0)
                serve(fd, limits, nofile);
        close(fd);
        return f;
}

static Fixture fixture_new(void)
{
        return fixture_new_full(NULL, 0);
}

static void fixture_free(Fixture *f)
{
        int status;

        assert_ok(kill(f->pid, SIGTERM));
        assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
        assert_int_equal(status, 0);
}

static int connect_raw(const Fixture *f)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_ok(connect(fd, (const struct sockaddr *)&f->address, f->address_len));
        return fd;
}

static VarlinkClient *connect_client(const Fixture *f)
{
        VarlinkClient *client;

        assert_ok(varlink_client_new_fd(connect_raw(f), &client));
        return client;
}

/* The next reply is ERROR (NULL: success) with PARAMETERS, as JSON. */
static void assert_reply(VarlinkClient *client, const char *error, const char *parameters)
{
        VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r;

        r = varlink_client_receive(client, TIMEOUT, &reply);
        if (r < 0)
                fail_msg("%s %s expected: %s", error ?: "reply", parameters, strerror(-r));
        assert_ok(json_format(reply.parameters, 0, &text));
        if (!streq_ptr(reply.error, error) || !streq(buffer_string(&text), parameters))
                fail_msg("%s %s, not %s %s", reply.error ?: "reply", buffer_string(&text), error ?: "reply", parameters);
        varlink_reply_deinit(&reply);
}

static void assert_call(
        VarlinkClient *client, const char *method, const char *call, const char *error, const char *parameters)
{
        assert_ok(varlink_client_send(client, method, call, 0));
        assert_reply(client, error, parameters);
}

static void assert_closed(VarlinkClient *client)
{
        VarlinkReply reply;

        assert_int_equal(varlink_client_receive(client, TIMEOUT, &reply), -ECONNRESET);
}

static int64_t get_state(VarlinkClient *client, const char *key)
{
        VarlinkReply reply;
        int64_t value;

        assert_ok(varlink_client_call(client, I "State", NULL, TIMEOUT, &reply));
        value = json_get(reply.parameters, key)->integer;
        varlink_reply_deinit(&reply);
        return value;
}

static void await_state(VarlinkClient *client, const char *key, int64_t value)
{
        while (get_state(client, key) != value)
                assert_ok(poll(NULL, 0, 1));
}

static void send_raw(VarlinkClient *client, const char *text)
{
        assert_ok(write_all(varlink_client_fd(client), text, strlen(text) + 1));
}

/* --- tests --- */

static void test_service(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);
        VarlinkReply reply;

        assert_call(client, "org.varlink.service.GetInfo", NULL, NULL,
                    "{\"vendor\":\"Example\",\"product\":\"test\",\"version\":\"1\",\"url\":\"https://example.org\","
                    "\"interfaces\":[\"org.varlink.service\",\"org.example.test\"]}");
        assert_ok(varlink_client_call(client, "org.varlink.service.GetInterfaceDescription",
                                      "{\"interface\":\"org.example.test\"}", TIMEOUT, &reply));
        assert_string_equal(json_get(reply.parameters, "description")->string, interface);
        varlink_reply_deinit(&reply);
        assert_call(client, "org.varlink.service.GetInterfaceDescription", "{\"interface\":\"org.example\"}",
                    VARLINK_INTERFACE_NOT_FOUND, "{\"interface\":\"org.example\"}");
        assert_call(client, "org.example.Echo", NULL, VARLINK_INTERFACE_NOT_FOUND, "{\"interface\":\"org.example\"}");
        assert_call(client, I "Nothing", NULL, VARLINK_METHOD_NOT_FOUND, "{\"method\":\"" I "Nothing\"}");
        assert_call(client, I "Thing", NULL, VARLINK_METHOD_NOT_FOUND, "{\"method\":\"" I "Thing\"}");
        assert_call(client, "Echo", NULL, VARLINK_INVALID_PARAMETER, "{\"parameter\":\"method\"}");
        assert_call(client, I "Missing", NULL, VARLINK_METHOD_NOT_IMPLEMENTED, "{\"method\":\"" I "Missing\"}");
        assert_ok(varlink_client_send(client, I "Echo", NULL, VARLINK_CALL_UPGRADE));
        assert_reply(client, VARLINK_METHOD_NOT_IMPLEMENTED, "{\"method\":\"" I "Echo\"}");
        assert_call(client, I "Stream", "{\"n\":1,\"size\":1}", VARLINK_EXPECTED_MORE, "{}");
        assert_call(client, I "Flood", "{\"size\":1}", VARLINK_EXPECTED_MORE, "{}");
        assert_call(client, I "Fail", NULL, "org.example.test.Odd", "{\"message\":\"Input/output error\"}");
        varlink_client_free(client);

        client = connect_client(&f);
        assert_ok(varlink_client_send(client, I "Forget", NULL, 0));
        assert_closed(client);
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_authority(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);

        assert_call(client, I "Secret", NULL, VARLINK_PERMISSION_DENIED, "{}");
        assert_call(client, I "Secret", "{\"x\":1}", VARLINK_PERMISSION_DENIED, "{}");
        assert_call(client, I "Reauthorize", NULL, NULL, "{}");
        assert_call(client, I "Secret", NULL, NULL, "{}");
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_parameters(_unused_ void **state_unused)
{
        static const struct {
                const char *parameters, *wrong;
        } cases[] = {
                { "{\"text\":1}", "text" },
                { "{\"test\":\"\"}", "test" },
                { "{\"text\":\"a\\u0000b\"}", "text" },
                { "{\"thing\":{}}", "thing.name" },
                { "{\"thing\":{\"name\":\"a\",\"inner\":{\"name\":null}}}", "thing.inner.name" },
                { "{\"thing\":[]}", "thing" },
        };
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);
        char expected[128];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                (void)snprintf(expected, sizeof(expected), "{\"parameter\":\"%s\"}", cases[i].wrong);
                assert_call(client, I "Echo", cases[i].parameters, VARLINK_INVALID_PARAMETER, expected);
        }
        assert_call(client, I "Echo", "{\"text\":\"\xc3\xa4\\n\",\"thing\":null}", NULL, "{\"text\":\"\xc3\xa4\\n\"}");
        assert_call(client, I "Echo", "null", NULL, "{\"text\":null}");
        assert_call(client, I "Echo", "{}", NULL, "{\"text\":null}");
        assert_call(client, I "Echo", NULL, NULL, "{\"text\":null}");
        assert_call(client, I "Echo", "[]", VARLINK_INVALID_PARAMETER, "{\"parameter\":\"parameters\"}");
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_no_method(_unused_ void **state_unused)
{
        static const struct {
                const char *method, *error, *parameters;
        } cases[] = {
                { "", VARLINK_INVALID_PARAMETER, "{\"parameter\":\"method\"}" },
                { "x", VARLINK_INVALID_PARAMETER, "{\"parameter\":\"method\"}" },
                { ".", VARLINK_INTERFACE_NOT_FOUND, "{\"interface\":\"\"}" },
                { "a.B", VARLINK_INTERFACE_NOT_FOUND, "{\"interface\":\"a\"}" },
                { I, VARLINK_METHOD_NOT_FOUND, "{\"method\":\"" I "\"}" },
                { I "Not", VARLINK_METHOD_NOT_FOUND, "{\"method\":\"" I "Not\"}" },
                { I "Notes", VARLINK_METHOD_NOT_FOUND, "{\"method\":\"" I "Notes\"}" },
                { "org.example.tes.Note", VARLINK_INTERFACE_NOT_FOUND, "{\"interface\":\"org.example.tes\"}" },
        };
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_call(client, cases[i].method, NULL, cases[i].error, cases[i].parameters);
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_top_level(_unused_ void **state_unused)
{
        static const struct {
                const char *call, *wrong;
        } cases[] = {
                { "{\"method\":\"" I "Note\",\"extra\":1}", "extra" },
                { "{\"method\":\"" I "Note\",\"more\":1}", "more" },
                { "{\"method\":\"" I "Note\",\"oneway\":\"true\"}", "oneway" },
                { "{\"method\":1}", "method" },
                { "{\"method\\u0000\":1}", "method" },
                { "{}", "method" },
        };
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);
        char expected[128];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                (void)snprintf(expected, sizeof(expected), "{\"parameter\":\"%s%s\"}", cases[i].wrong,
                               strstr(cases[i].call, "\\u0000") ? "\\u0000" : "");
                send_raw(client, cases[i].call);
                assert_reply(client, VARLINK_INVALID_PARAMETER, expected);
        }
        send_raw(client, "{\"method\":\"" I "Note\",\"org.example.extra\":1,\"more\":null,\"oneway\":false}");
        assert_reply(client, NULL, "{}");
        assert_int_equal(get_state(client, "notes"), 1);
        varlink_client_free(client);
        fixture_free(&f);
}

/* What is no call at all ends the connection, and harms no other. */
static void test_no_call(_unused_ void **state_unused)
{
        static const char *const texts[] = { "", "x", "[]", "1", "{\"method\":", "{\"a\":1,\"a\":2}",
                                             "{\"method\":\"a.b.C\",\"more\":true,\"oneway\":true}" };
        Fixture f = fixture_new();
        VarlinkClient *good = connect_client(&f);

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                VarlinkClient *client = connect_client(&f);

                assert_call(client, I "Note", NULL, NULL, "{}");
                send_raw(client, texts[i]);
                assert_closed(client);
                varlink_client_free(client);
        }
        assert_int_equal(get_state(good, "notes"), ARRAY_SIZE(texts));
        await_state(good, "connections", 1);
        varlink_client_free(good);
        fixture_free(&f);
}

/* Many calls at once, of which some are answered later: answers come in the order of the calls. */
static void test_pipelining(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);
        _cleanup_buffer_ Buffer calls = BUFFER_NULL;
        char expected[64];

        for (unsigned i = 0; i < 500; i++) {
                assert_ok(buffer_appendf(&calls, "{\"method\":\"%s\",\"parameters\":{\"text\":\"%u\"}}",
                                         i % 50 == 7 ? I "Later" : I "Echo", i));
                assert_ok(buffer_append_char(&calls, '\0'));
                if (i % 100 == 0) {
                        assert_ok(buffer_append_string(&calls, "{\"method\":\"" I "Note\",\"oneway\":true}"));
                        assert_ok(buffer_append_char(&calls, '\0'));
                }
        }
        assert_ok(write_all(varlink_client_fd(client), calls.data, calls.len));
        for (unsigned i = 0; i < 500; i++) {
                (void)snprintf(expected, sizeof(expected), "{\"text\":\"%u\"}", i);
                assert_reply(client, NULL, expected);
        }
        assert_int_equal(get_state(client, "notes"), 5);
        varlink_client_free(client);

        /* The client's own send takes replies in while the server can't take calls. */
        client = connect_client(&f);
        for (unsigned i = 0; i < 20000; i++)
                assert_ok(varlink_client_send(client, I "Echo", "{\"text\":\"and a few more bytes to fill the socket\"}", 0));
        for (unsigned i = 0; i < 20000; i++)
                assert_reply(client, NULL, "{\"text\":\"and a few more bytes to fill the socket\"}");
        varlink_client_free(client);
        fixture_free(&f);
}

/* Nothing is ever answered to it: no error, no late answer. */
static void test_oneway(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);

        assert_ok(varlink_client_send(client, I "Note", NULL, VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Nothing", NULL, VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Note", "{\"x\":1}", VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Secret", NULL, VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Fail", NULL, VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Forget", NULL, VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Flood", "{\"size\":1}", VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Echo", NULL, VARLINK_CALL_ONEWAY | VARLINK_CALL_UPGRADE));
        assert_ok(varlink_client_send(client, I "Later", "{\"text\":\"late\"}", VARLINK_CALL_ONEWAY));
        send_raw(client, "{\"method\":\"" I "Note\",\"extra\":1,\"oneway\":true}");
        assert_call(client, I "Echo", "{\"text\":\"first\"}", NULL, "{\"text\":\"first\"}");
        await_state(client, "dead", 1);
        assert_int_equal(get_state(client, "notes"), 1);
        varlink_client_free(client);

        /* Calls that nobody waits for are served though the client goes at once. */
        client = connect_client(&f);
        for (unsigned i = 0; i < 300; i++)
                assert_ok(varlink_client_send(client, I "Note", NULL, VARLINK_CALL_ONEWAY));
        varlink_client_free(client);
        client = connect_client(&f);
        await_state(client, "notes", 301);
        varlink_client_free(client);
        fixture_free(&f);
}

static void receive_stream(VarlinkClient *client, int64_t n, size_t size)
{
        for (int64_t i = 0; i < n; i++) {
                VarlinkReply reply;

                assert_ok(varlink_client_receive(client, TIMEOUT, &reply));
                assert_null(reply.error);
                assert_int_equal(json_get(reply.parameters, "i")->integer, i);
                assert_int_equal(json_get(reply.parameters, "data")->n, size);
                assert_int_equal(reply.continues, i + 1 < n);
                varlink_reply_deinit(&reply);
        }
}

static void test_more(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f);

        /* 20 MB, more than any queue takes at once: the stream follows the reader. */
        assert_ok(varlink_client_send(client, I "Stream", "{\"n\":2000,\"size\":10000}", VARLINK_CALL_MORE));
        assert_ok(varlink_client_send(client, I "Echo", "{\"text\":\"after\"}", VARLINK_CALL_MORE));
        receive_stream(client, 2000, 10000);
        assert_reply(client, NULL, "{\"text\":\"after\"}");
        assert_int_equal(get_state(client, "gone"), 0);
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_answer_for_many(_unused_ void **state_unused)
{
        Fixture f = fixture_new_full(&(VarlinkLimits){ .max_queue = 1024 * 1024 }, 0);
        VarlinkClient *client = connect_client(&f), *flooded = connect_client(&f);
        VarlinkReply reply;
        unsigned n;

        assert_call(client, I "Repeat", "{\"n\":1,\"size\":1}", VARLINK_EXPECTED_MORE, "{}");
        assert_ok(varlink_client_send(client, I "Repeat", "{\"n\":1,\"size\":1}", VARLINK_CALL_ONEWAY));
        assert_ok(varlink_client_send(client, I "Repeat", "{\"n\":2,\"size\":3}", VARLINK_CALL_MORE));
        assert_reply(client, NULL, "{\"data\":\"xxx\"}");
        assert_reply(client, NULL, "{\"data\":\"xxx\"}");
        assert_reply(client, NULL, "{}");

        /* What no queue takes, and a queue that fills. */
        assert_ok(varlink_client_send(client, I "Repeat", "{\"n\":1,\"size\":2000000}", VARLINK_CALL_MORE));
        assert_reply(client, "org.example.test.Odd", "{\"message\":\"Message too long\"}");
        assert_ok(varlink_client_send(flooded, I "Repeat", "{\"n\":1000,\"size\":10000}", VARLINK_CALL_MORE));
        await_state(client, "connections", 1);
        for (n = 0; varlink_client_receive(flooded, TIMEOUT, &reply) >= 0; n++)
                varlink_reply_deinit(&reply);
        assert_true(n < 200);
        assert_call(client, I "Echo", "{\"text\":\"still\"}", NULL, "{\"text\":\"still\"}");
        varlink_client_free(flooded);
        varlink_client_free(client);
        fixture_free(&f);
}

static void test_vanish(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *good = connect_client(&f), *client;
        _cleanup_buffer_ Buffer calls = BUFFER_NULL;
        int64_t gone = 0;

        /* With the call alone, with more behind it than is read ahead, and with the writing end closed before. */
        for (unsigned i = 0; i < 3; i++) {
                client = connect_client(&f);
                assert_ok(varlink_client_send(client, I "Watch", NULL, 0));
                if (i == 1) {
                        assert_ok(buffer_reserve(&calls, 100000));
                        memset(calls.data, '\0', 100000);
                        assert_ok(write_all(varlink_client_fd(client), calls.data, 100000));
                }
                if (i == 2)
                        assert_ok(shutdown(varlink_client_fd(client), SHUT_WR));
                assert_int_equal(get_state(good, "gone"), gone);
                varlink_client_free(client);
                await_state(good, "gone", ++gone);
                await_state(good, "connections", 1);
        }

        client = connect_client(&f);
        assert_ok(varlink_client_send(client, I "Stream", "{\"n\":2000,\"size\":10000}", VARLINK_CALL_MORE));
        varlink_client_free(client);
        await_state(good, "gone", ++gone);

        /* In the middle of a message. */
        client = connect_client(&f);
        assert_ok(write_all(varlink_client_fd(client), "{\"meth", 6));
        varlink_client_free(client);
        await_state(good, "connections", 1);

        /* Who only closes the writing end gets its answers. */
        client = connect_client(&f);
        assert_ok(varlink_client_send(client, I "Later", "{\"text\":\"1\"}", 0));
        assert_ok(varlink_client_send(client, I "Later", "{\"text\":\"2\"}", 0));
        assert_ok(shutdown(varlink_client_fd(client), SHUT_WR));
        assert_reply(client, NULL, "{\"text\":\"1\"}");
        assert_reply(client, NULL, "{\"text\":\"2\"}");
        assert_closed(client);
        varlink_client_free(client);

        varlink_client_free(good);
        fixture_free(&f);
}

static void test_slow_sender(_unused_ void **state_unused)
{
        static const char call[] = "{\"method\":\"" I "Echo\",\"parameters\":{\"text\":\"slow\"}}";
        Fixture f = fixture_new();
        VarlinkClient *slow = connect_client(&f), *good = connect_client(&f);

        for (size_t i = 0; i < sizeof(call); i++) {
                assert_ok(write_all(varlink_client_fd(slow), call + i, 1));
                assert_call(good, I "Echo", "{\"text\":\"fast\"}", NULL, "{\"text\":\"fast\"}");
        }
        assert_reply(slow, NULL, "{\"text\":\"slow\"}");
        varlink_client_free(slow);
        varlink_client_free(good);
        fixture_free(&f);
}

static void test_never_reads(_unused_ void **state_unused)
{
        Fixture f = fixture_new_full(&(VarlinkLimits){ .max_queue = 1024 * 1024 }, 0);
        VarlinkClient *good = connect_client(&f), *stuck = connect_client(&f), *flooded = connect_client(&f);
        _cleanup_buffer_ Buffer calls = BUFFER_NULL;
        VarlinkReply reply;
        size_t sent = 0;
        ssize_t n;

        /* A stream that looks at its queue stops; one that doesn't is cut off. */
        assert_ok(varlink_client_send(stuck, I "Stream", "{\"n\":10000,\"size\":10000}", VARLINK_CALL_MORE));
        assert_ok(varlink_client_send(flooded, I "Flood", "{\"size\":10000}", VARLINK_CALL_MORE));
        await_state(good, "connections", 2);
        receive_stream(stuck, 10000, 10000);
        varlink_client_free(stuck);
        for (n = 0; varlink_client_receive(flooded, TIMEOUT, &reply) >= 0; n++)
                varlink_reply_deinit(&reply);
        assert_true(n < 200);
        varlink_client_free(flooded);

        /* An answer that no queue takes is replaced by an error, and the connection goes on. */
        assert_ok(varlink_client_send(good, I "Stream", "{\"n\":2,\"size\":2000000}", VARLINK_CALL_MORE));
        assert_reply(good, "org.example.test.Odd", "{\"message\":\"Message too long\"}");

        /* Calls without end, and no answer read: after a while no more are taken. */
        stuck = connect_client(&f);
        for (unsigned i = 0; i < 100; i++)
                assert_ok(buffer_append(&calls, "{\"method\":\"org.varlink.service.GetInfo\"}", 41));
        assert_int_equal(calls.data[40], '\0');
        for (;;) {
                struct pollfd pollfd = { .fd = varlink_client_fd(stuck), .events = POLLOUT };

                n = send(varlink_client_fd(stuck), calls.data, calls.len, MSG_NOSIGNAL);
                if (n > 0)
                        sent += (size_t)n;
                else if (poll(&pollfd, 1, 200) == 0)
                        break;
        }
        assert_true(sent < 4 * 1024 * 1024);
        assert_call(good, I "Echo", "{\"text\":\"still\"}", NULL, "{\"text\":\"still\"}");
        varlink_client_free(stuck);
        await_state(good, "connections", 1);
        varlink_client_free(good);
        fixture_free(&f);
}

static void test_long_message(_unused_ void **state_unused)
{
        Fixture f = fixture_new();
        VarlinkClient *client = connect_client(&f), *good = connect_client(&f);
        _cleanup_buffer_ Buffer call = BUFFER_NULL;
        VarlinkReply reply;
        size_t fill;

        assert_ok(buffer_append_string(&call, "{\"method\":\"" I "Echo\",\"parameters\":{\"text\":\""));
        fill = VARLINK_MAX_MESSAGE - call.len - strlen("\"}}");
        assert_ok(buffer_reserve(&call, fill + 8));
        memset(call.data + call.len, 'x', fill);
        call.len += fill;
        assert_ok(buffer_append_string(&call, "\"}}"));
        assert_int_equal(call.len, VARLINK_MAX_MESSAGE);

        /* One of just 16 MiB is served; the byte more ends the connection. */
        assert_ok(fd_set_nonblocking(varlink_client_fd(client)));
        for (size_t sent = 0; sent < call.len + 1;) {
                ssize_t n = send(varlink_client_fd(client), call.data + sent, call.len + 1 - sent, MSG_NOSIGNAL);

                if (n > 0)
                        sent += (size_t)n;
                assert_call(good, I "Note", NULL, NULL, "{}");
        }
        assert_ok(varlink_client_receive(client, TIMEOUT, &reply));
        assert_int_equal(json_get(reply.parameters, "text")->n, fill);
        varlink_reply_deinit(&reply);

        memset(call.data, ' ', call.len);
        for (size_t sent = 0;;) {
                ssize_t n = send(varlink_client_fd(client), call.data, call.len, MSG_NOSIGNAL);

                sent += n > 0 ? (size_t)n : 0;
                if (n < 0 && errno != EAGAIN)
                        break;
                assert_true(sent < 2 * (size_t)VARLINK_MAX_MESSAGE);
        }
        assert_call(good, I "Echo", "{\"text\":\"still\"}", NULL, "{\"text\":\"still\"}");
        await_state(good, "connections", 1);
        varlink_client_free(client);
        varlink_client_free(good);
        fixture_free(&f);
}

static bool is_turned_away(int fd)
{
        char c;

        return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000) == 1 && read(fd, &c, 1) <= 0;
}

static void test_connection_caps(_unused_ void **state_unused)
{
        static const VarlinkLimits limits[] = {
                { .max_connections = 4 },
                { .max_connections_per_uid = 4 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                Fixture f = fixture_new_full(&limits[i], 0);
                VarlinkClient *good = connect_client(&f);
                int fds[8];

                assert_call(good, I "Note", NULL, NULL, "{}");
                for (size_t k = 0; k < ARRAY_SIZE(fds); k++)
                        fds[k] = connect_raw(&f);
                for (size_t k = 3; k < ARRAY_SIZE(fds); k++)
                        assert_true(is_turned_away(fds[k]));
                assert_int_equal(get_state(good, "connections"), 4);
                for (size_t k = 0; k < ARRAY_SIZE(fds); k++)
                        close(fds[k]);
                await_state(good, "connections", 1);
                fds[0] = connect_raw(&f);
                await_state(good, "connections", 2);
                close(fds[0]);
                varlink_client_free(good);
                fixture_free(&f);
        }
}

/* All connections together hold too much: who holds most goes, the others stay. */
static void test_held_cap(_unused_ void **state_unused)
{
        Fixture f = fixture_new_full(&(VarlinkLimits){ .max_held = 4 * 1024 * 1024 }, 0);
        VarlinkClient *good = connect_client(&f), *hog = connect_client(&f);
        _cleanup_free_ char *blanks = malloc(65536);
        int modest = connect_raw(&f);

        memset(blanks, ' ', 65536);
        assert_ok(write_all(modest, blanks, 65536));
        for (;;) {
                ssize_t n = send(varlink_client_fd(hog), blanks, 65536, MSG_NOSIGNAL);

                if (n < 0 && errno != EAGAIN)
                        break;
                assert_call(good, I "Note", NULL, NULL, "{}");
        }
        await_state(good, "connections", 2);
        close(modest);
        varlink_client_free(hog);
        varlink_client_free(good);
        fixture_free(&f);
}

/* With no descriptor left, newcomers are turned away at once, and who is in is served. */
static void test_no_descriptors(_unused_ void **state_unused)
{
        Fixture f = fixture_new_full(NULL, 20);
        VarlinkClient *good = connect_client(&f);
        int fds[30];

        assert_call(good, I "Note", NULL, NULL, "{}");
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = connect_raw(&f);
        assert_true(is_turned_away(fds[ARRAY_SIZE(fds) - 1]));
        assert_call(good, I "Note", NULL, NULL, "{}");
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        await_state(good, "connections", 1);
        fds[0] = connect_raw(&f);
        await_state(good, "connections", 2);
        close(fds[0]);
        varlink_client_free(good);
        fixture_free(&f);
}

/* A table must have the methods of the text, each once. */
static void test_table(_unused_ void **state_unused)
{
        static const char text[] = "interface a.b method A() -> () method B() -> () error C()";
        static const VarlinkMethod less[] = { { "a.b.A", note, 0 }, {} };
        static const VarlinkMethod other[] = { { "a.b.A", note, 0 }, { "a.b.C", note, 0 }, {} };
        static const VarlinkMethod twice[] = { { "a.b.A", note, 0 }, { "a.b.A", note, 0 }, {} };
        static const VarlinkMethod right[] = { { "a.b.B", note, 0 }, { "a.b.A", NULL, 0 }, {} };
        VarlinkServer *server;
        Loop *loop;

        assert_ok(loop_new(clock_system(), &loop));
        assert_ok(varlink_server_new(loop, &info, NULL, &server));
        assert_int_equal(varlink_server_add_interface(server, text, less, NULL), -ENOTTY);
        assert_int_equal(varlink_server_add_interface(server, text, other, NULL), -ENOTTY);
        assert_int_equal(varlink_server_add_interface(server, text, twice, NULL), -ENOTTY);
        assert_int_equal(varlink_server_add_interface(server, "interface a.b method", right, NULL), -EBADMSG);
        assert_ok(varlink_server_add_interface(server, text, right, NULL));
        assert_int_equal(varlink_server_add_interface(server, text, right, NULL), -EEXIST);
        varlink_server_free(server);
        loop_free(loop);
}

/* All are found by their full names, whatever else is in the table, and nothing else is. */
static void test_names(_unused_ void **state_unused)
{
        enum { N = 500 };
        static char names[N][32];
        VarlinkMethod rows[N];
        ServedMethod served[N];
        _cleanup_(varlink_method_table_deinit) VarlinkMethodTable table = {};

        assert_null(varlink_method_table_find(&table, "a.b.A", 5));
        for (size_t i = 0; i < N; i++) {
                (void)snprintf(names[i], sizeof(names[i]), i % 2 ? "a.b.A%zu" : "org.example.M%zuMethod", i);
                rows[i] = (VarlinkMethod){ .name = names[i] };
                served[i] = (ServedMethod){ .method = &rows[i], .name_len = strlen(names[i]) };
        }
        for (size_t i = 0; i < N; i += 50)
                assert_ok(varlink_method_table_add(&table, &served[i], 50));
        for (size_t i = 0; i < N; i++) {
                size_t n = strlen(names[i]);

                assert_ptr_equal(varlink_method_table_find(&table, names[i], n), &served[i]);
                assert_null(varlink_method_table_find(&table, names[i] + 1, n - 1));
                names[i][n] = 'x';
                assert_null(varlink_method_table_find(&table, names[i], n + 1));
                names[i][n] = '\0';
        }
        assert_null(varlink_method_table_find(&table, "", 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_service),      RUN(test_authority),       RUN(test_parameters), RUN(test_no_method),
                RUN(test_top_level),
                RUN(test_no_call),      RUN(test_pipelining),      RUN(test_oneway),     RUN(test_more),
                RUN(test_answer_for_many), RUN(test_vanish),
                RUN(test_slow_sender),  RUN(test_never_reads),     RUN(test_long_message),
                RUN(test_connection_caps), RUN(test_held_cap),     RUN(test_no_descriptors), RUN(test_table),
                RUN(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
