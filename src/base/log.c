/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's native protocol is spoken here rather than through sd_journal_sendv(): that call
 * blocks while journald's socket is full, and the loop must not. The protocol is systemd's
 * JOURNAL_NATIVE_PROTOCOL: "KEY=value\n", or "KEY\n", a little-endian 64-bit length, the bytes
 * and "\n" where the value has a line break; too large a message goes as a sealed memfd.
 */
#include "base/log.h"

#include <endian.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/string-util.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define LOG_LINE_MAX 8192     /* bytes of text; more is cut */
#define LOG_MESSAGE_MAX 131072 /* bytes of text and fields together */

static struct {
        int max_level;
        int journal_fd;
        bool prefix;  /* "<N>" before each line: standard error is read by systemd */
        bool colour;
        unsigned lost; /* messages the journal did not take */
        LogField common;
} log_state = { .max_level = LOG_INFO, .journal_fd = -1 };

static const char *const level_names[] = {
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

/* Whether standard error is the stream that systemd connected to the journal (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int journal_connect(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -1;
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return TAKE_FD(fd);
}

void log_open(LogTarget target, int max_level)
{
        bool journal = stderr_is_journal();

        log_state.max_level = max_level;
        log_state.journal_fd = safe_close(log_state.journal_fd);
        if (target == LOG_TARGET_JOURNAL || (target == LOG_TARGET_AUTO && journal))
                log_state.journal_fd = journal_connect();
        log_state.prefix = journal && log_state.journal_fd < 0;
        log_state.colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
}

void log_set_max_level(int level)
{
        log_state.max_level = level;
}

void log_set_common_field(const LogField *field)
{
        log_state.common = *field;
}

int log_max_level(void)
{
        return log_state.max_level;
}

int log_level_from_string(const char *s)
{
        uint64_t number;

        for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
                if (streq(s, level_names[i]))
                        return (int)i;
        if (parse_uint64(s, &number) == 0 && number < ARRAY_SIZE(level_names))
                return (int)number;
        return -EINVAL;
}

static void append_field(Buffer *out, const char *key, const char *value)
{
        uint64_t length;

        (void)buffer_append_string(out, key);
        if (!strchr(value, '\n')) {
                (void)buffer_append_char(out, '=');
        } else {
                length = htole64(strlen(value));
                (void)buffer_append_char(out, '\n');
                (void)buffer_append(out, &length, sizeof(length));
        }
        (void)buffer_append_string(out, value);
        (void)buffer_append_char(out, '\n');
}

static int send_as_memfd(const Buffer *message)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr header = { .msg_control = &control, .msg_controllen = sizeof(control) };
        _cleanup_close_ int fd = memfd_create("takt-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct cmsghdr *c;

        if (fd < 0 || write_all(fd, message->data, message->len) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return negative_errno();
        c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
        return sendmsg(log_state.journal_fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? negative_errno() : 0;
}

static int journal_send(int level, const LogField *fields, const char *text)
{
        _cleanup_buffer_ Buffer message = BUFFER_WITH_MAX(LOG_MESSAGE_MAX);
        char number[16];

        append_field(&message, "MESSAGE", text);
        (void)snprintf(number, sizeof(number), "%d", level);
        append_field(&message, "PRIORITY", number);
        append_field(&message, "SYSLOG_IDENTIFIER", program_invocation_short_name);
        if (log_state.common.value)
                append_field(&message, log_state.common.key, log_state.common.value);
        for (const LogField *f = fields; f && f->key; f++)
                if (f->value)
                        append_field(&message, f->key, f->value);
        if (log_state.lost > 0) {
                (void)snprintf(number, sizeof(number), "%u", log_state.lost);
                append_field(&message, "TAKT_LOST_MESSAGES", number);
        }
        if (!message.data)
                return -ENOMEM;

        if (send(log_state.journal_fd, message.data, message.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                if (errno != EMSGSIZE && errno != ENOBUFS)
                        return negative_errno();
                if (send_as_memfd(&message) < 0)
                        return negative_errno();
        }
        log_state.lost = 0;
        return 0;
}

static void console_write(int level, const char *text)
{
        const char *colour = level <= LOG_ERR ? "\x1b[1;31m" : level <= LOG_WARNING ? "\x1b[1;33m" : level >= LOG_DEBUG ? "\x1b[2m" : "";
        char prefix[8] = "";
        struct iovec iov[4];

        if (!log_state.colour)
                colour = "";
        if (log_state.prefix)
                (void)snprintf(prefix, sizeof(prefix), "<%d>", level);
        iov[0] = (struct iovec){ .iov_base = prefix, .iov_len = strlen(prefix) };
        iov[1] = (struct iovec){ .iov_base = (char *)colour, .iov_len = strlen(colour) };
        iov[2] = (struct iovec){ .iov_base = (char *)text, .iov_len = strlen(text) };
        iov[3] = (struct iovec){ .iov_base = (char *)(*colour ? "\x1b[0m\n" : "\n"), .iov_len = *colour ? 5 : 1 };
        (void)!writev(STDERR_FILENO, iov, ARRAY_SIZE(iov));
}

void log_fullv(int level, const LogField *fields, const char *format, va_list ap)
{
        static const char cut[] = "…";
        char text[LOG_LINE_MAX];
        int saved = errno, n;

        if (level > log_state.max_level)
                return;
        n = vsnprintf(text, sizeof(text), format, ap);
        if (n >= (int)sizeof(text))
                memcpy(text + sizeof(text) - sizeof(cut), cut, sizeof(cut));
        if (n >= 0) {
                if (log_state.journal_fd < 0)
                        console_write(level, text);
                else if (journal_send(level, fields, text) < 0)
                        log_state.lost++;
        }
        errno = saved;
}

void log_full(int level, const LogField *fields, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        log_fullv(level, fields, format, ap);
        va_end(ap);
}
