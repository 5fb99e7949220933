/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A small HTTP server for status pages, by evhttp: GET and HEAD of a fixed table of paths, to
 * clients of this machine only.
 */

#include "base/buffer.h"
#include "loop/loop.h"

#define HTTP_SERVER_CONNECTIONS_MAX 64 /* open at a time; more wait in the listen queue */
#define HTTP_SERVER_HEADERS_MAX 16384  /* bytes of a request's headers */
#define HTTP_SERVER_BODY_MAX 4096      /* bytes of a request's body, which nobody reads */
#define HTTP_SERVER_REPLY_MAX (64u * 1024 * 1024)
#define HTTP_SERVER_TIMEOUT_SEC 10     /* without a byte read or written */

typedef struct HttpServer HttpServer;

typedef struct HttpServerRequest {
        const char *path;
        const char *query;  /* as sent, "" for none */
        const char *accept; /* the header, "" for none */
} HttpServerRequest;

/* What a callback fills in; empty, 200 and text/plain where it does not. */
typedef struct HttpServerReply {
        unsigned status;
        const char *content_type; /* static */
        Buffer body;
} HttpServerReply;

/* Answers at once. A negative return becomes a 500 without a body. */
typedef int (*HttpServerCallback)(const HttpServerRequest *request, HttpServerReply *reply, void *userdata);

typedef struct HttpServerRoute {
        const char *path; /* compared as it is */
        HttpServerCallback callback;
} HttpServerRoute;

/*
 * Listens on ADDRESS and serves ROUTES (borrowed): "127.0.0.1:PORT", "[::1]:PORT",
 * "localhost:PORT" (both of these, where the machine has both), or the absolute path of a UNIX
 * socket, which gets mode 0660; a stale one is replaced. Port 0 lets the kernel choose.
 *
 * -EINVAL for what is no such address: *RET_PROBLEM, which may be NULL, is a static text about it.
 * -EADDRINUSE: somebody else listens there. -ENOMEM, errno.
 */
int http_server_new(Loop *loop, const char *address, const HttpServerRoute *routes, size_t n_routes, void *userdata,
                    HttpServer **ret, const char **ret_problem);
/* Closes all connections; removes the UNIX socket. Accepts NULL, returns NULL. */
HttpServer *http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_free);

/* The TCP port that is listened on, 0 for a UNIX socket. */
uint16_t http_server_port(const HttpServer *server);
/* Connections open now. */
size_t http_server_connections(HttpServer *server);
