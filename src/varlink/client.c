/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptor does not block, so that timeouts can be kept. While a call is being sent, replies
 * are taken in: else a client that sends many calls and a server that answers each at once could
 * wait for each other with full sockets.
 */
#include "varlink/client.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/socket.h"
#include "varlink/frame.h"

struct VarlinkClient {
        int fd;
        VarlinkFrames in;
        Buffer out;
        bool read_closed;
};

void varlink_reply_deinit(VarlinkReply *reply)
{
        json_doc_free(reply->doc);
        *reply = VARLINK_REPLY_NULL;
}

int varlink_client_new_fd(int fd, VarlinkClient **ret)
{
        _cleanup_close_ int owned = fd;
        VarlinkClient *client;
        int r;

        r = fd_set_nonblocking(fd);
        if (r < 0)
                return r;
        client = new0(VarlinkClient, 1);
        if (!client)
                return -ENOMEM;
        client->fd = TAKE_FD(owned);
        client->in = VARLINK_FRAMES_INIT(VARLINK_CLIENT_MAX_MESSAGE);
        *ret = client;
        return 0;
}

int varlink_client_connect(const char *path, VarlinkClient **ret)
{
        int fd;

        fd = unix_connect(path);
        return fd < 0 ? fd : varlink_client_new_fd(fd, ret);
}

VarlinkClient *varlink_client_free(VarlinkClient *client)
{
        if (!client)
                return NULL;
        varlink_frames_deinit(&client->in);
        buffer_deinit(&client->out);
        safe_close(client->fd);
        free(client);
        return NULL;
}

int varlink_client_fd(const VarlinkClient *client)
{
        return client->fd;
}

/* Waits for EVENTS until DEADLINE. */
static int wait_for(const VarlinkClient *client, short events, usec_t deadline_boottime, short *ret_events)
{
        struct pollfd pollfd = { .fd = client->fd, .events = events };
        struct timespec timeout;
        usec_t left;
        int n;

        left = usec_sub(deadline_boottime, clock_boottime(clock_system()));
        if (deadline_boottime != USEC_INFINITY)
                left = MIN(left, (usec_t)INT_MAX * USEC_PER_SEC);
        timeout.tv_sec = (time_t)(left / USEC_PER_SEC);
        timeout.tv_nsec = (long)(left % USEC_PER_SEC * NSEC_PER_USEC);
        n = ppoll(&pollfd, 1, deadline_boottime != USEC_INFINITY ? &timeout : NULL, NULL);
        if (n < 0)
                return negative_errno();
        *ret_events = pollfd.revents;
        return n > 0 ? 0 : -ETIMEDOUT;
}

/* Takes in what is there. -EAGAIN: nothing. */
static int read_in(VarlinkClient *client)
{
        ssize_t n;

        n = varlink_frames_read(&client->in, client->fd);
        if (n < 0)
                return (int)n;
        client->read_closed |= n == 0;
        return 0;
}

static int send_all(VarlinkClient *client, usec_t deadline_boottime)
{
        size_t sent = 0;

        while (sent < client->out.len) {
                ssize_t n = send(client->fd, client->out.data + sent, client->out.len - sent, MSG_NOSIGNAL);
                short events;
                int r;

                if (n >= 0) {
                        sent += (size_t)n;
                        continue;
                }
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return errno == EPIPE ? -ECONNRESET : negative_errno();
                r = wait_for(client, client->read_closed ? POLLOUT : POLLOUT | POLLIN, deadline_boottime, &events);
                if (r == -EINTR)
                        continue; /* half a message can't be left behind */
                if (r < 0)
                        return r;
                if (events & POLLIN) {
                        r = read_in(client);
                        if (r < 0 && r != -EAGAIN)
                                return r;
                }
        }
        return 0;
}

static int send_until(
        VarlinkClient *client, const char *method, const char *parameters, unsigned flags, usec_t deadline_boottime)
{
        static const struct {
                unsigned flag;
                const char *key;
        } keys[] = {
                { VARLINK_CALL_MORE, "more" },
                { VARLINK_CALL_ONEWAY, "oneway" },
                { VARLINK_CALL_UPGRADE, "upgrade" },
        };
        JsonWriter w;
        int r;

        buffer_clear(&client->out);
        json_writer_init(&w, &client->out, 0);
        json_begin_object(&w);
        json_key(&w, "method");
        json_string(&w, method);
        if (parameters) {
                json_key(&w, "parameters");
                json_raw(&w, parameters, strlen(parameters));
        }
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (flags & keys[i].flag) {
                        json_key(&w, keys[i].key);
                        json_bool(&w, true);
                }
        json_end_object(&w);
        r = json_writer_end(&w);
        if (r >= 0)
                r = buffer_append_char(&client->out, '\0');
        return r < 0 ? r : send_all(client, deadline_boottime);
}

int varlink_client_send(VarlinkClient *client, const char *method, const char *parameters, unsigned flags)
{
        return send_until(client, method, parameters, flags, USEC_INFINITY);
}

static int parse_reply(const char *message, size_t n, VarlinkReply *ret)
{
        static const JsonValue no_parameters = { .type = JSON_OBJECT };
        const JsonValue *root, *parameters, *error, *continues;
        VarlinkReply reply;
        int r;

        r = json_parse(message, n, NULL, &reply.doc, NULL);
        if (r < 0)
                return r == -E2BIG ? -EBADMSG : r;
        root = json_root(reply.doc);
        parameters = json_get(root, "parameters");
        error = json_get(root, "error");
        continues = json_get(root, "continues");
        reply.parameters = json_is(parameters, JSON_OBJECT) ? parameters : &no_parameters;
        reply.error = json_is(error, JSON_STRING) ? json_string_or_null(error) : NULL;
        reply.continues = json_is(continues, JSON_BOOL) && continues->boolean;
        if (root->type != JSON_OBJECT ||
            (parameters && parameters->type != JSON_NULL && parameters->type != JSON_OBJECT) ||
            (error && error->type != JSON_NULL && !reply.error) ||
            (continues && continues->type != JSON_NULL && continues->type != JSON_BOOL)) {
                json_doc_free(reply.doc);
                return -EBADMSG;
        }
        *ret = reply;
        return 0;
}

static int receive_until(VarlinkClient *client, usec_t deadline_boottime, VarlinkReply *ret)
{
        for (;;) {
                const char *message;
                short events;
                size_t n;
                int r;

                r = varlink_frames_next(&client->in, &message, &n);
                if (r > 0) {
                        r = parse_reply(message, n, ret);
                        varlink_frames_trim(&client->in);
                        return r;
                }
                if (r < 0)
                        return -EBADMSG;
                if (client->read_closed)
                        return -ECONNRESET;
                /* Mostly the answer is not there yet, and the first read would be for nothing. */
                r = wait_for(client, POLLIN, deadline_boottime, &events);
                if (r < 0)
                        return r;
                r = read_in(client);
                if (r < 0 && r != -EAGAIN)
                        return r;
        }
}

int varlink_client_receive(VarlinkClient *client, usec_t timeout, VarlinkReply *ret)
{
        return receive_until(client, usec_add(clock_boottime(clock_system()), timeout), ret);
}

int varlink_client_call(
        VarlinkClient *client, const char *method, const char *parameters, usec_t timeout, VarlinkReply *ret)
{
        usec_t deadline_boottime = usec_add(clock_boottime(clock_system()), timeout);
        int r;

        r = send_until(client, method, parameters, 0, deadline_boottime);
        return r < 0 ? r : receive_until(client, deadline_boottime, ret);
}
