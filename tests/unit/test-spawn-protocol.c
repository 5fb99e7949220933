/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "process/spawner-internal.h"

static char *const argv[] = { (char *)"program", (char *)"", (char *)"two words", NULL };
static char *const environment[] = { (char *)"A=1", (char *)"NOTIFY_SOCKET=/run/x", (char *)"B=", NULL };
static const SpawnLimit limit = { .resource = RLIMIT_CORE, .limit = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY } };
static const SpawnRequest request = {
        .argv = argv,
        .environment = environment,
        .directory = "/var/empty",
        .mark = "A=1",
        .limits = &limit,
        .n_limits = 1,
        .set_umask = true,
        .umask = 077,
        .kill_after = 1234,
};

static void encode(SpawnEnvelope *envelope)
{
        assert_ok(spawn_envelope_init(envelope, &request, NULL, (int[]){ -1, -1 }, NULL));
        spawn_envelope_set_address(envelope, 17, 4);
}

static void test_start_round_trip(_unused_ void **state)
{
        _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
        _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;
        SpawnStart start;

        encode(&envelope);
        assert_int_equal(envelope.n_fds, 0);
        assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), SPAWN_START);
        assert_int_equal(start.header.slot, 17);
        assert_int_equal(start.header.serial, 4);
        assert_int_equal(start.flags, SPAWN_SET_UMASK);
        assert_int_equal(start.umask, 077);
        assert_int_equal(start.kill_signal, SIGTERM);
        assert_int_equal(start.kill_after_usec, 1234);
        assert_ok(spawn_payload_decode(&start, envelope.message.data + sizeof(start), start.payload_size, &payload));
        assert_int_equal(payload.limits[0].resource, RLIMIT_CORE);
        assert_int_equal(payload.limits[0].hard, RLIM_INFINITY);
        assert_string_equal(payload.directory, "/var/empty");
        assert_string_equal(payload.mark, "A=1");
        assert_string_equal(payload.argv[2], "two words");
        assert_null(payload.argv[3]);
        assert_string_equal(payload.environment[0], "A=1");
        assert_string_equal(payload.environment[1], "B=");
        assert_null(payload.environment[2]);
}

/* What a request says of its processes and their end becomes flags, of which not all go together. */
static void test_end_flags(_unused_ void **state)
{
        static const struct {
                SpawnExitType exit_type;
                SpawnKillMode kill_mode;
                bool starts_nothing;
                uint32_t flags;
        } cases[] = {
                { SPAWN_EXIT_WITH_MAIN, SPAWN_KILL_ALL, false, 0 },
                { SPAWN_EXIT_WITH_ALL, SPAWN_KILL_ALL, false, SPAWN_EXIT_CGROUP },
                { SPAWN_EXIT_WITH_MAIN, SPAWN_KILL_MAIN_THEN_ALL, false, SPAWN_KILL_MIXED },
                { SPAWN_EXIT_WITH_ALL, SPAWN_KILL_MAIN, false, SPAWN_EXIT_CGROUP | SPAWN_KILL_PROCESS },
                { SPAWN_EXIT_WITH_MAIN, SPAWN_KILL_ALL, true, SPAWN_STARTS_NOTHING },
        };
        SpawnRequest other = request;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
                SpawnStart start;

                other.exit_type = cases[i].exit_type;
                other.kill_mode = cases[i].kill_mode;
                other.starts_nothing = cases[i].starts_nothing;
                assert_ok(spawn_envelope_init(&envelope, &other, NULL, (int[]){ -1, -1 }, NULL));
                assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), SPAWN_START);
                assert_int_equal(start.flags, SPAWN_SET_UMASK | cases[i].flags);
                ((SpawnStart *)(void *)envelope.message.data)->flags |= SPAWN_KILL_MIXED | SPAWN_KILL_PROCESS;
                assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), -EBADMSG);
        }
}

/* Every shorter message, and every one with a bit turned, is refused or still sound. */
static void test_start_damaged(_unused_ void **state)
{
        _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
        SpawnStart start;

        encode(&envelope);
        for (size_t n = 0; n < envelope.message.len; n++)
                assert_int_equal(spawn_request_decode(envelope.message.data, n, &start), -EBADMSG);
        for (size_t bit = 0; bit < 8 * envelope.message.len; bit++) {
                _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;
                char *byte = &envelope.message.data[bit / 8];

                *byte = (char)(*byte ^ (1 << bit % 8));
                if (spawn_request_decode(envelope.message.data, envelope.message.len, &start) == SPAWN_START)
                        (void)spawn_payload_decode(&start, envelope.message.data + sizeof(start), start.payload_size, &payload);
                *byte = (char)(*byte ^ (1 << bit % 8));
        }
}

