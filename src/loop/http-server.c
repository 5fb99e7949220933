/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evhttp has no cap on connections and does not say when one ends. So their sockets are remembered,
 * and at the cap it is looked at which of them are still open: those whose descriptor is still the
 * same socket. While all are, and for a while after accept() failed (no descriptors left), the
 * listeners are silenced rather than spun upon.
 */
#include "loop/http-server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "base/loopback.h"
#include "base/socket.h"
#include "base/string-util.h"

#define HTTP_SERVER_LISTENERS_MAX 2
/* Before the listeners are listened to again, after a failed accept() and when there are too many connections. */
#define HTTP_SERVER_ERROR_PAUSE USEC_PER_SEC
#define HTTP_SERVER_FULL_PAUSE (50 * USEC_PER_MSEC)

typedef struct Connection {
        int fd;
        ino_t inode; /* of the socket, as the descriptor may be another's by now */
} Connection;

struct HttpServer {
        Loop *loop;
        List link;
        struct evhttp *http;
        struct evconnlistener *listeners[HTTP_SERVER_LISTENERS_MAX];
        size_t n_listeners;
        const HttpServerRoute *routes;
        size_t n_routes;
        void *userdata;
        struct bufferevent *fresh[HTTP_SERVER_CONNECTIONS_MAX]; /* just accepted: evhttp sets the socket later */
        size_t n_fresh;
        Connection connections[HTTP_SERVER_CONNECTIONS_MAX];
        size_t n_connections;
        Deferred look;
        Timer pause;
        uint16_t port;
        char *socket_path; /* set once the socket there is ours */
        int lock_fd;
};

/* All there are: the callback for a failed accept() knows the listener only, its userdata is evhttp's. */
static List servers = LIST_INIT(servers);

static bool is_open(const Connection *connection)
{
        struct stat st;

        return fstat(connection->fd, &st) >= 0 && S_ISSOCK(st.st_mode) && st.st_ino == connection->inode;
}

static void forget_closed(HttpServer *server)
{
        size_t n = 0;

        for (size_t i = 0; i < server->n_connections; i++)
                if (is_open(&server->connections[i]))
                        server->connections[n++] = server->connections[i];
        server->n_connections = n;
}

static size_t count_connections(HttpServer *server)
{
        if (server->n_connections + server->n_fresh >= HTTP_SERVER_CONNECTIONS_MAX)
                forget_closed(server);
        return server->n_connections + server->n_fresh;
}

static void pause_listeners(HttpServer *server, usec_t pause)
{
        /* Without memory for a timer they go on. */
        if (timer_arm_after(loop_timers(server->loop), &server->pause, pause) < 0)
                return;
        for (size_t i = 0; i < server->n_listeners; i++)
                (void)evconnlistener_disable(server->listeners[i]);
}

static void on_pause_over(Timer *timer, _unused_ usec_t now_boottime)
{
        HttpServer *server = container_of(timer, HttpServer, pause);

        if (count_connections(server) >= HTTP_SERVER_CONNECTIONS_MAX) {
                pause_listeners(server, HTTP_SERVER_FULL_PAUSE);
                return;
        }
        for (size_t i = 0; i < server->n_listeners; i++)
                (void)evconnlistener_enable(server->listeners[i]);
}

static void on_accept_error(struct evconnlistener *listener, _unused_ void *userdata)
{
        HttpServer *server;

        list_foreach(server, &servers, HttpServer, link)
                for (size_t i = 0; i < server->n_listeners; i++)
                        if (server->listeners[i] == listener)
                                pause_listeners(server, HTTP_SERVER_ERROR_PAUSE);
}

static void on_look(Deferred *deferred)
{
        HttpServer *server = container_of(deferred, HttpServer, look);

        for (size_t i = 0; i < server->n_fresh; i++) {
                Connection connection = { .fd = bufferevent_getfd(server->fresh[i]) };
                struct stat st;

                if (connection.fd >= 0 && fstat(connection.fd, &st) >= 0) {
                        connection.inode = st.st_ino;
                        server->connections[server->n_connections++] = connection;
                }
                (void)bufferevent_decref(server->fresh[i]);
        }
        server->n_fresh = 0;
}

/* NULL makes evhttp use a bufferevent of its own, uncounted: for want of memory only. */
static struct bufferevent *on_new_connection(struct event_base *base, void *userdata)
{
        struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
        HttpServer *server = userdata;

