/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GETs of one small document, PARALLEL at a time: the HTTP client on its loop, beside curl's multi
 * interface alone in its two ways, taking turns so that what else the machine does hits all.
 *
 * usage: bench-http URL     prints "NAME GETS-A-SECOND CPU-MICROSECONDS-A-GET" for each
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "drivers/http.h"

#define PARALLEL 64
#define ROUNDS 5
#define ROUND (USEC_PER_SEC)

static const char *url;
static unsigned long done;
static usec_t end;

static bool is_over(void)
{
        return clock_boottime(clock_system()) >= end;
}

static void check(bool ok, const char *what)
{
        if (ok)
                return;
        (void)fprintf(stderr, "bench-http: %s\n", what);
        exit(EXIT_FAILURE);
}

/* --- the client under test --- */

static struct {
        Loop *loop;
        HttpClient *client;
        HttpRequest *request;
        unsigned active;
} t;

static void start_one(void);

static void on_done(_unused_ HttpTransfer *transfer, const HttpResponse *response, _unused_ void *userdata)
{
        check(!response->error && response->status == 200 && response->body->len > 0, response->message);
        done++;
        t.active--;
        if (!is_over())
                start_one();
        else if (t.active == 0)
                loop_exit(t.loop, 0);
}

static void start_one(void)
{
        check(http_transfer_start(t.client, t.request, &(HttpStart){ .url = url }, on_done, NULL, NULL) >= 0, "start");
        t.active++;
}

static void run_takt(void)
{
        const HttpOptions options = { .timeout = 10 * USEC_PER_SEC };

        if (!t.loop)
                check(loop_new(clock_system(), &t.loop) >= 0 && http_client_new(t.loop, NULL, &t.client) >= 0 &&
                      http_request_new(&options, &t.request, NULL) >= 0, "setup");
        for (int i = 0; i < PARALLEL; i++)
                start_one();
        (void)loop_run(t.loop);
}

/* --- curl alone --- */

typedef struct Bare {
        CURLM *multi;
        CURL *easy[PARALLEL];
        int epoll_fd;
        long timeout_ms;
        int running;
} Bare;

static size_t on_body(_unused_ char *data, _unused_ size_t size, size_t n, void *userdata)
{
        *(size_t *)userdata += n;
        return n;
}

static int on_bare_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
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

static int on_bare_timer(_unused_ CURLM *multi, long timeout_ms, void *userdata)
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
                done++;
                curl_multi_remove_handle(bare->multi, easy);
                if (!is_over())
                        curl_multi_add_handle(bare->multi, easy);
        }
}

static void turn_epoll(Bare *bare)
{
        struct epoll_event events[PARALLEL];
        int n = epoll_wait(bare->epoll_fd, events, PARALLEL, bare->timeout_ms < 0 ? 1000 : (int)bare->timeout_ms);

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

static void run_bare(void (*turn)(Bare *bare), bool sockets)
{
        static size_t bytes;
        Bare bare = { .multi = curl_multi_init(), .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .running = 1 };

        if (sockets) {
                curl_multi_setopt(bare.multi, CURLMOPT_SOCKETFUNCTION, on_bare_socket);
                curl_multi_setopt(bare.multi, CURLMOPT_SOCKETDATA, &bare);
                curl_multi_setopt(bare.multi, CURLMOPT_TIMERFUNCTION, on_bare_timer);
                curl_multi_setopt(bare.multi, CURLMOPT_TIMERDATA, &bare);
        }
        for (int i = 0; i < PARALLEL; i++) {
                bare.easy[i] = curl_easy_init();
                curl_easy_setopt(bare.easy[i], CURLOPT_URL, url);
                curl_easy_setopt(bare.easy[i], CURLOPT_NOSIGNAL, 1L);
                curl_easy_setopt(bare.easy[i], CURLOPT_WRITEFUNCTION, on_body);
                curl_easy_setopt(bare.easy[i], CURLOPT_WRITEDATA, &bytes);
                curl_multi_add_handle(bare.multi, bare.easy[i]);
        }
        while (bare.running > 0 || !is_over())
                turn(&bare);
        for (int i = 0; i < PARALLEL; i++) {
                curl_multi_remove_handle(bare.multi, bare.easy[i]);
                curl_easy_cleanup(bare.easy[i]);
        }
        curl_multi_cleanup(bare.multi);
        close(bare.epoll_fd);
}

static void run_multi_socket(void)
{
        run_bare(turn_epoll, true);
}

static void run_multi_poll(void)
{
        run_bare(turn_poll, false);
}

/* --- taking turns --- */

typedef struct Variant {
        const char *name;
        void (*run)(void);
        double rates[ROUNDS], cpus[ROUNDS];
} Variant;

static usec_t cpu_usec(void)
{
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (usec_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USEC_PER_SEC +
               (usec_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure(Variant *variant, size_t round)
{
        usec_t begin = clock_boottime(clock_system()), cpu = cpu_usec();

        done = 0;
        end = begin + ROUND;
        variant->run();
        variant->rates[round] = (double)done * (double)USEC_PER_SEC /
                                (double)(clock_boottime(clock_system()) - begin);
        variant->cpus[round] = (double)(cpu_usec() - cpu) / (double)done;
}

static int compare(const void *a, const void *b)
{
        return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double values[ROUNDS])
{
        qsort(values, ROUNDS, sizeof(*values), compare);
        return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
        static Variant variants[] = {
                { "takt", run_takt }, { "multi-socket", run_multi_socket }, { "multi-poll", run_multi_poll },
        };

        check(argc == 2, "usage: bench-http URL");
        url = argv[1];
        curl_global_init(CURL_GLOBAL_DEFAULT);
        for (size_t round = 0; round < ROUNDS; round++)
                for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
                        measure(&variants[i], round);
        for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
                printf("%s %.0f %.1f\n", variants[i].name, median(variants[i].rates), median(variants[i].cpus));
        http_request_unref(t.request);
        http_client_free(t.client);
        loop_free(t.loop);
        return EXIT_SUCCESS;
}