/* Where the request says nothing of descriptors, what the caller had is in it. */
static void test_descriptor_limit(_unused_ void **state)
{
        const SpawnLimit own[] = { { .resource = RLIMIT_NOFILE, .limit = { .rlim_cur = 5, .rlim_max = 6 } }, limit };
        SpawnRequest other = request;

        for (int i = 0; i < 2; i++) {
                _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
                _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;
                SpawnStart start;

                assert_ok(spawn_envelope_init(&envelope, &other, &(struct rlimit){ 7, 8 }, (int[]){ -1, -1 }, NULL));
                assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), SPAWN_START);
                assert_ok(spawn_payload_decode(&start, envelope.message.data + sizeof(start), start.payload_size, &payload));
                assert_int_equal(start.n_limits, 2);
                assert_int_equal(payload.limits[1 - i].resource, RLIMIT_NOFILE);
                assert_int_equal(payload.limits[1 - i].soft, i == 0 ? 7 : 5);
                other.limits = own;
                other.n_limits = 2;
        }
}

static void test_large_payload(_unused_ void **state)
{
        _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
        _cleanup_free_ char *large = calloc(1, 100001);
        SpawnRequest big = request;
        SpawnStart start;

        assert_non_null(large);
        memset(large, 'x', 100000);
        big.argv = (char *[]){ (char *)"program", large, NULL };
        assert_ok(spawn_envelope_init(&envelope, &big, NULL, (int[]){ -1, -1 }, NULL));
        assert_int_equal(envelope.message.len, sizeof(SpawnStart));
        assert_int_equal(envelope.n_fds, 1);
        assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), SPAWN_START);
        assert_true(start.payload_size > 100000);
        assert_int_equal(lseek(envelope.fds[0], 0, SEEK_END), start.payload_size);
        /* Nobody can change it after it was looked at. */
        assert_int_equal(pwrite(envelope.fds[0], "y", 1, 0), -1);
        assert_int_equal(ftruncate(envelope.fds[0], 1), -1);
}

static void test_controls(_unused_ void **state)
{
        SpawnHeader header = { .type = SPAWN_SIGNAL, .slot = 1, .argument = SIGHUP };
        SpawnStart start;

        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), SPAWN_SIGNAL);
        assert_int_equal(start.header.argument, SIGHUP);
        header.argument = NSIG;
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), -EBADMSG);
        header.type = SPAWN_STOP;
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), SPAWN_STOP);
        header.slot = SPAWN_MAX_SLOTS;
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), -EBADMSG);
        header = (SpawnHeader){ .type = SPAWN_PING, .argument = -1 };
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), SPAWN_PING);
        header.type = SPAWN_LIST;
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), SPAWN_LIST);
        header.type = SPAWN_CAPTURED;
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), SPAWN_CAPTURED);
        header = (SpawnHeader){ .type = 99 };
        assert_int_equal(spawn_request_decode(&header, sizeof(header), &start), -EBADMSG);
}

static void test_reports(_unused_ void **state)
{
        SpawnReport reports[2] = {
                { .type = SPAWN_STARTED, .slot = 3, .serial = 9, .pid = 42 },
                { .type = SPAWN_EXITED, .slot = 3, .serial = 9, .pid = 42, .stage = SPAWN_STAGE_EXEC, .error = ENOENT },
        }, report;

        assert_int_equal(spawn_reports_count(sizeof(reports)), 2);
        assert_int_equal(spawn_reports_count(0), -EBADMSG);
        assert_int_equal(spawn_reports_count(sizeof(reports) - 1), -EBADMSG);
        assert_ok(spawn_report_decode(reports, 1, &report));
        assert_int_equal(report.error, ENOENT);
        assert_string_equal(spawn_stage_to_string((SpawnStage)report.stage), "exec");
        reports[1].error = 0;
        assert_int_equal(spawn_report_decode(reports, 1, &report), -EBADMSG);
        reports[0].pid = 0;
        assert_int_equal(spawn_report_decode(reports, 0, &report), -EBADMSG);
        reports[0].type = 99;
        assert_int_equal(spawn_report_decode(reports, 0, &report), -EBADMSG);
}

