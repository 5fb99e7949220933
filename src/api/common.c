/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/internal.h"

#include <inttypes.h>
#include <stdio.h>

static void on_event(EventObserver *observer, const Event *event)
{
        Api *api = container_of(observer, Api, observer);

        if (list_is_empty(&api->watches) && list_is_empty(&api->waits))
                return;
        /* Watchers first: who waits for a run sees its end in the stream no later than in the answer. */
        api_watches_notify(api, event);
        api_waits_notify(api, event);
}

int api_new(const ApiContext *context, VarlinkServer *server, Api **ret)
{
        _cleanup_(api_freep) Api *api = new0(Api, 1);
        int r;

        if (!api)
                return -ENOMEM;
        api->context = *context;
        list_init(&api->watches);
        list_init(&api->waits);
        list_init(&api->walks);
        api->observer.notify = on_event;
        event_bus_subscribe(context->events, &api->observer);
        r = varlink_server_add_interface(server, api_manager_text, api_manager_methods, api);
        if (r >= 0)
                r = varlink_server_add_interface(server, api_jobs_text, api_jobs_methods, api);
        if (r >= 0)
                r = varlink_server_add_interface(server, api_runs_text, api_runs_methods, api);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(api);
        return 0;
}

Api *api_free(Api *api)
{
        if (!api)
                return NULL;
        api_stop(api);
        event_bus_unsubscribe(&api->observer);
        free(api);
        return NULL;
}

void api_stop(Api *api)
{
        api_waits_stop(api);
        api_walks_stop(api);
        api_watches_stop(api);
}

int api_strings(const JsonValue *array, const char ***ret, size_t *ret_n)
{
        const char **strings;

        *ret = NULL;
        *ret_n = 0;
        if (!array || array->type != JSON_ARRAY)
                return 0;
        strings = new0(const char *, (size_t)array->n + 1);
        if (!strings)
                return -ENOMEM;
        for (uint32_t i = 0; i < array->n; i++)
                strings[i] = json_string_or_null(&array->items[i]) ?: "";
        *ret = strings;
        *ret_n = array->n;
        return 0;
}

int api_copy_parameters(const JsonValue *parameters, JsonDoc **ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = json_format(parameters, 0, &text);

        return r < 0 ? r : json_parse(text.data, text.len, NULL, ret, NULL);
}

Requester api_requester(const VarlinkCall *call)
{
        const struct ucred *peer = varlink_call_peer(call);

        return (Requester){ .uid = peer->uid, .pid = MAX(peer->pid, 0) };
}

void api_fail(VarlinkCall *call, int r)
{
        varlink_call_begin(call)->error = r;
        (void)varlink_call_end(call, false);
}

static bool is_negative(const JsonValue *value)
{
        return json_is(value, JSON_INT) && value->integer < 0;
}

int api_check_run_ids(VarlinkCall *call, const JsonValue *parameters, const char *name)
{
        const JsonValue *value = json_get(parameters, name);
        char item[64];

        if (is_negative(value))
                return varlink_call_invalid_parameter(call, name);
        for (uint32_t i = 0; json_is(value, JSON_ARRAY) && i < value->n; i++)
                if (is_negative(&value->items[i])) {
                        (void)snprintf(item, sizeof(item), "%s[%" PRIu32 "]", name, i);
                        return varlink_call_invalid_parameter(call, item);
                }
        return 1;
}

int api_no_such_job(VarlinkCall *call, const char *job)
{
        return varlink_call_error(call, "io.takt.Jobs.NoSuchJob", "job", job);
}

int api_no_such_run(Api *api, VarlinkCall *call, uint64_t run)
{
        _cleanup_(api_unknown_deinit) ApiUnknown unknown = {};
        int r = api_unknown_add_run(&unknown, api->context.scheduler, run);

        return r < 0 ? r : api_unknown_error(&unknown, call);
}

typedef struct FindRun {
        ApiRunText *text;
        bool omit_result;
        int r;
} FindRun;

static bool on_found(const RunRecord *record, void *userdata)
{
        FindRun *find = userdata;
        JsonWriter w;

        json_writer_init(&w, &find->text->text, 0);
        run_record_write(record, find->omit_result, &w);
        find->text->state = record->state;
        find->r = json_writer_end(&w);
        if (find->r >= 0)
                find->r = 1;
        return false;
}

int api_find_run(Api *api, uint64_t id, bool omit_result, ApiRunText *ret)
{
        FindRun find = { .text = ret, .omit_result = omit_result };
        Run *run = scheduler_find_run(api->context.scheduler, id);
        JsonWriter w;
        int r;

        if (id == 0) /* to a query, this is any */
                return 0;
        if (!run) {
                store_query(api->context.store, &(StoreQuery){ .id = id, .limit = 1 },
                            &(StoreAnswer){ .found = on_found, .userdata = &find });
                return find.r;
        }
        json_writer_init(&w, &ret->text, 0);
        run_write(run, omit_result, &w);
        ret->state = run->state;
        r = json_writer_end(&w);
        return r < 0 ? r : 1;
}
