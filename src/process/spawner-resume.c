/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A helper that was left by another process, the daemon before this one. It is asked for all that it
 * keeps, and tells it at once: what it had said to the other one before is passed over, as the list has it
 * too. This happens before the loop runs, so it blocks, for SPAWNER_RESUME_USEC at most.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "process/command-table.h"
#include "process/spawner-internal.h"

struct HeldCommand {
        List held;
        Spawner *spawner;
        SpawnReport report;
        int ends[2];
        IoSource *drains[2]; /* of the ends, once it is ending */
        int captured;
        char note[];
};

typedef struct Reply {
        char bytes[SPAWN_MESSAGE_MAX];
        size_t n;
        int fds[SPAWN_MAX_FDS];
        unsigned n_fds;
} Reply;

void held_command_free(HeldCommand *held)
{
        list_unlink(&held->held);
        for (unsigned i = 0; i < 2; i++) {
                io_source_free(held->drains[i]);
                safe_close(held->ends[i]);
        }
        safe_close(held->captured);
        free(held);
}

static void free_all(List *list)
{
        HeldCommand *held;

        while ((held = list_first(list, HeldCommand, held)))
                held_command_free(held);
}

void spawner_free_held(Spawner *spawner)
{
        free_all(&spawner->held);
        free_all(&spawner->ending);
}

static bool is_over(const SpawnReport *report)
{
        return (report->flags & SPAWN_HELD_EXITED) && !(report->flags & SPAWN_GROUP_LEFT);
}

static void kill_group(const SpawnReport *report)
{
        if (report->pid > 1 && !is_over(report))
                (void)kill(-report->pid, SIGKILL);
}

void spawner_kill_held(Spawner *spawner)
{
        HeldCommand *held;

        list_foreach(held, &spawner->held, HeldCommand, held)
                kill_group(&held->report);
}

static void reply_close(Reply *reply)
{
        for (unsigned i = 0; i < reply->n_fds; i++)
                safe_close(reply->fds[i]);
        reply->n_fds = 0;
}

static int wait_for(int fd, short events, usec_t deadline)
{
        struct pollfd pollfd = { .fd = fd, .events = events };
        usec_t left = usec_sub(deadline, clock_boottime(clock_system()));
        int r = poll(&pollfd, 1, (int)(left / USEC_PER_MSEC));

        if (r < 0 && errno == EINTR)
                return 0;
        return r < 0 ? negative_errno() : r == 0 ? -ETIMEDOUT : 0;
}

