/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many watchers of one daemon, each of which must get every event.
 * usage: watchers SOCKET WATCHERS SECONDS
 * Prints events a second, events delivered to all watchers a second, deliveries that a gap in `seq`
 * shows to be missing, the overflows, and the connections that ended.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"

#define HEAD_MAX 256 /* bytes of an event in which its `seq` and `event` are */
#define WARM_UP 1.0  /* seconds that do not count */

typedef struct Watcher {
        int fd;
        char head[HEAD_MAX + 1]; /* of a message that is not read to its end */
        size_t n_head;
        uint64_t last_seq;
        bool live;
} Watcher;

static struct {
        uint64_t n_events, n_missing, n_overflows, n_ended;
} total;

_noreturn_ static void die(const char *what)
{
        perror(what);
        exit(EXIT_FAILURE);
}

static double now_seconds(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int watch(const char *path)
{
        static const char call[] = "{\"method\":\"io.takt.Runs.Watch\",\"more\":true}";
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                die("connect");
        if (send(fd, call, sizeof(call), MSG_NOSIGNAL) != (ssize_t)sizeof(call))
                die("send");
        return fd;
}

/* Events of the stream itself repeat the `seq` of the last event; any other is the one after it. */
static void take_message(Watcher *watcher)
{
        const char *text = strstr(watcher->head, "\"seq\":");
        uint64_t seq;

        if (!text) {
                (void)fprintf(stderr, "not an event: %s\n", watcher->head);
                exit(EXIT_FAILURE);
        }
        seq = strtoull(text + strlen("\"seq\":"), NULL, 10);
        if (strstr(watcher->head, "\"event\":\"overflow\"")) {
                total.n_overflows++;
        } else if (strstr(watcher->head, "\"event\":\"live\"")) {
                watcher->live = true;
        } else if (watcher->live) {
                total.n_events++;
                total.n_missing += seq - watcher->last_seq - 1;
        }
        watcher->last_seq = seq;
}

static void take(Watcher *watcher, const char *data, size_t n)
{
        while (n > 0) {
                const char *end = memchr(data, '\0', n);
                size_t part = end ? (size_t)(end - data) : n;
                size_t kept = MIN(part, HEAD_MAX - watcher->n_head);

                memcpy(watcher->head + watcher->n_head, data, kept);
                watcher->n_head += kept;
                if (!end)
                        return;
                watcher->head[watcher->n_head] = '\0';
                take_message(watcher);
                watcher->n_head = 0;
                data += part + 1;
                n -= part + 1;
        }
}

static void turn(int epoll)
{
        static char data[1024 * 1024];
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, ARRAY_SIZE(events), 100);

        for (int i = 0; i < n; i++) {
                Watcher *watcher = events[i].data.ptr;
                ssize_t k = recv(watcher->fd, data, sizeof(data), MSG_DONTWAIT);

                if (k > 0) {
                        take(watcher, data, (size_t)k);
                } else if (k == 0 || errno != EAGAIN) {
                        total.n_ended++;
                        close(watcher->fd);
                }
        }
}

int main(int argc, char **argv)
{
        size_t n = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
        _cleanup_free_ Watcher *watchers = calloc(n + 1, sizeof(*watchers));
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        double begin;

        if (n == 0 || !watchers || epoll < 0)
                die("usage: watchers SOCKET WATCHERS SECONDS");
        for (size_t i = 0; i < n; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.ptr = &watchers[i] };

                watchers[i].fd = watch(argv[1]);
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, watchers[i].fd, &event) < 0)
                        die("epoll_ctl");
        }
        for (begin = now_seconds(); now_seconds() < begin + WARM_UP;)
                turn(epoll);
        total.n_events = 0;
        for (begin = now_seconds(); now_seconds() < begin + strtod(argv[3], NULL);)
                turn(epoll);
        begin = now_seconds() - begin;
        printf("%.0f %.0f %lu %lu %lu\n", (double)total.n_events / (double)n / begin, (double)total.n_events / begin,
               total.n_missing, total.n_overflows, total.n_ended);
        return EXIT_SUCCESS;
}
