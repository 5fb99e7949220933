/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that runs out while a call is served, or while runs end that clients wait for: at each allocation in turn, once
 * or for good. Afterwards every client has its answer, an error, or a closed connection; nobody waits for what is over.
 */
#include "test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/internal.h"
#include "engine.h"
#include "test-memory.h"

#define FAULTS_MAX 2000U
#define TURNS 8U /* of the loop, in which all that was sent is served and all answers are written */
#define TEXT_MAX 65536U
/* So much of it that buffers grow on the way. */
#define LONG "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

typedef struct Client {
        int fd;
        char text[TEXT_MAX]; /* what came, each message ended by NUL */
        size_t n;
        bool closed;
} Client;

typedef struct Test {
        Engine engine;
        Store *store;
        Loop *loop;
        VarlinkServer *server;
        Api *api;
        Deferred turn;
        unsigned turns_left;
} Test;

/* --- the daemon's side --- */

static void on_event(EventObserver *observer, const Event *event)
{
        Test *t = container_of(observer, Test, engine.observer);
        unsigned left = allocations_left;
        RunRecord record;

        if (!event->run || event_type_is_progress(event->type) || !run_state_is_final(event->run->state))
                return;
        run_get_record(event->run, &record);
        /* What is forgotten would be another matter. */
        allocations_left = ALLOCATIONS_UNLIMITED;
        store_append(t->store, &record);
        allocations_left = left;
}

static const Settings *get_settings(_unused_ void *userdata)
{
        static const Settings settings = { .max_watchers = 10 };

        return &settings;
}

static void on_turn(Deferred *deferred)
{
        Test *t = container_of(deferred, Test, turn);

        if (--t->turns_left == 0)
                loop_exit(t->loop, 0);
        else
                loop_defer(t->loop, &t->turn);
}

static void take_turns(Test *t)
{
        t->turns_left = TURNS;
        loop_defer(t->loop, &t->turn);
        assert_int_equal(loop_run(t->loop), 0);
}

static void set_up(Test *t)
{
        static const VarlinkServiceInfo info = { "a", "b", "c", "d", "io.takt.Manager.Failed" };
        static const char *const jobs[][2] = {
                { "short", "[Job]\nType=sleep\n[Sleep]\nDuration=10s\n" },
                { "long", "[Job]\nType=sleep\n[Sleep]\nDuration=20s\n" },
                { "again", "[Job]\nType=sleep\n[Schedule]\nOverlap=parallel\n[Sleep]\nDuration=10s\n" },
                { "fast", "[Job]\nType=sleep\nParameter=text:string=" LONG LONG LONG LONG "\n[Sleep]\nDuration=0\n" },
        };

        *t = (Test){ .turn.callback = on_turn };
        engine_init(&t->engine, on_event, NULL);
        assert_ok(memory_store_new(&t->store));
        assert_ok(loop_new(clock_system(), &t->loop));
        assert_ok(varlink_server_new(t->loop, &info, NULL, &t->server));
        assert_ok(api_new(&(ApiContext){
                                  .loop = t->loop,
                                  .scheduler = t->engine.scheduler,
                                  .events = &t->engine.events,
                                  .store = t->store,
                                  .services = &t->engine.services,
                                  .settings = get_settings,
                          },
                          t->server, &t->api));
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
                Job *job = engine_add(&t->engine, make_spec(jobs[i][0], jobs[i][1]));

                if (i != 2)
                        assert_int_equal(engine_run(&t->engine, job), i < 2 ? i + 1 : 3); /* runs 1, 2, and 3, which has ended */
        }
}

static void tear_down(Test *t)
{
        assert_true(list_is_empty(&t->api->waits));
        assert_true(RB_EMPTY(&t->api->wait_slots));
        assert_true(list_is_empty(&t->api->walks));
        scheduler_shutdown(t->engine.scheduler, NULL, NULL);
        varlink_server_free(t->server);
        api_free(t->api);
        loop_free(t->loop);
        store_free(t->store);
        engine_deinit(&t->engine);
}

/* --- clients --- */

