/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * curl tells two things: which sockets it waits for and when it wants to be called next. Both are
 * given to the loop, and what the loop sees is told to curl by curl_multi_socket_action().
 *
 * Sockets: between two transfers on one connection curl forgets the socket and asks for the same
 * again. The source is therefore left in the loop, idle, until the socket is closed or something
 * happens on it; that saves two epoll_ctl() a transfer. Sockets that curl opens by other ways than
 * on_open_socket (the wake-up pair of a resolver thread) are closed behind our back: their source goes
 * when curl forgets them.
 *
 * Time: "now" is a deferred call rather than a timer, and one transfer's timeout is ours, since
 * curl's counts no time spent waiting for a free connection.
 *
 * Handles: a transfer that ended keeps its handle and the options set in it for the next transfer
 * of the same request. Where many requests take turns, the least recently used is set up anew.
 *
 * Names: CURLOPT_QUICK_EXIT, as otherwise removing a transfer waits for its resolver thread.
 */
#include "drivers/http.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "drivers/http-private.h"

#define HTTP_IDLE_TRANSFERS_MAX 64
/* 7.87 brought CURLOPT_QUICK_EXIT. */
#define CURL_VERSION_MIN 0x075700

/* By descriptor. */
typedef struct HttpSocket {
        IoSource *source;
        bool ours; /* opened by on_open_socket, closed by on_close_socket */
        bool idle; /* curl does not wait for it */
} HttpSocket;

struct HttpClient {
        Loop *loop;
        CURLM *multi;
        bool global;
        Timer timer;
        Deferred kick; /* in the place of a timer for now */
        HttpSocket *sockets;
        size_t n_sockets;
        List active;
        size_t n_active;
        size_t max_active;
        List idle; /* the least recently used first */
        size_t n_idle;
};

static void finish_transfer(HttpTransfer *transfer, CURLcode code);

/* The callbacks may start and cancel transfers, so each message is looked for anew. */
static void dispatch_done(HttpClient *client)
{
        CURLMsg *message;
        int n;

        while ((message = curl_multi_info_read(client->multi, &n))) {
                CURLcode code = message->data.result;
                char *transfer = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                finish_transfer((HttpTransfer *)(void *)transfer, code);
        }
}

/* Errors of a transfer come as its message; the call itself fails for wrong arguments only. */
static void act(HttpClient *client, curl_socket_t fd, int events)
{
        int running;

        (void)curl_multi_socket_action(client->multi, fd, events, &running);
        dispatch_done(client);
}

