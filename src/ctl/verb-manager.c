/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ping, info, reload: the daemon as a whole. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/verb.h"

int verb_ping(Ctl *ctl, _unused_ char **args, _unused_ size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        char span[TIMESPAN_MAX];
        usec_t start;
        int r;

        r = ctl_connect(ctl);
        if (r != 0)
                return r;
        start = clock_boottime(clock_system());
        r = ctl_call(ctl, "io.takt.Manager.Ping", NULL, &reply);
        if (r != 0)
                return r;
        if (ctl->options.json)
                return ctl_print_json(ctl, reply.parameters);
        if (!ctl->options.quiet)
                printf("The daemon answered in %s.\n", span_to_text(clock_boottime(clock_system()) - start, span));
        return 0;
}

/* KEY: VALUE, and members of objects and arrays under their keys. */
static int print_value(const Ctl *ctl, const char *key, const JsonValue *value, unsigned depth)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char span[TIMESPAN_MAX];
        size_t n = strlen(key);
        int r = 0;

        if (value->type == JSON_OBJECT) {
                printf("%*s%s%s%s\n", (int)depth * 2, "", style_begin(STYLE_BOLD, ctl->colour), key,
                       style_end(STYLE_BOLD, ctl->colour));
                for (uint32_t i = 0; i < value->n && r == 0; i++)
                        r = print_value(ctl, value->members[i].key, &value->members[i].value, depth + 1);
                return r;
        }
        if (value->type == JSON_ARRAY) {
                for (uint32_t i = 0; i < value->n && r == 0; i++)
                        r = print_value(ctl, key, &value->items[i], depth);
                return r;
        }
        if (value->type == JSON_STRING)
                r = text_append_clean(&text, value->string, value->n, false);
        else if (value->type == JSON_INT && value->integer >= 0 && n > 4 && streq(key + n - 4, "Usec"))
                r = buffer_append_string(&text, span_to_text((usec_t)value->integer, span));
        else
                r = json_format(value, 0, &text);
        if (r < 0)
                return ctl_oom();
        printf("%*s%s: %s\n", (int)depth * 2, "", key, buffer_string(&text));
        return 0;
}

int verb_info(Ctl *ctl, _unused_ char **args, _unused_ size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        int r;

        r = ctl_call(ctl, "io.takt.Manager.Info", NULL, &reply);
        if (r != 0)
                return r;
        if (ctl->options.json)
                return ctl_print_json(ctl, reply.parameters);
        ctl_pager(ctl);
        for (uint32_t i = 0; i < reply.parameters->n && r == 0; i++)
                r = print_value(ctl, reply.parameters->members[i].key, &reply.parameters->members[i].value, 0);
        return r;
}

static void print_warnings(const Ctl *ctl, const JsonValue *reply)
{
        const JsonValue *warnings = json_get(reply, "warnings");
        int64_t n = json_get_int(reply, "nWarnings", 0), n_listed = json_is(warnings, JSON_ARRAY) ? warnings->n : 0;

        ctl_print_problems(warnings);
        if (n > n_listed)
                fprintf(stderr, "and %" PRIi64 " warnings more\n", n - n_listed);
        if (n > 0 && !ctl->options.quiet)
                printf("Warnings: %" PRIi64 ".\n", n);
}

int verb_reload(Ctl *ctl, _unused_ char **args, _unused_ size_t n)
{
        static const char *const counts[] = { "added", "changed", "removed", "unchanged" };
        int64_t n_refused;
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        const JsonValue *problems;
        int r;

        r = ctl_call(ctl, "io.takt.Manager.Reload", NULL, &reply);
        if (r != 0)
                return r;
        problems = json_get(reply.parameters, "problems");
        if (ctl->options.json) {
                r = ctl_print_json(ctl, reply.parameters);
        } else {
                ctl_print_problems(problems);
                print_warnings(ctl, reply.parameters);
                for (size_t i = 0; i < ARRAY_SIZE(counts) && !ctl->options.quiet; i++)
                        printf("%s%" PRIi64 " %s", i == 0 ? "Jobs: " : ", ",
                               json_get_int(reply.parameters, counts[i], 0), counts[i]);
                n_refused = json_get_int(reply.parameters, "refused", 0);
                if (n_refused > 0 && !ctl->options.quiet)
                        printf("; %" PRIi64 " file%s refused", n_refused, n_refused == 1 ? "" : "s");
                if (!ctl->options.quiet)
                        puts(".");
        }
        if (r == 0 && json_is(problems, JSON_ARRAY) && problems->n > 0)
                r = STATUS_FAILED;
        return r;
}
