/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/string-util.h"
#include "sched/run-id.h"

#define YEAR_2027 (UINT64_C(1800000000) * USEC_PER_SEC)
#define CHANCE_BEGIN (UINT64_C(1) << 52)

/* The most files of a life that the end of a machine may leave, and texts that somebody has saved. */
#define VERSIONS_MAX 4096U
#define BACKUPS_MAX 64U

/* A machine with one daemon at a time, its clock, and what is in its file. */
typedef struct Machine {
        char dir[32];
        char *path;
        VirtualClock clock;
        uint8_t boot[16];
        RunIds *ids;
} Machine;

static void machine_init(Machine *m)
{
        *m = (Machine){ .boot = { 1 } };
        /* Where there is memory for it, as a start syncs. */
        (void)snprintf(m->dir, sizeof(m->dir), "%s/test-run-id.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        assert_non_null(mkdtemp(m->dir));
        m->path = path_join(m->dir, "next-run");
        virtual_clock_init(&m->clock, USEC_PER_SEC, YEAR_2027);
}

static void machine_deinit(Machine *m)
{
        (void)unlink(m->path);
        assert_int_equal(rmdir(m->dir), 0);
        free(m->path);
}

static void start(Machine *m)
{
        assert_ok(run_ids_new(&m->ids));
        assert_ok(run_ids_keep(m->ids, m->path, &m->clock.clock, m->boot));
}

static void stop(Machine *m)
{
        m->ids = run_ids_close(m->ids);
}

static uint64_t first_of_a_life(Machine *m)
{
        uint64_t id;

        start(m);
        id = run_ids_next(m->ids);
        stop(m);
        return id;
}

/* Every write fails, as on a full disk. Returns whether it did before. */
static bool set_full(bool full)
{
        struct rlimit limit;
        bool before;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        before = limit.rlim_cur == 0;
        limit.rlim_cur = full ? 0 : limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        return before;
}

/* Into the file that is there, by a hand for which the disk is not full. NULL: the file is gone. */
static void put(const Machine *m, const char *bytes, size_t n)
{
        bool full = set_full(false);

        if (bytes) {
                _cleanup_close_ int fd = open(m->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

                assert_true(fd >= 0);
                assert_ok(write_all(fd, bytes, n));
        } else
                (void)unlink(m->path);
        (void)set_full(full);
}

/* The kernel tells files by its coarse clock. No test is so quick on a machine, but this one is. */
static void wait_for_another_time(void)
{
        struct timespec first, now;

        assert_return_code(clock_gettime(CLOCK_REALTIME_COARSE, &first), errno);
        do
                assert_return_code(clock_gettime(CLOCK_REALTIME_COARSE, &now), errno);
        while (now.tv_nsec == first.tv_nsec);
}

/* Another file takes its place, as most programs do that restore one. */
static void put_copy(const Machine *m, const char *bytes, size_t n)
{
        bool full = set_full(false);

        wait_for_another_time();
        assert_ok(write_file_atomic(m->path, bytes, n, 0644, false));
        (void)set_full(full);
}

/* As a daemon or `env create` writes it. */
static void put_line(const Machine *m, const char *words)
{
        assert_ok(seal_file(m->path, words, 0644, false));
}

static char *get(const Machine *m)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        return read_plain_file(m->path, 4096, &text) < 0 ? NULL : buffer_steal(&text);
}

/* The process is gone; what it does when it is freed here did not happen. */
static void crash(Machine *m)
{
        _cleanup_free_ char *aside = string_join(m->path, ".aside", "");
        bool there = link(m->path, aside) == 0;

        stop(m);
        put(m, NULL, 0);
        if (there)
                assert_return_code(rename(aside, m->path), errno);
}

static void boot(Machine *m)
{
        m->boot[1]++;
        virtual_clock_advance(&m->clock, USEC_PER_MINUTE);
}

static bool is_small(uint64_t id)
{
        return id < RUN_ID_SMALL_END;
}

/* --- */

static void test_small(_unused_ void **state)
{
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        for (uint64_t id = 1; id <= 3; id++)
                assert_int_equal(first_of_a_life(&m), id);
        /* A crash skips the rest of the block, the end of the machine what one life may give at most. */
        start(&m);
        assert_int_equal(run_ids_next(m.ids), 4);
        crash(&m);
        assert_int_equal(first_of_a_life(&m), 4 + RUN_ID_BLOCK_MIN);
        start(&m);
        assert_int_equal(run_ids_next(m.ids), 5 + RUN_ID_BLOCK_MIN);
        crash(&m);
        boot(&m);
        assert_int_equal(first_of_a_life(&m), 5 + RUN_ID_BLOCK_MIN + RUN_ID_LIFE_MAX);
        boot(&m);
        assert_int_equal(first_of_a_life(&m), 6 + RUN_ID_BLOCK_MIN + RUN_ID_LIFE_MAX);
        machine_deinit(&m);
}

/* No small id is above the limit that the disk has, and one that leads to the end of them is the last. */
static void test_limit(_unused_ void **state)
{
        uint64_t last = 0;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        start(&m);
        for (uint64_t id = 0; is_small(id) && last <= RUN_ID_LIFE_MAX; id = run_ids_next(m.ids))
                last = id;
        assert_in_range(last, RUN_ID_LIFE_MAX / 2, RUN_ID_LIFE_MAX);
        stop(&m);
        put_line(&m, "1099511627000");
        assert_false(is_small(first_of_a_life(&m)));
        machine_deinit(&m);
}

/* The file can't be believed: ids are of the clock's range. */
static void assert_anew(Machine *m, uint64_t *last)
{
        uint64_t id;

        virtual_clock_advance(&m->clock, 10);
        id = first_of_a_life(m);
        assert_false(is_small(id));
        assert_true(id > *last && id < CHANCE_BEGIN);
        *last = id;
}

/* The sealed line with one bit changed, in its file. False: it has no such bit. */
static bool put_flipped(const Machine *m, const char *words, size_t bit)
{
        _cleanup_free_ char *whole = NULL;
        size_t n;

        put_line(m, words);
        whole = get(m);
        n = strlen(whole);
        if (bit >= 8 * n)
                return false;
        whole[bit / 8] = (char)(whole[bit / 8] ^ (1 << bit % 8));
        put(m, whole, n);
        return true;
}

/* The first N bytes of it. False: these are all. */
static bool put_short(const Machine *m, const char *words, size_t n)
{
        _cleanup_free_ char *whole = NULL;

        put_line(m, words);
        whole = get(m);
        if (n >= strlen(whole))
                return false;
        put(m, whole, n);
        return true;
}

static void test_garbled(_unused_ void **state)
{
        static const char nul[] = "12\0003\n";
        static const char *const texts[] = { "", "many\n", "0\n", "1501", "1501\n", "1501 \n", "99999999999999999999\n" };
        static const char *const lines[] = { "1501", "1757 16778717 01000000000000000000000000000000" };
        static const char *const sealed[] = { "0", "x", "-5", "9007199254740992", "5 6", "5 4 00", " " };
        uint64_t last = 0;
        Machine m;

        machine_init(&m);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                put(&m, texts[i], strlen(texts[i]));
                assert_anew(&m, &last);
        }
        put(&m, nul, sizeof(nul) - 1);
        assert_anew(&m, &last);
        for (size_t i = 0; i < ARRAY_SIZE(sealed); i++) {
                put_line(&m, sealed[i]);
                assert_anew(&m, &last);
        }
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                put_line(&m, lines[i]);
                assert_in_range(first_of_a_life(&m), 1501, 1757);
                for (size_t bit = 0; put_flipped(&m, lines[i], bit); bit++)
                        assert_anew(&m, &last);
                for (size_t n = 0; put_short(&m, lines[i], n); n++)
                        assert_anew(&m, &last);
        }
        machine_deinit(&m);
}

