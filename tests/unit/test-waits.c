/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random programs of run, gather, chain, cancel and wait, by Varlink, beside a model of what becomes of them: runs
 * that are made of others, some with a time limit, some cancelled; clients that wait for all or any of several, some
 * for so long only, some of which go away. The clock is a virtual one, so that every answer has its microsecond.
 */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/string-util.h"
#include "engine.h"
#include "varlink/client.h"

#define MSEC USEC_PER_MSEC
#define TASKS 8U    /* runs that are waited for */
#define NODES 160U  /* of all of them, with what they are made of */
#define CHILDREN 4U
#define DEPTH 3U
#define WAITERS 16U
#define TIMES_MAX (4U * WAITERS + 2U * TASKS)
#define PROGRAMS 300U

typedef enum Mode {
        LEAF,
        GATHER,
        CHAIN,
        TASKGROUP,
} Mode;

static const char *const mode_names[] = { "leaf", "gather", "chain", "taskgroup" };

typedef struct Node Node;

struct Node {
        char name[8];
        Mode mode;
        usec_t duration;
        Node *children[CHILDREN];
        unsigned n;
};

typedef struct Task {
        Node *node;
        usec_t timeout, cancel; /* USEC_INFINITY: none */
        bool ad_hoc; /* by Gather, no job of its own */
        uint64_t id;
        RunState state; /* what the model says */
        usec_t end;
        RunState told;  /* what it was */
        usec_t ended;
} Task;

typedef struct Waiter {
        VarlinkClient *client; /* NULL: not yet, or no more */
        usec_t begin, timeout, vanish;
        bool any;
        unsigned tasks[TASKS], n;
        usec_t answer; /* what the model says; USEC_INFINITY: it goes away before */
        bool timed_out;
        bool answered;
} Waiter;

typedef struct Program {
        Engine engine;
        Store *store;
        Loop *loop;
        VarlinkServer *server;
        Api *api;
        VarlinkClient *control, *probe;
        IoSource *probe_source;
        Node nodes[NODES];
        unsigned n_nodes;
        Task tasks[TASKS];
        Waiter waiters[WAITERS];
        unsigned random;
} Program;

static unsigned draw(Program *p, unsigned n)
{
        p->random = p->random * 1103515245U + 12345U;
        return (p->random >> 8) % n;
}

/* Times that are hardly ever the same twice, so that the order of what happens is the model's. */
static usec_t draw_time(Program *p, unsigned max_msec)
{
        return (1 + draw(p, max_msec)) * MSEC + draw(p, 999);
}

/* --- the daemon's side --- */

static void on_event(EventObserver *observer, const Event *event)
{
        Program *p = container_of(observer, Program, engine.observer);
        RunRecord record;

        if (!event->run || event_type_is_progress(event->type) || !run_state_is_final(event->run->state))
                return;
        run_get_record(event->run, &record);
        store_append(p->store, &record);
        for (unsigned i = 0; i < TASKS; i++)
                if (p->tasks[i].id == event->run->id) {
                        p->tasks[i].told = event->run->state;
                        p->tasks[i].ended = engine_now(&p->engine);
                }
}

static VarlinkClient *connect_client(Program *p)
{
        VarlinkClient *client;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_ok(varlink_server_add_fd(p->server, fds[0]));
        assert_ok(varlink_client_new_fd(fds[1], &client));
        return client;
}

static void on_probe(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        Program *p = userdata;
        VarlinkReply reply = VARLINK_REPLY_NULL;

        assert_ok(varlink_client_receive(p->probe, 0, &reply));
        varlink_reply_deinit(&reply);
        loop_exit(p->loop, 0);
}

/* All that clients have sent is dealt with: what can be read is read in one turn, and a ping is answered in a later one. */
static void settle(Program *p)
{
        for (unsigned i = 0; i < 3; i++) {
                assert_ok(varlink_client_send(p->probe, "io.takt.Manager.Ping", NULL, 0));
                assert_int_equal(loop_run(p->loop), 0);
        }
}

