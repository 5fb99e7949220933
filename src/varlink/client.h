/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A Varlink client for programs with no loop of their own: blocking calls with a timeout. */

#include "base/buffer.h"
#include "base/clock.h"
#include "json/json.h"
#include "json/writer.h"

typedef struct VarlinkClient VarlinkClient;

#define VARLINK_CLIENT_MAX_MESSAGE (64U * 1024 * 1024) /* bytes of one reply */

enum {
        VARLINK_CALL_MORE = 1 << 0,
        VARLINK_CALL_ONEWAY = 1 << 1,
        VARLINK_CALL_UPGRADE = 1 << 2,
};

typedef struct VarlinkReply {
        JsonDoc *doc;                /* owns what the others point into */
        const JsonValue *parameters; /* an object, never NULL */
        const char *error;           /* the error's name, NULL for success */
        bool continues;
} VarlinkReply;

#define VARLINK_REPLY_NULL ((VarlinkReply){})
void varlink_reply_deinit(VarlinkReply *reply);

/* Connects to the UNIX socket PATH. -ENOENT, -ECONNREFUSED, -EACCES … of connect(2). */
int varlink_client_connect(const char *path, VarlinkClient **ret);
/* As above on a connected socket that is taken over. */
int varlink_client_new_fd(int fd, VarlinkClient **ret);
VarlinkClient *varlink_client_free(VarlinkClient *client);
DEFINE_CLEANUP(VarlinkClient *, varlink_client_free);

/* The socket, to poll(2) together with others. */
int varlink_client_fd(const VarlinkClient *client);

/*
 * Sends a call; PARAMETERS is JSON text of an object, NULL for none. Several may be sent before
 * replies are read. Goes on across signals. -ECONNRESET where the server has closed the connection
 * (answers that came before can still be received), errno.
 */
int varlink_client_send(VarlinkClient *client, const char *method, const char *parameters, unsigned flags);
/*
 * Waits for the next reply, at most TIMEOUT (USEC_INFINITY: for ever; 0: not at all, for who polls:
 * several may have come at once, so receive until -ETIMEDOUT before polling again). The caller
 * deinits RET. -ETIMEDOUT, -ECONNRESET: closed, -EBADMSG: no reply, -ENOMEM; -EINTR: a signal
 * handler ran, ask again to go on.
 */
int varlink_client_receive(VarlinkClient *client, usec_t timeout, VarlinkReply *ret);
/* Both, within TIMEOUT. After -ETIMEDOUT and -EINTR the reply may still come. */
int varlink_client_call(VarlinkClient *client, const char *method, const char *parameters, usec_t timeout, VarlinkReply *ret);