/* Whatever stands in its place. A link is not followed: what it leads to is another's. */
static void test_in_its_place(_unused_ void **state)
{
        _cleanup_free_ char *other = NULL, *inside = NULL, *line = NULL;
        uint64_t last = 0;
        Machine m;

        machine_init(&m);
        other = path_join(m.dir, "other");
        inside = path_join(m.path, "inside");
        put_line(&m, "7");
        assert_int_equal(rename(m.path, other), 0);
        assert_int_equal(symlink("other", m.path), 0);
        assert_anew(&m, &last);
        put(&m, NULL, 0);
        assert_int_equal(symlink("next-run", m.path), 0);
        assert_anew(&m, &last);
        put(&m, NULL, 0);
        assert_int_equal(mkfifo(m.path, 0600), 0);
        assert_anew(&m, &last);
        put(&m, NULL, 0);
        assert_int_equal(mkdir(m.path, 0700), 0);
        assert_anew(&m, &last);
        put(&m, NULL, 0);
        assert_int_equal(mkdir(m.path, 0700), 0);
        start(&m);
        line = get(&m);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        stop(&m);
        put(&m, NULL, 0);
        assert_int_equal(mkdir(m.path, 0700), 0);
        assert_int_equal(mkdir(inside, 0700), 0);
        assert_anew(&m, &last);
        virtual_clock_advance(&m.clock, 10);
        start(&m);
        assert_int_equal(run_ids_check(m.ids), -EISDIR);
        assert_int_equal(rmdir(inside), 0);
        assert_int_equal(run_ids_check(m.ids), 0);
        assert_true(run_ids_next(m.ids) > last);
        stop(&m);
        assert_int_equal(unlink(other), 0);
        machine_deinit(&m);
}

