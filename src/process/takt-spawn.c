/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takt-spawn: starts, watches and reaps commands for taktd.
 *
 * A program of its own, and a small one: its memory is never copied, as it starts commands by vfork(),
 * which costs two thirds of what fork() does even from a process of this size. The thread that does so
 * sleeps until the command is exec'd, and where a directory or program lies on a dead network file
 * system that is for ever. Therefore several threads, the lanes, take turns: one leads, that is it waits
 * for events and serves them; when it has a command to launch, the next lane takes the lead, and a new
 * one is made where none is free. All else is as in a program with one thread, under one lock.
 *
 * One connection, at HELPER_FD; its end is the end of taktd. Then every command is stopped, strays
 * too, and the helper exits when all are reaped. Signals mean nothing to it: a service manager that
 * sends SIGTERM to all of a unit's processes leaves it to taktd to end runs in order.
 */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "process/command-table.h"
#include "process/helper.h"

/* Requests read before reaping has its turn. */
#define REQUESTS_A_TURN 16U
/* No request is read while so many bytes of reports wait for taktd. */
#define REPORTS_MAX (4 * SPAWN_MESSAGE_MAX)
/* Threads; so many launches may hang at once before the helper does. */
#define LANES_MAX 16U
#define LANE_STACK_SIZE (256U * 1024)
/* A taktd that asked for a list and does not read it is taken for dead after this time. */
#define LIST_WAIT_USEC (5 * USEC_PER_SEC)

typedef struct Helper {
        pthread_mutex_t lead; /* held by the lane that waits for events, also while it does */
        pthread_mutex_t lock; /* protects all that follows; never held for long */
        unsigned n_lanes;
        unsigned n_idle; /* lanes that wait for the lead */
        int fd; /* -1: taktd is gone */
        int signal_fd;
        int null_fd;
        CommandTable *table;
        Buffer reports;
        bool reports_blocked; /* the socket is full */
        usec_t give_up_boottime;
} Helper;

typedef struct Descriptors {
        int fds[SPAWN_MAX_FDS];
        unsigned n;
        bool truncated; /* some did not fit: too many, or no descriptor was free */
} Descriptors;

/* A command that is to be launched. */
typedef struct Launch {
        Command *command; /* NULL: there is none */
        SpawnStart start;
        SpawnPayload payload;
        char *outside; /* the payload, where it came as a file */
        Descriptors descriptors;
        int fds[3];
} Launch;

typedef struct Lane {
        Helper *helper;
        Launch launch;
        char message[SPAWN_MESSAGE_MAX];
} Lane;

static void on_report(const SpawnReport *report, void *userdata)
{
        Helper *helper = userdata;

        if (helper->fd < 0)
                return;
        /* Without memory for 80 bytes the truth can't be told any more; taktd learns it from our end. */
        if (buffer_append(&helper->reports, report, sizeof(*report)) < 0)
                _exit(EXIT_FAILURE);
}

static int helper_init(Helper *helper)
{
        struct rlimit limit;
        sigset_t mask;
        int r;

        if (close_range(HELPER_MARK_FD + HELPER_MARKS, ~0U, 0) < 0)
                return negative_errno();
        /* The marks go with this process, and with none of its commands. */
        for (int i = 0; i < HELPER_MARKS; i++)
                (void)fcntl(HELPER_MARK_FD + i, F_SETFD, FD_CLOEXEC);
        if (fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return negative_errno();
        /* Streams of thousands of commands; these get limits of their own. */
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        helper->fd = HELPER_FD;
        r = fd_set_nonblocking(helper->fd);
        if (r < 0)
                return r;
        (void)sigfillset(&mask);
        if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
                return negative_errno();
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGCHLD);
        helper->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        helper->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (helper->signal_fd < 0 || helper->null_fd < 0)
                return negative_errno();
        return command_table_new(on_report, helper, &helper->table);
}

static void connection_lost(Helper *helper)
{
        helper->fd = safe_close(helper->fd);
        buffer_clear(&helper->reports);
        helper->give_up_boottime = usec_add(clock_boottime(clock_system()), COMMAND_SHUTDOWN_MAX_USEC);
        command_table_shut_down(helper->table);
}

