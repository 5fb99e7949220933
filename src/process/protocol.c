/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/protocol.h"

#include <signal.h>

int spawn_payload_append_limit(Buffer *payload, const SpawnWireLimit *limit)
{
        return buffer_append(payload, limit, sizeof(*limit));
}

int spawn_payload_append_string(Buffer *payload, const char *s)
{
        return buffer_append(payload, s, strlen(s) + 1);
}

unsigned spawn_flags_n_fds(uint32_t flags)
{
        return (unsigned)__builtin_popcount(
                flags & (SPAWN_WITH_INPUT | SPAWN_WITH_OUTPUT | SPAWN_WITH_ERROR | SPAWN_WITH_PAYLOAD |
                         SPAWN_WITH_OUTPUT_END | SPAWN_WITH_ERROR_END));
}

static bool start_is_sound(const SpawnStart *start, size_t n)
{
        size_t strings;

        if (start->flags & ~(uint32_t)_SPAWN_FLAGS)
                return false;
        if (start->n_limits > SPAWN_MAX_LIMITS || start->payload_size > SPAWN_PAYLOAD_MAX)
                return false;
        if (start->umask > 07777 || start->kill_signal < 1 || start->kill_signal >= NSIG)
                return false;
        if ((start->flags & SPAWN_KILL_MIXED) && (start->flags & SPAWN_KILL_PROCESS))
                return false;
        if ((start->flags & (SPAWN_WITH_OUTPUT_END | SPAWN_WITH_ERROR_END)) && !(start->flags & SPAWN_KEEP))
                return false;
        /* Directory, mark, note and every string take a byte at least. */
        strings = 3 + (size_t)start->n_arguments + start->n_environment;
        if (start->n_arguments < 1 || strings + start->n_limits * sizeof(SpawnWireLimit) > start->payload_size)
                return false;
        return n == sizeof(SpawnStart) + (start->flags & SPAWN_WITH_PAYLOAD ? 0 : start->payload_size);
}

int spawn_request_decode(const void *message, size_t n, SpawnStart *ret)
{
        SpawnStart start = {};

        if (n < sizeof(SpawnHeader))
                return -EBADMSG;
        memcpy(&start.header, message, sizeof(SpawnHeader));
        if (start.header.slot >= SPAWN_MAX_SLOTS)
                return -EBADMSG;
        if (start.header.type == SPAWN_START) {
                if (n < sizeof(SpawnStart))
                        return -EBADMSG;
                memcpy(&start, message, sizeof(SpawnStart));
                if (!start_is_sound(&start, n))
                        return -EBADMSG;
        } else {
                size_t more = 0;

                if (start.header.type < SPAWN_SIGNAL || start.header.type > SPAWN_LIST)
                        return -EBADMSG;
                if (start.header.type == SPAWN_DONE) {
                        if (start.header.argument < 1 || start.header.argument > (int32_t)SPAWN_MAX_DONE)
                                return -EBADMSG;
                        more = (size_t)start.header.argument * sizeof(SpawnName);
                }
                if (n != sizeof(SpawnHeader) + more)
                        return -EBADMSG;
                if (start.header.type == SPAWN_SIGNAL && (start.header.argument < 1 || start.header.argument >= NSIG))
                        return -EBADMSG;
        }
        *ret = start;
        return (int)start.header.type;
}

/* The string at *P, which is moved behind its NUL; NULL where there is none before END. */
static char *next_string(const char **p, const char *end)
{
        const char *s = *p, *nul = memchr(s, '\0', (size_t)(end - s));

        if (!nul)
                return NULL;
        *p = nul + 1;
        return (char *)s;
}

static int next_vector(char **vector, size_t n, const char **p, const char *end)
{
        for (size_t i = 0; i < n; i++) {
                vector[i] = next_string(p, end);
                if (!vector[i])
                        return -EBADMSG;
        }
        vector[n] = NULL;
        return 0;
}

