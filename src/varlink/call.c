/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call from its message to its last answer. Answers are written straight into the connection's
 * output; a failure on the way takes back what was written of them.
 */
#include <assert.h>

#include "base/activity.h"
#include "base/log.h"
#include "varlink/connection.h"
#include "varlink/request.h"

#define SPARE_MESSAGE_MAX 4096U /* bytes of a message whose document's memory is kept */

VarlinkCall *varlink_call_ref(VarlinkCall *call)
{
        call->n_ref++;
        return call;
}

/* What was begun of an answer was never there. */
static void take_back_answer(VarlinkCall *call)
{
        Buffer *out = &call->connection->out;

        if (call->writing && out->len > call->answer_start) {
                out->len = call->answer_start;
                out->data[out->len] = '\0';
        }
        call->writing = false;
}

/* The connection forgets the call. */
static void leave_connection(VarlinkCall *call)
{
        VarlinkConnection *connection = call->connection;

        take_back_answer(call);
        connection->call = NULL;
        call->connection = NULL;
}

VarlinkCall *varlink_call_unref(VarlinkCall *call)
{
        if (!call || --call->n_ref > 0)
                return NULL;
        if (call->connection) {
                VarlinkConnection *connection = call->connection;

                leave_connection(call);
                varlink_connection_fail(connection);
        }
        buffer_deinit(&call->nowhere);
        free(call);
        return NULL;
}

void varlink_call_detach(VarlinkCall *call)
{
        leave_connection(call);
        if (call->gone)
                call->gone(call, call->gone_userdata);
}

/* --- dispatching --- */

/* The key is the peer's, of any length and content. */
static int answer_wrong_member(VarlinkCall *call, const JsonMember *member)
{
        JsonWriter *w = varlink_call_begin_error(call, VARLINK_INVALID_PARAMETER);

        json_key(w, "parameter");
        json_string_lossy(w, member->key, MIN(member->key_len, VARLINK_PATH_MAX));
        return varlink_call_end(call, false);
}

static int answer_no_method(VarlinkCall *call, const char *name)
{
        const char *dot = strrchr(name, '.');
        JsonWriter *w;

        if (!dot)
                return varlink_call_invalid_parameter(call, "method");
        if (varlink_server_find_interface(call->connection->server, name, (size_t)(dot - name)))
                return varlink_call_error(call, VARLINK_METHOD_NOT_FOUND, "method", name);
        w = varlink_call_begin_error(call, VARLINK_INTERFACE_NOT_FOUND);
        json_key(w, "interface");
        json_string_n(w, name, (size_t)(dot - name));
        return varlink_call_end(call, false);
}

static int serve_request(VarlinkCall *call, const VarlinkRequest *request)
{
        VarlinkConnection *connection = call->connection;
        const ServedMethod *served = request->served;
        const VarlinkMethod *method;
        char path[VARLINK_PATH_MAX];

        if (request->wrong)
                return answer_wrong_member(call, request->wrong);
        if (!served)
                served = varlink_method_table_find(
                        &connection->server->methods, request->method->string, request->method->n);
        if (!served)
                return answer_no_method(call, request->method->string);
        connection->served = served;
        method = served->method;
        activity_note("a call", method->name);
        if (connection->authority < method->authority) {
                varlink_server_log_refusal(connection->server, &call->peer, "not permitted", method->name);
                return varlink_call_error(call, VARLINK_PERMISSION_DENIED, NULL, NULL);
        }
        if (!method->function || request->upgrade)
                return varlink_call_error(call, VARLINK_METHOD_NOT_IMPLEMENTED, "method", method->name);
        if (varlink_type_check(&served->member->type, request->parameters, path) < 0)
                return varlink_call_invalid_parameter(call, path);
        return method->function(call, request->parameters, served->userdata);
}

/* The service failed at it, and says so once; without an error for that, or where it fails too, the connection ends. */
static void answer_failed(VarlinkCall *call, int r)
{
        VarlinkConnection *connection = call->connection;
        const char *failed = connection->server->info.failed;

        take_back_answer(call);
        if (!failed || call->failed) {
                leave_connection(call);
                varlink_connection_fail(connection);
                return;
        }
        call->failed = true;
        (void)varlink_call_error(call, failed, "message", strerrordesc_np(-r) ?: "unknown error");
}

