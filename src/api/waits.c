/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start and Wait: calls that are answered when runs end. Each (call, run) is a slot in one tree by
 * run id, so that the end of a run finds those who wait for it, be they none or ten thousand. The end comes once: where
 * there is no memory to tell of it, the call is ended by an error or with its connection. A Wait whose call is over, by
 * whatever came of its last reply, is freed at once.
 */
#include "api/internal.h"

typedef struct Wait Wait;

typedef struct WaitSlot {
        RB_ENTRY(WaitSlot) by_run;
        Wait *wait;
        uint64_t run;
        char *text; /* the Run as JSON, once it has ended */
        bool pending;
} WaitSlot;

struct Wait {
        Api *api;
        List link;
        VarlinkCall *call;
        Timer timer;
        bool stream;      /* each run in a reply of its own */
        bool any;         /* the first that ends is enough */
        bool every_state; /* Start with `more`: a reply a change of state */
        ApiUnknown unknown; /* runs that were named as well */
        size_t n_pending;
        size_t n;
        WaitSlot slots[];
};

/* A slot of no call, which is what is looked for, comes before those of calls that wait for the same run. */
static int slot_compare(const WaitSlot *a, const WaitSlot *b)
{
        if (a->run != b->run)
                return a->run < b->run ? -1 : 1;
        if (!a->wait || !b->wait)
                return !!a->wait - !!b->wait;
        return a < b ? -1 : a > b;
}

TREE_GENERATE(WaitTree, WaitSlot, by_run, slot_compare)

static struct WaitTree *tree(Api *api)
{
        return &api->wait_slots;
}

static void wait_free(Wait *wait)
{
        for (size_t i = 0; i < wait->n; i++) {
                if (wait->slots[i].pending)
                        RB_REMOVE(WaitTree, tree(wait->api), &wait->slots[i]);
                free(wait->slots[i].text);
        }
        api_unknown_deinit(&wait->unknown);
        timer_disarm(wait->api->context.services->timers, &wait->timer);
        list_unlink(&wait->link);
        varlink_call_set_gone(wait->call, NULL, NULL);
        varlink_call_unref(wait->call);
        free(wait);
}

static void on_gone(_unused_ VarlinkCall *call, void *userdata)
{
        wait_free(userdata);
}

static void on_wait_timeout(Timer *timer, _unused_ usec_t now)
{
        Wait *wait = container_of(timer, Wait, timer);
        JsonWriter *w = varlink_call_begin_error(wait->call, "io.takt.Runs.TimedOut");

        json_key(w, "runs");
        json_begin_array(w);
        for (size_t i = 0; i < wait->n; i++)
                if (wait->slots[i].pending)
                        json_uint(w, wait->slots[i].run);
        json_end_array(w);
        api_unknown_write(&wait->unknown, w);
        (void)varlink_call_end(wait->call, false);
        wait_free(wait);
}

static void wait_fail(Wait *wait, int r)
{
        api_fail(wait->call, r);
        wait_free(wait);
}

static Wait *wait_new(Api *api, VarlinkCall *call, size_t n)
{
        Wait *wait = calloc(1, sizeof(Wait) + n * sizeof(WaitSlot));

        if (!wait)
                return NULL;
        wait->api = api;
        wait->call = varlink_call_ref(call);
        wait->stream = varlink_call_wants_more(call);
        wait->timer.callback = on_wait_timeout;
        wait->n = n;
        list_append(&api->waits, &wait->link);
        varlink_call_set_gone(call, on_gone, wait);
        return wait;
}

static void slot_pend(Wait *wait, WaitSlot *slot)
{
        slot->pending = true;
        wait->n_pending++;
        (void)RB_INSERT(WaitTree, tree(wait->api), slot);
}

/* One reply with one run: of Start, in "run"; of a streaming Wait, in "runs". */
static void reply_one(Wait *wait, const char *text, size_t n, bool continues)
{
        JsonWriter *w = varlink_call_begin(wait->call);

        json_key(w, wait->every_state ? "run" : "runs");
        if (!wait->every_state)
                json_begin_array(w);
        json_raw(w, text, n);
        if (!wait->every_state)
                json_end_array(w);
        (void)varlink_call_end(wait->call, continues);
}

/* All that have ended. */
static void reply_all(Wait *wait)
{
        JsonWriter *w = varlink_call_begin(wait->call);

        json_key(w, "runs");
        json_begin_array(w);
        for (size_t i = 0; i < wait->n; i++)
                if (!wait->slots[i].pending)
                        json_raw(w, wait->slots[i].text, strlen(wait->slots[i].text));
        json_end_array(w);
        api_unknown_write(&wait->unknown, w);
        (void)varlink_call_end(wait->call, false);
}

static int format_run(const Run *run, Buffer *out)
{
        JsonWriter w;

        json_writer_init(&w, out, 0);
        run_write(run, false, &w);
        return json_writer_end(&w);
}

static bool is_over(const Wait *wait)
{
        return wait->n_pending == 0 || (wait->any && wait->n_pending < wait->n);
}

