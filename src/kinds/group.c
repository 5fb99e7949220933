/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=group: runs of other jobs under one run. A group is a set of tracks that go on side by side, at
 * most Concurrency= of them, and each is one step after another:
 *
 *      gather, taskgroup   a track an item and line, of one step
 *      chain               a track an item, with a step a line, each given the result of the one before
 *
 * Members may end while they are started, and their ends may come from inside of the scheduler's work, so
 * that all moves are made in one place, advance(), which is never entered twice. It starts and ends at
 * most so many members a turn of the loop: the rest waits for a timer that is due at once.
 */
#include "base/string-util.h"
#include "job/job.h"
#include "job/member.h"
#include "kinds/group.h"
#include "kinds/kinds.h"

#define STARTS_A_TURN 128U
#define CANCELS_A_TURN 1024U
/* How soon a group that has no member under way looks again for a place in the queue of all. */
#define BUSY_RETRY_USEC (50 * USEC_PER_MSEC)
#define NO_TRACK UINT32_MAX

static void advance(Run *run);

/* --- the end of a step --- */

static void push_ready(GroupRun *g, Track *track)
{
        uint32_t i = (uint32_t)(track - g->tracks);

        track->next_ready = NO_TRACK;
        if (g->ready_head == NO_TRACK)
                g->ready_head = i;
        else
                g->tracks[g->ready_tail].next_ready = i;
        g->ready_tail = i;
}

static Track *pop_ready(GroupRun *g)
{
        Track *track;

        if (g->ready_head == NO_TRACK)
                return NULL;
        track = &g->tracks[g->ready_head];
        g->ready_head = track->next_ready;
        return track;
}

static void set_text(GroupRun *g, Track *track, char *text, size_t len)
{
        g->n_bytes += len - track->len;
        free(track->text);
        track->text = text;
        track->len = len;
        if (g->n_bytes > GROUP_RESULT_MAX)
                g->too_large = g->ending = true;
}

/* The error of a step as it stands in results and details. RUN 0: it never began. */
static char *format_error(const char *job, uint64_t run, RunState state, const char *kind, const char *message, size_t *ret_len)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        json_begin_object(&w);
        json_key(&w, "job");
        json_string_lossy(&w, job, strlen(job));
        json_key(&w, "run");
        if (run > 0)
                json_uint(&w, run);
        else
                json_null(&w);
        json_key(&w, "state");
        json_string(&w, run_state_to_string(state));
        json_key(&w, "error");
        json_begin_object(&w);
        json_key(&w, "kind");
        json_string(&w, kind ?: "");
        json_key(&w, "message");
        json_string_lossy(&w, message ?: "", strlen(message ?: ""));
        json_end_object(&w);
        json_end_object(&w);
        if (json_writer_end(&w) < 0)
                return NULL;
        *ret_len = text.len;
        return buffer_steal(&text);
}

/* A step that did not end well is the end of its track. ERROR is taken over. */
static void track_failed(Run *run, GroupRun *g, Track *track, char *error, size_t len, bool told)
{
        set_text(g, track, error, error ? len : 0);
        track->failed = true;
        track->told = told;
        g->n_active--;
        if (told)
                return;
        if (g->n_failed++ == 0)
                g->first_failed = (size_t)(track - g->tracks);
        if (group_config(run)->mode == GROUP_TASKGROUP)
                g->ending = true;
}

static void on_member_ended(Member *member, const Run *ended)
{
        Track *track = container_of(member, Track, member);
        Run *run = member->group;
        GroupRun *g = run_state(run);
        size_t len = 0;

        if (ended->state == RUN_SUCCEEDED) {
                char *text = ended->result ? strndup(ended->result, ended->result_len) : NULL;

                set_text(g, track, text, text ? ended->result_len : 0);
                if (++track->step < g->n_steps && !g->ending)
                        push_ready(g, track);
                else
                        g->n_active--;
        } else {
                char *error = format_error(ended->job->name, ended->id, ended->state, ended->extra->error_kind,
                                           ended->extra->error_message, &len);

                track_failed(run, g, track, error, len, ended->stop == RUN_STOP_GROUP);
        }
        advance(run);
}

/* --- the beginning of a step --- */

/* What a failure to start a member of JOB is called. */
static int refuse(Run *run, GroupRun *g, Track *track, const char *job, int r, const char *message)
{
        static const struct {
                int error;
                const char *kind, *message;
        } words[] = {
                { -ENOENT, "no-such-job", "there is no job of this name" },
                { -EISDIR, "no-such-job", "this is a template; name one of its instances" },
                { -ELOOP, "cycle", "the group would run itself, or groups are nested too deep" },
                { -EINVAL, "bad-parameter", NULL },
                { -EBADMSG, "template", NULL },
                { -ENOMEM, "memory", "no memory for the run" },
        };
        const char *kind = "internal";
        size_t len = 0;
        char *error;

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (words[i].error == r) {
                        kind = words[i].kind;
                        message = words[i].message ?: message;
                }
        error = format_error(job, 0, RUN_FAILED, kind, message ?: strerror(-r), &len);
        track_failed(run, g, track, error, len, false);
        return 0;
}

