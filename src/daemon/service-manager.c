/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The protocols of sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3), which systemd promises to
 * keep. They are spoken here rather than through libsystemd since sd_notify() blocks while the manager's
 * queue is full, which the loop must not, and since the library with what it needs is larger than taktd.
 */
#include "daemon/service-manager.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"

#define LISTEN_FDS_START 3
/* A descriptor is stored at the start of a helper only, and what depends on it is worth this. */
#define STORE_WAIT_MSEC 100
#define RETRY_USEC (20 * USEC_PER_MSEC)

struct ServiceManager {
        int notify_fd; /* connected; -1: nobody wants to know */
        Buffer pending; /* what could not be sent yet */
        Timer retry_timer;

        struct {
                char *name;
                int fd;
        } fds[SERVICE_MAX_FDS];
        size_t n_fds;

        uint64_t store_max; /* descriptors that may be stored */

        Loop *loop;
        usec_t watchdog; /* 0: off */
        Timer watchdog_timer;
        Deferred turned;
        ServiceCheck check;
        void *check_userdata;
        bool unwell;
};

/* Takes the variable out of the environment; the caller frees it. NULL: it was not there. */
static char *take_variable(const char *name)
{
        const char *value = getenv(name);
        char *copy = value && *value ? strdup(value) : NULL;

        (void)unsetenv(name);
        return copy;
}

/* The number in VALUE, 0 where there is none. */
static uint64_t number_or_zero(const char *value)
{
        uint64_t number;

        return value && parse_uint64(value, &number) >= 0 ? number : 0;
}

static int notify_connect(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        size_t n = strlen(path);

        if ((path[0] != '/' && path[0] != '@') || n >= sizeof(address.sun_path))
                return -EINVAL;
        memcpy(address.sun_path, path, n);
        if (path[0] == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        /* With the NUL of a path, without one in the abstract namespace. */
        n += offsetof(struct sockaddr_un, sun_path) + (path[0] == '/');
        return connect(fd, (struct sockaddr *)&address, (socklen_t)n) < 0 ? negative_errno() : TAKE_FD(fd);
}

/* The Nth of the names that are separated by colons; the caller frees it. */
static char *name_at(const char *names, size_t i)
{
        for (; names && i > 0; i--) {
                names = strchr(names, ':');
                names = names ? names + 1 : NULL;
        }
        return strndup(names ?: "", names ? strcspn(names, ":") : 0);
}

static int take_descriptors(ServiceManager *m)
{
        _cleanup_free_ char *pid = take_variable("LISTEN_PID"), *count = take_variable("LISTEN_FDS");
        _cleanup_free_ char *names = take_variable("LISTEN_FDNAMES");
        uint64_t n = number_or_zero(pid) == (uint64_t)getpid() ? number_or_zero(count) : 0;

        for (uint64_t i = 0; i < n && i < INT32_MAX - LISTEN_FDS_START; i++) {
                int fd = LISTEN_FDS_START + (int)i;

                if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                        break;
                if (m->n_fds == SERVICE_MAX_FDS) {
                        safe_close(fd);
                        continue;
                }
                m->fds[m->n_fds].fd = fd;
                m->fds[m->n_fds].name = name_at(names, (size_t)i);
                if (!m->fds[m->n_fds++].name)
                        return -ENOMEM;
        }
        return 0;
}

int service_manager_new(ServiceManager **ret)
{
        _cleanup_free_ char *socket_path = take_variable("NOTIFY_SOCKET");
        _cleanup_free_ char *watchdog = take_variable("WATCHDOG_USEC"), *watchdog_pid = take_variable("WATCHDOG_PID");
        _cleanup_(service_manager_freep) ServiceManager *m = new0(ServiceManager, 1);
        _cleanup_free_ char *store = take_variable("FDSTORE");
        int r;

        if (!m)
                return -ENOMEM;
        m->store_max = number_or_zero(store);
        m->pending = BUFFER_WITH_MAX(SERVICE_MAX_PENDING);
        m->notify_fd = -1;
        r = take_descriptors(m);
        if (r < 0)
                return r;
        if (socket_path) {
                m->notify_fd = notify_connect(socket_path);
                if (m->notify_fd < 0)
                        log_errno(LOG_WARNING, m->notify_fd, "The service manager can't be reached at %s: %m", socket_path);
        }
        if (!watchdog_pid || number_or_zero(watchdog_pid) == (uint64_t)getpid())
                m->watchdog = number_or_zero(watchdog);
        *ret = TAKE_PTR(m);
        return 0;
}

ServiceManager *service_manager_free(ServiceManager *m)
{
        if (!m)
                return NULL;
        if (m->loop) {
                timer_disarm(loop_timers(m->loop), &m->retry_timer);
                timer_disarm(loop_timers(m->loop), &m->watchdog_timer);
                deferred_cancel(m->loop, &m->turned);
        }
        for (size_t i = 0; i < m->n_fds; i++) {
                safe_close(m->fds[i].fd);
                free(m->fds[i].name);
        }
        safe_close(m->notify_fd);
        buffer_deinit(&m->pending);
        free(m);
        return NULL;
}

int service_manager_take_listener(ServiceManager *m, const char *name)
{
        for (size_t i = 0; i < m->n_fds; i++) {
                int domain = 0, type = 0, listens = 0;
                socklen_t n = sizeof(int);

                if (m->fds[i].fd < 0 || !streq(m->fds[i].name, name))
                        continue;
                if (getsockopt(m->fds[i].fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX ||
                    getsockopt(m->fds[i].fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM ||
                    getsockopt(m->fds[i].fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens)
                        return -EPROTOTYPE;
                if (fd_set_nonblocking(m->fds[i].fd) < 0)
                        return negative_errno();
                return TAKE_FD(m->fds[i].fd);
        }
        return -ENOENT;
}

int service_manager_take(ServiceManager *m, const char *name)
{
        for (size_t i = 0; i < m->n_fds; i++)
                if (m->fds[i].fd >= 0 && streq(m->fds[i].name, name))
                        return TAKE_FD(m->fds[i].fd);
        return -ENOENT;
}

bool service_manager_keeps_descriptors(const ServiceManager *m)
{
        return m->notify_fd >= 0 && m->store_max > 0;
}

int service_manager_store(ServiceManager *m, int fd, const char *name)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
        struct pollfd pollfd = { .fd = m->notify_fd, .events = POLLOUT };
        char text[64];
        struct iovec iov = { .iov_base = text };
        const struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
        };

        iov.iov_len = (size_t)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        for (int i = 0; i < 2; i++) {
                if (sendmsg(m->notify_fd, &message, MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno != EAGAIN && errno != ENOBUFS)
                        return negative_errno();
                (void)poll(&pollfd, 1, STORE_WAIT_MSEC);
        }
        return -EAGAIN;
}

/* --- notifications --- */

/* What the manager can't take now is sent again soon, all in one message, in the order in which it was said. */
static void flush(ServiceManager *m)
{
        if (m->notify_fd < 0 || m->pending.len == 0)
                return;
        if (send(m->notify_fd, m->pending.data, m->pending.len, MSG_NOSIGNAL) < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
                if (m->loop)
                        (void)timer_arm_after(loop_timers(m->loop), &m->retry_timer, RETRY_USEC);
                return;
        }
        buffer_clear(&m->pending);
}

static void on_retry(Timer *timer, _unused_ usec_t now)
{
        flush(container_of(timer, ServiceManager, retry_timer));
}

static void tell(ServiceManager *m, const char *assignments)
{
        if (m->notify_fd < 0)
                return;
        if (m->pending.len > 0)
                (void)buffer_append_char(&m->pending, '\n');
        (void)buffer_append_string(&m->pending, assignments);
        flush(m);
}

_printf_(3, 0)
static void tell_with_status(ServiceManager *m, const char *assignments, const char *format, va_list ap)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (buffer_appendf(&text, "%s\nSTATUS=", assignments) >= 0 && buffer_appendv(&text, format, ap) >= 0)
                tell(m, text.data);
}

void service_manager_ready(ServiceManager *m, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        tell_with_status(m, "READY=1", format, ap);
        va_end(ap);
}

void service_manager_starting(ServiceManager *m, usec_t timeout, const char *format, ...)
{
        char text[64];
        va_list ap;

        (void)snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)timeout);
        va_start(ap, format);
        tell_with_status(m, text, format, ap);
        va_end(ap);
}

