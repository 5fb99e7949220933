/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A Varlink service on a UNIX socket: connections, calls in order, streams, limits. It knows the
 * interfaces only as text and method tables; parameters are checked against the text before a
 * method sees them. `org.varlink.service` is built in.
 *
 * Calls of one connection are answered strictly in order: while one waits for its answer, those
 * behind it wait as well, and little more is read. Whoever does not read its answers is not served
 * further, and is disconnected when a stream fills its queue. Refusals are logged, once a minute
 * for each uid.
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
 * without having answered, the caller gets the service's `failed` error; where there is none, or it
 * can't be sent, the connection is closed. So it is where a call is given up without an answer.
 * A method must not free the server.
 */
typedef int (*VarlinkMethodFn)(VarlinkCall *call, const JsonValue *parameters, void *userdata);

typedef struct VarlinkMethod {
        const char *name;         /* "io.takt.Jobs.List" */
        VarlinkMethodFn function; /* NULL: the answer is MethodNotImplemented */
        unsigned authority;       /* least authority it needs; compared with the authorize callback's answer */
} VarlinkMethod;

typedef struct VarlinkServiceInfo {
        const char *vendor;
        const char *product;
        const char *version;
        const char *url;
        /*
         * The error for what the service itself failed at, such as "io.takt.Manager.Failed"; its only
         * parameter is `message: string`. NULL: none.
         */
        const char *failed;
} VarlinkServiceInfo;

/* The errors of org.varlink.service; the comment names the parameter. */
#define VARLINK_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"       /* interface */
#define VARLINK_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"             /* method */
#define VARLINK_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented" /* method */
#define VARLINK_INVALID_PARAMETER "org.varlink.service.InvalidParameter"          /* parameter */
#define VARLINK_PERMISSION_DENIED "org.varlink.service.PermissionDenied"
#define VARLINK_EXPECTED_MORE "org.varlink.service.ExpectedMore"

/* Caps; 0 takes the default of the same name. */
typedef struct VarlinkLimits {
        unsigned max_connections;         /* VARLINK_MAX_CONNECTIONS */
        unsigned max_connections_per_uid; /* VARLINK_MAX_CONNECTIONS_PER_UID */
        size_t max_message;               /* VARLINK_MAX_MESSAGE: bytes of one message */
        size_t max_queue;                 /* VARLINK_MAX_QUEUE: bytes of replies waiting for a slow reader */
        size_t max_held;                  /* VARLINK_MAX_HELD: bytes of both for all connections together */
} VarlinkLimits;

#define VARLINK_MAX_CONNECTIONS 4096U
#define VARLINK_MAX_CONNECTIONS_PER_UID 1024U
#define VARLINK_MAX_MESSAGE (16U * 1024 * 1024)
#define VARLINK_MAX_QUEUE (32U * 1024 * 1024)
#define VARLINK_MAX_HELD (256U * 1024 * 1024) /* above it, the connection that holds most is closed */

/*
 * The authority of the peer with these credentials; the larger the more. Methods name the least they
 * need. Asked once a connection; without a callback everybody may do everything.
 */
typedef unsigned (*VarlinkAuthorize)(const struct ucred *peer, void *userdata);
/*
 * The supplementary groups of PEER as it had them when it connected; only within a VarlinkAuthorize
 * call, with the pointer given there. Returns their number.
 */
size_t varlink_peer_groups(const struct ucred *peer, const gid_t **ret);

/* INFO's strings are borrowed. LIMITS may be NULL. The loop must outlive the server. */
int varlink_server_new(Loop *loop, const VarlinkServiceInfo *info, const VarlinkLimits *limits, VarlinkServer **ret);
/* For connections that come and calls that are made from now on; LIMITS as above. */
void varlink_server_set_limits(VarlinkServer *server, const VarlinkLimits *limits);
/* Closes every connection; calls that methods still hold become dead: answering them does nothing. */
VarlinkServer *varlink_server_free(VarlinkServer *server);
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free);

/*
 * Adds an interface: TEXT is its description with comments, METHODS its table (borrowed), ended by
 * a NULL name. -EBADMSG where the text can't be parsed, -ENOTTY where table and text disagree: a
 * method that only one of them has; -EEXIST.
 */
int varlink_server_add_interface(VarlinkServer *server, const char *text, const VarlinkMethod *methods, void *userdata);
/* Asks again for the connections that are open, so that it can also be told of changed settings. */
void varlink_server_set_authorize(VarlinkServer *server, VarlinkAuthorize authorize, void *userdata);

/* Serves a listening socket; takes FD over. */
int varlink_server_listen_fd(VarlinkServer *server, int fd);
/* Serves one connected UNIX stream socket; takes FD over, also on failure. -EMFILE above a cap, -ENOMEM, errno. */
int varlink_server_add_fd(VarlinkServer *server, int fd);
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
/* Nobody waits for an answer (any more): a oneway call, or answered, or the client is gone. Answers are dropped. */
bool varlink_call_is_dead(const VarlinkCall *call);
const struct ucred *varlink_call_peer(const VarlinkCall *call);

/*
 * Called once, from the loop, when the client goes away before the call ended; not after an answer
 * that ends it, and not for a oneway call.
 */
typedef void (*VarlinkCallGone)(VarlinkCall *call, void *userdata);
void varlink_call_set_gone(VarlinkCall *call, VarlinkCallGone gone, void *userdata);

/*
 * Answering: begin gives a writer inside the parameters object, where the method adds keys; end
 * sends, or returns the first error of the writer, with which the call is over: the caller gets the
 * service's `failed` error or, where the queue is full (-E2BIG), is disconnected. CONTINUES keeps the
 * call open for another answer; where the caller did not ask for more, the answer becomes the error
 * ExpectedMore and the call is over.
 * Between begin and end the loop must not turn.
 */
JsonWriter *varlink_call_begin(VarlinkCall *call);
int varlink_call_end(VarlinkCall *call, bool continues);
/*
 * An answer for many callers, of whom none is answered for good by it: formatted once, between begin
 * and end, which returns the writer's first error, and sent to each as if by varlink_call_end() with
 * CONTINUES. It can be used again after another begin. Zeroes are an empty one.
 */
typedef struct VarlinkAnswer {
        Buffer text;
        JsonWriter writer;
} VarlinkAnswer;
JsonWriter *varlink_answer_begin(VarlinkAnswer *answer);
int varlink_answer_end(VarlinkAnswer *answer);
void varlink_answer_deinit(VarlinkAnswer *answer);
int varlink_call_send(VarlinkCall *call, const VarlinkAnswer *answer);
/* An error NAME ("io.takt.Jobs.NoSuchJob"); its parameters are added between begin_error and end. */
JsonWriter *varlink_call_begin_error(VarlinkCall *call, const char *name);
/* Whole answers: no parameters; an error with one string parameter (KEY NULL: none). */
int varlink_call_reply_empty(VarlinkCall *call);
int varlink_call_error(VarlinkCall *call, const char *name, const char *key, const char *value);
int varlink_call_invalid_parameter(VarlinkCall *call, const char *parameter);
int varlink_call_expected_more(VarlinkCall *call);
/* Bytes of answers that the client has not read yet: what a stream looks at before it adds more. */
size_t varlink_call_queued(const VarlinkCall *call);
/* Called from the loop when the queue of this call's connection has drained after varlink_call_queued() was above 0. */
typedef void (*VarlinkCallDrained)(VarlinkCall *call, void *userdata);
void varlink_call_set_drained(VarlinkCall *call, VarlinkCallDrained drained, void *userdata);
