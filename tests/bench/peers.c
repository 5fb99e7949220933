/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon is measured beside: the least that a program could do for the same.
 *
 *      peers multi-socket URL PARALLEL SECONDS    GETs a second of curl's multi interface, on epoll
 *      peers multi-poll URL PARALLEL SECONDS      and by its own poll
 *      peers spawn PARALLEL SECONDS               /bin/true a second by posix_spawn and wait
 *      peers timer USEC SECONDS                   how late a timerfd of this period wakes: p50, p99 and
 *                                                 the worst in microseconds
 */
#include <curl/curl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare-curl.h"

static usec_t now(void)
{
        return clock_boottime(clock_system());
}

static usec_t after(const char *seconds)
{
        return now() + (usec_t)(strtod(seconds, NULL) * (double)USEC_PER_SEC);
}

static void print_rate(unsigned long done, usec_t begin)
{
        printf("%.1f\n", (double)done * (double)USEC_PER_SEC / (double)(now() - begin));
}

static void get(char **argv, bool sockets)
{
        usec_t begin;

        curl_global_init(CURL_GLOBAL_DEFAULT);
        begin = now();
        print_rate(bare_curl(argv[0], (unsigned)atoi(argv[1]), sockets, after(argv[2])), begin);
}

static void peer_multi_socket(char **argv)
{
        get(argv, true);
}

static void peer_multi_poll(char **argv)
{
        get(argv, false);
}

static void peer_spawn(char **argv)
{
        static char *const program[] = { (char *)"/bin/true", NULL }, *const environment[] = { NULL };
        int parallel = atoi(argv[0]), running = 0;
        usec_t begin = now(), end = after(argv[1]);
        unsigned long done = 0;

        while (running > 0 || now() < end) {
                int status;

                for (; running < parallel && now() < end; running++) {
                        pid_t pid;

                        if (posix_spawn(&pid, program[0], NULL, NULL, program, environment) != 0)
                                abort();
                }
                if (wait(&status) < 0 || status != 0)
                        abort();
                running--;
                done++;
        }
        print_rate(done, begin);
}

static int compare(const void *a, const void *b)
{
        usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

        return (x > y) - (x < y);
}

static void peer_timer(char **argv)
{
        usec_t period = (usec_t)atoll(argv[0]), due = now() + period;
        size_t n = (size_t)(after(argv[1]) - now()) / period;
        int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
        usec_t *late = calloc(n + 1, sizeof(*late));

        if (fd < 0 || !late)
                abort();
        for (size_t i = 0; i < n; i++, due += period) {
                struct itimerspec spec = {
                        .it_value = { (time_t)(due / USEC_PER_SEC), (long)(due % USEC_PER_SEC * NSEC_PER_USEC) },
                };
                uint64_t count;

                if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0 || read(fd, &count, sizeof(count)) < 0)
                        abort();
                late[i] = now() - due;
        }
        qsort(late, n, sizeof(*late), compare);
        printf("%llu %llu %llu\n", (unsigned long long)late[n / 2], (unsigned long long)late[n * 99 / 100],
               (unsigned long long)late[n - 1]);
        free(late);
        close(fd);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int n_arguments;
                void (*run)(char **argv);
        } peers[] = {
                { "multi-socket", 3, peer_multi_socket },
                { "multi-poll", 3, peer_multi_poll },
                { "spawn", 2, peer_spawn },
                { "timer", 2, peer_timer },
        };

        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(peers); i++)
                if (streq(argv[1], peers[i].name) && argc == 2 + peers[i].n_arguments) {
                        peers[i].run(argv + 2);
                        return EXIT_SUCCESS;
                }
        (void)fprintf(stderr, "usage: peers multi-socket|multi-poll URL PARALLEL SECONDS, spawn PARALLEL SECONDS, timer USEC SECONDS\n");
        return EXIT_FAILURE;
}
