/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of org.varlink.certification: certification-client SOCKET. Waits for a server to be
 * there; exits with 0 when the server certifies every call.
 */
#include <poll.h>
#include <stdio.h>

#include "base/log.h"
#include "certification.h"
#include "varlink/client.h"

#define TIMEOUT (10 * USEC_PER_SEC)

typedef struct Session {
        VarlinkClient *client;
        VarlinkReply reply; /* the last one */
        Buffer strings;     /* of Test10, as an array */
        const char *id;
} Session;

static int connect_patiently(const char *path, VarlinkClient **ret)
{
        usec_t deadline_boottime = clock_boottime(clock_system()) + TIMEOUT;
        int r;

        do {
                r = varlink_client_connect(path, ret);
                if (r != -ENOENT && r != -ECONNREFUSED)
                        return r;
                (void)poll(NULL, 0, 10);
        } while (clock_boottime(clock_system()) < deadline_boottime);
        return r;
}

static int receive(Session *session)
{
        VarlinkReply reply;
        int r;

        r = varlink_client_receive(session->client, TIMEOUT, &reply);
        if (r < 0)
                return r;
        varlink_reply_deinit(&session->reply);
        session->reply = reply;
        if (reply.error) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                (void)json_format(reply.parameters, 0, &text);
                log_error("%s %s", reply.error, buffer_string(&text));
                return -EREMOTEIO;
        }
        return 0;
}

/* Sends NAME with the client's id and what the last reply gave, or STRINGS where there are some. */
static int send_step(Session *session, const char *name, bool with_parameters, unsigned flags)
{
        _cleanup_buffer_ Buffer parameters = BUFFER_NULL;
        const JsonValue *last = session->reply.parameters;
        char method[64];
        JsonWriter w;
        int r;

        json_writer_init(&w, &parameters, 0);
        json_begin_object(&w);
        json_key(&w, "client_id");
        json_string(&w, session->id);
        if (session->strings.len > 0 && with_parameters) {
                json_key(&w, "last_more_replies");
                json_raw(&w, session->strings.data, session->strings.len);
        } else {
                for (uint32_t i = 0; with_parameters && i < last->n; i++) {
                        json_key(&w, last->members[i].key);
                        json_value(&w, &last->members[i].value);
                }
        }
        json_end_object(&w);
        r = json_writer_end(&w);
        if (r < 0)
                return r;
        (void)snprintf(method, sizeof(method), CERTIFICATION "%s", name);
        return varlink_client_send(session->client, method, parameters.data, flags);
}

static int collect_strings(Session *session)
{
        JsonWriter w;
        unsigned n = 0;
        int r;

        json_writer_init(&w, &session->strings, 0);
        json_begin_array(&w);
        do {
                const JsonValue *string;

                r = receive(session);
                if (r < 0)
                        return r;
                string = json_get(session->reply.parameters, "string");
                if (!json_is(string, JSON_STRING))
                        return -EBADMSG;
                json_value(&w, string);
                n++;
        } while (session->reply.continues);
        json_end_array(&w);
        r = json_writer_end(&w);
        if (r < 0)
                return r;
        return n == CERTIFICATION_N_REPLIES ? 0 : -EBADMSG;
}

static int take_steps(Session *session)
{
        for (const CertificationStep *step = certification_steps; step->method; step++) {
                bool is_stream = streq(step->method, "Test10"), is_oneway = streq(step->method, "Test11");
                unsigned flags = is_stream ? VARLINK_CALL_MORE : is_oneway ? VARLINK_CALL_ONEWAY : 0;
                int r;

                r = send_step(session, step->method, step != certification_steps, flags);
                if (r >= 0 && is_stream)
                        r = collect_strings(session);
                else if (r >= 0 && !is_oneway)
                        r = receive(session);
                if (r < 0)
                        return log_errno(LOG_ERR, r, "%s: %m", step->method);
        }
        return 0;
}

static int run(const char *path)
{
        Session session = {};
        VarlinkReply start = VARLINK_REPLY_NULL;
        const JsonValue *all_ok;
        int r;

        r = connect_patiently(path, &session.client);
        if (r < 0)
                return log_errno(LOG_ERR, r, "Can't connect to %s: %m", path);
        r = varlink_client_call(session.client, CERTIFICATION "Start", NULL, TIMEOUT, &start);
        if (r >= 0) {
                session.id = json_string_or_null(json_get(start.parameters, "client_id"));
                r = session.id ? take_steps(&session) : -EBADMSG;
        }
        if (r >= 0)
                r = send_step(&session, "End", false, 0);
        if (r >= 0)
                r = receive(&session);
        if (r >= 0) {
                all_ok = json_get(session.reply.parameters, "all_ok");
                if (!json_is(all_ok, JSON_BOOL) || !all_ok->boolean)
                        r = log_errno(LOG_ERR, -EREMOTEIO, "The server does not certify this client.");
        }
        varlink_reply_deinit(&start);
        varlink_reply_deinit(&session.reply);
        buffer_deinit(&session.strings);
        varlink_client_free(session.client);
        return r;
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
                (void)log_errno(LOG_ERR, r, "Not certified: %m");
        else
                (void)puts("certified");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