        if (!bev || count_connections(server) >= HTTP_SERVER_CONNECTIONS_MAX)
                return bev;
        bufferevent_incref(bev);
        server->fresh[server->n_fresh++] = bev;
        loop_defer(server->loop, &server->look);
        if (count_connections(server) >= HTTP_SERVER_CONNECTIONS_MAX)
                pause_listeners(server, HTTP_SERVER_FULL_PAUSE);
        return bev;
}

static void send_reply(struct evhttp_request *http_request, unsigned status, const char *content_type,
                       const Buffer *body)
{
        struct evkeyvalq *headers = evhttp_request_get_output_headers(http_request);
        struct evbuffer *output = evhttp_request_get_output_buffer(http_request);
        bool head = evhttp_request_get_command(http_request) == EVHTTP_REQ_HEAD;
        char length[24];

        (void)snprintf(length, sizeof(length), "%zu", body->len);
        if (evhttp_add_header(headers, "Content-Type", content_type) < 0 ||
            evhttp_add_header(headers, "Content-Length", length) < 0 ||
            evhttp_add_header(headers, "Cache-Control", "no-store") < 0 ||
            (!head && body->len > 0 && evbuffer_add(output, body->data, body->len) < 0)) {
                evhttp_send_error(http_request, HTTP_INTERNAL, NULL);
                return;
        }
        /* The reason is evhttp's own for the status. */
        evhttp_send_reply(http_request, (int)status, NULL, NULL);
}

static void send_text(struct evhttp_request *http_request, unsigned status, const char *text)
{
        Buffer body = { .data = (char *)text, .len = strlen(text) };

        send_reply(http_request, status, "text/plain; charset=utf-8", &body);
}

static const HttpServerRoute *find_route(const HttpServer *server, const char *path)
{
        for (size_t i = 0; i < server->n_routes; i++)
                if (streq(server->routes[i].path, path))
                        return &server->routes[i];
        return NULL;
}

static void serve(struct evhttp_request *http_request, HttpServer *server)
{
        const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http_request);
        enum evhttp_cmd_type command = evhttp_request_get_command(http_request);
        const char *accept = evhttp_find_header(evhttp_request_get_input_headers(http_request), "Accept");
        const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
        const HttpServerRoute *route = path ? find_route(server, path) : NULL;
        HttpServerReply reply = {
                .status = HTTP_OK,
                .content_type = "text/plain; charset=utf-8",
                .body = BUFFER_WITH_MAX(HTTP_SERVER_REPLY_MAX),
        };
        HttpServerRequest request;

        if (!route) {
                send_text(http_request, HTTP_NOTFOUND, "There is nothing here.\n");
                return;
        }
        if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
                (void)evhttp_add_header(evhttp_request_get_output_headers(http_request), "Allow", "GET, HEAD");
                send_text(http_request, HTTP_BADMETHOD, "This can only be read.\n");
                return;
        }
        request = (HttpServerRequest){
                .path = path,
                .query = evhttp_uri_get_query(uri) ?: "",
                .accept = accept ?: "",
        };
        if (route->callback(&request, &reply, server->userdata) < 0)
                send_text(http_request, HTTP_INTERNAL, "");
        else
                send_reply(http_request, reply.status, reply.content_type, &reply.body);
        buffer_deinit(&reply.body);
}

static void on_request(struct evhttp_request *http_request, void *userdata)
{
        HttpServer *server = userdata;
        usec_t began = loop_callback_begins(server->loop);

        activity_note("a status page", NULL);
        serve(http_request, server);
        (void)loop_callback_ended(server->loop, began);
}

/* Takes FD over in any case. */
static int add_listener(HttpServer *server, int fd)
{
        struct evconnlistener *listener;

        listener = evconnlistener_new(loop_event_base(server->loop), NULL, NULL,
                                      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
        if (!listener) {
                safe_close(fd);
                return -ENOMEM;
        }
        if (!evhttp_bind_listener(server->http, listener)) {
                evconnlistener_free(listener);
                return -ENOMEM;
        }
        evconnlistener_set_error_cb(listener, on_accept_error);
        server->listeners[server->n_listeners++] = listener;
        return 0;
}

static int listen_tcp(HttpServer *server, const struct sockaddr *address, socklen_t size)
{
        _cleanup_close_ int fd = -1;
        const int one = 1;

        fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return negative_errno();
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, address, size) < 0 || listen(fd, SOMAXCONN) < 0)
                return negative_errno();
        if (server->port == 0) {
                struct sockaddr_storage bound = {};
                socklen_t n = sizeof(bound);

                if (getsockname(fd, (struct sockaddr *)&bound, &n) < 0)
                        return negative_errno();
                /* The port is at the same place in both kinds of address. */
                server->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
        }
        return add_listener(server, TAKE_FD(fd));
}