static void on_timer(Timer *timer, _unused_ usec_t now_boottime)
{
        act(container_of(timer, HttpClient, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void on_kick(Deferred *deferred)
{
        act(container_of(deferred, HttpClient, kick), CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(_unused_ CURLM *multi, long timeout_ms, void *userdata)
{
        HttpClient *client = userdata;
        TimerQueue *timers = loop_timers(client->loop);

        deferred_cancel(client->loop, &client->kick);
        if (timeout_ms < 0)
                timer_disarm(timers, &client->timer);
        else if (timeout_ms == 0 ||
                 timer_arm_after(timers, &client->timer, (usec_t)timeout_ms * USEC_PER_MSEC) < 0)
                loop_defer(client->loop, &client->kick); /* too early does no harm */
        return 0;
}

static void on_socket_event(IoSource *source, int fd, unsigned events, void *userdata)
{
        HttpClient *client = userdata;

        if (client->sockets[fd].idle) {
                /* The server closed, or talks unasked. curl finds out when it wants the connection again. */
                (void)io_source_set_events(source, 0);
                return;
        }
        act(client, fd, (events & IO_READ ? CURL_CSELECT_IN : 0) | (events & IO_WRITE ? CURL_CSELECT_OUT : 0));
}

static int reserve_socket(HttpClient *client, int fd)
{
        size_t n = MAX((size_t)fd + 1, client->n_sockets * 2);
        HttpSocket *sockets;

        if ((size_t)fd < client->n_sockets)
                return 0;
        sockets = reallocarray(client->sockets, n, sizeof(*sockets));
        if (!sockets)
                return -ENOMEM;
        memset(sockets + client->n_sockets, 0, (n - client->n_sockets) * sizeof(*sockets));
        client->sockets = sockets;
        client->n_sockets = n;
        return 0;
}

static void forget_socket(HttpClient *client, int fd)
{
        HttpSocket *sock = &client->sockets[fd];

        if (sock->ours && sock->source)
                sock->idle = true;
        else
                sock->source = io_source_free(sock->source);
}

static int watch_socket(HttpClient *client, int fd, unsigned events)
{
        HttpSocket *sock;
        int r;

        r = reserve_socket(client, fd);
        if (r < 0)
                return r;
        sock = &client->sockets[fd];
        sock->idle = false;
        if (sock->source)
                return io_source_set_events(sock->source, events);
        return io_source_new(client->loop, fd, events, on_socket_event, client, &sock->source);
}

static void on_abort(Deferred *deferred)
{
        finish_transfer(container_of(deferred, HttpTransfer, abort), CURLE_OK);
}

/* An error returned to curl would end all transfers; this ends the one that EASY belongs to. */
static void abort_transfer(CURL *easy, const char *kind, const char *message)
{
        char *private = NULL;
        HttpTransfer *transfer;

        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        transfer = (HttpTransfer *)(void *)private;
        if (!transfer)
                return; /* curl's own, which closes connections */
        transfer->failure = kind;
        transfer->failure_message = message;
        loop_defer(transfer->client->loop, &transfer->abort);
}

static int on_want_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, _unused_ void *socket_userdata)
{
        HttpClient *client = userdata;
        unsigned events = (what & CURL_POLL_IN ? IO_READ : 0) | (what & CURL_POLL_OUT ? IO_WRITE : 0);

        if (what != CURL_POLL_REMOVE) {
                if (watch_socket(client, fd, events) < 0)
                        abort_transfer(easy, "internal", "can't watch the connection");
        } else if ((size_t)fd < client->n_sockets) {
                forget_socket(client, fd);
        }
        return 0;
}

static curl_socket_t on_open_socket(void *userdata, _unused_ curlsocktype purpose, struct curl_sockaddr *address)
{
        HttpClient *client = userdata;
        int fd;

        fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd < 0)
                return CURL_SOCKET_BAD;
        if (reserve_socket(client, fd) < 0) {
                safe_close(fd);
                return CURL_SOCKET_BAD;
        }
        client->sockets[fd].ours = true;
        return fd;
}

static int on_close_socket(void *userdata, curl_socket_t fd)
{
        HttpClient *client = userdata;

        io_source_free(client->sockets[fd].source);
        client->sockets[fd] = (HttpSocket){};
        return close(fd);
}

static size_t on_body(char *data, _unused_ size_t size, size_t n, void *userdata)
{
        HttpTransfer *transfer = userdata;
        int r;

        r = buffer_append(&transfer->body, data, n);
        if (r >= 0)
                return n;
        transfer->failure = r == -E2BIG ? "too-large" : "memory";
        transfer->failure_message = r == -E2BIG ? "the body is larger than allowed" : "no memory for the body";
        return 0;
}

/* Only counted: curl keeps them itself. */
static size_t on_header(_unused_ char *data, _unused_ size_t size, size_t n, void *userdata)
{
        HttpTransfer *transfer = userdata;

        transfer->header_bytes += n;
        if (transfer->header_bytes <= HTTP_HEADERS_MAX)
                return n;
        transfer->failure = "too-large";
        transfer->failure_message = "the headers are larger than allowed";
        return 0;
}

static void transfer_free(HttpTransfer *transfer)
{
        if (!transfer)
                return;
        if (!list_is_empty(&transfer->link))
                transfer->client->n_idle--;
        list_unlink(&transfer->link);
        list_unlink(&transfer->request_link);
        curl_easy_cleanup(transfer->easy);
        header_list_deinit(&transfer->headers);
        buffer_deinit(&transfer->body);
        free(transfer);
}
DEFINE_CLEANUP(HttpTransfer *, transfer_free);

/* Puts the transfer to rest: its handle is out of the multi handle. */
static void transfer_retire(HttpTransfer *transfer)
{
        HttpClient *client = transfer->client;
        HttpRequest *request = transfer->request;

        header_list_deinit(&transfer->headers);
        buffer_deinit(&transfer->body);
        list_append(&client->idle, &transfer->link);
        client->n_idle++;
        list_prepend(&request->idle, &transfer->request_link);
        http_request_unref(request);
        if (client->n_idle > HTTP_IDLE_TRANSFERS_MAX)
                transfer_free(list_first(&client->idle, HttpTransfer, link));
}

/* Takes it off curl and the loop; nothing more happens to it. */
static void transfer_detach(HttpTransfer *transfer)
{
        HttpClient *client = transfer->client;

        timer_disarm(loop_timers(client->loop), &transfer->timeout);
        (void)curl_multi_remove_handle(client->multi, transfer->easy);
        deferred_cancel(client->loop, &transfer->abort);
        list_unlink(&transfer->link);
        client->n_active--;
}

static void finish_transfer(HttpTransfer *transfer, CURLcode code)
{
        char message[HTTP_MESSAGE_MAX];
        HttpResponse response;

        /* What is known of a connection is asked before it is let go. */
        http_response_fill(transfer, code, clock_boottime(loop_clock(transfer->client->loop)), message, &response);
        transfer_detach(transfer);
        transfer->callback(transfer, &response, transfer->userdata);
        transfer_retire(transfer);
}

static void on_timeout(Timer *timer, _unused_ usec_t now_boottime)
{
        finish_transfer(container_of(timer, HttpTransfer, timeout), CURLE_OPERATION_TIMEDOUT);
}

/* What is the same for all requests. */
static CURLcode apply_common(HttpTransfer *transfer)
{
        HttpClient *client = transfer->client;
        CURL *easy = transfer->easy;
        CURLcode code = CURLE_OK;

        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_QUICK_EXIT, 1L);
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_DEFAULT_PROTOCOL, "http");
        SET(CURLOPT_PRIVATE, transfer);
        SET(CURLOPT_ERRORBUFFER, transfer->message);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, transfer);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, transfer);
        SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        SET(CURLOPT_OPENSOCKETDATA, client);
        SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
        SET(CURLOPT_CLOSESOCKETDATA, client);
        return code;
}

