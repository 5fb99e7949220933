/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/verb.h"
#include "ctl/who.h"

/* The time of day only, as the day is known to who watches. */
static void print_time(const Ctl *ctl, usec_t realtime)
{
        char text[TIMESTAMP_MAX];
        const char *blank;

        if (realtime == USEC_INFINITY)
                return;
        blank = strchr(time_to_short_text(realtime, USEC_PER_MSEC, ctl->zone, text), ' ');
        printf("%s%-12s%s ", style_begin(STYLE_DIM, ctl->colour), blank ? blank + 1 : text,
               style_end(STYLE_DIM, ctl->colour));
}

static int append_text(Buffer *out, const char *before, const char *s)
{
        int r;

        if (!s || !*s)
                return 0;
        r = buffer_append_string(out, before);
        return r < 0 ? r : text_append_clean(out, s, strlen(s), false);
}

/* One line: time, what happened, whom it concerns, what there is to say. */
static int print_event(const Ctl *ctl, const JsonValue *event)
{
        const char *name = json_get_string(event, "event", "?"), *state = json_get_string(event, "state", NULL);
        int64_t run = json_get_int(event, "run", 0), lost = json_get_int(event, "lost", 0),
                parent = json_get_int(event, "parent", 0);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        Style style = state_style(name);
        int r;

        if (streq(name, "live"))
                return 0;
        r = append_text(&text, "", json_get_string(event, "job", NULL));
        if (r >= 0 && run > 0)
                r = buffer_appendf(&text, " run %" PRIi64, run);
        if (r >= 0 && parent > 0)
                r = buffer_appendf(&text, " of %" PRIi64, parent);
        if (r >= 0 && streq(name, "present"))
                r = append_text(&text, " ", state);
        if (r >= 0 && lost > 0)
                r = buffer_appendf(&text, "%" PRIi64 " events were lost, as this watcher is too slow", lost);
        if (r >= 0)
                r = append_text(&text, ": ", json_get_string(event, "message", NULL));
        /* The message of what was cancelled says it. */
        if (r >= 0 && !streq(name, "cancelled"))
                r = who_append(&text, " ", json_get(event, "by"));
        if (r < 0)
                return ctl_oom();
        print_time(ctl, json_get_time(event, "time"));
        printf("%s%-9s%s  %s\n", style_begin(style, ctl->colour), name, style_end(style, ctl->colour),
               buffer_string(&text));
        return 0;
}

static int print_line(const JsonValue *event)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (json_format(event, 0, &text) < 0)
                return ctl_oom();
        puts(buffer_string(&text));
        return 0;
}

/* Of runs, of jobs, of the daemon, and of the stream itself. */
static const char *const events[] = {
        "queued",  "running", "progress", "retrying", "succeeded", "failed",   "timeout", "cancelled", "skipped",
        "missed",  "lost",    "added",    "changed",  "removed",   "paused",   "resumed", "refused",   "finished",
        "yield",   "stale",   "fresh",    "reloaded", "stopping",  "present",  "live",    "overflow",  "unknown", NULL,
};

/* Nothing is printed that looks as if something had happened; to a program it is an event as others are. */
static int tell_unknown(Ctl *ctl, const JsonValue *event)
{
        int r = ctl_note_unknown_job(ctl, json_get_string(event, "job", "?"));

        ctl_tell_unknown(ctl);
        return r == 0 && ctl->options.json ? print_line(event) : r;
}

int verb_watch(Ctl *ctl, char **args, size_t n)
{
        const CtlOptions *o = &ctl->options;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        r = ctl_check_words(&ctl->options.events, "event", events);
        if (r != 0)
                return r;
        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        params_strings(&params, "events", o->events.words, o->events.n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_send(ctl, "io.takt.Runs.Watch", parameters, VARLINK_CALL_MORE);
        while (r == 0) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                const JsonValue *event;

                r = ctl_receive(ctl, USEC_INFINITY, &reply);
                if (r != 0)
                        break;
                event = json_get(reply.parameters, "event");
                if (streq(json_get_string(event, "event", ""), "unknown"))
                        r = tell_unknown(ctl, event);
                else if (event)
                        r = o->json ? print_line(event) : print_event(ctl, event);
                if (r == 0)
                        r = ctl_flush();
                if (r == 0 && !reply.continues)
                        return ctl_error(STATUS_NO_DAEMON, "the daemon has ended the stream");
        }
        return r;
}