/* --- reports --- */

static void send_reports(Helper *helper)
{
        size_t sent = 0;

        while (helper->fd >= 0 && sent < helper->reports.len) {
                size_t n = MIN(helper->reports.len - sent, SPAWN_REPORTS_MAX * sizeof(SpawnReport));

                if (send(helper->fd, helper->reports.data + sent, n, MSG_NOSIGNAL) < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno != EAGAIN && errno != ENOBUFS) {
                                connection_lost(helper);
                                return;
                        }
                        break;
                }
                sent += n;
        }
        helper->reports_blocked = sent < helper->reports.len;
        buffer_consume(&helper->reports, sent);
}

/* --- the list of what is kept --- */

/* Sends now, and waits for room. */
static int send_held(const SpawnReport *report, const char *note, const int *fds, unsigned n_fds, void *userdata)
{
        const Helper *helper = userdata;
        union {
                char bytes[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))];
                struct cmsghdr header;
        } control = {};
        struct iovec iov[] = {
                { .iov_base = (void *)report, .iov_len = sizeof(*report) },
                { .iov_base = (void *)note, .iov_len = note ? strlen(note) + 1 : 0 },
        };
        struct msghdr message = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
        struct pollfd pollfd = { .fd = helper->fd, .events = POLLOUT };

        if (n_fds > 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        }
        while (sendmsg(helper->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return negative_errno();
                if (poll(&pollfd, 1, LIST_WAIT_USEC / USEC_PER_MSEC) == 0)
                        return -ETIMEDOUT;
        }
        return 0;
}

/* What the last taktd did not read is not for this one, which has all of it in the list. */
static int serve_list(Helper *helper, const SpawnHeader *header)
{
        const SpawnReport hello = {
                .type = SPAWN_HELLO, .serial = header->serial, .pid = getpid(), .status = SPAWN_PROTOCOL_VERSION,
        };
        int r;

        buffer_clear(&helper->reports);
        helper->reports_blocked = false;
        r = send_held(&hello, NULL, NULL, 0, helper);
        if (r >= 0)
                r = command_table_list(helper->table, send_held, helper);
        if (r >= 0)
                r = send_held(&(SpawnReport){ .type = SPAWN_LISTED }, NULL, NULL, 0, helper);
        return r;
}

/* --- requests --- */

static void descriptors_close(Descriptors *descriptors)
{
        for (unsigned i = 0; i < descriptors->n; i++)
                safe_close(descriptors->fds[i]);
}

static void launch_deinit(Launch *launch)
{
        descriptors_close(&launch->descriptors);
        spawn_payload_deinit(&launch->payload);
        free(launch->outside);
        *launch = (Launch){};
}

/* Bytes of the next message; 0 at the end. */
static ssize_t receive(Lane *lane, Descriptors *ret)
{
        union {
                char bytes[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))];
                struct cmsghdr header;
        } control;
        struct iovec iov = { .iov_base = lane->message, .iov_len = sizeof(lane->message) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(lane->helper->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (n < 0)
                return negative_errno();
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                ret->n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                memcpy(ret->fds, CMSG_DATA(c), ret->n * sizeof(int));
        }
        ret->truncated = message.msg_flags & MSG_CTRUNC;
        return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* Reads the payload that came as a memory file. Its seals keep it from changing under us. */
static int read_payload(int fd, size_t n, char **ret)
{
        _cleanup_free_ char *data = malloc(n);

        if (!data)
                return -ENOMEM;
        if (pread(fd, data, n, 0) != (ssize_t)n)
                return -EBADMSG;
        *ret = TAKE_PTR(data);
        return 0;
}

static int prepare_launch(Lane *lane)
{
        Helper *helper = lane->helper;
        Launch *launch = &lane->launch;
        const SpawnStart *start = &launch->start;
        const char *data = lane->message + sizeof(SpawnStart);
        int ends[2] = { -1, -1 };
        unsigned next = 0;
        int r;

        if (launch->descriptors.truncated || launch->descriptors.n != spawn_flags_n_fds(start->flags))
                return -EMFILE;
        for (unsigned i = 0; i < 3; i++)
                launch->fds[i] = start->flags & (SPAWN_WITH_INPUT << i) ? launch->descriptors.fds[next++] : helper->null_fd;
        if (start->flags & SPAWN_WITH_PAYLOAD) {
                r = read_payload(launch->descriptors.fds[next++], start->payload_size, &launch->outside);
                if (r < 0)
                        return r;
                data = launch->outside;
        }
        r = spawn_payload_decode(start, data, start->payload_size, &launch->payload);
        if (r >= 0)
                r = command_table_enter(helper->table, start, &launch->payload, &launch->command);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < 2; i++)
                if (start->flags & (SPAWN_WITH_OUTPUT_END << i)) {
                        ends[i] = TAKE_FD(launch->descriptors.fds[next]);
                        next++;
                }
        /* Without memory for it the command is one that ends with its taktd. */
        (void)command_table_keep(helper->table, start, &launch->payload, &ends[0], &ends[1]);
        safe_close(ends[0]);
        safe_close(ends[1]);
        return 0;
}

