/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/expand.h"

#include "base/string-util.h"
#include "config/environment.h"
#include "job/job.h"
#include "job/spec.h"
#include "when/timespan.h"
#include "when/zone.h"

static const char *lookup_environment(const char *name, _unused_ void *userdata)
{
        return getenv(name);
}

static int local_time(usec_t realtime, const char *name, struct tm *ret, void *userdata)
{
        static char abbreviation[ZONE_ABBREVIATION_MAX + 1];
        const Run *run = userdata;
        _cleanup_zone_ Zone *zone = NULL;
        int64_t utc = (int64_t)(realtime / USEC_PER_SEC);
        ZoneSpan span;
        time_t local;
        int r;

        if (name) {
                r = zone_load(name, &zone, NULL);
                if (r < 0)
                        return r;
        } else {
                zone = zone_ref(run->spec->schedule.schedule.zone ?: zone_utc());
        }
        zone_span(zone, utc, &span);
        local = (time_t)(utc + span.offset);
        if (!gmtime_r(&local, ret))
                return -EINVAL;
        ret->tm_isdst = span.dst;
        ret->tm_gmtoff = span.offset;
        /* %Z is printed before the next zone is asked for: one buffer will do. */
        memcpy(abbreviation, span.abbreviation, sizeof(abbreviation));
        ret->tm_zone = abbreviation;
        return 0;
}

static int note_secret(const char *value, size_t n, void *userdata)
{
        return run_add_secret(userdata, value, n);
}

void run_template_context(Run *run, TemplateContext *ret)
{
        *ret = (TemplateContext){
                .params = run_params(run),
                .event = json_get(run_params(run), "event"),
                .last_outputs = job_last_outputs(run->job),
                .instance = job_name_instance(run->job->name),
                .credentials_directory = run->services->credentials_directory,
                .scheduled_realtime = run->scheduled_realtime ?: run->created_realtime,
                .environment = lookup_environment,
                .local_time = local_time,
                .secret = note_secret,
                .userdata = run,
        };
}

int run_expand(Run *run, const Template *t, Buffer *out)
{
        _cleanup_free_ char *error = NULL;
        TemplateContext context;
        int r;

        if (!t)
                return 0;
        if (template_is_constant(t)) {
                r = buffer_append_string(out, template_constant(t));
        } else {
                run_template_context(run, &context);
                r = template_expand(t, &context, out, &error);
        }
        if (r >= 0)
                return 0;
        run_fail(run, "template", "%s", error ?: strerror(-r));
        return -EBADMSG;
}

int run_expand_span(Run *run, const Template *t, const char *key, usec_t *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        WhenError error = {};

        if (run_expand(run, t, &text) < 0)
                return -EBADMSG;
        if (timespan_parse(buffer_string(&text), ret, &error) >= 0)
                return 0;
        run_fail(run, "template", "%s=%s: %s", key, buffer_string(&text), error.message);
        return -EBADMSG;
}

int run_expand_double(Run *run, const Template *t, const char *key, double *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (run_expand(run, t, &text) < 0)
                return -EBADMSG;
        if (parse_double(buffer_string(&text), ret) >= 0)
                return 0;
        run_fail(run, "template", "%s=%s is no number", key, buffer_string(&text));
        return -EBADMSG;
}

int run_expand_command(Run *run, const CommandLine *line, char ***ret)
{
        _cleanup_free_ char *error = NULL;
        TemplateContext context;
        int r;

        run_template_context(run, &context);
        r = command_line_expand(line, &context, ret, &error);
        if (r >= 0)
                return 0;
        run_fail(run, "template", "%s", error ?: strerror(-r));
        return -EBADMSG;
}

int run_publish(Run *run, char **ret_error)
{
        const Environment *e = run->services->environment;
        TemplateContext context;

        if (!run->spec->publish.file)
                return 0;
        run_template_context(run, &context);
        return publish_write(&run->spec->publish, &context, e ? environment_work_directory(e) : ".", run->result ?: "null",
                             run->result ? run->result_len : 4, ret_error);
}

int template_check_span(const Template *t, usec_t min, usec_t max, const char *section, const char *key,
                        const ConfigItems *items, ConfigReport *report)
{
        char least[TIMESPAN_MAX], most[TIMESPAN_MAX];
        WhenError error = {};
        usec_t span;

        if (!t || !template_is_constant(t))
                return 0;
        if (timespan_parse(template_constant(t), &span, &error) < 0)
                return config_items_error(items, report, section, key, error.offset, "%s", error.message);
        if (span < min || span > max)
                return config_items_error(items, report, section, key, 0, "must be from %s to %s",
                                          timespan_format(min, least), timespan_format(max, most));
        return 0;
}

int template_check_double(const Template *t, double min, double max, const char *section, const char *key,
                          const ConfigItems *items, ConfigReport *report)
{
        double number;

        if (!t || !template_is_constant(t))
                return 0;
        if (parse_double(template_constant(t), &number) < 0)
                return config_items_error(items, report, section, key, 0, "'%s' is no number", template_constant(t));
        if (number < min || number > max)
                return config_items_error(items, report, section, key, 0, "must be from %g to %g", min, max);
        return 0;
}
