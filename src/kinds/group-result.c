/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a group tells of its members: results in the order named, errors, and how it ends. */
#include "kinds/group.h"

#include <stdio.h>

#include "kinds/outcome.h"

static void write_details(const GroupRun *g, JsonWriter *w)
{
        size_t shown = 0;

        json_begin_object(w);
        json_key(w, "members");
        json_uint(w, g->n);
        json_key(w, "failed");
        json_uint(w, g->n_failed);
        json_key(w, "errors");
        json_begin_array(w);
        for (size_t i = 0; i < g->n && shown < MIN(g->n_failed, (size_t)GROUP_ERRORS_SHOWN_MAX); i++)
                if (g->tracks[i].failed && !g->tracks[i].told && g->tracks[i].text) {
                        json_raw(w, g->tracks[i].text, g->tracks[i].len);
                        shown++;
                }
        json_end_array(w);
        json_end_object(w);
}

void group_set_details(Run *run, const GroupRun *g)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        write_details(g, &w);
        if (json_writer_end(&w) >= 0)
                run_set_details(run, buffer_steal(&text));
}

/* The results in the order named; null, or the error, for those that have none. */
static int format_results(const Run *run, const GroupRun *g, Buffer *out)
{
        bool keep = group_config(run)->errors == GROUP_KEEP;
        bool single = group_config(run)->mode == GROUP_CHAIN && group_config(run)->items.n == 0;
        int r = buffer_reserve(out, g->n_bytes + 5 * g->n + 2);

        if (r >= 0 && !single)
                r = buffer_append_char(out, '[');
        for (size_t i = 0; i < g->n && r >= 0; i++) {
                const Track *track = &g->tracks[i];
                bool shown = track->text && (keep || !track->failed);

                if (i > 0)
                        r = buffer_append_char(out, ',');
                if (r >= 0)
                        r = shown ? buffer_append(out, track->text, track->len) : buffer_append_string(out, "null");
        }
        return r >= 0 && !single ? buffer_append_char(out, ']') : r;
}

/* "2 of 5 members failed; the first: JOB (run 12): KIND: MESSAGE" */
static void fail_by_member(Run *run, const GroupRun *g)
{
        const Track *track = &g->tracks[g->first_failed];
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const JsonValue *root, *error, *id;
        char of_run[32] = "";

        if (!track->text || json_parse(track->text, track->len, NULL, &doc, NULL) < 0) {
                run_fail(run, "memory", "no memory for the error of a member");
                return;
        }
        root = json_root(doc);
        error = json_get(root, "error");
        id = json_get(root, "run");
        if (json_is(id, JSON_INT))
                (void)snprintf(of_run, sizeof(of_run), " (run %lld)", (long long)id->integer);
        run_fail(run, "member-failed", "%zu of %zu members failed; the first: %s%s: %s: %s", g->n_failed, g->n,
                 json_string_or_null(json_get(root, "job")) ?: "", of_run,
                 json_string_or_null(json_get(error, "kind")) ?: "", json_string_or_null(json_get(error, "message")) ?: "");
}

void group_end(Run *run, GroupRun *g)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        size_t len;

        group_set_details(run, g);
        if (g->too_large) {
                run_fail(run, "too-large", "the results of the members are larger than %u bytes", GROUP_RESULT_MAX);
                return;
        }
        if (run_is_stopping(run)) {
                run_fail(run, "cancelled", "ended before its time");
                return;
        }
        if (format_results(run, g, &text) < 0) {
                run_fail(run, "memory", "no memory for the results");
                return;
        }
        len = text.len;
        if (g->n_failed > 0 && group_config(run)->errors == GROUP_RAISE) {
                run_set_result(run, buffer_steal(&text), len);
                fail_by_member(run, g);
        } else {
                run_finish_with_json(run, buffer_steal(&text), len);
        }
}
