/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls a second on one connection, one at a time and WINDOW at a time: of a bare epoll loop that
 * sends back what it reads, which is the least that any server costs, and of a Varlink service that
 * checks a parameter and returns it, by takt and by varlink-go (bench-varlink.sh). All have the same
 * two clients. VarlinkClient writes each call and parses each answer; what the echo server sends back
 * passes for one. The other writes a ready batch and counts the ends of answers: with it, and many
 * calls at once, a server that looks at what it gets is compared with a copy of memory, so that this
 * row tells what a call costs the server, not how near it is to the other.
 *
 * One at a time, most of the time is that of the kernel's waking one process and then the other, which
 * is the same for all. Beside calls a second stands what a call costs each server in processor time.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "varlink/client.h"
#include "varlink/server.h"

#define METHOD "org.example.bench.Echo"
#define PARAMETERS "{\"text\":\"some text\"}"
#define WINDOW 100
#define ROUND (300 * USEC_PER_MSEC)
#define GO_SOCKET "TAKT_BENCH_VARLINK_GO" /* variable: where varlink-go's server listens */
#define N_ROUNDS 5 /* of each server in turn; the best one counts */

static int check(const char *what, int r)
{
        if (r < 0) {
                (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
                exit(EXIT_FAILURE);
        }
        return r;
}

/* --- servers; each ends when the client goes --- */

static void serve_epoll(int fd)
{
        static char buffer[65536];
        struct epoll_event event = { .events = EPOLLIN };
        int epoll_fd = check("epoll_create1", epoll_create1(EPOLL_CLOEXEC));

        (void)check("epoll_ctl", epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
        for (;;) {
                ssize_t n;

                (void)check("epoll_wait", epoll_wait(epoll_fd, &event, 1, -1));
                n = read(fd, buffer, sizeof(buffer));
                if (n <= 0 || write_all(fd, buffer, (size_t)n) < 0)
                        return;
        }
}

static unsigned n_left; /* calls until the server ends; 0: it does not */

static int echo(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        JsonWriter *w = varlink_call_begin(call);
        const JsonValue *text = json_get(parameters, "text");

        if (n_left > 0 && --n_left == 0)
                loop_exit(userdata, 0);

        json_key(w, "text");
        json_string_n(w, text->string, text->n);
        return varlink_call_end(call, false);
}

static void serve_varlink(int fd)
{
        static const char interface[] = "interface org.example.bench method Echo(text: string) -> (text: string)";
        static const VarlinkMethod methods[] = { { METHOD, echo, 0 }, {} };
        static const VarlinkServiceInfo info = { .vendor = "", .product = "", .version = "", .url = "" };
        VarlinkServer *server;
        Loop *loop;

        (void)check("loop", loop_new(clock_system(), &loop));
        (void)check("server", varlink_server_new(loop, &info, NULL, &server));
        (void)check("interface", varlink_server_add_interface(server, interface, methods, loop));
        (void)check("connection", varlink_server_add_fd(server, fd));
        (void)check("loop", loop_run(loop));
}

/* --- the client --- */

typedef void (*CallMany)(VarlinkClient *client, unsigned n);

static void call_and_parse(VarlinkClient *client, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                (void)check("send", varlink_client_send(client, METHOD, PARAMETERS, 0));
        for (unsigned i = 0; i < n; i++) {
                VarlinkReply reply;

                (void)check("receive", varlink_client_receive(client, USEC_INFINITY, &reply));
                varlink_reply_deinit(&reply);
        }
}

static void call_and_count(VarlinkClient *client, unsigned n)
{
        static const char call[] = "{\"method\":\"" METHOD "\",\"parameters\":" PARAMETERS "}";
        static char calls[WINDOW][sizeof(call)], answers[65536];
        int fd = varlink_client_fd(client);

        for (unsigned i = 0; !calls[n - 1][0]; i++)
                memcpy(calls[i], call, sizeof(call));
        (void)check("write", write_all(fd, calls, n * sizeof(call)));
        while (n > 0) {
                ssize_t k = check("read", (int)read(fd, answers, sizeof(answers)));

                for (const char *p = answers; (p = memchr(p, '\0', (size_t)(answers + k - p))); p++)
                        n--;
        }
}

/* A client of SERVE in a process of its own. */
static VarlinkClient *start(void (*serve)(int fd), pid_t *ret_pid)
{
        VarlinkClient *client;
        int fds[2];

        (void)check("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        *ret_pid = check("fork", fork());
        if (*ret_pid == 0) {
                (void)close(fds[0]);
                serve(fds[1]);
                _exit(EXIT_SUCCESS);
        }
        (void)close(fds[1]);
        (void)check("client", varlink_client_new_fd(fds[0], &client));
        return client;
}

/*
 * Serves N calls, WINDOW at once, in this process, so that an instrument can be put on it:
 *      valgrind --tool=callgrind --toggle-collect=serve_varlink bench-varlink WINDOW N
 */
static void serve_some(unsigned window, unsigned n)
{
        pid_t pid;
        int fds[2];

        (void)check("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        pid = check("fork", fork());
        if (pid == 0) {
                VarlinkClient *client;

                (void)close(fds[1]);
                (void)check("client", varlink_client_new_fd(fds[0], &client));
                (void)check("fcntl", fcntl(fds[0], F_SETFL, 0));
                for (unsigned i = 0; i < n; i += window)
                        call_and_count(client, window);
                _exit(EXIT_SUCCESS);
        }
        (void)close(fds[0]);
        n_left = n;
        serve_varlink(fds[1]);
        (void)check("waitpid", waitpid(pid, NULL, 0));
}

typedef struct Figures {
        double calls; /* a second */
        double cpu;   /* microseconds of the server's processor time a call, in the kernel too */
} Figures;

static double cpu_of(pid_t pid)
{
        struct timespec time;
        clockid_t clock;

        if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
                return 0;
        return (double)time.tv_sec * USEC_PER_SEC + (double)time.tv_nsec / NSEC_PER_USEC;
}

/* varlink-go's server is that of bench-varlink.sh. NULL where there is none. */
static VarlinkClient *connect_to_go(pid_t *ret_pid)
{
        const char *path = getenv(GO_SOCKET);
        VarlinkClient *client;
        struct ucred peer;
        socklen_t n = sizeof(peer);

        if (!path)
                return NULL;
        (void)check(GO_SOCKET, varlink_client_connect(path, &client));
        (void)check("SO_PEERCRED", getsockopt(varlink_client_fd(client), SOL_SOCKET, SO_PEERCRED, &peer, &n));
        *ret_pid = peer.pid;
        return client;
}

/* The better of BEST and what SERVE, NULL: varlink-go, does now. */
static void measure(void (*serve)(int fd), CallMany call_many, unsigned window, Figures *best)
{
        usec_t start_boottime, now;
        VarlinkClient *client;
        uint64_t n = 0;
        double cpu;
        pid_t pid;

        client = serve ? start(serve, &pid) : connect_to_go(&pid);
        if (!client)
                return;
        if (call_many == call_and_count)
                (void)check("fcntl", fcntl(varlink_client_fd(client), F_SETFL, 0));
        call_many(client, WINDOW);
        cpu = cpu_of(pid);
        start_boottime = clock_boottime(clock_system());
        do {
                call_many(client, window);
                n += window;
                now = clock_boottime(clock_system());
        } while (now < start_boottime + ROUND);
        cpu = (cpu_of(pid) - cpu) / (double)n;
        varlink_client_free(client);
        if (serve) {
                (void)kill(pid, SIGKILL);
                (void)check("waitpid", waitpid(pid, NULL, 0));
        }
        best->calls = MAX(best->calls, (double)n * USEC_PER_SEC / (double)(now - start_boottime));
        best->cpu = best->cpu > 0 ? MIN(best->cpu, cpu) : cpu;
}

static void print_ratio(double a, double b)
{
        if (b > 0)
                (void)printf(" %7.2f", a / b);
        else
                (void)printf(" %7s", "-");
}

int main(int argc, char **argv)
{
        static const struct {
                const char *client;
                CallMany call_many;
                unsigned window;
        } rows[] = {
                { "VarlinkClient", call_and_parse, 1 },
                { "VarlinkClient", call_and_parse, WINDOW },
                { "counting", call_and_count, 1 },
                { "counting", call_and_count, WINDOW },
        };

        if (argc == 3) {
                serve_some((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
                return EXIT_SUCCESS;
        }
        (void)printf("%-21s %10s %10s %10s %7s %7s   %-31s %7s %7s\n", "calls/s of client", "bare epoll", "varlink-go", "takt",
                     "/ bare", "/ go", "server's CPU, us/call", "bare /", "go /");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Figures bare = {}, varlink = {}, go = {};

                for (unsigned k = 0; k < N_ROUNDS; k++) {
                        measure(serve_epoll, rows[i].call_many, rows[i].window, &bare);
                        measure(serve_varlink, rows[i].call_many, rows[i].window, &varlink);
                        measure(NULL, rows[i].call_many, rows[i].window, &go);
                }
                (void)printf("%-13s %3u/time %10.0f %10.0f %10.0f", rows[i].client, rows[i].window, bare.calls, go.calls, varlink.calls);
                print_ratio(varlink.calls, bare.calls);
                print_ratio(varlink.calls, go.calls);
                (void)printf("   %9.2f  %9.2f  %9.2f ", bare.cpu, go.cpu, varlink.cpu);
                print_ratio(bare.cpu, varlink.cpu);
                print_ratio(go.cpu, varlink.cpu);
                (void)printf("\n");
        }
        return EXIT_SUCCESS;
}