static void setup(Program *p)
{
        static const VarlinkServiceInfo info = { .vendor = "takt", .product = "test", .version = "1", .url = "" };

        engine_init(&p->engine, on_event, NULL);
        assert_ok(memory_store_new(&p->store));
        assert_ok(loop_new(clock_system(), &p->loop));
        assert_ok(varlink_server_new(p->loop, &info, NULL, &p->server));
        assert_ok(api_new(&(ApiContext){
                                  .loop = p->loop,
                                  .scheduler = p->engine.scheduler,
                                  .events = &p->engine.events,
                                  .store = p->store,
                                  .services = &p->engine.services,
                          },
                          p->server, &p->api));
        p->control = connect_client(p);
        p->probe = connect_client(p);
        assert_ok(io_source_new(p->loop, varlink_client_fd(p->probe), IO_READ, on_probe, p, &p->probe_source));
}

/* Nothing is under way, nobody waits, and nothing is left of either. */
static void teardown(Program *p)
{
        Run *run = scheduler_next_run(p->engine.scheduler, NULL);

        if (run)
                fail_msg("run %" PRIu64 " of %s was left unfinished", run->id, run->job->name);
        assert_true(list_is_empty(&p->api->waits));
        assert_true(RB_EMPTY(&p->api->wait_slots));
        scheduler_shutdown(p->engine.scheduler, NULL, NULL);
        io_source_free(p->probe_source);
        varlink_client_free(p->control);
        varlink_client_free(p->probe);
        varlink_server_free(p->server);
        api_free(p->api);
        engine_deinit(&p->engine);
        store_free(p->store);
        loop_free(p->loop);
}

/* --- programs --- */

static Node *make_node(Program *p, unsigned depth)
{
        Node *node = &p->nodes[p->n_nodes];

        *node = (Node){ .mode = depth == 0 ? LEAF : (Mode)draw(p, 4) };
        (void)snprintf(node->name, sizeof(node->name), "n%u", p->n_nodes++);
        if (node->mode == LEAF) {
                node->duration = draw_time(p, 3000);
                return node;
        }
        for (unsigned n = 1 + draw(p, CHILDREN); n > 0 && p->n_nodes < NODES - TASKS * (DEPTH + 1); n--)
                node->children[node->n++] = make_node(p, depth - 1);
        if (node->n == 0) {
                node->mode = LEAF;
                node->duration = draw_time(p, 3000);
        }
        for (unsigned i = 0; i < node->n; i++) {
                usec_t duration = node->children[i]->duration;

                node->duration = node->mode == CHAIN ? node->duration + duration : MAX(node->duration, duration);
        }
        return node;
}

static void add_job(Program *p, const Node *node, const Task *task)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        assert_ok(buffer_appendf(&text, "[Job]\nType=%s\n", node->mode == LEAF ? "sleep" : "group"));
        if (task && task->timeout != USEC_INFINITY)
                assert_ok(buffer_appendf(&text, "TimeoutSec=%" PRIu64 "us\n", task->timeout));
        if (node->mode == LEAF)
                assert_ok(buffer_appendf(&text, "[Sleep]\nDuration=%" PRIu64 "us\n", node->duration));
        else
                assert_ok(buffer_appendf(&text, "[Group]\nMode=%s\n", mode_names[node->mode]));
        for (unsigned i = 0; i < node->n; i++)
                assert_ok(buffer_appendf(&text, "Run=%s\n", node->children[i]->name));
        (void)engine_add(&p->engine, make_spec(node->name, text.data));
}

static void make_task(Program *p, Task *task)
{
        unsigned first = p->n_nodes;

        *task = (Task){ .node = make_node(p, DEPTH), .timeout = USEC_INFINITY, .cancel = USEC_INFINITY };
        if (draw(p, 3) == 0)
                task->timeout = draw_time(p, 5000);
        if (draw(p, 3) == 0)
                task->cancel = draw_time(p, 5000);
        task->ad_hoc = task->node->mode != LEAF && draw(p, 2) == 0;
        for (unsigned i = first; i < p->n_nodes; i++)
                if (&p->nodes[i] != task->node || !task->ad_hoc)
                        add_job(p, &p->nodes[i], &p->nodes[i] == task->node ? task : NULL);
        task->end = MIN(task->node->duration, MIN(task->timeout, task->cancel));
        task->state = task->end == task->node->duration ? RUN_SUCCEEDED :
                      task->end == task->timeout        ? RUN_TIMEOUT : RUN_CANCELLED;
}