static void connect_client(Test *t, Client *client, const char *call)
{
        int fds[2];

        assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
        assert_ok(varlink_server_add_fd(t->server, fds[0]));
        assert_int_equal(write(fds[1], call, strlen(call) + 1), strlen(call) + 1);
        *client = (Client){ .fd = fds[1] };
}

static void read_all(Client *client)
{
        ssize_t n;

        while ((n = read(client->fd, client->text + client->n, sizeof(client->text) - client->n)) > 0)
                client->n += (size_t)n;
        client->closed = n == 0 || errno == ECONNRESET;
}

/* Whether the last message of CLIENT ends its call. All are JSON, but for what a closed connection cut off. */
static bool is_answered(const Client *client)
{
        bool ended = false;

        for (size_t at = 0; at < client->n; at += strlen(client->text + at) + 1) {
                const JsonValue *continues;
                JsonDoc *doc;

                if (!memchr(client->text + at, '\0', client->n - at))
                        return false;
                assert_false(ended);
                if (json_parse(client->text + at, strlen(client->text + at), NULL, &doc, NULL) < 0)
                        fail_msg("no JSON: %s", client->text + at);
                continues = json_get(json_root(doc), "continues");
                ended = !json_is(continues, JSON_BOOL) || !continues->boolean;
                json_doc_free(doc);
        }
        return ended;
}

/* Whether it knows that run 1 has ended, or that there is something that it does not know. */
static bool has_seen_end(const Client *client)
{
        for (size_t at = 0; at < client->n; at += strlen(client->text + at) + 1)
                if (strstr(client->text + at, "\"event\":\"overflow\"") ||
                    (strstr(client->text + at, "\"event\":\"succeeded\"") && strstr(client->text + at, "\"run\":1,")))
                        return true;
        return false;
}

static void begin_faults(unsigned nth, bool once)
{
        allocation_failed = false;
        allocations_fail_once = once;
        allocations_left = nth;
}

static bool end_faults(void)
{
        allocations_left = ALLOCATIONS_UNLIMITED;
        return allocation_failed;
}

/* --- the end of runs --- */

#define METHOD(name, parameters) "{\"method\":\"io.takt." name "\",\"parameters\":{" parameters "}}"
#define STREAM(name, parameters) "{\"method\":\"io.takt." name "\",\"more\":true,\"parameters\":{" parameters "}}"

static const char *const waiters[] = {
        STREAM("Runs.Watch", "\"jobs\":[\"short\"]"),
        METHOD("Runs.Wait", "\"runs\":[1]"),
        METHOD("Runs.Wait", "\"runs\":[1,2]"),
        METHOD("Runs.Wait", "\"runs\":[1,2],\"any\":true"),
        METHOD("Runs.Wait", "\"runs\":[1,1,3,4711]"),
        METHOD("Runs.Wait", "\"runs\":[1,2],\"timeoutUsec\":15000000"),
        METHOD("Runs.Wait", "\"runs\":[2],\"timeoutUsec\":5000000"),
        STREAM("Runs.Wait", "\"runs\":[1,2]"),
        STREAM("Runs.Wait", "\"runs\":[1,2],\"any\":true"),
        STREAM("Runs.Wait", "\"runs\":[1,3,1,4711]"),
        STREAM("Runs.Start", "\"job\":\"again\""),
        STREAM("Runs.Gather", "\"runs\":[\"again\",\"again\"]"),
};

/* Whether an allocation failed on the way to the end of all runs. */
static bool let_runs_end(unsigned nth, bool once)
{
        Client *clients = new0(Client, ARRAY_SIZE(waiters));
        bool failed;
        Test t;

        assert_non_null(clients);
        set_up(&t);
        for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
                connect_client(&t, &clients[i], waiters[i]);
                take_turns(&t);
        }
        begin_faults(nth, once);
        engine_advance_to(&t.engine, 30 * SEC);
        take_turns(&t);
        failed = end_faults();
        take_turns(&t);
        for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
                read_all(&clients[i]);
                if (!is_answered(&clients[i]) && !clients[i].closed && (i > 0 || !has_seen_end(&clients[i])))
                        fail_msg("fault %u (%s): %s waits", nth, once ? "once" : "for good", waiters[i]);
                close(clients[i].fd);
        }
        take_turns(&t);
        tear_down(&t);
        free(clients);
        return failed;
}

