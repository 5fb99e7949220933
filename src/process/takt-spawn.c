/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takt-spawn: starts, watches and reaps commands for taktd.
 *
 * A program of its own, and a small one, because the price of fork() is the size of who calls it.
 * fork() rather than vfork(): the child's exec, which is most of the work, then runs beside the
 * parent, and a directory or program on a dead network file system holds up nobody but the child.
 *
 * One connection, at HELPER_FD; its end is the end of taktd. Then every command is stopped, strays
 * too, and the helper exits when all are reaped. Signals mean nothing to it: a service manager that
 * sends SIGTERM to all of a unit's processes leaves it to taktd to end runs in order.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/file.h"
#include "process/command-table.h"
#include "process/helper.h"

/* Requests read before reaping has its turn. */
#define REQUESTS_A_TURN 16U
/* No request is read while so many bytes of reports wait for taktd. */
#define REPORTS_MAX (4 * SPAWN_MESSAGE_MAX)
/* After the end of the connection: what is not dead by then (under another user, in the kernel) is left. */
#define SHUTDOWN_MAX_USEC (15 * USEC_PER_SEC)

typedef struct Helper {
        int fd; /* -1: taktd is gone */
        int signal_fd;
        int null_fd;
        CommandTable *table;
        Buffer reports;
        bool reports_blocked; /* the socket is full */
        usec_t give_up_boottime;
        char message[SPAWN_MESSAGE_MAX];
} Helper;

static void helper_deinit(Helper *helper)
{
        command_table_free(helper->table);
        buffer_deinit(&helper->reports);
        safe_close(helper->fd);
        safe_close(helper->signal_fd);
        safe_close(helper->null_fd);
}

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
        sigset_t mask;
        int r;

        if (close_range(HELPER_FD + 1, ~0U, 0) < 0)
                return negative_errno();
        if (fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return negative_errno();
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
        helper->give_up_boottime = usec_add(clock_boottime(clock_system()), SHUTDOWN_MAX_USEC);
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

/* --- requests --- */

typedef struct Descriptors {
        int fds[SPAWN_MAX_FDS];
        unsigned n;
        bool truncated; /* some did not fit: too many, or no descriptor was free */
} Descriptors;

static void descriptors_close(Descriptors *descriptors)
{
        for (unsigned i = 0; i < descriptors->n; i++)
                safe_close(descriptors->fds[i]);
}

/* Bytes of the next message; 0 at the end. */
static ssize_t receive(Helper *helper, Descriptors *ret)
{
        union {
                char bytes[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))];
                struct cmsghdr header;
        } control;
        struct iovec iov = { .iov_base = helper->message, .iov_len = sizeof(helper->message) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(helper->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

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

static int start_command(Helper *helper, const SpawnStart *start, const Descriptors *descriptors)
{
        _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;
        _cleanup_free_ char *outside = NULL;
        const char *data = helper->message + sizeof(SpawnStart);
        int fds[3] = { helper->null_fd, helper->null_fd, helper->null_fd };
        unsigned next = 0;
        int r;

        if (descriptors->truncated || descriptors->n != spawn_flags_n_fds(start->flags))
                return -EMFILE;
        for (unsigned i = 0; i < 3; i++)
                if (start->flags & (SPAWN_WITH_INPUT << i))
                        fds[i] = descriptors->fds[next++];
        if (start->flags & SPAWN_WITH_PAYLOAD) {
                r = read_payload(descriptors->fds[next], start->payload_size, &outside);
                if (r < 0)
                        return r;
                data = outside;
        }
        r = spawn_payload_decode(start, data, start->payload_size, &payload);
        if (r < 0)
                return r;
        return command_table_start(helper->table, start, &payload, fds);
}

/* 0 once nothing is left to read. */
static int serve_request(Helper *helper)
{
        _cleanup_(descriptors_close) Descriptors descriptors = {};
        SpawnStart start;
        ssize_t n;
        int r;

        n = receive(helper, &descriptors);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        r = n > 0 ? spawn_request_decode(helper->message, (size_t)n, &start) : -EPIPE;
        /* An end, or a peer that makes no sense: both sides would no longer mean the same by a slot. */
        if (r < 0) {
                connection_lost(helper);
                return 0;
        }
        switch (r) {
        case SPAWN_START:
                r = start_command(helper, &start, &descriptors);
                if (r < 0)
                        command_table_refuse(helper->table, &start.header, SPAWN_STAGE_REQUEST, r);
                break;
        case SPAWN_SIGNAL:
                command_table_signal(helper->table, &start.header);
                break;
        case SPAWN_STOP:
                command_table_stop(helper->table, &start.header);
                break;
        }
        return 1;
}

/* --- loop --- */

static int wait_for_events(Helper *helper, usec_t until)
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
        struct signalfd_siginfo info;

        if (ppoll(fds, ARRAY_SIZE(fds), until == USEC_INFINITY ? NULL : &timeout, NULL) < 0)
                return errno == EINTR ? 0 : negative_errno();
        if (fds[0].revents) {
                (void)!read(helper->signal_fd, &info, sizeof(info));
                command_table_reap(helper->table);
        }
        if (helper->fd >= 0 && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
                for (unsigned i = 0; i < REQUESTS_A_TURN && helper->fd >= 0 && serve_request(helper) > 0; i++)
                        ;
        return 0;
}

static int helper_run(Helper *helper)
{
        on_report(&(SpawnReport){ .type = SPAWN_HELLO, .status = SPAWN_PROTOCOL_VERSION }, helper);
        for (;;) {
                usec_t now = clock_boottime(clock_system());
                usec_t next = command_table_dispatch(helper->table, now);
                int r;

                send_reports(helper);
                if (helper->fd < 0) {
                        if (command_table_is_empty(helper->table) || now >= helper->give_up_boottime)
                                return 0;
                        next = MIN(next, helper->give_up_boottime);
                }
                r = wait_for_events(helper, next);
                if (r < 0)
                        return r;
        }
}

int main(void)
{
        static Helper helper = { .fd = -1, .signal_fd = -1, .null_fd = -1 };
        int r;

        r = helper_init(&helper);
        if (r >= 0)
                r = helper_run(&helper);
        if (r < 0)
                (void)dprintf(STDERR_FILENO, "takt-spawn: %s\n", strerror(-r));
        helper_deinit(&helper);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
