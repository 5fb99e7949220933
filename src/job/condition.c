/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/condition.h"

#include "job/job.h"

static void clear_condition(_unused_ const ConfigKey *key, void *target)
{
        JobCondition *condition = target;

        json_condition_free(condition->compiled);
        free(condition->text);
        *condition = (JobCondition){};
}

static int parse_condition(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_(json_condition_freep) JsonCondition *compiled = NULL;
        _cleanup_free_ char *text = strdup(value);
        JobCondition *condition = target;
        JsonPathError error;
        int r = text ? json_condition_compile(value, &compiled, &error) : -ENOMEM;

        if (r == -EBADMSG)
                return config_item_error(site->item, site->report, error.offset, "%s", error.message);
        if (r < 0)
                return r;
        clear_condition(key, condition);
        *condition = (JobCondition){ .compiled = TAKE_PTR(compiled), .text = TAKE_PTR(text) };
        return 0;
}

const ConfigType config_type_condition = { .metavar = "EXPRESSION", .parse = parse_condition, .clear = clear_condition };

/* What the condition is asked about, as text. */
static int describe(const Run *run, Buffer *out)
{
        const JsonValue *event = json_get(run_params(run), "event");
        const char *params = run->extra->params ?: "{}", *last = run->job->extra->last_outputs ?: "{}";
        JsonWriter w;

        json_writer_init(&w, out, 0);
        json_begin_object(&w);
        json_key(&w, "trigger");
        json_string(&w, run_trigger_to_string(run->trigger));
        json_key(&w, "params");
        json_raw(&w, params, strlen(params));
        json_key(&w, "event");
        if (event)
                json_value(&w, event);
        else
                json_null(&w);
        json_key(&w, "last");
        json_raw(&w, last, strlen(last));
        json_end_object(&w);
        return json_writer_end(&w);
}

int job_condition_test(const JobCondition *condition, const Run *run, bool *ret)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = describe(run, &text);

        if (r >= 0)
                r = json_parse(text.data, text.len, NULL, &doc, NULL);
        return r < 0 ? r : json_condition_test(condition->compiled, json_root(doc), json_root(doc), ret);
}
