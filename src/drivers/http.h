/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * HTTP transfers on the loop, by curl's multi interface. One HttpClient holds the connections, so
 * that whoever asks the same server reuses them. What stays the same from run to run is an
 * HttpRequest, prepared when a definition is loaded; what varies is passed when a transfer starts.
 *
 * Nothing here blocks: names are looked up by threads of curl's. Only http:// and https:// are
 * spoken, also behind a redirect.
 */

#include "base/buffer.h"
#include "base/clock.h"
#include "loop/loop.h"

/* Caps where HttpLimits or HttpOptions say 0. */
#define HTTP_TRANSFERS_MAX 16384
#define HTTP_CONNECTIONS_MAX 1024
#define HTTP_HOST_CONNECTIONS_MAX 256
#define HTTP_IDLE_CONNECTIONS_MAX 128
#define HTTP_BODY_MAX (16u * 1024 * 1024)
#define HTTP_CONNECT_TIMEOUT (30 * USEC_PER_SEC)
/* Cap on what a server may send as headers, all responses of a transfer together. */
#define HTTP_HEADERS_MAX (256u * 1024)

typedef struct HttpClient HttpClient;
typedef struct HttpRequest HttpRequest;
typedef struct HttpTransfer HttpTransfer;

/* 0 takes the cap of the same name above. */
typedef struct HttpLimits {
        unsigned max_transfers;        /* under way or waiting; one more is refused with -EBUSY */
        unsigned max_connections;      /* open at a time; a transfer beyond waits, within its timeout */
        unsigned max_host_connections; /* as above, to one host and port */
        unsigned max_idle_connections; /* kept open for the next transfer */
} HttpLimits;

typedef enum HttpAuth {
        HTTP_AUTH_NONE,
        HTTP_AUTH_BASIC,
        HTTP_AUTH_DIGEST,
        HTTP_AUTH_BEARER, /* SECRET is the token, USER is not used */
        HTTP_AUTH_ANY,    /* what the server asks for: basic or digest */
} HttpAuth;

typedef enum HttpVersion {
        HTTP_VERSION_AUTO, /* HTTP/2 over TLS where both sides know it, else HTTP/1.1 */
        HTTP_VERSION_1_0,
        HTTP_VERSION_1_1,
        HTTP_VERSION_2,
        HTTP_VERSION_2_PRIOR_KNOWLEDGE,
} HttpVersion;

/* Describes an HttpRequest. All zero is a GET with curl's defaults; strings are copied. */
typedef struct HttpOptions {
        const char *url; /* where it is always the same: taken apart once; NULL: each start says its own */
        const char *method; /* NULL: GET, or POST where there is a body */
        /* As curl's -H: "Name: value", "Name;" for an empty value, "Name:" to leave out one of curl's own. */
        const char *const *headers;
        size_t n_headers;
        const void *body; /* NULL: none */
        size_t body_size;
        const char *content_type; /* of the body, NULL: none is sent */

        usec_t connect_timeout; /* name, connect and TLS together; 0: HTTP_CONNECT_TIMEOUT */
        usec_t timeout;         /* from the start to the end, waiting for a connection included; 0: none */
        size_t max_bytes;       /* cap on the decoded body; 0: HTTP_BODY_MAX */
        unsigned max_redirects; /* followed; 0: none is, its status is the response */

        HttpAuth auth; /* never sent to another host than the first */
        const char *user;
        const char *secret; /* password or token */

        const char *ca_file; /* PEM, NULL: the system's */
        const char *cert_file;
        const char *key_file;
        bool insecure; /* don't verify the server's certificate and name */

        const char *proxy;       /* URL; NULL: as in http_proxy, https_proxy, no_proxy; "": none */
        const char *unix_socket; /* connect to this path, whatever the URL's host */
        const char *interface;   /* as curl's --interface */
        const char *const *resolve; /* as curl's --resolve: "HOST:PORT:ADDRESS" */
        size_t n_resolve;
        HttpVersion version;
        bool compressed;        /* ask for compression; what comes compressed is decoded then */
        const char *user_agent; /* NULL: "takt/VERSION" */
        bool validators;        /* tell etag and last_modified of the response */
} HttpOptions;

/*
 * Prepares a request. -EINVAL where an option can't be sent as it is (a line break in a header, a
 * method that is no token, a key without certificate): *RET_PROBLEM, which may be NULL, is then a
 * static text about it. -ENOMEM.
 */
