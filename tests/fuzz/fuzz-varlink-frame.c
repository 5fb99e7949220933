/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client may send, to a whole server: the first byte says how many bytes it sends at a time
 * (0: all at once), the rest is sent. Every answer must be JSON, and the server must close in the end.
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/loop.h"
#include "varlink/frame.h"
#include "varlink/server.h"

#define I "org.example.fuzz."
#define INPUT_MAX 65536 /* longer ones teach nothing */

static const char interface[] =
        "interface org.example.fuzz\n"
        "type Thing (a: ?int, b: ?float, c: ?bool, d: ?(x, y), e: ?[]Thing, f: ?[string]any, g: ?object)\n"
        "method Echo(thing: ?Thing) -> (thing: ?Thing)\n"
        "method Later() -> ()\n"
        "method Stream(n: int) -> (i: int)\n"
        "method Secret() -> ()\n"
        "method Missing() -> ()\n"
        "method Fail() -> ()\n";

typedef struct Later {
        Deferred deferred;
        VarlinkCall *call;
} Later;

static Loop *loop;

static int echo(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        const JsonValue *thing = json_get(parameters, "thing");
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "thing");
        if (thing)
                json_value(w, thing);
        else
                json_null(w);
        return varlink_call_end(call, false);
}

static void on_later(Deferred *deferred)
{
        Later *later = container_of(deferred, Later, deferred);

        (void)varlink_call_reply_empty(later->call);
        varlink_call_unref(later->call);
        free(later);
}

static int answer_later(VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        Later *later = new0(Later, 1);

        if (!later)
                return -ENOMEM;
        later->deferred.callback = on_later;
        later->call = varlink_call_ref(call);
        loop_defer(loop, &later->deferred);
        return 0;
}

static int stream(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        int64_t n = MIN(json_get(parameters, "n")->integer, INT64_C(20));

        for (int64_t i = 1; i <= n; i++) {
                JsonWriter *w = varlink_call_begin(call);

                json_key(w, "i");
                json_int(w, i);
                if (varlink_call_end(call, i < n) < 0)
                        break;
        }
        return 0; /* with N below 1 the call is given up */
}

static int fail(VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        json_key(varlink_call_begin(call), "half");
        return -EIO;
}

static const VarlinkMethod methods[] = {
        { I "Echo", echo, 0 },   { I "Later", answer_later, 0 }, { I "Stream", stream, 0 },
        { I "Secret", echo, 1 }, { I "Missing", NULL, 0 },       { I "Fail", fail, 0 },
        {},
};

typedef struct Client {
        int fd;
        Deferred deferred;
        VarlinkFrames in;
        const uint8_t *data;
        size_t size, sent, chunk;
} Client;

static void send_chunk(Deferred *deferred)
{
        Client *client = container_of(deferred, Client, deferred);
        size_t n = MIN(client->size - client->sent, client->chunk);
        ssize_t k;

        k = send(client->fd, client->data + client->sent, n, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN)
                return; /* the server has had enough */
        client->sent += k > 0 ? (size_t)k : 0;
        if (client->sent < client->size)
                loop_defer(loop, deferred);
        else
                (void)shutdown(client->fd, SHUT_WR);
}

static void on_answer(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        Client *client = userdata;
        const char *message;
        size_t n;

        if (varlink_frames_read(&client->in, fd) <= 0)
                loop_exit(loop, 0);
        while (varlink_frames_next(&client->in, &message, &n) > 0) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

                FUZZ_CHECK(json_parse(message, n, NULL, &doc, NULL) >= 0 && json_is(json_root(doc), JSON_OBJECT));
        }
}

static unsigned authorize(_unused_ const struct ucred *peer, _unused_ void *userdata)
{
        return 0;
}

static void run(Client *client)
{
        static const VarlinkServiceInfo info = { "a", "b", "c", "d", I "Failed" };
        static const VarlinkLimits limits = { .max_message = 4096, .max_queue = 65536, .max_held = 1024 * 1024 };
        VarlinkServer *server;
        IoSource *source;
        int fds[2], r;

        r = varlink_server_new(loop, &info, &limits, &server);
        FUZZ_CHECK(r >= 0);
        r = varlink_server_add_interface(server, interface, methods, NULL);
        FUZZ_CHECK(r >= 0);
        varlink_server_set_authorize(server, authorize, NULL);
        r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
        FUZZ_CHECK(r >= 0);
        r = varlink_server_add_fd(server, fds[0]);
        FUZZ_CHECK(r >= 0);
        client->fd = fds[1];
        r = io_source_new(loop, fds[1], IO_READ, on_answer, client, &source);
        FUZZ_CHECK(r >= 0);
        loop_defer(loop, &client->deferred);
        r = loop_run(loop);
        FUZZ_CHECK(r == 0);
        deferred_cancel(loop, &client->deferred);
        io_source_free(source);
        (void)close(fds[1]);
        varlink_server_free(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Client client = { .deferred.callback = send_chunk, .in = VARLINK_FRAMES_INIT(1024 * 1024) };
        int r;

        if (size < 1 || size > INPUT_MAX)
                return 0;
        log_set_max_level(LOG_EMERG);
        r = loop_new(clock_system(), &loop);
        FUZZ_CHECK(r >= 0);
        client.data = data + 1;
        client.size = size - 1;
        client.chunk = data[0] ?: SIZE_MAX;
        run(&client);
        varlink_frames_deinit(&client.in);
        loop = loop_free(loop);
        return 0;
}
