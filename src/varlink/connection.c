/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection works in turns: read once, serve what is complete, write once, then decide what to
 * wait for. A turn ends early when a call is not answered yet, so that answers leave in the order
 * of the calls; when answers pile up, so that a client that does not read gets no more of them; and
 * after CALLS_A_TURN, so that others are served too. Only at the end of a turn is a connection
 * freed, so that methods and their callbacks never lose it under their feet.
 */
#include "varlink/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

#define CALLS_A_TURN 128
#define READ_AHEAD_MAX (64U * 1024) /* bytes read while calls are held back */
#define QUEUE_HIGH (64U * 1024)     /* bytes of answers above which no further call is served */
#define KEEP_MAX (64U * 1024)       /* memory for answers that an idle connection keeps */

static void on_io(IoSource *source, int fd, unsigned events, void *userdata);
static void on_turn(Deferred *deferred);

int varlink_connection_new(VarlinkServer *server, int fd, const struct ucred *peer, unsigned authority)
{
        VarlinkConnection *connection = new0(VarlinkConnection, 1);
        int r;

        if (!connection) {
                safe_close(fd);
                return -ENOMEM;
        }
        connection->fd = fd;
        connection->peer = *peer;
        connection->authority = authority;
        connection->turn.callback = on_turn;
        connection->in = VARLINK_FRAMES_INIT(server->limits.max_message);
        r = io_source_new(server->loop, fd, IO_READ, on_io, connection, &connection->io);
        if (r < 0) {
                safe_close(fd);
                free(connection);
                return r;
        }
        connection->server = server;
        list_append(&server->connections, &connection->connections);
        server->n_connections++;
        return 0;
}

VarlinkConnection *varlink_connection_free(VarlinkConnection *connection)
{
        VarlinkServer *server = connection->server;
        VarlinkAccount *account;

        deferred_cancel(server->loop, &connection->turn);
        io_source_free(connection->io);
        safe_close(connection->fd);
        list_unlink(&connection->connections);
        server->n_connections--;
        server->held -= connection->held;
        account = varlink_accounts_get(&server->accounts, connection->peer.uid, 0);
        if (account)
                account->n_connections--;
        varlink_frames_deinit(&connection->in);
        buffer_deinit(&connection->out);
        if (connection->call)
                varlink_call_detach(connection->call);
        free(connection);
        return NULL;
}

void varlink_connection_wake(VarlinkConnection *connection)
{
        if (!connection->in_turn)
                loop_defer(connection->server->loop, &connection->turn);
}

void varlink_connection_fail(VarlinkConnection *connection)
{
        connection->failed = true;
        varlink_connection_wake(connection);
}

/* Writes what the socket takes at once. */
static void write_out(VarlinkConnection *connection)
{
        Buffer *out = &connection->out;
        size_t n = varlink_connection_queued(connection);
        ssize_t k;

        if (n == 0)
                return;
        do
                k = send(connection->fd, out->data + connection->out_start, n, MSG_NOSIGNAL);
        while (k < 0 && errno == EINTR);
        if (k < 0) {
                connection->failed |= errno != EAGAIN;
                return;
        }
        connection->out_start += (size_t)k;
        if ((size_t)k < n) {
                /* Moving the rest only where it is the smaller part costs at most as much as writing did. */
                if (connection->out_start < out->len - connection->out_start)
                        return;
                buffer_consume(out, connection->out_start);
                connection->out_start = 0;
                return;
        }
        connection->out_start = 0;
        if (out->allocated > KEEP_MAX)
                buffer_deinit(out);
        else
                buffer_clear(out);
        if (connection->call && connection->call->drained && !connection->failed)
                connection->call->drained(connection->call, connection->call->drained_userdata);
}

static void read_in(VarlinkConnection *connection)
{
        ssize_t n;

        n = varlink_frames_read(&connection->in, connection->fd);
        if (n == 0)
                connection->read_closed = true;
        else if (n > 0)
                connection->more_frames = true;
        else if (n != -EAGAIN)
                connection->failed = true;
}

static void serve(VarlinkConnection *connection)
{
        for (unsigned i = 0; i < CALLS_A_TURN; i++) {
                const char *message;
                size_t n;
                int r;

                if (connection->failed || connection->call || !connection->more_frames)
                        return;
                if (varlink_connection_queued(connection) > QUEUE_HIGH) {
                        write_out(connection);
                        if (varlink_connection_queued(connection) > QUEUE_HIGH)
                                return;
                }
                r = varlink_frames_next(&connection->in, &message, &n);
                if (r < 0) {
                        varlink_server_log_refusal(connection->server, &connection->peer, "message too long", NULL);
                        connection->failed = true;
                        return;
                }
                connection->more_frames = r > 0;
                if (r > 0)
                        varlink_call_dispatch(connection, message, n);
        }
}

/* Both directions are shut down: there is nobody left to answer. */
static bool is_hung_up(int fd)
{
        struct pollfd pollfd = { .fd = fd };

        return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & (POLLHUP | POLLERR));
}

static bool is_over(VarlinkConnection *connection, unsigned events)
{
        if (connection->failed)
                return true;
        /* Closing is how a client cancels; it may have closed its writing end only. */
        if (connection->call)
                return (connection->read_closed || (events & IO_HANGUP)) && is_hung_up(connection->fd);
        return connection->read_closed && !connection->more_frames && varlink_connection_queued(connection) == 0;
}

static int wait_for_what_is_next(VarlinkConnection *connection)
{
        size_t queued = varlink_connection_queued(connection);
        bool blocked = connection->call || queued > QUEUE_HIGH;
        unsigned events = 0;

        if (connection->more_frames && !blocked)
                loop_defer(connection->server->loop, &connection->turn);
        if (queued > 0)
                events |= IO_WRITE;
        if (!connection->read_closed &&
            ((!blocked && !connection->more_frames) || varlink_frames_pending(&connection->in) < READ_AHEAD_MAX))
                events |= IO_READ;
        return io_source_set_events(connection->io, events != 0 ? events : IO_HANGUP);
}

/* Closes who holds most where all connections together hold too much. */
static void account_for_memory(VarlinkConnection *connection)
{
        VarlinkServer *server = connection->server;
        VarlinkConnection *most = connection, *other;
        size_t held;

        varlink_frames_trim(&connection->in);
        held = connection->in.buffer.allocated + connection->out.allocated;
        server->held += held - connection->held;
        connection->held = held;
        if (server->held <= server->limits.max_held)
                return;
        list_foreach(other, &server->connections, VarlinkConnection, connections)
                if (other->held > most->held)
                        most = other;
        if (!most->failed)
                varlink_server_log_refusal(server, &most->peer, "too much memory held by all connections", NULL);
        varlink_connection_fail(most);
}

static void take_turn(VarlinkConnection *connection, unsigned events)
{
        connection->in_turn = true;
        if (events & IO_WRITE)
                write_out(connection);
        if (events & IO_READ)
                read_in(connection);
        serve(connection);
        write_out(connection);
        account_for_memory(connection);
        if (is_over(connection, events) || wait_for_what_is_next(connection) < 0) {
                varlink_connection_free(connection);
                return;
        }
        connection->in_turn = false;
}

static void on_io(_unused_ IoSource *source, _unused_ int fd, unsigned events, void *userdata)
{
        take_turn(userdata, events);
}

static void on_turn(Deferred *deferred)
{
        take_turn(container_of(deferred, VarlinkConnection, turn), 0);
}