static void test_ends(_unused_ void **state)
{
        unsigned n[] = { 0, 0 };

        for (size_t once = 0; once < ARRAY_SIZE(n); once++)
                while (let_runs_end(n[once], once))
                        assert_true(++n[once] < FAULTS_MAX);
        assert_true(n[0] > 20 && n[1] > 20);
}

/* --- calls --- */

static const char *const calls[] = {
        METHOD("Runs.Wait", "\"runs\":[1,2]"),
        METHOD("Runs.Wait", "\"runs\":[1,4711],\"timeoutUsec\":5000000"),
        METHOD("Runs.Wait", "\"runs\":[3,3]"),
        STREAM("Runs.Wait", "\"runs\":[1,3,4711]"),
        METHOD("Runs.Start", "\"job\":\"fast\""),
        METHOD("Runs.Start", "\"again\":3"),
        STREAM("Runs.Start", "\"job\":\"again\""),
        STREAM("Runs.Gather", "\"runs\":[\"again\",\"fast\"]"),
        METHOD("Runs.Gather", "\"runs\":[\"fast\"]"),
        METHOD("Runs.Cancel", "\"runs\":[2,3,4711],\"jobs\":[\"nosuch\",\"short\"]"),
        STREAM("Runs.Cancel", "\"runs\":[2,3,4711],\"jobs\":[\"nosuch\",\"s*\"]"),
        METHOD("Runs.Get", "\"run\":3"),
        METHOD("Runs.GetLast", "\"job\":\"fast\""),
        METHOD("Runs.List", "\"jobs\":[\"nosuch\",\"short\",\"fast\"]"),
        METHOD("Runs.Send", "\"run\":1,\"values\":[\"1\"]"),
        METHOD("Jobs.List", "\"jobs\":[\"nosuch\",\"short\"]"),
        STREAM("Jobs.List", ""),
        METHOD("Jobs.List", "\"jobs\":[\"nosuch\",\"none\"]"),
        METHOD("Jobs.Pause", "\"jobs\":[\"nosuch\",\"*\"]"),
        METHOD("Jobs.Next", "\"job\":\"short\""),
        METHOD("Jobs.Usage", "\"job\":\"fast\""),
};

/* The error that was answered, in ERROR; "" where there was none. */
static void get_error(const Client *client, char error[static 64])
{
        const char *found = NULL;

        for (size_t at = 0; !found && at < client->n; at += strlen(client->text + at) + 1)
                found = strstr(client->text + at, "{\"error\":\"");
        if (!found || sscanf(found, "{\"error\":\"%63[^\"]", error) != 1)
                *error = '\0';
}

/* ERROR is what the call is answered with where nothing fails; it is set where nothing did. */
static bool serve_call(const char *call, unsigned nth, bool once, char error[static 64])
{
        char found[64];
        Client *client = new0(Client, 1);
        bool failed;
        Test t;

        assert_non_null(client);
        set_up(&t);
        connect_client(&t, client, call);
        begin_faults(nth, once);
        take_turns(&t);
        failed = end_faults();
        engine_advance_to(&t.engine, 30 * SEC);
        take_turns(&t);
        read_all(client);
        if (!is_answered(client) && !client->closed)
                fail_msg("fault %u (%s): %s is not answered", nth, once ? "once" : "for good", call);
        get_error(client, found);
        if (!failed)
                (void)strcpy(error, found);
        else if (*found && !streq(found, error) && !streq(found, "io.takt.Manager.Failed"))
                fail_msg("fault %u (%s): %s is answered with %s", nth, once ? "once" : "for good", call, found);
        close(client->fd);
        take_turns(&t);
        tear_down(&t);
        free(client);
        return failed;
}

static void test_calls(_unused_ void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                char error[64];

                assert_false(serve_call(calls[i], FAULTS_MAX, false, error));
                for (unsigned once = 0; once < 2; once++)
                        for (unsigned n = 0; serve_call(calls[i], n, once, error); n++)
                                assert_true(n < FAULTS_MAX);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_ends), RUN(test_calls) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