void service_manager_reloading(ServiceManager *m)
{
        struct timespec now = {};
        char text[96];

        /* The manager compares with its own clock, which is this one and not CLOCK_BOOTTIME. */
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reading the configuration",
                       (unsigned long long)now.tv_sec * USEC_PER_SEC + (unsigned long long)now.tv_nsec / NSEC_PER_USEC);
        tell(m, text);
}

void service_manager_stopping(ServiceManager *m, usec_t timeout, const char *format, ...)
{
        char text[64] = "STOPPING=1";
        va_list ap;

        if (timeout != USEC_INFINITY)
                (void)snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu", (unsigned long long)timeout);
        va_start(ap, format);
        tell_with_status(m, text, format, ap);
        va_end(ap);
}

/* --- watchdog --- */

static void on_turned(Deferred *deferred)
{
        ServiceManager *m = container_of(deferred, ServiceManager, turned);
        const char *problem = m->check(m->check_userdata);

        /* Said once: what is wrong for longer ends with the manager's own message. */
        if (problem && !m->unwell)
                log_warning("The watchdog is not fed: %s", problem);
        m->unwell = problem;
        if (!problem)
                tell(m, "WATCHDOG=1");
        else
                /* What is better soon is not to be too late for the manager. */
                (void)timer_arm_after(loop_timers(m->loop), &m->watchdog_timer, m->watchdog / 16);
}

static void on_watchdog(Timer *timer, _unused_ usec_t now)
{
        ServiceManager *m = container_of(timer, ServiceManager, watchdog_timer);

        (void)timer_arm_after(loop_timers(m->loop), timer, m->watchdog / 2);
        loop_defer(m->loop, &m->turned);
}

void service_manager_watch(ServiceManager *m, Loop *loop, ServiceCheck check, void *userdata)
{
        m->loop = loop;
        m->retry_timer.callback = on_retry;
        if (m->watchdog == 0 || m->notify_fd < 0)
                return;
        m->check = check;
        m->check_userdata = userdata;
        m->turned.callback = on_turned;
        m->watchdog_timer.callback = on_watchdog;
        if (timer_arm_after(loop_timers(loop), &m->watchdog_timer, m->watchdog / 2) < 0)
                log_warning("The watchdog can't be fed: no memory");
}
