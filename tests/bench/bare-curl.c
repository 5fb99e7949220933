/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bare-curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 256

typedef struct Bare {
        CURLM *multi;
        int epoll_fd;
        long timeout_ms;
        int running;
        usec_t end;
        unsigned long done;
} Bare;

static bool is_over(const Bare *bare)
{
        return clock_boottime(clock_system()) >= bare->end;
}

static void check(bool ok, const char *what)
{
        if (ok)
                return;
        (void)fprintf(stderr, "bare curl: %s\n", what);
        exit(EXIT_FAILURE);
}

static size_t on_body(_unused_ char *data, _unused_ size_t size, size_t n, void *userdata)
{
        *(size_t *)userdata += n;
        return n;
}

static int on_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
        Bare *bare = userdata;
        struct epoll_event event = { .data.fd = fd };

        if (what & CURL_POLL_IN)
                event.events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                event.events |= EPOLLOUT;
        if (what == CURL_POLL_REMOVE) {
                (void)epoll_ctl(bare->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
                return 0;
        }
        check(epoll_ctl(bare->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        curl_multi_assign(bare->multi, fd, bare);
        return 0;
}

static int on_timer(_unused_ CURLM *multi, long timeout_ms, void *userdata)
{
        ((Bare *)userdata)->timeout_ms = timeout_ms;
        return 0;
}

static void restart_done(Bare *bare)
{
        CURLMsg *message;
        int n;

        while ((message = curl_multi_info_read(bare->multi, &n))) {
                CURL *easy = message->easy_handle;

                check(message->data.result == CURLE_OK, curl_easy_strerror(message->data.result));
                bare->done++;
                curl_multi_remove_handle(bare->multi, easy);
                if (!is_over(bare))
                        curl_multi_add_handle(bare->multi, easy);
        }
}

static void turn_sockets(Bare *bare)
{
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(bare->epoll_fd, events, EVENTS_MAX, bare->timeout_ms < 0 ? 1000 : (int)bare->timeout_ms);

        if (n == 0 || bare->timeout_ms == 0)
                curl_multi_socket_action(bare->multi, CURL_SOCKET_TIMEOUT, 0, &bare->running);
        for (int i = 0; i < n; i++)
                curl_multi_socket_action(bare->multi, events[i].data.fd,
                                         (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                         (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0), &bare->running);
        restart_done(bare);
}

static void turn_poll(Bare *bare)
{
        curl_multi_perform(bare->multi, &bare->running);
        restart_done(bare);
        curl_multi_poll(bare->multi, NULL, 0, 1000, NULL);
}

unsigned long bare_curl(const char *url, unsigned parallel, bool sockets, usec_t end_boottime)
{
        Bare bare = {
                .multi = curl_multi_init(), .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .running = 1, .end = end_boottime,
        };
        CURL **easy = calloc(parallel, sizeof(*easy));
        size_t bytes = 0;

        check(easy && bare.multi && bare.epoll_fd >= 0, "setup");
        if (sockets) {
                curl_multi_setopt(bare.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
                curl_multi_setopt(bare.multi, CURLMOPT_SOCKETDATA, &bare);
                curl_multi_setopt(bare.multi, CURLMOPT_TIMERFUNCTION, on_timer);
                curl_multi_setopt(bare.multi, CURLMOPT_TIMERDATA, &bare);
        }
        for (unsigned i = 0; i < parallel; i++) {
                easy[i] = curl_easy_init();
                curl_easy_setopt(easy[i], CURLOPT_URL, url);
                curl_easy_setopt(easy[i], CURLOPT_NOSIGNAL, 1L);
                curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, on_body);
                curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &bytes);
                curl_multi_add_handle(bare.multi, easy[i]);
        }
        while (bare.running > 0 || !is_over(&bare))
                sockets ? turn_sockets(&bare) : turn_poll(&bare);
        for (unsigned i = 0; i < parallel; i++) {
                curl_multi_remove_handle(bare.multi, easy[i]);
                curl_easy_cleanup(easy[i]);
        }
        curl_multi_cleanup(bare.multi);
        close(bare.epoll_fd);
        free(easy);
        return bare.done;
}