static void serve_done(const Lane *lane, int32_t n)
{
        for (int32_t i = 0; i < n; i++) {
                SpawnName name;

                memcpy(&name, lane->message + sizeof(SpawnHeader) + (size_t)i * sizeof(name), sizeof(name));
                command_table_done(lane->helper->table, &name);
        }
}

/* 0 once nothing is left to read, or there is a command to launch. */
static int serve_request(Lane *lane)
{
        Helper *helper = lane->helper;
        Launch *launch = &lane->launch;
        ssize_t n;
        int r;

        n = receive(lane, &launch->descriptors);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        r = n > 0 ? spawn_request_decode(lane->message, (size_t)n, &launch->start) : -EPIPE;
        switch (r) {
        case SPAWN_START:
                r = prepare_launch(lane);
                if (r >= 0)
                        return 0;
                command_table_refuse(helper->table, &launch->start.header, SPAWN_STAGE_REQUEST, r);
                break;
        case SPAWN_SIGNAL:
                command_table_signal(helper->table, &launch->start.header);
                break;
        case SPAWN_PING:
                on_report(&(SpawnReport){ .type = SPAWN_PONG, .status = launch->start.header.argument }, helper);
                break;
        case SPAWN_DONE:
                serve_done(lane, launch->start.header.argument);
                break;
        case SPAWN_CAPTURED:
                if (launch->descriptors.n == 1)
                        command_table_captured(helper->table, &launch->start.header, &launch->descriptors.fds[0]);
                break;
        case SPAWN_LIST:
                if (serve_list(helper, &launch->start.header) < 0)
                        connection_lost(helper);
                break;
        case SPAWN_STOP:
                command_table_stop(helper->table, &launch->start.header);
                break;
        default:
                /* An end, or a peer that makes no sense: both sides would no longer mean the same by a slot. */
                connection_lost(helper);
        }
        launch_deinit(launch);
        return helper->fd >= 0;
}

/* --- lanes --- */

static void wait_for_events(Helper *helper, usec_t until, bool *ret_signal, bool *ret_message)
{
        struct pollfd fds[] = {
                { .fd = helper->signal_fd, .events = POLLIN },
                { .fd = helper->fd,
                  .events = (short)((helper->reports.len < REPORTS_MAX ? POLLIN : 0) |
                                    (helper->reports_blocked ? POLLOUT : 0)) },
        };
        usec_t left = usec_sub(until, clock_boottime(clock_system()));
        struct timespec timeout = {
                .tv_sec = (time_t)(left / USEC_PER_SEC),
                .tv_nsec = (long)(left % USEC_PER_SEC * NSEC_PER_USEC),
        };

        (void)pthread_mutex_unlock(&helper->lock);
        if (ppoll(fds, ARRAY_SIZE(fds), until == USEC_INFINITY ? NULL : &timeout, NULL) < 0)
                fds[0].revents = fds[1].revents = 0;
        (void)pthread_mutex_lock(&helper->lock);
        *ret_signal = fds[0].revents;
        *ret_message = fds[1].revents & (POLLIN | POLLHUP | POLLERR);
}