static int listen_ipv4(HttpServer *server, struct in_addr host)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = host, .sin_port = htons(server->port) };

        return listen_tcp(server, (struct sockaddr *)&address, sizeof(address));
}

static int listen_ipv6(HttpServer *server)
{
        struct sockaddr_in6 address = {
                .sin6_family = AF_INET6,
                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                .sin6_port = htons(server->port),
        };

        return listen_tcp(server, (struct sockaddr *)&address, sizeof(address));
}

static int listen_unix(HttpServer *server, const char *path)
{
        int fd;

        fd = unix_listen(path, 0660, &server->lock_fd);
        if (fd < 0)
                return fd;
        server->socket_path = strdup(path);
        if (!server->socket_path) {
                (void)unlink(path);
                safe_close(fd);
                return -ENOMEM;
        }
        return add_listener(server, fd);
}

static int listen_on(HttpServer *server, const char *path, const LoopbackAddress *address)
{
        int r;

        if (address->is_path)
                return listen_unix(server, path);
        server->port = address->port;
        r = address->has_ipv4 ? listen_ipv4(server, address->ipv4) : 0;
        if (r < 0 || !address->has_ipv6)
                return r;
        r = listen_ipv6(server);
        /* Of both, one is enough. */
        return address->has_ipv4 && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) ? 0 : r;
}

static int init_http(HttpServer *server)
{
        const struct timeval timeout = { .tv_sec = HTTP_SERVER_TIMEOUT_SEC };

        server->http = evhttp_new(loop_event_base(server->loop));
        if (!server->http)
                return -ENOMEM;
        evhttp_set_max_headers_size(server->http, HTTP_SERVER_HEADERS_MAX);
        evhttp_set_max_body_size(server->http, HTTP_SERVER_BODY_MAX);
        evhttp_set_timeout_tv(server->http, &timeout);
        /* All that evhttp knows, so that it is us who say what is allowed. */
        evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                                                 EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
        evhttp_set_bevcb(server->http, on_new_connection, server);
        evhttp_set_gencb(server->http, on_request, server);
        return 0;
}

int http_server_new(Loop *loop, const char *address, const HttpServerRoute *routes, size_t n_routes, void *userdata,
                    HttpServer **ret, const char **ret_problem)
{
        _cleanup_(http_server_freep) HttpServer *server = NULL;
        const char *problem = NULL;
        LoopbackAddress parsed;
        size_t offset;
        int r;

        r = loopback_address_parse(address, &parsed, &problem, &offset);
        if (r >= 0 && parsed.is_path && *address != '/') {
                problem = "the path of a UNIX socket is absolute";
                r = -EINVAL;
        }
        if (r < 0) {
                if (ret_problem)
                        *ret_problem = problem;
                return r;
        }

        server = new0(HttpServer, 1);
        if (!server)
                return -ENOMEM;
        server->loop = loop;
        server->routes = routes;
        server->n_routes = n_routes;
        server->userdata = userdata;
        server->lock_fd = -1;
        server->look.callback = on_look;
        list_append(&servers, &server->link);
        server->pause.callback = on_pause_over;
        r = init_http(server);
        if (r < 0)
                return r;
        r = listen_on(server, address, &parsed);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(server);
        return 0;
}

HttpServer *http_server_free(HttpServer *server)
{
        if (!server)
                return NULL;
        list_unlink(&server->link);
        timer_disarm(loop_timers(server->loop), &server->pause);
        deferred_cancel(server->loop, &server->look);
        on_look(&server->look);
        if (server->http)
                evhttp_free(server->http);
        if (server->socket_path)
                (void)unlink(server->socket_path);
        free(server->socket_path);
        safe_close(server->lock_fd);
        free(server);
        return NULL;
}

uint16_t http_server_port(const HttpServer *server)
{
        return server->port;
}

size_t http_server_connections(HttpServer *server)
{
        forget_closed(server);
        return server->n_connections + server->n_fresh;
}