static void make_waiter(Program *p, Waiter *waiter)
{
        usec_t first = USEC_INFINITY, last = 0;
        unsigned bits = 1 + draw(p, (1U << TASKS) - 1);

        *waiter = (Waiter){ .begin = draw_time(p, 4000), .timeout = USEC_INFINITY, .vanish = USEC_INFINITY, .any = draw(p, 2) == 0 };
        if (draw(p, 3) == 0)
                waiter->timeout = draw_time(p, 3000);
        if (draw(p, 4) == 0)
                waiter->vanish = waiter->begin + draw_time(p, 3000);
        for (unsigned i = 0; i < TASKS; i++)
                if (bits >> i & 1) {
                        waiter->tasks[waiter->n++] = i;
                        first = MIN(first, p->tasks[i].end);
                        last = MAX(last, p->tasks[i].end);
                }
        waiter->answer = MAX(waiter->begin, waiter->any ? first : last);
        waiter->timed_out = usec_add(waiter->begin, waiter->timeout) < waiter->answer;
        if (waiter->timed_out)
                waiter->answer = waiter->begin + waiter->timeout;
        if (waiter->vanish < waiter->answer)
                waiter->answer = USEC_INFINITY;
}

/* --- calls --- */

static void call_control(Program *p, const char *method, const char *parameters, VarlinkReply *reply)
{
        int r = -ETIMEDOUT;

        assert_ok(varlink_client_send(p->control, method, parameters, 0));
        /* Some go on over turns of the loop. */
        for (unsigned i = 0; r == -ETIMEDOUT && i < 1000; i++) {
                settle(p);
                r = varlink_client_receive(p->control, 0, reply);
        }
        assert_ok(r);
        if (reply->error)
                fail_msg("%s(%s): %s", method, parameters, reply->error);
}

static void start_task(Program *p, Task *task)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const Node *node = task->node;

        if (!task->ad_hoc) {
                assert_ok(buffer_appendf(&text, "{\"job\":\"%s\"}", node->name));
                call_control(p, "io.takt.Runs.Start", text.data, &reply);
        } else {
                assert_ok(buffer_appendf(&text, "{\"mode\":\"%s\",\"runs\":[", mode_names[node->mode]));
                for (unsigned i = 0; i < node->n; i++)
                        assert_ok(buffer_appendf(&text, "%s\"%s\"", i > 0 ? "," : "", node->children[i]->name));
                assert_ok(buffer_append_string(&text, "]"));
                if (task->timeout != USEC_INFINITY)
                        assert_ok(buffer_appendf(&text, ",\"timeoutUsec\":%" PRIu64, task->timeout));
                assert_ok(buffer_append_string(&text, "}"));
                call_control(p, "io.takt.Runs.Gather", text.data, &reply);
        }
        task->id = (uint64_t)json_get(json_get(reply.parameters, "run"), "run")->integer;
}

static void cancel_task(Program *p, const Task *task)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        char parameters[64];

        (void)snprintf(parameters, sizeof(parameters), "{\"runs\":[%" PRIu64 "]}", task->id);
        call_control(p, "io.takt.Runs.Cancel", parameters, &reply);
}

static void begin_wait(Program *p, Waiter *waiter)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        waiter->client = connect_client(p);
        assert_ok(buffer_append_string(&text, "{\"runs\":["));
        for (unsigned i = 0; i < waiter->n; i++)
                assert_ok(buffer_appendf(&text, "%s%" PRIu64, i > 0 ? "," : "", p->tasks[waiter->tasks[i]].id));
        assert_ok(buffer_appendf(&text, "],\"any\":%s", waiter->any ? "true" : "false"));
        if (waiter->timeout != USEC_INFINITY)
                assert_ok(buffer_appendf(&text, ",\"timeoutUsec\":%" PRIu64, waiter->timeout));
        assert_ok(buffer_append_string(&text, "}"));
        assert_ok(varlink_client_send(waiter->client, "io.takt.Runs.Wait", text.data, 0));
}

