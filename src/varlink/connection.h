/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of the server share. */

#include "base/list.h"
#include "varlink/account.h"
#include "varlink/frame.h"
#include "varlink/interface.h"
#include "varlink/method-table.h"
#include "varlink/server.h"

typedef struct VarlinkConnection VarlinkConnection;

typedef struct ServedInterface {
        VarlinkInterface *description;
        const char *name;
        size_t name_len;
        ServedMethod *methods;
        size_t n_methods;
} ServedInterface;

struct VarlinkServer {
        Loop *loop;
        VarlinkServiceInfo info;
        VarlinkLimits limits;
        ServedInterface *interfaces;
        size_t n_interfaces;
        VarlinkMethodTable methods;
        VarlinkAuthorize authorize;
        void *authorize_userdata;

        int listen_fd;
        IoSource *listen_io;
        int reserve_fd;     /* closed for a moment to accept, and turn away, who finds no descriptor left */
        Timer listen_pause; /* where even that is impossible */

        List connections;
        size_t n_connections;
        size_t held; /* sum of what connections hold */
        VarlinkAccounts accounts;
        /* To be used again, so that calls which are short and answered at once allocate nothing. */
        VarlinkCall *spare_call;
        JsonDoc *spare_doc;
};

struct VarlinkConnection {
        VarlinkServer *server;
        List connections;
        int fd;
        IoSource *io;
        struct ucred peer;
        unsigned authority;
        Deferred turn; /* asked for by answers that come outside of one */
        VarlinkFrames in;
        Buffer out;
        size_t out_start;  /* bytes of OUT that were written */
        size_t held;       /* memory of IN and OUT, as counted in the server */
        VarlinkCall *call; /* the one that waits for its answer */
        const ServedMethod *served; /* called last */
        bool more_frames;  /* IN may hold another whole message */
        bool read_closed;
        bool in_turn;
        bool failed; /* to be closed at the end of the turn */
};

struct VarlinkCall {
        unsigned n_ref;
        VarlinkConnection *connection; /* NULL: dead */
        struct ucred peer;
        bool more;
        bool oneway;
        bool failed;         /* its answer is that the service failed */
        bool writing;        /* between begin and end */
        size_t answer_start; /* in the connection's OUT */
        JsonWriter writer;
        Buffer nowhere; /* what the writer of an answer that nobody gets is given; stays empty */
        VarlinkCallGone gone;
        void *gone_userdata;
        VarlinkCallDrained drained;
        void *drained_userdata;
};

/* --- server.c --- */

/* NULL: there is none with the name NAME[0…N). */
const ServedInterface *varlink_server_find_interface(const VarlinkServer *server, const char *name, size_t n);
/* Logs "uid …: REASON", at most once a minute a uid. */
void varlink_server_log_refusal(VarlinkServer *server, const struct ucred *peer, const char *reason, const char *detail);

/* --- connection.c --- */

/* Takes FD over, also on failure. */
int varlink_connection_new(VarlinkServer *server, int fd, const struct ucred *peer, unsigned authority);
VarlinkConnection *varlink_connection_free(VarlinkConnection *connection);
/* Lets it end with the turn, or a turn that is asked for now. */
void varlink_connection_fail(VarlinkConnection *connection);
/* Something was put into OUT, or the call was answered: write and go on, at the latest in the loop's next turn. */
void varlink_connection_wake(VarlinkConnection *connection);

static inline size_t varlink_connection_queued(const VarlinkConnection *connection)
{
        return connection->out.len - connection->out_start;
}

/* --- call.c --- */

/* Serves one message. Where it is no call at all, the connection fails. */
void varlink_call_dispatch(VarlinkConnection *connection, const char *message, size_t n);
/* The connection is going; tells who holds the call. */
void varlink_call_detach(VarlinkCall *call);

/* --- service.c --- */

int varlink_service_add(VarlinkServer *server);
