/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SpawnRequest as takt-spawn reads it: one message with descriptors beside it. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory-file.h"
#include "process/spawner-internal.h"

_Static_assert(SPAWNER_MAX_REQUEST + SPAWN_MAX_LIMITS * sizeof(SpawnWireLimit) <= SPAWN_PAYLOAD_MAX, "payload cap");
_Static_assert(sizeof(SpawnStart) + SPAWN_INLINE_MAX <= SPAWN_MESSAGE_MAX, "message cap");
_Static_assert(SPAWNER_MAX_COMMANDS <= SPAWN_MAX_SLOTS, "every command has a slot");

void spawn_envelope_deinit(SpawnEnvelope *envelope)
{
        for (unsigned i = 0; i < envelope->n_owned; i++)
                safe_close(envelope->fds[i]);
        envelope->n_owned = 0;
        envelope->n_fds = 0;
        buffer_deinit(&envelope->message);
}

static void add_fd(SpawnEnvelope *envelope, int fd, uint32_t flag)
{
        SpawnStart *start = (void *)envelope->message.data;

        envelope->fds[envelope->n_fds++] = fd;
        envelope->n_owned = envelope->n_fds;
        start->flags |= flag;
}

/* The ends that are read go along where the command is to be kept. They are the last ones, and not closed here. */
static void add_ends(SpawnEnvelope *envelope, const int ends[static 2])
{
        SpawnStart *start = (void *)envelope->message.data;

        start->flags |= SPAWN_KEEP;
        for (unsigned i = 0; i < 2; i++) {
                if (ends[i] < 0)
                        continue;
                envelope->fds[envelope->n_fds++] = ends[i];
                start->flags |= (uint32_t)SPAWN_WITH_OUTPUT_END << i;
        }
}

static int add_duplicate(SpawnEnvelope *envelope, int fd, uint32_t flag)
{
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        if (copy < 0)
                return negative_errno();
        add_fd(envelope, copy, flag);
        return 0;
}

static int add_input(SpawnEnvelope *envelope, const SpawnInput *input)
{
        int fd, r;

        switch (input->mode) {
        case SPAWN_NULL:
                return 0;
        case SPAWN_FD:
                return add_duplicate(envelope, input->fd, SPAWN_WITH_INPUT);
        case SPAWN_BYTES:
                /* A file, not a pipe: nobody has to be there to feed it. */
                r = memory_file_new("takt-input", input->data, input->n, &fd);
                if (r >= 0)
                        add_fd(envelope, fd, SPAWN_WITH_INPUT);
                return r;
        default:
                return -EINVAL;
        }
}

static int add_output(SpawnEnvelope *envelope, const SpawnOutput *output, int *captured, uint32_t flag)
{
        switch (output->mode) {
        case SPAWN_NULL:
                return 0;
        case SPAWN_FD:
                return add_duplicate(envelope, output->fd, flag);
        case SPAWN_CAPTURE:
                add_fd(envelope, TAKE_FD(*captured), flag);
                return 0;
        default:
                return -EINVAL;
        }
}

/* What the service manager told this process is not for its commands. */
static bool speaks_to_us(const char *entry)
{
        return startswith(entry, "NOTIFY_SOCKET=") || startswith(entry, "LISTEN_PID=") ||
                startswith(entry, "LISTEN_FDS=") || startswith(entry, "LISTEN_FDNAMES=");
}

static int append_vector(Buffer *message, char *const *strings, bool (*leave_out)(const char *), uint32_t *ret_n)
{
        uint32_t n = 0;
        int r;

        for (; strings && *strings; strings++) {
                if (leave_out && leave_out(*strings))
                        continue;
                r = spawn_payload_append_string(message, *strings);
                if (r < 0)
                        return r;
                n++;
        }
        *ret_n = n;
        return 0;
}

static int append_limit(Buffer *message, int resource, const struct rlimit *limit)
{
        return spawn_payload_append_limit(message, &(SpawnWireLimit){
                        .resource = (uint64_t)resource,
                        .soft = limit->rlim_cur,
                        .hard = limit->rlim_max,
        });
}

static int append_limits(Buffer *message, const SpawnRequest *request, const struct rlimit *descriptors, uint32_t *ret_n)
{
        uint32_t n = (uint32_t)request->n_limits;
        bool has_descriptors = !descriptors;
        int r;

        for (size_t i = 0; i < request->n_limits; i++) {
                const SpawnLimit *limit = &request->limits[i];

                if (limit->resource < 0 || limit->resource >= RLIM_NLIMITS)
                        return -EINVAL;
                has_descriptors = has_descriptors || limit->resource == RLIMIT_NOFILE;
                r = append_limit(message, limit->resource, &limit->limit);
                if (r < 0)
                        return r;
        }
        if (!has_descriptors) {
                r = append_limit(message, RLIMIT_NOFILE, descriptors);
                if (r < 0)
                        return r;
                n++;
        }
        *ret_n = n;
        return 0;
}