/* The runs in the answer: those that have ended by now with their states; after a timeout, those that have not. */
static void check_answer(const Program *p, const Waiter *waiter, const VarlinkReply *reply)
{
        const JsonValue *runs = json_get(reply->parameters, "runs");
        usec_t now = engine_now(&p->engine);
        uint32_t n = 0;

        if (now != waiter->answer)
                fail_msg("answered at %" PRIu64 ", not at %" PRIu64, now, waiter->answer);
        assert_int_equal(reply->error != NULL, waiter->timed_out);
        if (reply->error)
                assert_string_equal(reply->error, "io.takt.Runs.TimedOut");
        for (unsigned i = 0; i < waiter->n; i++) {
                const Task *task = &p->tasks[waiter->tasks[i]];
                const JsonValue *run;

                if ((task->end <= now) == waiter->timed_out)
                        continue;
                assert_true(n < runs->n);
                run = &runs->items[n++];
                if (waiter->timed_out) {
                        assert_int_equal(run->integer, task->id);
                        continue;
                }
                assert_int_equal(json_get(run, "run")->integer, task->id);
                assert_string_equal(json_get(run, "state")->string, run_state_to_string(task->state));
        }
        assert_int_equal(runs->n, n);
}

static void look_for_answers(Program *p)
{
        for (unsigned i = 0; i < WAITERS; i++) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                Waiter *waiter = &p->waiters[i];
                int r = waiter->client ? varlink_client_receive(waiter->client, 0, &reply) : -ETIMEDOUT;

                if (r == -ETIMEDOUT)
                        continue;
                assert_ok(r);
                check_answer(p, waiter, &reply);
                waiter->answered = true;
                waiter->client = varlink_client_free(waiter->client);
        }
}

/* --- a run of a program --- */

static int compare_times(const void *a, const void *b)
{
        const usec_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* When something is done, or answered, and just before. */
static size_t list_times(const Program *p, usec_t times[static TIMES_MAX])
{
        size_t n = 0;

        for (unsigned i = 0; i < TASKS; i++)
                if (p->tasks[i].cancel != USEC_INFINITY)
                        times[n++] = p->tasks[i].cancel;
        for (unsigned i = 0; i < WAITERS; i++) {
                const Waiter *waiter = &p->waiters[i];

                times[n++] = waiter->begin;
                if (waiter->vanish != USEC_INFINITY)
                        times[n++] = waiter->vanish;
                if (waiter->answer == USEC_INFINITY)
                        continue;
                times[n++] = waiter->answer - 1;
                times[n++] = waiter->answer;
        }
        qsort(times, n, sizeof(*times), compare_times);
        return n;
}

static void step(Program *p, usec_t now)
{
        engine_advance_to(&p->engine, now);
        for (unsigned i = 0; i < TASKS; i++)
                if (p->tasks[i].cancel == now)
                        cancel_task(p, &p->tasks[i]);
        for (unsigned i = 0; i < WAITERS; i++) {
                Waiter *waiter = &p->waiters[i];

                if (waiter->begin == now && !waiter->client && !waiter->answered)
                        begin_wait(p, waiter);
                if (waiter->vanish == now)
                        waiter->client = varlink_client_free(waiter->client);
        }
        settle(p);
        look_for_answers(p);
}

static void run_program(unsigned seed)
{
        Program *p = new0(Program, 1);
        usec_t times[TIMES_MAX];
        size_t n;

        assert_non_null(p);
        p->random = seed;
        setup(p);
        for (unsigned i = 0; i < TASKS; i++)
                make_task(p, &p->tasks[i]);
        for (unsigned i = 0; i < WAITERS; i++)
                make_waiter(p, &p->waiters[i]);
        for (unsigned i = 0; i < TASKS; i++)
                start_task(p, &p->tasks[i]);
        n = list_times(p, times);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || times[i] != times[i - 1])
                        step(p, times[i]);
        step(p, 3600 * SEC);
        for (unsigned i = 0; i < TASKS; i++) {
                const Task *task = &p->tasks[i];

                if (task->told != task->state || task->ended != task->end)
                        fail_msg("seed %u, run %" PRIu64 " (%s): %s at %" PRIu64 ", not %s at %" PRIu64, seed, task->id, task->node->name,
                                 run_state_to_string(task->told), task->ended, run_state_to_string(task->state), task->end);
        }
        for (unsigned i = 0; i < WAITERS; i++)
                if (p->waiters[i].answered != (p->waiters[i].answer != USEC_INFINITY))
                        fail_msg("seed %u: waiter %u was %sanswered", seed, i, p->waiters[i].answered ? "" : "not ");
        teardown(p);
        free(p);
}

static void test_programs(_unused_ void **state)
{
        for (unsigned seed = 1; seed <= PROGRAMS; seed++)
                run_program(seed * 7919);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_programs) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