/* The run of SLOT has ended. WAIT may be gone afterwards. */
static void slot_ended(Wait *wait, WaitSlot *slot, const Buffer *text)
{
        RB_REMOVE(WaitTree, tree(wait->api), slot);
        slot->pending = false;
        wait->n_pending--;
        if (wait->stream) {
                reply_one(wait, text->data, text->len, !is_over(wait));
        } else {
                slot->text = strndup(text->data, text->len);
                if (!slot->text)
                        api_fail(wait->call, -ENOMEM);
                else if (is_over(wait))
                        reply_all(wait);
        }
        if (is_over(wait) || varlink_call_is_dead(wait->call))
                wait_free(wait);
}

/* A state on the way, of a call that wants every one of them. WAIT may be gone afterwards. */
static void slot_changed(Wait *wait, const Buffer *text)
{
        reply_one(wait, text->data, text->len, true);
        if (varlink_call_is_dead(wait->call))
                wait_free(wait);
}

void api_waits_notify(Api *api, const Event *event)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        WaitSlot first, *slot, *next;
        bool final;
        int r = 0;

        if (!event->run || event_type_is_progress(event->type) || list_is_empty(&api->waits))
                return;
        final = run_state_is_final(event->run->state);
        first = (WaitSlot){ .run = event->run->id };
        for (slot = RB_NFIND(WaitTree, tree(api), &first); slot && slot->run == event->run->id; slot = next) {
                next = RB_NEXT(WaitTree, tree(api), slot);
                if (!final && !slot->wait->every_state)
                        continue;
                if (r == 0 && text.len == 0)
                        r = format_run(event->run, &text);
                if (r < 0)
                        wait_fail(slot->wait, r);
                else if (final)
                        slot_ended(slot->wait, slot, &text);
                else
                        slot_changed(slot->wait, &text);
                /* The call may be gone with other slots of it, and this one is out of the tree. */
                if (final)
                        next = RB_NFIND(WaitTree, tree(api), &first);
        }
}

void api_waits_stop(Api *api)
{
        Wait *wait;

        /* Their runs have ended by now, or are not waited for by the daemon any longer either. */
        list_foreach(wait, &api->waits, Wait, link)
                wait_free(wait);
}

/* EARLIER are the parameters of the run AGAIN, which is to be repeated; NULL: there is none. */
static int bind_parameters(Api *api, VarlinkCall *call, const Job *job, const JsonValue *parameters, uint64_t again,
                           const JsonValue *earlier, Buffer *out)
{
        const ParameterContext context = {
                .now_realtime = clock_realtime(api->context.services->clock),
                .earlier = earlier,
        };
        _cleanup_free_ const char **args = NULL;
        ParameterError error = {};
        JsonWriter *w;
        size_t n;
        int r = api_strings(json_get(parameters, "args"), &args, &n);

        if (r >= 0)
                r = parameter_bind(job->spec->job.parameters, json_get(parameters, "params"), args, n, &context, out, &error);
        if (r != -EINVAL && r != -E2BIG)
                return r;
        w = varlink_call_begin_error(call, "io.takt.Runs.BadParameter");
        json_key(w, "job");
        json_string(w, job->name);
        json_key(w, "parameter");
        json_string_lossy(w, error.name, strlen(error.name));
        json_key(w, "message");
        json_string_lossy(w, error.message, strlen(error.message));
        api_write_usage(job, again, earlier, w);
        (void)varlink_call_end(call, false);
        return r;
}

/* Starts a run of job NAME, or of ID again. */
static int start(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *name, const JsonValue *earlier, uint64_t again)
{
        Requester by = api_requester(call);
        Job *job;
        _cleanup_buffer_ Buffer params = BUFFER_NULL;
        uint64_t id = 0;
        int r;

        r = scheduler_find_or_make_job(api->context.scheduler, name, &job);
        if (r == -ENOENT)
                return api_no_such_job(call, name);
        if (r == -EINVAL)
                return varlink_call_error(call, "io.takt.Runs.IsTemplate", "job", name);
        if (r < 0)
                return r;
        r = bind_parameters(api, call, job, parameters, again, earlier, &params);
        if (r < 0) {
                scheduler_release_job(api->context.scheduler, job);
                return r == -EINVAL || r == -E2BIG ? 0 : r;
        }
        r = scheduler_run(api->context.scheduler, job,
                          &(RunRequest){
                                  .trigger = RUN_TRIGGER_MANUAL,
                                  .params = buffer_string(&params),
                                  .by = &by,
                                  .origin = again,
                          }, &id);
        if (r < 0) {
                scheduler_release_job(api->context.scheduler, job);
                return r;
        }
        return api_reply_started(api, call, id);
}

static int start_again(Api *api, VarlinkCall *call, const JsonValue *parameters, uint64_t run)
{
        const char *name = json_string_or_null(json_get(parameters, "job"));
        _cleanup_(api_again_deinit) ApiAgain again = {};
        int r = api_again_find(api, run, &again);

        if (r < 0)
                return r;
        if (r == 0)
                return api_no_such_run(api, call, run);
        if (name && !streq(name, again.job))
                return varlink_call_invalid_parameter(call, "job");
        return start(api, call, parameters, again.job, json_root(again.params), run);
}

