/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of org.varlink.certification: certification-server SOCKET. Prints "ready" when it serves. */
#include <signal.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/string-util.h"
#include "certification.h"
#include "loop/loop.h"
#include "varlink/server.h"

#define N_CLIENTS 16 /* remembered; the oldest is forgotten */

/* Made from the .varlink file. */
extern const char certification_interface[];

typedef struct Client {
        char id[32];
        size_t step; /* the one that is due */
} Client;

static Client clients[N_CLIENTS];
static unsigned n_started;

static int answer_json(VarlinkCall *call, const JsonValue *parameters, bool continues)
{
        JsonWriter *w = varlink_call_begin(call);

        for (uint32_t i = 0; i < parameters->n; i++) {
                json_key(w, parameters->members[i].key);
                json_value(w, &parameters->members[i].value);
        }
        return varlink_call_end(call, continues);
}

static int answer_strings(VarlinkCall *call, const JsonValue *strings)
{
        for (uint32_t i = 0; i < strings->n; i++) {
                JsonWriter *w = varlink_call_begin(call);
                int r;

                json_key(w, "string");
                json_string(w, strings->items[i].string);
                r = varlink_call_end(call, i + 1 < strings->n);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int answer_wrong(VarlinkCall *call, const JsonValue *wants, const JsonValue *got)
{
        JsonWriter *w = varlink_call_begin_error(call, CERTIFICATION "CertificationError");

        json_key(w, "wants");
        json_value(w, wants);
        json_key(w, "got");
        json_value(w, got);
        return varlink_call_end(call, false);
}

static Client *find_client(const JsonValue *parameters)
{
        const char *id = json_get(parameters, "client_id")->string;

        for (size_t i = 0; i < N_CLIENTS; i++)
                if (*id && streq(clients[i].id, id))
                        return &clients[i];
        return NULL;
}

static int start(VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        Client *client = &clients[n_started % N_CLIENTS];
        JsonWriter *w = varlink_call_begin(call);

        (void)snprintf(client->id, sizeof(client->id), "client-%u", ++n_started);
        client->step = 0;
        json_key(w, "client_id");
        json_string(w, client->id);
        return varlink_call_end(call, false);
}

/* PARAMETERS hold the client's id besides what the step wants. */
static bool fits(const JsonValue *wants, const JsonValue *parameters)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < parameters->n; i++) {
                const JsonMember *member = &parameters->members[i];
                const JsonValue *wanted = json_get(wants, member->key);

                if (streq(member->key, "client_id"))
                        continue;
                if (!wanted || !certification_equal(wanted, &member->value))
                        return false;
                n++;
        }
        return n == wants->n;
}

static int take_step(VarlinkCall *call, const JsonValue *parameters, size_t step)
{
        const CertificationStep *is = &certification_steps[step];
        _cleanup_(json_doc_freep) JsonDoc *wants = NULL, *gives = NULL;
        Client *client = find_client(parameters);
        bool wants_more = streq(is->method, "Test10"), oneway = streq(is->method, "Test11");
        int r;

        r = json_parse(is->wants, strlen(is->wants), NULL, &wants, NULL);
        if (r >= 0)
                r = json_parse(is->gives, strlen(is->gives), NULL, &gives, NULL);
        if (r < 0)
                return r;
        if (wants_more && !varlink_call_wants_more(call))
                return varlink_call_expected_more(call);
        /* Nobody waits for an answer. */
        if (!client || client->step != step || oneway != varlink_call_is_dead(call))
                return varlink_call_error(call, CERTIFICATION "ClientIdError", NULL, NULL);
        if (!fits(json_root(wants), parameters))
                return answer_wrong(call, json_root(wants), parameters);
        client->step++;
        if (wants_more)
                return answer_strings(call, json_root(gives));
        return answer_json(call, json_root(gives), false);
}

#define STEP(n)                                                                                               \
        static int test##n(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)           \
        {                                                                                                     \
                return take_step(call, parameters, 1##n - 101);                                               \
        }
STEP(01)
STEP(02)
STEP(03)
STEP(04)
STEP(05)
STEP(06)
STEP(07)
STEP(08)
STEP(09)
STEP(10)
STEP(11)

static int end(VarlinkCall *call, const JsonValue *parameters, _unused_ void *userdata)
{
        Client *client = find_client(parameters);
        JsonWriter *w;

        if (!client)
                return varlink_call_error(call, CERTIFICATION "ClientIdError", NULL, NULL);
        w = varlink_call_begin(call);
        json_key(w, "all_ok");
        json_bool(w, !certification_steps[client->step].method);
        client->id[0] = '\0';
        return varlink_call_end(call, false);
}

static const VarlinkMethod methods[] = {
        { CERTIFICATION "Start", start, 0 },   { CERTIFICATION "Test01", test01, 0 },
        { CERTIFICATION "Test02", test02, 0 }, { CERTIFICATION "Test03", test03, 0 },
        { CERTIFICATION "Test04", test04, 0 }, { CERTIFICATION "Test05", test05, 0 },
        { CERTIFICATION "Test06", test06, 0 }, { CERTIFICATION "Test07", test07, 0 },
        { CERTIFICATION "Test08", test08, 0 }, { CERTIFICATION "Test09", test09, 0 },
        { CERTIFICATION "Test10", test10, 0 }, { CERTIFICATION "Test11", test11, 0 },
        { CERTIFICATION "End", end, 0 },       {},
};

static void on_term(_unused_ SignalSource *source, _unused_ int signo, void *userdata)
{
        loop_exit(userdata, 0);
}

static int run(const char *path)
{
        static const VarlinkServiceInfo info = {
                .vendor = "takt", .product = "certification", .version = "1", .url = "https://varlink.org",
        };
        _cleanup_(loop_freep) Loop *loop = NULL;
        _cleanup_(signal_source_freep) SignalSource *term = NULL;
        _cleanup_(varlink_server_freep) VarlinkServer *server = NULL;
        _cleanup_close_ int lock_fd = -1;
        int fd, r;

        r = loop_new(clock_system(), &loop);
        if (r < 0)
                return r;
        r = signal_source_new(loop, SIGTERM, on_term, loop, &term);
        if (r < 0)
                return r;
        r = varlink_server_new(loop, &info, NULL, &server);
        if (r < 0)
                return r;
        r = varlink_server_add_interface(server, certification_interface, methods, NULL);
        if (r < 0)
                return r;
        fd = unix_listen(path, 0600, &lock_fd);
        if (fd < 0)
                return fd;
        r = varlink_server_listen_fd(server, fd);
        if (r < 0)
                return r;
        (void)puts("ready");
        (void)fflush(stdout);
        return loop_run(loop);
}

int main(int argc, char *argv[])
{
        int r;

        if (argc != 2) {
                (void)fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
                return 2;
        }
        r = run(argv[1]);
        if (r < 0)
                (void)log_errno(LOG_ERR, r, "Can't serve %s: %m", argv[1]);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