static void test_without_a_clock(_unused_ void **state)
{
        uint64_t ids[64];
        Machine m;

        machine_init(&m);
        m.clock.now_realtime = 5 * USEC_PER_SEC;
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
                ids[i] = first_of_a_life(&m);
                assert_in_range(ids[i], CHANCE_BEGIN, RUN_ID_END - 1);
                for (size_t k = 0; k < i; k++)
                        assert_int_not_equal(ids[i], ids[k]);
                put(&m, NULL, 0);
        }
        /* What is certain needs no clock. */
        put_line(&m, "12");
        assert_int_equal(first_of_a_life(&m), 12);
        /* A clock behind the file was set back, and is no witness. */
        m.clock.now_realtime = YEAR_2027;
        put_line(&m, "4000000000000000");
        assert_in_range(first_of_a_life(&m), CHANCE_BEGIN, RUN_ID_END - 1);
        machine_deinit(&m);
}

static void test_seen(_unused_ void **state)
{
        Machine m;

        machine_init(&m);
        put_line(&m, "10");
        start(&m);
        run_ids_seen(m.ids, 9);
        run_ids_seen(m.ids, RUN_ID_END);
        assert_int_equal(run_ids_next(m.ids), 10);
        run_ids_seen(m.ids, 500);
        assert_false(is_small(run_ids_next(m.ids)));
        stop(&m);
        machine_deinit(&m);
}

/* What happened to users: 1501 was the last id before the disk was full and the daemon crashed, then came 257. */
static void test_full_disk_and_crash(_unused_ void **state)
{
        uint64_t last = 0, last_small = 0, id;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        start(&m);
        (void)set_full(true);
        for (unsigned i = 0; i < 1501; i++) {
                id = run_ids_next(m.ids);
                assert_true(id > last);
                last = id;
                last_small = is_small(id) ? id : last_small;
                virtual_clock_advance(&m.clock, 1);
        }
        assert_int_equal(run_ids_check(m.ids), -EFBIG);
        crash(&m);
        (void)set_full(false);
        start(&m);
        id = run_ids_next(m.ids);
        assert_true(id > (is_small(id) ? last_small : last));
        stop(&m);
        machine_deinit(&m);
}

static void test_recovers(_unused_ void **state)
{
        _cleanup_free_ char *text = NULL;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        (void)set_full(true);
        start(&m);
        assert_int_equal(run_ids_check(m.ids), -EFBIG);
        assert_false(is_small(run_ids_next(m.ids)));
        (void)set_full(false);
        assert_int_equal(run_ids_check(m.ids), 0);
        put(&m, NULL, 0);
        assert_int_equal(run_ids_check(m.ids), 0);
        text = get(&m);
        assert_non_null(text);
        stop(&m);
        machine_deinit(&m);
}

/*
 * What was saved and comes back tells of ids that were given since. Nothing in it is wrong, it is only not
 * this file.
 */
static void test_restored(_unused_ void **state)
{
        _cleanup_free_ char *clean = NULL, *running = NULL, *first = NULL;
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        uint64_t last = 0;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        first = get(&m);
        start(&m);
        assert_int_equal(run_ids_next(m.ids), 1);
        running = get(&m);
        stop(&m);
        clean = get(&m);
        assert_int_equal(first_of_a_life(&m), 2);

        for (unsigned i = 0; i < 6; i++) {
                const char *text = i % 3 == 0 ? clean : i % 3 == 1 ? running : first;

                /* Small ids again, as far as the file goes. */
                put_line(&m, "3");
                if (i < 3)
                        put_copy(&m, text, strlen(text));
                else {
                        wait_for_another_time();
                        put_line(&m, "3");
                        put(&m, text, strlen(text));
                }
                assert_anew(&m, &last);
        }
        /* One of before files were bound. */
        assert_ok(buffer_append_string(&line, "5"));
        assert_ok(seal_line(&line));
        put(&m, line.data, line.len);
        assert_anew(&m, &last);
        machine_deinit(&m);
}

