/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of the sections that every job may have, and what each needs in order to do something; see key-need.h.
 */
#include "job/key-need.h"

#include "base/string-util.h"
#include "job/spec-internal.h"

#define TRIGGER_BIT(type) (1U << (type))
/* Times that can be missed: a delay names no point in time, and so it can only be late. */
#define TRIGGERS_OF_TIMES (TRIGGER_BIT(TRIGGER_EVERY) | TRIGGER_BIT(TRIGGER_AT) | TRIGGER_BIT(TRIGGER_CALENDAR) | TRIGGER_BIT(TRIGGER_CRON))
#define TRIGGERS_OF_PATTERNS (TRIGGER_BIT(TRIGGER_CALENDAR) | TRIGGER_BIT(TRIGGER_CRON))

static unsigned triggers_of(const JobSpec *spec)
{
        const Schedule *schedule = &spec->schedule.schedule;
        unsigned types = 0;

        for (size_t i = 0; i < schedule->n_triggers; i++)
                types |= TRIGGER_BIT(schedule->triggers[i].type);
        return types;
}

static bool has_trigger(const JobSpec *spec)
{
        return spec->schedule.schedule.n_triggers > 0;
}

static bool has_times(const JobSpec *spec)
{
        return triggers_of(spec) & TRIGGERS_OF_TIMES;
}

static bool has_more_than_startup(const JobSpec *spec)
{
        return triggers_of(spec) != TRIGGER_BIT(TRIGGER_STARTUP) || spec->schedule.schedule.max_count > 0;
}

static bool has_every(const JobSpec *spec)
{
        return !spec->schedule.schedule.align || triggers_of(spec) & TRIGGER_BIT(TRIGGER_EVERY);
}

/* An aligned Every= of whole days keeps its time of day, as a calendar's times do. */
static bool has_days_of_grid(const Schedule *schedule)
{
        for (size_t i = 0; i < schedule->n_triggers && schedule->align; i++)
                if (schedule->triggers[i].type == TRIGGER_EVERY && schedule->triggers[i].span % USEC_PER_DAY == 0)
                        return true;
        return false;
}

static bool has_fixed_times(const JobSpec *spec)
{
        const Schedule *schedule = &spec->schedule.schedule;

        return triggers_of(spec) & TRIGGERS_OF_PATTERNS || schedule->n_excludes > 0 || has_days_of_grid(schedule);
}

static bool has_local_time(const Schedule *schedule)
{
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_AT && schedule->triggers[i].at_is_local)
                        return true;
        return (schedule->until_is_local || schedule->n_excludes > 0 || schedule->align) && schedule->n_triggers > 0;
}

/* ${scheduled:%H} and its like are in the job's zone as well. */
static bool has_use_for_zone(const JobSpec *spec)
{
        return spec->uses_zone || has_fixed_times(spec) || has_local_time(&spec->schedule.schedule);
}

static bool catches_up(const JobSpec *spec)
{
        return spec->schedule.missed != MISSED_SKIP;
}

static bool has_random_delay(const JobSpec *spec)
{
        return spec->schedule.random_delay > 0;
}

static bool is_parallel(const JobSpec *spec)
{
        return spec->schedule.overlap == OVERLAP_PARALLEL;
}

static bool lets_runs_wait(const JobSpec *spec)
{
        const ScheduleSettings *rules = &spec->schedule;

        return rules->overlap == OVERLAP_QUEUE || (rules->on.n > 0 && rules->event_overlap == OVERLAP_QUEUE);
}

static bool has_retries(const JobSpec *spec)
{
        return spec->job.retries > 0;
}

static bool is_published(const JobSpec *spec)
{
        return spec->publish.file;
}

#define NO_TRIGGER "no key of [Schedule] says at which times the job runs"
#define NEVER_MISSED "After= and OnStartup= are never missed, and no other key says at which times the job runs"
#define NO_FIXED_TIME "there is no OnCalendar=, Cron= or Exclude= and no Align= with an Every= of whole days"

