/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gather: a group that no file defines. Its job lives as long as its one run. */
#include "api/internal.h"

#include <inttypes.h>

#include "base/string-util.h"
#include "job/spec.h"

/* Adds "[SECTION] KEY=VALUE", as if a file said so. */
static int add_item(ConfigItems *items, const char *section, const char *key, const char *value)
{
        ConfigItem *grown = reallocarray(items->items, items->n + 1, sizeof(*grown)), *item;

        if (!grown)
                return -ENOMEM;
        items->items = grown;
        item = &items->items[items->n++];
        *item = (ConfigItem){
                .file = items->files[0], .section = strdup(section), .key = strdup(key), .value = strdup(value),
        };
        return item->section && item->key && item->value ? 0 : -ENOMEM;
}

static int add_number(ConfigItems *items, const char *section, const char *key, const JsonValue *value, const char *unit)
{
        _cleanup_free_ char *text = NULL;

        if (!json_is(value, JSON_INT))
                return 0;
        text = xasprintf("%" PRIi64 "%s", value->integer, unit);
        return text ? add_item(items, section, key, text) : -ENOMEM;
}

static int add_strings(ConfigItems *items, const char *key, const JsonValue *array)
{
        int r = 0;

        for (uint32_t i = 0; json_is(array, JSON_ARRAY) && i < array->n && r >= 0; i++)
                r = add_item(items, "Group", key, json_string_or_null(&array->items[i]) ?: "");
        return r;
}

static int add_string(ConfigItems *items, const char *key, const JsonValue *string)
{
        return json_is(string, JSON_STRING) ? add_item(items, "Group", key, json_string_or_null(string) ?: "") : 0;
}

static int make_items(const JsonValue *parameters, ConfigItems *items)
{
        int r;

        items->files = new0(char *, 1);
        items->texts = new0(char *, 1);
        if (!items->files || !items->texts)
                return -ENOMEM;
        items->files[0] = strdup(JOB_NAME_GATHER);
        items->n_files = 1;
        if (!items->files[0])
                return -ENOMEM;
        r = add_item(items, "Job", "Type", "group");
        if (r >= 0)
                r = add_number(items, "Job", "TimeoutSec", json_get(parameters, "timeoutUsec"), "us");
        if (r >= 0)
                r = add_string(items, "Mode", json_get(parameters, "mode"));
        if (r >= 0)
                r = add_string(items, "Errors", json_get(parameters, "errors"));
        if (r >= 0)
                r = add_number(items, "Group", "Concurrency", json_get(parameters, "concurrency"), "");
        if (r >= 0)
                r = add_strings(items, "For", json_get(parameters, "for"));
        return r >= 0 ? add_strings(items, "Run", json_get(parameters, "runs")) : r;
}

static int make_spec(const JsonValue *parameters, ConfigReport *report, JobSpec **ret)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        int r = make_items(parameters, &items);

        return r < 0 ? r : job_spec_load_items(JOB_NAME_GATHER, &items, report, ret);
}

static int start(Api *api, VarlinkCall *call, JobSpec *spec, uint64_t *ret_id)
{
        Requester by = api_requester(call);
        Job *job;
        int r = scheduler_add_transient_job(api->context.scheduler, spec, &job);

        if (r < 0)
                return r;
        r = scheduler_run(api->context.scheduler, job,
                          &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL, .by = &by }, ret_id);
        if (r < 0)
                job_free(job);
        return r;
}

int api_runs_gather(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        uint64_t id = 0;
        int r = make_spec(parameters, &report, &spec);

        if (r == -EBADMSG)
                return varlink_call_error(call, "io.takt.Runs.BadGroup", "message",
                                          report.n > 0 ? report.problems[0].message : "");
        if (r >= 0)
                r = start(userdata, call, spec, &id);
        return r < 0 ? r : api_reply_started(userdata, call, id);
}