static _noreturn_ void give_up(void)
{
        (void)dprintf(STDERR_FILENO, "takt-spawn: processes are left that not even SIGKILL has ended within %llu s\n",
                      (unsigned long long)(COMMAND_SHUTDOWN_MAX_USEC / USEC_PER_SEC));
        exit(EXIT_FAILURE);
}

/* Serves events until there is a command to launch. Does not return once nothing is left to do at all. */
static void lead(Lane *lane)
{
        Helper *helper = lane->helper;

        for (;;) {
                usec_t now = clock_boottime(clock_system());
                usec_t next = command_table_dispatch(helper->table, now);
                bool signalled, message;

                send_reports(helper);
                if (helper->fd < 0) {
                        if (command_table_is_empty(helper->table))
                                exit(EXIT_SUCCESS);
                        if (now >= helper->give_up_boottime)
                                give_up();
                        next = MIN(next, helper->give_up_boottime);
                }
                wait_for_events(helper, next, &signalled, &message);
                if (signalled) {
                        struct signalfd_siginfo info;

                        (void)!read(helper->signal_fd, &info, sizeof(info));
                        command_table_reap(helper->table);
                }
                for (unsigned i = 0; message && helper->fd >= 0 && i < REQUESTS_A_TURN && serve_request(lane) > 0; i++)
                        ;
                if (lane->launch.command)
                        return;
        }
}

static int lane_add(Helper *helper);

static _noreturn_ void lane_run(Lane *lane)
{
        Helper *helper = lane->helper;

        for (;;) {
                bool more;

                (void)pthread_mutex_lock(&helper->lead);
                (void)pthread_mutex_lock(&helper->lock);
                helper->n_idle--;
                lead(lane);
                /* What ended in this turn is told before a launch that may take long. */
                send_reports(helper);
                /* Without another lane this one leads again after the launch. */
                if (helper->n_idle == 0 && helper->n_lanes < LANES_MAX)
                        (void)lane_add(helper);
                (void)pthread_mutex_unlock(&helper->lock);
                (void)pthread_mutex_unlock(&helper->lead);

                command_launch(lane->launch.command, &lane->launch.start, &lane->launch.payload, lane->launch.fds);

                (void)pthread_mutex_lock(&helper->lock);
                more = command_table_launched(helper->table, lane->launch.command);
                send_reports(helper);
                /* The leader sleeps by what was due before, and for what it saw. */
                if (more || helper->reports_blocked)
                        (void)kill(getpid(), SIGCHLD);
                helper->n_idle++;
                (void)pthread_mutex_unlock(&helper->lock);
                launch_deinit(&lane->launch);
        }
}

static void *lane_main(void *userdata)
{
        lane_run(userdata);
}

static int lane_new(Helper *helper, Lane **ret)
{
        Lane *lane = new0(Lane, 1);

        if (!lane)
                return -ENOMEM;
        lane->helper = helper;
        helper->n_lanes++;
        helper->n_idle++;
        *ret = lane;
        return 0;
}

static int lane_add(Helper *helper)
{
        pthread_attr_t attributes;
        pthread_t thread;
        Lane *lane;
        int r;

        r = lane_new(helper, &lane);
        if (r < 0)
                return r;
        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, LANE_STACK_SIZE);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        r = -pthread_create(&thread, &attributes, lane_main, lane);
        (void)pthread_attr_destroy(&attributes);
        if (r < 0) {
                helper->n_lanes--;
                helper->n_idle--;
                free(lane);
        }
        return r;
}

int main(void)
{
        static Helper helper = {
                .lead = PTHREAD_MUTEX_INITIALIZER,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .fd = -1,
                .signal_fd = -1,
                .null_fd = -1,
        };
        Lane *lane;
        int r;

        /* Lanes rarely allocate at the same time: no heap for each. */
        (void)mallopt(M_ARENA_MAX, 1);
        r = helper_init(&helper);
        if (r >= 0)
                r = lane_new(&helper, &lane);
        if (r < 0) {
                (void)dprintf(STDERR_FILENO, "takt-spawn: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        on_report(&(SpawnReport){ .type = SPAWN_HELLO, .status = SPAWN_PROTOCOL_VERSION }, &helper);
        lane_run(lane);
}