static int transfer_new(HttpClient *client, HttpTransfer **ret)
{
        _cleanup_(transfer_freep) HttpTransfer *transfer = new0(HttpTransfer, 1);

        if (!transfer)
                return -ENOMEM;
        transfer->client = client;
        transfer->timeout.callback = on_timeout;
        transfer->abort.callback = on_abort;
        list_init(&transfer->link);
        list_init(&transfer->request_link);
        transfer->easy = curl_easy_init();
        if (!transfer->easy)
                return -ENOMEM;
        *ret = TAKE_PTR(transfer);
        return 0;
}

/* A transfer whose handle is set up for REQUEST, in no list. */
static int transfer_get(HttpClient *client, HttpRequest *request, HttpTransfer **ret)
{
        _cleanup_(transfer_freep) HttpTransfer *transfer = list_first(&request->idle, HttpTransfer, request_link);
        bool ready = transfer && transfer->client == client;
        int r;

        if (!ready)
                transfer = client->n_idle < HTTP_IDLE_TRANSFERS_MAX ? NULL :
                           list_first(&client->idle, HttpTransfer, link);
        if (transfer) {
                list_unlink(&transfer->link);
                client->n_idle--;
                list_unlink(&transfer->request_link);
        } else {
                r = transfer_new(client, &transfer);
                if (r < 0)
                        return r;
        }
        if (!ready) {
                CURLcode code;

                curl_easy_reset(transfer->easy);
                code = apply_common(transfer);
                if (code == CURLE_OK)
                        code = http_request_apply(request, transfer->easy);
                if (code != CURLE_OK)
                        return errno_from_curl(code);
                transfer->request = request;
        }
        *ret = TAKE_PTR(transfer);
        return 0;
}

int http_transfer_start(HttpClient *client, HttpRequest *request, const HttpStart *start, HttpCallback callback,
                        void *userdata, HttpTransfer **ret)
{
        _cleanup_(transfer_freep) HttpTransfer *transfer = NULL;
        TimerQueue *timers = loop_timers(client->loop);
        int r;

        if (client->n_active >= client->max_active)
                return -EBUSY;
        r = transfer_get(client, request, &transfer);
        if (r < 0)
                return r;
        transfer->callback = callback;
        transfer->userdata = userdata;
        transfer->body = BUFFER_WITH_MAX(request->max_bytes);
        transfer->header_bytes = 0;
        transfer->failure = transfer->failure_message = NULL;
        transfer->message[0] = '\0';
        transfer->started_boottime = clock_boottime(loop_clock(client->loop));
        r = http_request_apply_start(request, start, transfer->easy, &transfer->headers);
        if (r < 0)
                return r;
        if (request->options.timeout > 0) {
                r = timer_arm(timers, &transfer->timeout,
                              usec_add(transfer->started_boottime, request->options.timeout));
                if (r < 0)
                        return r;
        }
        if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
                timer_disarm(timers, &transfer->timeout);
                return -ENOMEM;
        }
        http_request_ref(request);
        list_append(&client->active, &transfer->link);
        client->n_active++;
        if (ret)
                *ret = transfer;
        transfer = NULL;
        return 0;
}