static int ask(int fd, uint32_t serial, usec_t deadline)
{
        const SpawnHeader header = { .type = SPAWN_LIST, .serial = serial };
        int r = 0;

        while (send(fd, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
                if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
                        return negative_errno();
                r = wait_for(fd, POLLOUT, deadline);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int receive(int fd, Reply *reply, usec_t deadline)
{
        union {
                char bytes[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))];
                struct cmsghdr header;
        } control;
        struct iovec iov = { .iov_base = reply->bytes, .iov_len = sizeof(reply->bytes) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t n;
        int r;

        while ((n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        return negative_errno();
                r = wait_for(fd, POLLIN, deadline);
                if (r < 0)
                        return r;
        }
        reply->n_fds = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                reply->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                memcpy(reply->fds, CMSG_DATA(c), reply->n_fds * sizeof(int));
        }
        if (n == 0)
                return -EPIPE;
        if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
                return -EMFILE;
        reply->n = (size_t)n;
        return 0;
}

/* The helper's number; -EAGAIN: this is something of before. */
static int decode_hello(const Reply *reply, uint32_t serial)
{
        SpawnReport report;
        int n = spawn_reports_count(reply->n);

        if (n < 0)
                return n;
        if (n > 1 || spawn_report_decode(reply->bytes, 0, &report) < 0 || report.type != SPAWN_HELLO || report.serial != serial)
                return -EAGAIN;
        return report.status == SPAWN_PROTOCOL_VERSION && report.pid > 1 ? report.pid : -EPROTO;
}

static int find_helper(int fd, Reply *reply, usec_t deadline)
{
        uint32_t serial = 0;
        int r;

        if (getrandom(&serial, sizeof(serial), GRND_NONBLOCK) < 0 || serial == 0)
                serial = (uint32_t)clock_realtime(clock_system()) | 1;
        r = ask(fd, serial, deadline);
        if (r < 0)
                return r;
        do {
                r = receive(fd, reply, deadline);
                if (r >= 0)
                        r = decode_hello(reply, serial);
                reply_close(reply);
        } while (r == -EAGAIN);
        return r;
}

static int take_held(Spawner *spawner, Reply *reply, const SpawnReport *report, const char *note)
{
        size_t note_size = strlen(note) + 1;
        HeldCommand *held;
        unsigned next = 0;

        if (reply->n_fds != spawn_held_n_fds(report->flags))
                return -EBADMSG;
        held = calloc(1, sizeof(HeldCommand) + note_size);
        if (!held)
                return -ENOMEM;
        *held = (HeldCommand){ .spawner = spawner, .report = *report, .ends = { -1, -1 }, .captured = -1 };
        memcpy(held->note, note, note_size);
        for (unsigned i = 0; i < 2; i++)
                if (report->flags & (SPAWN_HELD_OUTPUT << i))
                        held->ends[i] = reply->fds[next++];
        if (report->flags & SPAWN_HELD_CAPTURED)
                held->captured = reply->fds[next++];
        reply->n_fds = 0;
        list_append(&spawner->held, &held->held);
        return 0;
}

static int take_all_held(Spawner *spawner, Reply *reply, usec_t deadline)
{
        for (;;) {
                const char *note;
                SpawnReport report;
                int r;

                r = receive(spawner->fd, reply, deadline);
                if (r >= 0)
                        r = spawn_held_decode(reply->bytes, reply->n, &report, &note);
                if (r > 0)
                        r = take_held(spawner, reply, &report, note);
                else if (r == 0 && spawn_report_decode(reply->bytes, 0, &report) >= 0 && report.type == SPAWN_LISTED)
                        return 0;
                else if (r == 0)
                        r = -EBADMSG;
                reply_close(reply);
                if (r < 0)
                        return r;
        }
}

static void on_output(IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        HeldCommand *held = userdata;
        ssize_t n = read(fd, held->spawner->scratch, sizeof(held->spawner->scratch));

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                held->drains[fd == held->ends[1]] = io_source_free(source);
}

/* What it prints before it ends is read, so that it neither waits for a reader nor dies of having none. */
static void drain(HeldCommand *held, SpawnSlot *slot)
{
        Spawner *spawner = held->spawner;

        list_unlink(&held->held);
        list_append(&spawner->ending, &held->held);
        slot->ending = held;
        for (unsigned i = 0; i < 2; i++) {
                IoSource **drain = &held->drains[i];

                if (held->ends[i] >= 0)
                        (void)io_source_new(spawner->loop, held->ends[i], IO_READ, on_output, held, drain);
        }
}

/* Ends what nobody goes on with. takt-spawn forgets what it is, so that the next taktd doesn't either. */
static void reject(HeldCommand *held)
{
        Spawner *spawner = held->spawner;
        const SpawnReport report = held->report;
        SpawnedCommand unknown = { .kept = true, .name = { report.slot, report.serial } };

        if (is_over(&report)) {
                held_command_free(held);
        } else if (spawner_claim(spawner, report.slot, report.serial, report.pid, NULL) < 0) {
                /* Where there is no memory to have this one ended, the helper ends them all. */
                kill_group(&report);
                held_command_free(held);
                (void)shutdown(spawner->fd, SHUT_RDWR);
        } else {
                drain(held, &spawner->slots[report.slot]);
                spawner_stop_within(spawner, report.slot, (int)(SHUTDOWN_KILL_AFTER_USEC / USEC_PER_MSEC));
        }
        spawner_done(spawner, &unknown);
}

static void reject_others(Spawner *spawner, HeldPredicate goes_on, void *userdata)
{
        HeldCommand *held, *next;

        for (held = spawner_next_held(spawner, NULL); held; held = next) {
                next = spawner_next_held(spawner, held);
                if (!goes_on(held, userdata))
                        reject(held);
        }
}

/* Those that takt-spawn has no note of are ending already, and have their slots until they are gone. */
static bool has_note(const HeldCommand *held, _unused_ void *userdata)
{
        return held->note[0] != '\0';
}

void spawner_note_held(Spawner *spawner, const SpawnReport *report)
{
        HeldCommand *held;

        list_foreach(held, &spawner->held, HeldCommand, held) {
                uint32_t flags = held->report.flags;

                if (held->report.slot != report->slot || held->report.serial != report->serial)
                        continue;
                if (report->type == SPAWN_EXITED) {
                        held->report = *report;
                        held->report.type = SPAWN_HELD;
                        held->report.flags |= flags | SPAWN_HELD_EXITED;
                } else if (report->type == SPAWN_GONE) {
                        held->report.flags &= ~(uint32_t)SPAWN_GROUP_LEFT;
                } else {
                        held->report.pid = report->pid;
                }
        }
}

bool spawner_is_connected(const Spawner *spawner)
{
        return spawner->fd >= 0;
}

unsigned spawner_n_ending(const Spawner *spawner)
{
        unsigned n = 0;

        for (uint32_t i = 0; i < spawner->n_slots; i++)
                n += spawner->slots[i].used && !spawner->slots[i].command;
        return n;
}

int spawner_resume(Loop *loop, int fd, Spawner **ret)
{
        usec_t deadline = usec_add(clock_boottime(clock_system()), SPAWNER_RESUME_USEC);
        _cleanup_(spawner_freep) Spawner *spawner = NULL;
        _cleanup_free_ Reply *reply = new0(Reply, 1);
        int pid, r;

        pid = reply ? find_helper(fd, reply, deadline) : -ENOMEM;
        r = pid < 0 ? pid : spawner_new_resumed(loop, fd, pid, &spawner);
        if (r < 0) {
                /* Its end, for whoever has a copy. */
                (void)shutdown(fd, SHUT_RDWR);
                safe_close(fd);
                return r;
        }
        r = take_all_held(spawner, reply, deadline);
        if (r < 0)
                return r;
        reject_others(spawner, has_note, NULL);
        *ret = TAKE_PTR(spawner);
        return 0;
}

HeldCommand *spawner_next_held(Spawner *spawner, HeldCommand *held)
{
        List *next = held ? held->held.next : spawner->held.next;

        return next == &spawner->held ? NULL : container_of(next, HeldCommand, held);
}

const char *held_command_note(const HeldCommand *held)
{
        return held->note;
}

bool held_command_is_stopping(const HeldCommand *held)
{
        return held->report.flags & SPAWN_HELD_STOPPING;
}

void spawner_end_held(Spawner *spawner, HeldPredicate goes_on, void *userdata)
{
        reject_others(spawner, goes_on, userdata);
        spawner_flush_done(spawner);
}

int spawner_adopt(HeldCommand *held, size_t max_output, const SpawnCallbacks *callbacks, void *userdata, SpawnedCommand **ret)
{
        const SpawnReport *report = &held->report;
        const size_t max_bytes[2] = { max_output, 0 };
        const SpawnExit exit = {
                .error = -report->error,
                .stage = spawn_stage_to_string((SpawnStage)report->stage),
                .code = report->code,
                .status = report->status,
                .user_usec = report->user_usec,
                .system_usec = report->system_usec,
                .max_resident = report->max_resident,
                .left = report->left,
        };
        int r;

        r = spawned_command_resume(held->spawner, report, report->flags & SPAWN_HELD_EXITED ? &exit : NULL, held->ends, &held->captured,
                                   max_bytes, callbacks, userdata, ret);
        if (r < 0)
                reject(held);
        else
                held_command_free(held);
        return r;
}

static void on_idle(Deferred *deferred)
{
        Spawner *spawner = container_of(deferred, Spawner, idle);

        spawner->on_idle(spawner, spawner->idle_userdata);
}

void spawner_settle(Spawner *spawner, void (*callback)(Spawner *spawner, void *userdata), void *userdata)
{
        HeldCommand *held;

        while ((held = list_first(&spawner->held, HeldCommand, held)))
                reject(held);
        spawner_flush_done(spawner);
        spawner->idle.callback = on_idle;
        spawner->on_idle = callback;
        spawner->idle_userdata = userdata;
        if (spawner->status.n_commands > 0)
                spawner_watch_answers(spawner);
        spawner_check_idle(spawner);
}