/* What isn't done to its contents costs nothing. */
static void test_moved(_unused_ void **state)
{
        _cleanup_free_ char *dir = NULL, *path = NULL;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        assert_int_equal(first_of_a_life(&m), 1);
        wait_for_another_time();
        dir = string_join(m.dir, ".moved", "");
        path = path_join(dir, "next-run");
        assert_return_code(rename(m.dir, dir), errno);
        assert_return_code(chmod(path, 0600), errno);
        assert_return_code(rename(dir, m.dir), errno);
        assert_return_code(utimensat(AT_FDCWD, m.path, (const struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), errno);
        assert_int_equal(first_of_a_life(&m), 2);
        machine_deinit(&m);
}

/* --- whatever happens, in whatever order --- */

typedef struct Given {
        uint64_t first, last;
} Given;

typedef struct World {
        Machine machine;
        uint64_t random;
        Given *given;
        size_t n;
        char *versions[VERSIONS_MAX]; /* links to the files, NULL: none, that a crash of the machine may leave: since the last one on the disk */
        size_t n_versions;
        char *backups[BACKUPS_MAX]; /* what the file once held */
        bool restores; /* somebody brings back what was saved */
        bool full;
} World;

static unsigned draw(World *w, unsigned n)
{
        w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned)(w->random >> 33) % n;
}

static void drop_versions(World *w)
{
        for (size_t i = 0; i < w->n_versions; i++) {
                if (w->versions[i])
                        (void)unlink(w->versions[i]);
                free(w->versions[i]);
        }
        w->n_versions = 0;
}

/* The file itself, as it may still be what the disk has. */
static char *keep_version(const World *w)
{
        char *path = xasprintf("%s.%zu", w->machine.path, w->n_versions);

        assert_non_null(path);
        if (link(w->machine.path, path) == 0)
                return path;
        free(path);
        return NULL;
}

/* A program that saves files has come by, and may do with it later what it likes. */
static void save(World *w)
{
        char **place = &w->backups[draw(w, BACKUPS_MAX)];
        char *text = get(&w->machine);

        if (!text)
                return;
        free(*place);
        *place = text;
}

static void note_version(World *w, bool synced)
{
        if (synced)
                drop_versions(w);
        assert_true(w->n_versions < ARRAY_SIZE(w->versions));
        w->versions[w->n_versions] = keep_version(w);
        w->n_versions++;
        if (draw(w, 4) == 0)
                save(w);
}

/* Another file, or other contents of the one that is there. */
static void restore(World *w)
{
        const char *text = w->backups[draw(w, BACKUPS_MAX)];

        if (!text)
                return;
        if (draw(w, 2))
                put_copy(&w->machine, text, strlen(text));
        else
                put(&w->machine, text, strlen(text));
        note_version(w, false);
}

static void give(World *w, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                uint64_t id = run_ids_next(w->machine.ids);

                assert_in_range(id, 1, RUN_ID_END - 1);
                if (w->n > 0 && w->given[w->n - 1].last + 1 == id) {
                        w->given[w->n - 1].last = id;
                        continue;
                }
                if ((w->n & (w->n - 1)) == 0)
                        w->given = realloc(w->given, (w->n ? w->n * 2 : 1) * sizeof(Given));
                assert_non_null(w->given);
                w->given[w->n++] = (Given){ id, id };
        }
        /* A million a second. */
        virtual_clock_advance(&w->machine.clock, n);
        note_version(w, false);
}

static void garble(World *w)
{
        _cleanup_free_ char *text = get(&w->machine);
        size_t n = text ? strlen(text) : 0;

        if (n > 0 && draw(w, 2))
                text[draw(w, (unsigned)n)] ^= (char)(1 << draw(w, 7));
        else if (n > 0)
                n = draw(w, (unsigned)n);
        put(&w->machine, text, n);
        note_version(w, false);
}