static VarlinkCall *call_new(VarlinkConnection *connection)
{
        VarlinkCall *call = TAKE_PTR(connection->server->spare_call);

        if (!call)
                call = new0(VarlinkCall, 1);
        if (!call)
                return NULL;
        call->n_ref = 1;
        call->connection = connection;
        call->peer = connection->peer;
        return call;
}

/* The server's reference ends; a call that nobody else holds serves again. */
static void call_release(VarlinkServer *server, VarlinkCall *call)
{
        if (call->n_ref > 1 || call->connection || server->spare_call) {
                varlink_call_unref(call);
                return;
        }
        call->more = call->oneway = call->failed = call->writing = false;
        call->gone = NULL;
        call->drained = NULL;
        server->spare_call = call;
}

/* The message could not be read for want of memory, so that nothing of it is known. */
static void answer_unread(VarlinkConnection *connection, const char *message, size_t n)
{
        VarlinkCall *call;

        /* An answer to what may be a oneway call would be taken for that of the next. */
        if (memmem(message, n, "oneway", 6) || memmem(message, n, "\\u", 2))
                return varlink_connection_fail(connection);
        call = call_new(connection);
        if (!call)
                return varlink_connection_fail(connection);
        connection->call = call;
        answer_failed(call, -ENOMEM);
        call_release(connection->server, call);
}

static void dispatch(VarlinkConnection *connection, const VarlinkRequest *request)
{
        VarlinkServer *server = connection->server;
        VarlinkCall *call;
        int r;

        /* A stream that nobody is told of makes no sense, so that we can't tell what was meant. */
        call = request->more && request->oneway ? NULL : call_new(connection);
        if (!call)
                return varlink_connection_fail(connection);
        call->more = request->more;
        call->oneway = request->oneway;
        connection->call = call;
        r = serve_request(call, request);
        if (call->oneway && call->connection)
                leave_connection(call);
        else if (r < 0 && call->connection)
                answer_failed(call, r);
        call_release(server, call);
}

void varlink_call_dispatch(VarlinkConnection *connection, const char *message, size_t n)
{
        VarlinkServer *server = connection->server;
        _cleanup_(json_doc_freep) JsonDoc *doc = TAKE_PTR(server->spare_doc);
        VarlinkRequest request;
        JsonError error;
        int r;

        r = varlink_request_read(message, n, server->limits.max_message, connection->served, &doc, &request, &error);
        if (r == -ENOMEM)
                return answer_unread(connection, message, n);
        if (r < 0) {
                varlink_server_log_refusal(server, &connection->peer, "message is no call", error.message);
                return varlink_connection_fail(connection);
        }
        dispatch(connection, &request);
        if (n <= SPARE_MESSAGE_MAX && !server->spare_doc)
                server->spare_doc = TAKE_PTR(doc);
}

/* --- what methods see --- */

bool varlink_call_wants_more(const VarlinkCall *call)
{
        return call->more;
}

bool varlink_call_is_dead(const VarlinkCall *call)
{
        return !call->connection || call->oneway;
}

const struct ucred *varlink_call_peer(const VarlinkCall *call)
{
        return &call->peer;
}

void varlink_call_set_gone(VarlinkCall *call, VarlinkCallGone gone, void *userdata)
{
        call->gone = gone;
        call->gone_userdata = userdata;
}

void varlink_call_set_drained(VarlinkCall *call, VarlinkCallDrained drained, void *userdata)
{
        call->drained = drained;
        call->drained_userdata = userdata;
}

size_t varlink_call_queued(const VarlinkCall *call)
{
        return call->connection ? varlink_connection_queued(call->connection) : 0;
}

/* Where the next answer is written. */
static Buffer *begin_writing(VarlinkCall *call)
{
        VarlinkConnection *connection = call->connection;

        connection->out.max = connection->out_start + connection->server->limits.max_queue;
        call->answer_start = connection->out.len;
        call->writing = true;
        return &connection->out;
}

