/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a byte that chooses the way, then a message.
 * Property: whatever a decoder accepts is whole: strings end within the message, vectors within their
 * count, and numbers are within what indexes tables later.
 */
#include "fuzz.h"

#include <signal.h>

#include "process/protocol.h"

static void check_vector(char *const *vector, uint32_t n, const char *data, size_t size)
{
        for (uint32_t i = 0; i < n; i++)
                FUZZ_CHECK(vector[i] >= data && vector[i] + strlen(vector[i]) < data + size);
        FUZZ_CHECK(!vector[n]);
}

static void check_payload(const SpawnStart *start, const char *data, size_t size)
{
        _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;

        if (spawn_payload_decode(start, data, size, &payload) < 0)
                return;
        for (uint32_t i = 0; i < start->n_limits; i++)
                FUZZ_CHECK(payload.limits[i].resource < RLIM_NLIMITS);
        FUZZ_CHECK(start->n_arguments > 0 && payload.directory[0] == '/');
        FUZZ_CHECK(payload.note + strlen(payload.note) < data + size && strlen(payload.note) <= SPAWN_NOTE_MAX);
        FUZZ_CHECK(payload.mark + strlen(payload.mark) < data + size);
        check_vector(payload.argv, start->n_arguments, data, size);
        check_vector(payload.environment, start->n_environment, data, size);
}

static void check_request(const uint8_t *data, size_t size)
{
        SpawnStart start;
        int r = spawn_request_decode(data, size, &start);

        if (r < 0)
                return;
        FUZZ_CHECK(start.header.slot < SPAWN_MAX_SLOTS);
        if (r == SPAWN_SIGNAL)
                FUZZ_CHECK(start.header.argument > 0 && start.header.argument < NSIG);
        if (r == SPAWN_DONE)
                FUZZ_CHECK(start.header.argument > 0 && (size_t)start.header.argument * sizeof(SpawnName) + sizeof(SpawnHeader) == size);
        if (r != SPAWN_START)
                return;
        FUZZ_CHECK(spawn_flags_n_fds(start.flags) <= SPAWN_MAX_FDS);
        if (!(start.flags & SPAWN_WITH_PAYLOAD))
                check_payload(&start, (const char *)data + sizeof(start), size - sizeof(start));
}

/* A payload beside its message: the fixed part first, then what would lie in the memory file. */
static void check_outside_payload(const uint8_t *data, size_t size)
{
        SpawnStart start;

        if (size < sizeof(start))
                return;
        memcpy(&start, data, sizeof(start));
        start.flags |= SPAWN_WITH_PAYLOAD;
        start.payload_size = (uint32_t)(size - sizeof(start));
        if (spawn_request_decode(&start, sizeof(start), &start) == SPAWN_START)
                check_payload(&start, (const char *)data + sizeof(start), size - sizeof(start));
}

static void check_reports(const uint8_t *data, size_t size)
{
        int n = spawn_reports_count(size);

        for (int i = 0; i < n; i++) {
                SpawnReport report;

                if (spawn_report_decode(data, (size_t)i, &report) < 0)
                        continue;
                FUZZ_CHECK(report.slot < SPAWN_MAX_SLOTS && report.pid >= 0 && report.error >= 0);
                FUZZ_CHECK((report.stage == SPAWN_STAGE_NONE) == !spawn_stage_to_string((SpawnStage)report.stage));
        }
}

static void check_held(const uint8_t *data, size_t size)
{
        SpawnReport report;
        const char *note;

        if (spawn_held_decode(data, size, &report, &note) <= 0)
                return;
        FUZZ_CHECK(report.type == SPAWN_HELD && report.slot < SPAWN_MAX_SLOTS);
        FUZZ_CHECK(note + strlen(note) + 1 == (const char *)data + size);
        FUZZ_CHECK(spawn_held_n_fds(report.flags) <= SPAWN_MAX_FDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const ways[])(const uint8_t *data, size_t size) = { check_request, check_outside_payload, check_reports, check_held };
        _cleanup_free_ uint8_t *message = NULL;

        if (size == 0)
                return 0;
        /* A copy that begins where memory does, as the messages of both programs do. */
        message = malloc(MAX(size - 1, (size_t)1));
        FUZZ_CHECK(message);
        memcpy(message, data + 1, size - 1);
        ways[data[0] % ARRAY_SIZE(ways)](message, size - 1);
        return 0;
}