static int append_payload(Buffer *message, const SpawnRequest *request, const struct rlimit *descriptors)
{
        uint32_t n_limits, n_arguments, n_environment;
        SpawnStart *start;
        int r;

        r = append_limits(message, request, descriptors, &n_limits);
        if (r < 0)
                return r;
        r = spawn_payload_append_string(message, request->directory ?: "/");
        if (r >= 0)
                r = spawn_payload_append_string(message, request->mark ?: "");
        if (r >= 0)
                r = spawn_payload_append_string(message, request->note ?: "");
        if (r >= 0)
                r = append_vector(message, request->argv, NULL, &n_arguments);
        if (r >= 0)
                r = append_vector(message, request->environment, speaks_to_us, &n_environment);
        if (r < 0)
                return r;
        start = (void *)message->data;
        start->n_limits = n_limits;
        start->n_arguments = n_arguments;
        start->n_environment = n_environment;
        start->payload_size = (uint32_t)(message->len - sizeof(SpawnStart));
        return 0;
}

static bool request_is_sound(const SpawnRequest *request)
{
        if (!request->argv || !request->argv[0] || request->n_limits > RLIM_NLIMITS)
                return false;
        if (request->directory && request->directory[0] != '/')
                return false;
        if (request->note && strlen(request->note) > SPAWN_NOTE_MAX)
                return false;
        if (request->kill_signal < 0 || request->kill_signal >= NSIG)
                return false;
        return !request->set_umask || request->umask <= 07777;
}

/* A payload that is too large for a message goes beside it. */
static int outsource_payload(SpawnEnvelope *envelope)
{
        Buffer *message = &envelope->message;
        int fd, r;

        if (message->len <= sizeof(SpawnStart) + SPAWN_INLINE_MAX)
                return 0;
        r = memory_file_new("takt-request", message->data + sizeof(SpawnStart), message->len - sizeof(SpawnStart), &fd);
        if (r < 0)
                return r;
        add_fd(envelope, fd, SPAWN_WITH_PAYLOAD);
        message->len = sizeof(SpawnStart);
        return 0;
}

static uint32_t request_flags(const SpawnRequest *request)
{
        static const uint32_t kill_modes[] = {
                [SPAWN_KILL_ALL] = 0, [SPAWN_KILL_MAIN_THEN_ALL] = SPAWN_KILL_MIXED, [SPAWN_KILL_MAIN] = SPAWN_KILL_PROCESS,
        };

        return (request->set_umask ? SPAWN_SET_UMASK : 0) | (request->set_nice ? SPAWN_SET_NICE : 0) |
                (request->exit_type == SPAWN_EXIT_WITH_ALL ? SPAWN_EXIT_CGROUP : 0) |
                (request->starts_nothing ? SPAWN_STARTS_NOTHING : 0) | kill_modes[request->kill_mode];
}

int spawn_envelope_init(SpawnEnvelope *envelope, const SpawnRequest *request, const struct rlimit *descriptors,
                        int captured[static 2], const int *ends)
{
        SpawnStart start = {
                .header.type = SPAWN_START,
                .flags = request_flags(request),
                .umask = request->umask,
                .nice = request->nice,
                .kill_signal = request->kill_signal ?: SIGTERM,
                .kill_after_usec = request->kill_after,
        };
        int r;

        if (!request_is_sound(request))
                return -EINVAL;
        *envelope = (SpawnEnvelope){ .message = BUFFER_WITH_MAX(sizeof(start) + SPAWNER_MAX_REQUEST) };
        r = buffer_append(&envelope->message, &start, sizeof(start));
        if (r >= 0)
                r = append_payload(&envelope->message, request, descriptors);
        if (r >= 0)
                r = add_input(envelope, &request->input);
        if (r >= 0)
                r = add_output(envelope, &request->output, &captured[0], SPAWN_WITH_OUTPUT);
        if (r >= 0)
                r = add_output(envelope, &request->error_output, &captured[1], SPAWN_WITH_ERROR);
        if (r >= 0)
                r = outsource_payload(envelope);
        if (r >= 0 && ends && request->note)
                add_ends(envelope, ends);
        if (r < 0)
                spawn_envelope_deinit(envelope);
        return r;
}

void spawn_envelope_set_address(SpawnEnvelope *envelope, uint32_t slot, uint32_t serial)
{
        SpawnStart *start = (void *)envelope->message.data;

        start->header.slot = slot;
        start->header.serial = serial;
}

int spawn_envelope_send(const SpawnEnvelope *envelope, int fd)
{
        union {
                char bytes[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))];
                struct cmsghdr header;
        } control = {};
        struct iovec iov = { .iov_base = envelope->message.data, .iov_len = envelope->message.len };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (envelope->n_fds > 0) {
                size_t n = envelope->n_fds * sizeof(int);

                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n);
                memcpy(CMSG_DATA(&control.header), envelope->fds, n);
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n);
        }
        for (;;) {
                if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno == EINTR)
                        continue;
                /* Too many descriptors in flight, no memory for them now: the same as a full socket. */
                return errno == ENOBUFS || errno == ETOOMANYREFS ? -EAGAIN : negative_errno();
        }
}