static JsonWriter *begin_envelope(JsonWriter *w, Buffer *out, const char *error)
{
        static const char begin[] = "{\"parameters\":{";

        json_writer_init(w, out, 0);
        if (!error) {
                json_open_with(w, begin, sizeof(begin) - 1, 2);
                return w;
        }
        json_begin_object(w);
        json_key(w, "error");
        json_string(w, error);
        json_key(w, "parameters");
        json_begin_object(w);
        return w;
}

JsonWriter *varlink_call_begin_error(VarlinkCall *call, const char *name)
{
        assert(!call->writing);
        if (varlink_call_is_dead(call)) {
                call->writing = true;
                call->answer_start = SIZE_MAX;
                json_writer_init(&call->writer, &call->nowhere, 0);
                call->writer.error = -ENOTCONN;
                return &call->writer;
        }
        return begin_envelope(&call->writer, begin_writing(call), name);
}

JsonWriter *varlink_call_begin(VarlinkCall *call)
{
        return varlink_call_begin_error(call, NULL);
}

static int end_envelope(JsonWriter *w, bool continues)
{
        /* With the NUL that ends the message. */
        static const char last[] = "}}", more[] = "},\"continues\":true}";

        if (continues)
                json_close_with(w, more, sizeof(more), 2);
        else
                json_close_with(w, last, sizeof(last), 2);
        return json_writer_end(w);
}

/* It can't be written; that can be said, unless it is for the answers before it, which are not read. */
static void give_up_answer(VarlinkCall *call, int r)
{
        VarlinkConnection *connection = call->connection;

        if (r == -E2BIG && call->answer_start - connection->out_start > connection->server->limits.max_queue / 2) {
                varlink_server_log_refusal(connection->server, &call->peer, "answers are not read", NULL);
                leave_connection(call);
                varlink_connection_fail(connection);
                return;
        }
        answer_failed(call, r == -E2BIG ? -EMSGSIZE : r);
}

int varlink_call_end(VarlinkCall *call, bool continues)
{
        VarlinkConnection *connection = call->connection;
        int r;

        assert(call->writing);
        if (varlink_call_is_dead(call)) {
                call->writing = false;
                return 0;
        }
        if (continues && !call->more) {
                take_back_answer(call);
                return varlink_call_expected_more(call);
        }
        r = end_envelope(&call->writer, continues);
        if (r < 0) {
                give_up_answer(call, r);
                return r;
        }
        call->writing = false;
        if (!continues)
                leave_connection(call);
        varlink_connection_wake(connection);
        return 0;
}

JsonWriter *varlink_answer_begin(VarlinkAnswer *answer)
{
        buffer_clear(&answer->text);
        return begin_envelope(&answer->writer, &answer->text, NULL);
}

int varlink_answer_end(VarlinkAnswer *answer)
{
        return end_envelope(&answer->writer, true);
}

void varlink_answer_deinit(VarlinkAnswer *answer)
{
        buffer_deinit(&answer->text);
}

int varlink_call_send(VarlinkCall *call, const VarlinkAnswer *answer)
{
        int r;

        assert(!call->writing);
        if (varlink_call_is_dead(call))
                return 0;
        if (!call->more)
                return varlink_call_expected_more(call);
        r = buffer_append(begin_writing(call), answer->text.data, answer->text.len);
        if (r < 0) {
                give_up_answer(call, r);
                return r;
        }
        call->writing = false;
        varlink_connection_wake(call->connection);
        return 0;
}

int varlink_call_error(VarlinkCall *call, const char *name, const char *key, const char *value)
{
        JsonWriter *w = varlink_call_begin_error(call, name);

        if (key) {
                json_key(w, key);
                json_string(w, value);
        }
        return varlink_call_end(call, false);
}

int varlink_call_reply_empty(VarlinkCall *call)
{
        (void)varlink_call_begin(call);
        return varlink_call_end(call, false);
}

int varlink_call_invalid_parameter(VarlinkCall *call, const char *parameter)
{
        return varlink_call_error(call, VARLINK_INVALID_PARAMETER, "parameter", parameter);
}

int varlink_call_expected_more(VarlinkCall *call)
{
        return varlink_call_error(call, VARLINK_EXPECTED_MORE, NULL, NULL);
}