int http_request_new(const HttpOptions *options, HttpRequest **ret, const char **ret_problem);
/* Reference-counted: a transfer keeps its request. Accept NULL. */
HttpRequest *http_request_ref(HttpRequest *request);
HttpRequest *http_request_unref(HttpRequest *request);
DEFINE_CLEANUP(HttpRequest *, http_request_unref);

/* The checks that http_request_new() makes, for who reads them from a file. */
bool http_method_is_valid(const char *method);
bool http_header_is_valid(const char *header);

/*
 * What a single transfer adds to its request. All may be NULL, but for the URL, which is either
 * here or in the request; http:// is put before one that names no scheme. The body is borrowed until the transfer ends or is cancelled, all else copied.
 */
typedef struct HttpStart {
        const char *url;
        const char *const *headers; /* beside those of the request, same form */
        size_t n_headers;
        const void *body; /* instead of the request's */
        size_t body_size;
        const char *content_type;
        const char *user; /* instead of the request's */
        const char *secret;
        /* From the last response; a server that still has the same answers 304 without a body. */
        const char *etag;
        const char *last_modified;
} HttpStart;

/*
 * Time from the start to the end of each phase, summed up over the requests where redirects were followed.
 * Only the total counts the time spent waiting for a free connection.
 */
typedef struct HttpTiming {
        usec_t name;       /* name looked up */
        usec_t connect;    /* connected */
        usec_t tls;        /* TLS agreed; 0 without TLS */
        usec_t first_byte; /* first byte of the answer */
        usec_t total;
} HttpTiming;

/*
 * How a transfer ended. Valid during the callback only; strings are never NULL but where it says so.
 * With an error, what is known by then is filled in all the same.
 */
typedef struct HttpResponse {
        /*
         * NULL: a response came, of any status. Else one of: "url" (malformed, or a scheme that is not
         * spoken), "resolve", "connect", "tls", "proxy", "timeout", "closed" (before the answer was
         * whole), "redirect" (too many, or to what is not spoken), "protocol" (not HTTP, or not
         * decodable), "too-large", "memory", "internal".
         */
        const char *error;
        const char *message; /* one line about the error, naming the host; "" without one */

        unsigned status; /* 0: none came */
        Buffer *body;    /* decoded; the callback may take it by buffer_steal() */
        const char *content_type;
        const char *etag; /* "" where the request asks for no validators */
        const char *last_modified;
        const char *url; /* the last one, after redirects */
        const char *remote_ip;
        unsigned http_version; /* 10, 11, 20; 0: unknown */
        unsigned redirects; /* followed; the second request of a digest authentication is one */
        bool reused; /* on a connection that was open already */
        uint64_t bytes_received; /* of the body, before decoding */
        uint64_t bytes_sent;     /* of the body */
        HttpTiming timing;
} HttpResponse;

/*
 * Called once, from the loop and never from within http_transfer_start(). TRANSFER is gone when it
 * returns; it may start and cancel other transfers, but not free the client.
 */
typedef void (*HttpCallback)(HttpTransfer *transfer, const HttpResponse *response, void *userdata);

/*
 * LIMITS may be NULL. -EOPNOTSUPP where this libcurl would block in name look-ups or has no
 * TLS, -ENOMEM, errno.
 */
int http_client_new(Loop *loop, const HttpLimits *limits, HttpClient **ret);
/* Cancels what is under way. Accepts NULL, returns NULL. */
HttpClient *http_client_free(HttpClient *client);
DEFINE_CLEANUP(HttpClient *, http_client_free);

/* For transfers from now on; connections that are open stay so. As above, 0 takes the cap of the same name. */
void http_client_set_limits(HttpClient *client, const HttpLimits *limits);

/* Transfers under way or waiting. */
size_t http_client_active(const HttpClient *client);

/*
 * Starts a transfer. What is wrong with the URL or the server is told to the callback. -EBUSY above
 * max_transfers, -EINVAL for a header that can't be sent or no URL, -EOPNOTSUPP for an option that this libcurl lacks,
 * -ENOMEM: the callback isn't called then.
 * RET may be NULL for who never cancels.
 */
int http_transfer_start(HttpClient *client, HttpRequest *request, const HttpStart *start, HttpCallback callback,
                        void *userdata, HttpTransfer **ret);
/* Ends it at once without a callback; not for one whose callback runs or ran. Accepts NULL, returns NULL. */
HttpTransfer *http_transfer_cancel(HttpTransfer *transfer);
