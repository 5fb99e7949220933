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
#include <sys/resource.h>

#include "base/clock.h"
#include "bare-curl.h"
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

static void run_multi_socket(void)
{
        done = bare_curl(url, PARALLEL, true, end);
}

static void run_multi_poll(void)
{
        done = bare_curl(url, PARALLEL, false, end);
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
