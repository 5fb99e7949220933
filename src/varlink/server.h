/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A Varlink service on a UNIX socket: connections, calls in order, streams, limits. It knows the
 * interfaces only as text and method tables; parameters are checked against the text before a
 * method sees them. `org.varlink.service` is built in.
 */

#include <sys/socket.h>

#include "json/json.h"
#include "json/writer.h"
#include "loop/loop.h"

typedef struct VarlinkServer VarlinkServer;
typedef struct VarlinkCall VarlinkCall;

/*
 * Serves one call. PARAMETERS is an object that fits the interface and lives until the function
 * returns. The method answers now or, holding a reference, later. Where it returns a negative errno
 * without having answered, the connection is closed, as nothing true can be said (-ENOMEM).
 */
typedef int (*VarlinkMethodFn)(VarlinkCall *call, const JsonValue *parameters, void *userdata);

typedef struct VarlinkMethod {
        const char *name; /* "io.takt.Jobs.List" */
        VarlinkMethodFn function;
        unsigned authority; /* least authority it needs; compared by the authorize callback's answer */
} VarlinkMethod;

typedef struct VarlinkServiceInfo {
        const char *vendor;
        const char *product;
        const char *version;
        const char *url;
} VarlinkServiceInfo;

/* Caps; 0 takes the default of the same name. */
typedef struct VarlinkLimits {
        unsigned max_connections;         /* VARLINK_MAX_CONNECTIONS */
        unsigned max_connections_per_uid; /* VARLINK_MAX_CONNECTIONS_PER_UID */
        size_t max_message;               /* VARLINK_MAX_MESSAGE: bytes of one message */
        size_t max_queue;                 /* VARLINK_MAX_QUEUE: bytes of replies waiting for a slow reader */
} VarlinkLimits;

#define VARLINK_MAX_CONNECTIONS 4096U
#define VARLINK_MAX_CONNECTIONS_PER_UID 1024U
#define VARLINK_MAX_MESSAGE (16U * 1024 * 1024)
#define VARLINK_MAX_QUEUE (32U * 1024 * 1024)

/* The authority of the peer with these credentials; the larger the more. Methods name the least they need. */
typedef unsigned (*VarlinkAuthorize)(const struct ucred *peer, void *userdata);

int varlink_server_new(Loop *loop, const VarlinkServiceInfo *info, const VarlinkLimits *limits, VarlinkServer **ret);
/* Closes every connection; calls that methods still hold become dead: answering them does nothing. */
VarlinkServer *varlink_server_free(VarlinkServer *server);
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free);

/*
 * Adds an interface: TEXT is its description with comments (borrowed), METHODS its table, ended by
 * a NULL name. -EBADMSG where the text can't be parsed, -ENOTTY where table and text disagree.
 */
int varlink_server_add_interface(VarlinkServer *server, const char *text, const VarlinkMethod *methods, void *userdata);
void varlink_server_set_authorize(VarlinkServer *server, VarlinkAuthorize authorize, void *userdata);

/* Serves a listening socket; takes FD over. */
int varlink_server_listen_fd(VarlinkServer *server, int fd);
/* Stops listening; connections go on. */
void varlink_server_stop_listening(VarlinkServer *server);
size_t varlink_server_n_connections(const VarlinkServer *server);

/* --- calls --- */

/* A call is held by the server until its method returns; who answers later takes a reference. */
VarlinkCall *varlink_call_ref(VarlinkCall *call);
VarlinkCall *varlink_call_unref(VarlinkCall *call);
DEFINE_CLEANUP(VarlinkCall *, varlink_call_unref);

/* The caller asked for a stream. */
bool varlink_call_wants_more(const VarlinkCall *call);
/* The client is gone, or the call was answered; further answers are dropped. */
bool varlink_call_is_dead(const VarlinkCall *call);
const struct ucred *varlink_call_peer(const VarlinkCall *call);

/* Called once when the client goes away before the call ended; not after an answer that ends it. */
typedef void (*VarlinkCallGone)(VarlinkCall *call, void *userdata);
void varlink_call_set_gone(VarlinkCall *call, VarlinkCallGone gone, void *userdata);

/*
 * Answering: begin gives a writer inside the parameters object, where the method adds keys; end
 * sends. CONTINUES (only where the caller wants more) keeps the call open for another answer.
 * Between begin and end no other answer may be begun on the same connection.
 */
JsonWriter *varlink_call_begin(VarlinkCall *call);
int varlink_call_end(VarlinkCall *call, bool continues);
/* An error NAME ("io.takt.Jobs.NoSuchJob"); its parameters are added between begin_error and end. */
JsonWriter *varlink_call_begin_error(VarlinkCall *call, const char *name);
/* Whole answers: no parameters; an error with one string parameter (KEY NULL: none). */
int varlink_call_reply_empty(VarlinkCall *call);
int varlink_call_error(VarlinkCall *call, const char *name, const char *key, const char *value);
int varlink_call_invalid_parameter(VarlinkCall *call, const char *parameter);
/* Bytes of answers that the client has not read yet: what a stream looks at before it adds more. */
size_t varlink_call_queued(const VarlinkCall *call);
/* Called when the queue of this call's connection has drained after varlink_call_queued() was above 0. */
typedef void (*VarlinkCallDrained)(VarlinkCall *call, void *userdata);
void varlink_call_set_drained(VarlinkCall *call, VarlinkCallDrained drained, void *userdata);