int api_runs_start(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        const char *name = json_string_or_null(json_get(parameters, "job"));
        const JsonValue *again = json_get(parameters, "again");
        int r = api_check_run_ids(call, parameters, "again");

        if (r <= 0)
                return r;
        if (json_is(again, JSON_INT))
                return start_again(userdata, call, parameters, (uint64_t)again->integer);
        return name ? start(userdata, call, parameters, name, NULL, 0) : varlink_call_invalid_parameter(call, "job");
}

int api_reply_started(Api *api, VarlinkCall *call, uint64_t id)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        ApiRunText found = {};
        Wait *wait;
        int r;

        r = api_find_run(api, id, false, &found);
        text = found.text;
        if (r <= 0)
                /* It ended at once, and nothing is kept (KeepRuns=0). */
                return r < 0 ? r : api_no_such_run(api, call, id);
        wait = wait_new(api, call, 1);
        if (!wait)
                return -ENOMEM;
        wait->every_state = true;
        wait->slots[0] = (WaitSlot){ .wait = wait, .run = id };
        if (!wait->stream || run_state_is_final(found.state)) {
                reply_one(wait, text.data, text.len, false);
                wait_free(wait);
                return 0;
        }
        slot_pend(wait, &wait->slots[0]);
        slot_changed(wait, &text);
        return 0;
}

/* Takes the next slot for run ID, with its text where it has ended. 0 where there is no such run. */
static int fill_slot(Api *api, Wait *wait, uint64_t id)
{
        WaitSlot *slot = &wait->slots[wait->n];
        ApiRunText text = {};
        int r = 1;

        *slot = (WaitSlot){ .wait = wait, .run = id };
        if (scheduler_find_run(api->context.scheduler, id)) {
                slot_pend(wait, slot);
        } else {
                r = api_find_run(api, id, false, &text);
                if (r > 0)
                        slot->text = buffer_steal(&text.text);
                if (r > 0 && !slot->text)
                        r = -ENOMEM;
                buffer_deinit(&text.text);
        }
        if (r > 0)
                wait->n++;
        return r;
}

/* The present state of each run that is asked for. 1: the call is to wait, 0: it was answered. */
static int fill_slots(Api *api, Wait *wait, const JsonValue *runs)
{
        wait->n = 0;
        for (uint32_t i = 0; i < runs->n; i++) {
                uint64_t id = (uint64_t)runs->items[i].integer;
                int r = fill_slot(api, wait, id);

                if (r == 0)
                        r = api_unknown_add_run(&wait->unknown, api->context.scheduler, id);
                if (r < 0)
                        return r;
        }
        return wait->n > 0 ? 1 : api_unknown_error(&wait->unknown, wait->call);
}

/* A stream tells at once what is not waited for. */
static void reply_unknown(Wait *wait)
{
        JsonWriter *w;

        if (!wait->stream || wait->unknown.n_runs == 0)
                return;
        w = varlink_call_begin(wait->call);
        json_key(w, "runs");
        json_begin_array(w);
        json_end_array(w);
        api_unknown_write(&wait->unknown, w);
        (void)varlink_call_end(wait->call, true);
}

int api_runs_wait(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const JsonValue *runs = json_get(parameters, "runs"), *timeout = json_get(parameters, "timeoutUsec"),
                        *any = json_get(parameters, "any");
        Wait *wait;
        size_t n_ended;
        int r;

        if (runs->n == 0 || runs->n > API_RUNS_MAX)
                return varlink_call_invalid_parameter(call, "runs");
        if (json_is(timeout, JSON_INT) && timeout->integer < 0)
                return varlink_call_invalid_parameter(call, "timeoutUsec");
        r = api_check_run_ids(call, parameters, "runs");
        if (r <= 0)
                return r;
        wait = wait_new(api, call, runs->n);
        if (!wait)
                return -ENOMEM;
        wait->any = json_is(any, JSON_BOOL) && any->boolean;
        r = fill_slots(api, wait, runs);
        if (r <= 0) {
                wait_free(wait);
                return r;
        }
        reply_unknown(wait);
        n_ended = wait->n - wait->n_pending;
        for (size_t i = 0; i < wait->n && wait->stream; i++)
                if (!wait->slots[i].pending)
                        reply_one(wait, wait->slots[i].text, strlen(wait->slots[i].text), --n_ended > 0 || !is_over(wait));
        if (is_over(wait)) {
                if (!wait->stream)
                        reply_all(wait);
                wait_free(wait);
                return 0;
        }
        if (json_is(timeout, JSON_INT))
                r = timer_arm_after(api->context.services->timers, &wait->timer, (usec_t)timeout->integer);
        if (r < 0 || varlink_call_is_dead(call))
                wait_free(wait);
        return MIN(r, 0);
}