int spawn_payload_decode(const SpawnStart *start, const char *data, size_t n, SpawnPayload *ret)
{
        size_t limits_size = start->n_limits * sizeof(SpawnWireLimit);
        SpawnPayload payload = SPAWN_PAYLOAD_NULL;
        const char *p = data + limits_size, *end = data + n;
        _cleanup_free_ char **vectors = NULL;

        if (n != start->payload_size || start->n_limits > SPAWN_MAX_LIMITS || n < limits_size)
                return -EBADMSG;
        memcpy(payload.limits, data, limits_size);
        for (size_t i = 0; i < start->n_limits; i++)
                if (payload.limits[i].resource >= RLIM_NLIMITS)
                        return -EBADMSG;

        payload.directory = next_string(&p, end);
        payload.mark = payload.directory ? next_string(&p, end) : NULL;
        payload.note = payload.mark ? next_string(&p, end) : NULL;
        if (!payload.note || payload.directory[0] != '/' || strlen(payload.note) > SPAWN_NOTE_MAX)
                return -EBADMSG;
        if ((size_t)start->n_arguments + start->n_environment > n)
                return -EBADMSG;
        vectors = new0(char *, (size_t)start->n_arguments + start->n_environment + 2);
        if (!vectors)
                return -ENOMEM;
        payload.argv = vectors;
        payload.environment = vectors + start->n_arguments + 1;
        if (next_vector(payload.argv, start->n_arguments, &p, end) < 0 ||
            next_vector(payload.environment, start->n_environment, &p, end) < 0 || p != end)
                return -EBADMSG;

        *ret = payload;
        TAKE_PTR(vectors);
        return 0;
}

void spawn_payload_deinit(SpawnPayload *payload)
{
        free(payload->argv);
        *payload = SPAWN_PAYLOAD_NULL;
}

static const char *const stage_names[_SPAWN_STAGE_MAX] = {
        [SPAWN_STAGE_REQUEST] = "request", [SPAWN_STAGE_FORK] = "fork",   [SPAWN_STAGE_SESSION] = "session",
        [SPAWN_STAGE_STDIO] = "stdio",     [SPAWN_STAGE_LIMIT] = "limit", [SPAWN_STAGE_NICE] = "nice",
        [SPAWN_STAGE_CHDIR] = "chdir",     [SPAWN_STAGE_EXEC] = "exec",
};

const char *spawn_stage_to_string(SpawnStage stage)
{
        return (unsigned)stage < ARRAY_SIZE(stage_names) ? stage_names[stage] : NULL;
}

int spawn_reports_count(size_t n)
{
        if (n == 0 || n > SPAWN_MESSAGE_MAX || n % sizeof(SpawnReport) != 0)
                return -EBADMSG;
        return (int)(n / sizeof(SpawnReport));
}

unsigned spawn_held_n_fds(uint32_t flags)
{
        return (unsigned)__builtin_popcount(flags & (SPAWN_HELD_OUTPUT | SPAWN_HELD_ERROR | SPAWN_HELD_CAPTURED));
}

int spawn_held_decode(const void *message, size_t n, SpawnReport *ret, const char **ret_note)
{
        const char *note = (const char *)message + sizeof(SpawnReport);
        SpawnReport report;
        int r;

        if (n < sizeof(SpawnReport))
                return -EBADMSG;
        r = spawn_report_decode(message, 0, &report);
        if (r < 0)
                return r;
        if (report.type != SPAWN_HELD)
                return 0;
        if (n == sizeof(SpawnReport) || strnlen(note, n - sizeof(SpawnReport)) + 1 != n - sizeof(SpawnReport))
                return -EBADMSG;
        *ret = report;
        *ret_note = note;
        return 1;
}

int spawn_report_decode(const void *message, size_t i, SpawnReport *ret)
{
        SpawnReport report;

        memcpy(&report, (const char *)message + i * sizeof(report), sizeof(report));
        if (report.type < SPAWN_HELLO || report.type >= _SPAWN_REPORT_MAX || report.slot >= SPAWN_MAX_SLOTS ||
            report.stage >= _SPAWN_STAGE_MAX || report.error < 0 || report.pid < 0 ||
            report.left > SPAWN_LEFT_MAX)
                return -EBADMSG;
        if (report.type == SPAWN_STARTED && report.pid == 0)
                return -EBADMSG;
        /* Either it ran, or something failed at a stage. */
        if ((report.type == SPAWN_EXITED || (report.type == SPAWN_HELD && (report.flags & SPAWN_HELD_EXITED))) &&
            (report.error > 0) != (report.stage != SPAWN_STAGE_NONE))
                return -EBADMSG;
        *ret = report;
        return 0;
}