static void test_done(_unused_ void **state)
{
        struct {
                SpawnHeader header;
                SpawnName names[2];
        } message = { .header = { .type = SPAWN_DONE, .argument = 2 } };
        SpawnStart start;

        assert_int_equal(spawn_request_decode(&message, sizeof(message), &start), SPAWN_DONE);
        assert_int_equal(spawn_request_decode(&message, sizeof(message) - 1, &start), -EBADMSG);
        message.header.argument = 1;
        assert_int_equal(spawn_request_decode(&message, sizeof(message), &start), -EBADMSG);
        message.header.argument = 0;
        assert_int_equal(spawn_request_decode(&message, sizeof(message.header), &start), -EBADMSG);
        message.header.argument = INT32_MIN;
        assert_int_equal(spawn_request_decode(&message, sizeof(message), &start), -EBADMSG);
        message.header.argument = SPAWN_MAX_DONE + 1;
        assert_int_equal(spawn_request_decode(&message, sizeof(message), &start), -EBADMSG);
}

static void test_held(_unused_ void **state)
{
        struct {
                SpawnReport report;
                char note[8];
        } message = { .report = { .type = SPAWN_HELD, .slot = 3, .serial = 9, .pid = 42, .flags = SPAWN_HELD_OUTPUT }, .note = "my note" };
        SpawnReport report;
        const char *note;

        assert_int_equal(spawn_held_decode(&message, sizeof(message), &report, &note), 1);
        assert_string_equal(note, "my note");
        assert_int_equal(report.pid, 42);
        assert_int_equal(spawn_held_n_fds(report.flags), 1);
        assert_int_equal(spawn_held_n_fds(~0U), 3);
        /* A note that is not ended, one that is ended twice, none at all, half a report. */
        assert_int_equal(spawn_held_decode(&message, sizeof(message) - 1, &report, &note), -EBADMSG);
        message.note[2] = '\0';
        assert_int_equal(spawn_held_decode(&message, sizeof(message), &report, &note), -EBADMSG);
        assert_int_equal(spawn_held_decode(&message, sizeof(message.report), &report, &note), -EBADMSG);
        assert_int_equal(spawn_held_decode(&message, sizeof(message.report) - 1, &report, &note), -EBADMSG);
        /* One that has ended says how. */
        message.report.flags |= SPAWN_HELD_EXITED;
        message.report.error = EPERM;
        assert_int_equal(spawn_held_decode(&message, sizeof(message.report) + 3, &report, &note), -EBADMSG);
        message.report.stage = SPAWN_STAGE_EXEC;
        assert_int_equal(spawn_held_decode(&message, sizeof(message.report) + 3, &report, &note), 1);
        message.report.type = SPAWN_LISTED;
        assert_int_equal(spawn_held_decode(&message, sizeof(message.report), &report, &note), 0);
}

/* The ends that are read go along where there is a note, and stay the caller's. */
static void test_ends(_unused_ void **state)
{
        _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
        _cleanup_(spawn_payload_deinit) SpawnPayload payload = SPAWN_PAYLOAD_NULL;
        SpawnRequest other = request;
        int ends[2] = { 700, -1 };
        SpawnStart start;

        other.note = "note of run 17";
        assert_ok(spawn_envelope_init(&envelope, &other, NULL, (int[]){ -1, -1 }, ends));
        assert_int_equal(envelope.n_fds, 1);
        assert_int_equal(envelope.fds[0], 700);
        assert_int_equal(envelope.n_owned, 0);
        assert_int_equal(spawn_request_decode(envelope.message.data, envelope.message.len, &start), SPAWN_START);
        assert_int_equal(start.flags, SPAWN_SET_UMASK | SPAWN_KEEP | SPAWN_WITH_OUTPUT_END);
        assert_int_equal(spawn_flags_n_fds(start.flags), 1);
        assert_ok(spawn_payload_decode(&start, envelope.message.data + sizeof(start), start.payload_size, &payload));
        assert_string_equal(payload.note, "note of run 17");
}

static void test_stages(_unused_ void **state)
{
        assert_null(spawn_stage_to_string(SPAWN_STAGE_NONE));
        for (int i = 1; i < _SPAWN_STAGE_MAX; i++)
                assert_non_null(spawn_stage_to_string((SpawnStage)i));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_start_round_trip), RUN(test_end_flags), RUN(test_start_damaged), RUN(test_large_payload),
                RUN(test_controls),         RUN(test_reports),       RUN(test_stages),
                RUN(test_descriptor_limit), RUN(test_done),         RUN(test_held),
                RUN(test_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