HttpTransfer *http_transfer_cancel(HttpTransfer *transfer)
{
        if (!transfer)
                return NULL;
        transfer_detach(transfer);
        transfer_retire(transfer);
        return NULL;
}

#define SET_MULTI(option, value)                                        \
        do {                                                            \
                if (code == CURLM_OK)                                   \
                        code = curl_multi_setopt(multi, option, value); \
        } while (0)

static CURLMcode set_limits(CURLM *multi, const HttpLimits *limits)
{
        CURLMcode code = CURLM_OK;

        SET_MULTI(CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)(limits->max_connections ?: HTTP_CONNECTIONS_MAX));
        SET_MULTI(CURLMOPT_MAX_HOST_CONNECTIONS, (long)(limits->max_host_connections ?: HTTP_HOST_CONNECTIONS_MAX));
        SET_MULTI(CURLMOPT_MAXCONNECTS, (long)(limits->max_idle_connections ?: HTTP_IDLE_CONNECTIONS_MAX));
        return code;
}

static CURLMcode init_multi(HttpClient *client, const HttpLimits *limits)
{
        CURLM *multi = client->multi;
        CURLMcode code = set_limits(multi, limits);

        SET_MULTI(CURLMOPT_SOCKETFUNCTION, on_want_socket);
        SET_MULTI(CURLMOPT_SOCKETDATA, client);
        SET_MULTI(CURLMOPT_TIMERFUNCTION, on_set_timer);
        SET_MULTI(CURLMOPT_TIMERDATA, client);
        return code;
}

#undef SET_MULTI

void http_client_set_limits(HttpClient *client, const HttpLimits *limits)
{
        client->max_active = limits->max_transfers ?: HTTP_TRANSFERS_MAX;
        (void)set_limits(client->multi, limits);
}

int http_client_new(Loop *loop, const HttpLimits *limits, HttpClient **ret)
{
        static const HttpLimits defaults = {};
        const curl_version_info_data *version;
        _cleanup_(http_client_freep) HttpClient *client = new0(HttpClient, 1);

        if (!client)
                return -ENOMEM;
        limits = limits ?: &defaults;
        client->loop = loop;
        client->timer.callback = on_timer;
        client->kick.callback = on_kick;
        client->max_active = limits->max_transfers ?: HTTP_TRANSFERS_MAX;
        list_init(&client->active);
        list_init(&client->idle);
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        client->global = true;
        version = curl_version_info(CURLVERSION_NOW);
        if (version->version_num < CURL_VERSION_MIN || !(version->features & CURL_VERSION_ASYNCHDNS) ||
            !(version->features & CURL_VERSION_SSL))
                return -EOPNOTSUPP;
        client->multi = curl_multi_init();
        if (!client->multi || init_multi(client, limits) != CURLM_OK)
                return -ENOMEM;
        *ret = TAKE_PTR(client);
        return 0;
}

HttpClient *http_client_free(HttpClient *client)
{
        HttpTransfer *transfer;

        if (!client)
                return NULL;
        list_foreach(transfer, &client->active, HttpTransfer, link)
                http_transfer_cancel(transfer);
        list_foreach(transfer, &client->idle, HttpTransfer, link)
                transfer_free(transfer);
        (void)curl_multi_cleanup(client->multi); /* closes the connections, by on_close_socket */
        timer_disarm(loop_timers(client->loop), &client->timer);
        deferred_cancel(client->loop, &client->kick);
        for (size_t i = 0; i < client->n_sockets; i++)
                io_source_free(client->sockets[i].source);
        free(client->sockets);
        if (client->global)
                curl_global_cleanup();
        free(client);
        return NULL;
}

size_t http_client_active(const HttpClient *client)
{
        return client->n_active;
}