static void step(World *w)
{
        static const unsigned paces[] = { 1, 10, 300, 3000, 100000 };

        switch (draw(w, 12)) {
        case 0:
                w->full = !w->full;
                (void)set_full(w->full);
                break;
        case 1:
                (void)run_ids_check(w->machine.ids);
                note_version(w, false);
                break;
        case 2:
                if (draw(w, 3) == 0) {
                        put(&w->machine, NULL, 0);
                        note_version(w, false);
                }
                break;
        case 3:
                if (draw(w, 3) == 0)
                        garble(w);
                break;
        case 4:
                if (w->restores && draw(w, 8) == 0)
                        restore(w);
                break;
        default:
                give(w, paces[draw(w, ARRAY_SIZE(paces))]);
        }
}

static void end_machine(World *w)
{
        const char *version = w->versions[draw(w, (unsigned)w->n_versions)];

        put(&w->machine, NULL, 0);
        if (version)
                assert_return_code(link(version, w->machine.path), errno);
        boot(&w->machine);
        note_version(w, true);
}

static void live(World *w)
{
        unsigned n = draw(w, 20);

        virtual_clock_advance(&w->machine.clock, (1 + draw(w, 1000)) * USEC_PER_MSEC);
        start(&w->machine);
        note_version(w, run_ids_check(w->machine.ids) == 0);
        for (unsigned i = 0; i < n; i++)
                step(w);
        switch (draw(w, 4)) {
        case 0:
                stop(&w->machine);
                note_version(w, !w->full);
                break;
        case 1:
                crash(&w->machine);
                end_machine(w);
                break;
        default:
                crash(&w->machine);
        }
        if (w->restores && draw(w, 8) == 0)
                restore(w);
}

static int given_compare(const void *a, const void *b)
{
        const Given *x = a, *y = b;

        return x->first < y->first ? -1 : x->first > y->first;
}

static void test_never_twice(_unused_ void **state)
{
        for (unsigned seed = 1; seed <= 150; seed++) {
                World w = { .random = seed, .restores = seed % 3 == 0 };

                machine_init(&w.machine);
                put_line(&w.machine, "1");
                note_version(&w, true);
                for (unsigned i = 0; i < 40; i++)
                        live(&w);
                (void)set_full(false);
                qsort(w.given, w.n, sizeof(Given), given_compare);
                for (size_t i = 1; i < w.n; i++)
                        if (w.given[i].first <= w.given[i - 1].last)
                                fail_msg("seed %u: %llu was given twice", seed, (unsigned long long)w.given[i].first);
                drop_versions(&w);
                for (size_t i = 0; i < BACKUPS_MAX; i++)
                        free(w.backups[i]);
                free(w.given);
                machine_deinit(&w.machine);
        }
}

/* Which ids there were is known of the small range, and of this life. */
static void test_given(_unused_ void **state)
{
        uint64_t small = 0, id;
        Machine m;

        machine_init(&m);
        put_line(&m, "1");
        start(&m);
        assert_false(run_ids_was_given(m.ids, 0));
        assert_false(run_ids_was_given(m.ids, 1));
        id = run_ids_next(m.ids);
        assert_true(run_ids_was_given(m.ids, id));
        assert_false(run_ids_was_given(m.ids, id + 1));
        stop(&m);
        start(&m);
        assert_true(run_ids_was_given(m.ids, id));
        assert_false(run_ids_was_given(m.ids, id + 1));
        set_full(true);
        for (id = run_ids_next(m.ids); id < RUN_ID_SMALL_END; id = run_ids_next(m.ids))
                small = id;
        set_full(false);
        assert_true(run_ids_was_given(m.ids, small));
        assert_false(run_ids_was_given(m.ids, small + 1));
        assert_false(run_ids_was_given(m.ids, RUN_ID_SMALL_END - 1));
        assert_true(run_ids_was_given(m.ids, id));
        assert_false(run_ids_was_given(m.ids, id + 1));
        assert_false(run_ids_was_given(m.ids, RUN_ID_SMALL_END));
        assert_false(run_ids_was_given(m.ids, id - 1000));
        stop(&m);
        machine_deinit(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_small), RUN(test_given), RUN(test_limit), RUN(test_garbled), RUN(test_in_its_place),
                RUN(test_without_a_clock), RUN(test_seen), RUN(test_restored), RUN(test_moved),
                RUN(test_full_disk_and_crash), RUN(test_recovers), RUN(test_never_twice),
        };

        /* The thousands of files that it finds garbled are told of elsewhere. */
        log_set_max_level(LOG_ERR);
        (void)signal(SIGXFSZ, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