/* Of several rows of a key the first that is not met is told. */
static const KeyNeed schedule_needs[] = {
        { "Exclude", has_trigger, NO_TRIGGER, NULL },
        { "TimeZone", has_use_for_zone, "the file names no time that is one of a zone", NULL },
        { "Align", has_trigger, NO_TRIGGER, NULL },
        { "Align", has_every, "it is about the grid of Every=, which is not set", NULL },
        { "Until", has_trigger, NO_TRIGGER, NULL },
        { "Count", has_trigger, NO_TRIGGER, NULL },
        { "DstGap", has_trigger, NO_TRIGGER, NULL },
        { "DstGap", has_fixed_times, NO_FIXED_TIME, NULL },
        { "DstFold", has_trigger, NO_TRIGGER, NULL },
        { "DstFold", has_fixed_times, NO_FIXED_TIME, NULL },
        { "Missed", has_trigger, NO_TRIGGER, NULL },
        { "Missed", has_times, NEVER_MISSED, NULL },
        { "MissedWindowSec", has_trigger, NO_TRIGGER, NULL },
        { "MissedWindowSec", catches_up, "Missed= is skip", "Missed" },
        { "MissedWindowSec", has_times, NEVER_MISSED, NULL },
        { "Resume", has_trigger, NO_TRIGGER, NULL },
        { "Resume", has_more_than_startup, "OnStartup= begins anew with each start of the daemon anyway", NULL },
        { "Persistent", has_trigger, NO_TRIGGER, NULL },
        { "Persistent", has_times, NEVER_MISSED, NULL },
        { "RandomizedDelaySec", has_trigger, NO_TRIGGER, NULL },
        { "FixedRandomDelay", has_trigger, NO_TRIGGER, NULL },
        { "FixedRandomDelay", has_random_delay, "RandomizedDelaySec= is not set", "RandomizedDelaySec" },
        { "AccuracySec", has_trigger, NO_TRIGGER, NULL },
        { "MaxParallel", is_parallel, "Overlap= is not parallel", "Overlap" },
        { "MaxQueued", lets_runs_wait, "neither Overlap=queue nor On= lets runs of the job wait", "Overlap" },
        {},
};

static const KeyNeed job_needs[] = {
        { "RetryDelaySec", has_retries, "Retries= is not set", "Retries" },
        { "RetryMaxDelaySec", has_retries, "Retries= is not set", "Retries" },
        {},
};

static const KeyNeed publish_needs[] = {
        { "Indent", is_published, "File= is not set", "File" },
        {},
};

/* Where the key stands that is to blame, in case that is another file than ITEM's. */
static int append_other(const ConfigItems *items, const ConfigItem *item, const char *key, Buffer *out)
{
        const ConfigItem *other = key ? config_items_find(items, item->section, key) : NULL;

        return other ? config_item_append_other_place(item, other, out) : 0;
}

static int warn(JobSpec *spec, const ConfigItems *items, const ConfigItem *item, const KeyNeed *need)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = buffer_appendf(&text, "does nothing, as %s", need->why);

        if (r >= 0)
                r = append_other(items, item, need->other, &text);
        return r < 0 ? r : job_spec_warn_at(spec, item, 0, need->key, buffer_string(&text));
}

static int check_needs(JobSpec *spec, const ConfigItems *items, const ConfigSection *section, const KeyNeed *needs)
{
        const char *told = "";
        int r = 0;

        for (const KeyNeed *need = needs; need && need->key && r >= 0; need++) {
                const ConfigItem *item = config_items_find(items, section->name, need->key);

                if (!item || !item->value[0] || streq(need->key, told) || need->is_met(spec) ||
                    config_item_says_default(item, config_section_find(section, need->key)))
                        continue;
                told = need->key;
                r = warn(spec, items, item, need);
        }
        return r;
}

int spec_check_needs(JobSpec *spec, const ConfigItems *items)
{
        static const struct {
                const char *section;
                const KeyNeed *needs;
        } tables[] = { { "Job", job_needs }, { "Schedule", schedule_needs }, { "Publish", publish_needs } };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(tables) && r >= 0; i++)
                r = check_needs(spec, items, spec_find_section(spec, tables[i].section).section, tables[i].needs);
        return r >= 0 && spec->kind->section ? check_needs(spec, items, spec->kind->section, spec->kind->needs) : r;
}