/* Begins the step that is due. -EBUSY: there is no place for it now; all else has become the track's. */
static int start_step(Run *run, GroupRun *g, Track *track, bool may_wait)
{
        _cleanup_(group_step_deinit) GroupStep step = {};
        _cleanup_free_ char *error = NULL;
        ParameterError parameter_error = {};
        uint64_t id;
        int r;

        r = group_step_make(run, g, track, &step, &error);
        if (r < 0)
                return refuse(run, g, track, step.job, r == -ENOMEM ? r : -EBADMSG, error);
        track->member.group = run;
        track->member.ended = on_member_ended;
        r = run->services->members->start(&track->member,
                                          &(MemberRequest){
                                                  .job = step.job,
                                                  .args = step.args,
                                                  .n_args = step.n_args,
                                                  .input = step.input,
                                                  .may_wait = may_wait,
                                          },
                                          &id, &parameter_error);
        if (r == -EBUSY || r >= 0)
                return r;
        return refuse(run, g, track, step.job, r, parameter_error.message);
}

/* Begins what may begin, at most STARTS_A_TURN steps. 0, or when to go on: -EAGAIN soon, -EBUSY later. */
static int start_steps(Run *run, GroupRun *g)
{
        size_t most = group_config(run)->concurrency ?: SIZE_MAX;

        for (unsigned n = 0; !g->ending; n++) {
                Track *track = pop_ready(g);
                bool begins = !track;
                int r;

                if (begins && (g->n_begun == g->n || g->n_active >= most))
                        return 0;
                if (begins)
                        track = &g->tracks[g->n_begun];
                if (n == STARTS_A_TURN) {
                        if (!begins)
                                push_ready(g, track);
                        return -EAGAIN;
                }
                g->n_active += begins;
                g->n_begun += begins;
                /* A track that has begun is not held up by those of its group. */
                r = start_step(run, g, track, !begins || g->n_active == 1);
                if (r == -EBUSY) {
                        g->n_active--;
                        g->n_begun--;
                        return g->n_active > 0 ? 0 : -EBUSY;
                }
        }
        return 0;
}

/* Tells members to end, at most CANCELS_A_TURN. 0, or -EAGAIN where there are more. */
static int cancel_members(Run *run, GroupRun *g)
{
        Track *track;

        /* Those between two steps have nothing under way. */
        while ((track = pop_ready(g)))
                g->n_active--;
        for (unsigned n = 0; g->n_cancelled < g->n_begun; n++) {
                if (n == CANCELS_A_TURN)
                        return -EAGAIN;
                run->services->members->cancel(&g->tracks[g->n_cancelled++].member);
        }
        return 0;
}

/* RUN may be gone afterwards. */
static void advance(Run *run)
{
        GroupRun *g = run_state(run);
        int r;

        if (g->advancing)
                return;
        g->advancing = true;
        /* A start may be what ends the group, so that there is something to cancel then. */
        r = start_steps(run, g);
        if (g->ending)
                r = cancel_members(run, g);
        g->advancing = false;
        if (r == 0 && g->n_active == 0) {
                group_end(run, g);
                return;
        }
        if (r < 0)
                (void)timer_arm_after(run->services->timers, &g->turn, r == -EBUSY ? BUSY_RETRY_USEC : 0);
}

static void on_turn(Timer *timer, _unused_ usec_t now)
{
        advance(run_from_state(container_of(timer, GroupRun, turn)));
}

/* --- the kind --- */

static void group_start(Run *run)
{
        const GroupConfig *config = group_config(run);
        GroupRun *g = run_state(run);
        size_t n_items;

        if (!run->services->members) {
                run_fail(run, "internal", "there are no other jobs here");
                return;
        }
        if (group_items_expand(run, &g->items) < 0)
                return;
        n_items = config->items.n > 0 ? g->items.n : 1;
        g->n_steps = config->mode == GROUP_CHAIN ? (unsigned)config->runs.n : 1;
        g->n = config->mode == GROUP_CHAIN ? n_items : n_items * config->runs.n;
        if (g->n > GROUP_MEMBERS_MAX) {
                run_fail(run, "too-large", "the group has more than %u members", GROUP_MEMBERS_MAX);
                return;
        }
        g->ready_head = NO_TRACK;
        g->turn.callback = on_turn;
        g->tracks = new0(Track, g->n + 1);
        /* Room for the timer, so that arming it finds it. */
        if (!g->tracks || timer_arm_after(run->services->timers, &g->turn, 0) < 0) {
                run_fail(run, "memory", "no memory for the members");
                return;
        }
        timer_disarm(run->services->timers, &g->turn);
        group_set_details(run, g);
        advance(run);
}

static void group_cancel(Run *run)
{
        GroupRun *g = run_state(run);

        g->ending = true;
        advance(run);
}

static void group_reset(Run *run)
{
        GroupRun *g = run_state(run);

        timer_disarm(run->services->timers, &g->turn);
        for (size_t i = 0; i < g->n && g->tracks; i++) {
                Track *track = &g->tracks[i];

                /* Only where the daemon gives up on all: the member goes on without its group. */
                if (track->member.run)
                        track->member.run->member = NULL;
                free(track->text);
        }
        free(g->tracks);
        group_items_deinit(&g->items);
}

const JobKind group_kind = {
        .name = "group",
        .help = "Runs other jobs: side by side, or one after another.",
        .section = &group_section,
        .load = group_load,
        .needs = group_needs,
        .only_waits = true,
        .placeholders = group_placeholders,
        .run_size = sizeof(GroupRun),
        .start = group_start,
        .cancel = group_cancel,
        .reset = group_reset,
};
