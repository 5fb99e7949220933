/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/schedule-keys.h"

#include "base/string-util.h"
#include "job/spec.h"
#include "when/timespan.h"
#include "when/timestamp.h"

/* The most that RandomizedDelaySec= and AccuracySec= may be. */
#define SPREAD_MAX (366 * USEC_PER_DAY)

/* Read by schedule_settings_finish(): what they mean hangs on the zone. */
static int parse_later(_unused_ const ConfigKey *key, _unused_ const char *value, _unused_ const ConfigSite *site,
                       _unused_ void *target)
{
        return 0;
}

/* Nothing is kept before schedule_settings_finish(), so what an empty value takes back is left to that. */
static void clear_schedule(_unused_ const ConfigKey *key, void *target)
{
        Schedule *schedule = target, kept = *schedule;

        schedule_deinit(schedule);
        schedule->max_count = kept.max_count;
        schedule->gap = kept.gap;
        schedule->fold = kept.fold;
}

static const ConfigType type_trigger_span = { .metavar = "TIMESPAN", .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_trigger_time = { .metavar = "TIMESTAMP", .repeatable = true, .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_trigger_calendar = { .metavar = "CALENDAR", .repeatable = true, .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_trigger_cron = { .metavar = "CRON", .repeatable = true, .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_until = { .metavar = "TIMESTAMP", .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_align = { .metavar = "BOOLEAN|TIMESTAMP", .parse = parse_later, .clear = clear_schedule };
static const ConfigType type_zone = { .metavar = "ZONE", .parse = parse_later, .clear = clear_schedule };

static const char *const overlap_names[] = { "skip", "queue", "replace", "parallel", NULL };
static const char *const missed_names[] = { "skip", "latest", "all", NULL };
static const char *const gap_names[] = { "after", "skip", NULL };
static const char *const fold_names[] = { "first", "second", "both", NULL };

#define SCHEDULE(type_) .type = &type_, .offset = offsetof(ScheduleSettings, schedule)

const ConfigKey schedule_keys[] = {
        { "Every", SCHEDULE(type_trigger_span), .help = "A fixed rate: run k is due at the start plus k times this, whatever the runs take." },
        { "After", SCHEDULE(type_trigger_span), .help = "A fixed delay after the end of the run before; the first is due at once." },
        { "OnStartup", SCHEDULE(type_trigger_span), .help = "Once, so long after the start of the daemon." },
        { "At", SCHEDULE(type_trigger_time), .help = "Once, at this date and time." },
        { "OnCalendar", SCHEDULE(type_trigger_calendar), .help = "A calendar expression as in systemd.time(7)." },
        { "Cron", SCHEDULE(type_trigger_cron), .help = "A cron expression of five fields, or six with seconds first." },
        { "On", .type = &config_type_event_triggers, .offset = offsetof(ScheduleSettings, on),
          .help = "An event of the runs of another job, or of jobs that match: poll.succeeded, *.failed|timeout." },
        { "Exclude", SCHEDULE(type_trigger_calendar), .help = "A calendar expression of times at which nothing is due." },
        { "TimeZone", SCHEDULE(type_zone), .help = "The zone of the times above; the machine's own where it is not given." },
        { "Align", SCHEDULE(type_align), .help = "Puts the grid of Every= on the wall clock, or on this date and time." },
        { "Until", SCHEDULE(type_until), .help = "Nothing is due after this date and time." },
        { "Count", .type = &config_type_unsigned, .offset = offsetof(ScheduleSettings, schedule.max_count), .max = UINT32_MAX - 1,
          .default_value = "0", .help = "So many runs by schedule in all; 0 for no limit." },
        { "DstGap", .type = &config_type_choice, .offset = offsetof(ScheduleSettings, schedule.gap), .choices = gap_names,
          .default_value = "after", .help = "What becomes of a fixed time that a change of the clock skips." },
        { "DstFold", .type = &config_type_choice, .offset = offsetof(ScheduleSettings, schedule.fold), .choices = fold_names,
          .default_value = "first", .help = "Which one counts of a fixed time that a change of the clock repeats." },
        { "Missed", .type = &config_type_choice, .offset = offsetof(ScheduleSettings, missed), .choices = missed_names,
          .default_value = "skip", .help = "What becomes of times that passed without a run, as the machine slept or the daemon was stopped." },
        { "MissedWindowSec", .type = &config_type_span, .offset = offsetof(ScheduleSettings, missed_window), .min = 1,
          .default_value = "infinity", .help = "With Missed=latest and all: how old a missed time may be to be caught up on." },
        { "Resume", .type = &config_type_bool, .offset = offsetof(ScheduleSettings, resume), .default_value = "yes",
          .help = "Whether the schedule goes on where it was when the daemon is started again. With no it begins anew, and what passed meanwhile was never due." },
        { "Persistent", .type = &config_type_bool, .offset = offsetof(ScheduleSettings, persistent), .default_value = "no",
          .help = "With yes the same as Missed=latest and Resume=yes, which is what systemd.timer(5) means by it." },
        { "RandomizedDelaySec", .type = &config_type_span, .offset = offsetof(ScheduleSettings, random_delay), .max = SPREAD_MAX,
          .default_value = "0", .help = "Puts each run off by a random time up to this one, but not beyond the next." },
        { "FixedRandomDelay", .type = &config_type_bool, .offset = offsetof(ScheduleSettings, fixed_random_delay),
          .default_value = "no", .help = "Makes that delay the same each time, by the machine and the name of the job." },
        { "AccuracySec", .type = &config_type_span, .offset = offsetof(ScheduleSettings, accuracy), .min = 1, .max = SPREAD_MAX,
          .default_value = "1ms", .help = "How much later than due a run may begin, so that the machine wakes up for many jobs at once." },
        { "Overlap", .type = &config_type_choice, .offset = offsetof(ScheduleSettings, overlap), .choices = overlap_names,
          .default_value = "skip", .help = "What becomes of a run that is due while one of the job is under way. Where it is not set, a run that On= starts waits, as with queue." },
        { "MaxParallel", .type = &config_type_unsigned, .offset = offsetof(ScheduleSettings, max_parallel), .max = 1000000,
          .default_value = "0", .help = "The most runs of the job at a time with Overlap=parallel; 0 for no limit but MaxRuns=." },
        { "MaxQueued", .type = &config_type_unsigned, .offset = offsetof(ScheduleSettings, max_queued), .min = 1, .max = 1000000,
          .default_value = "100", .help = "The most runs of the job that wait with Overlap=queue, or for which On= has asked." },
        {},
};

static int item_when_error(const ConfigItem *item, ConfigReport *report, int r, const WhenError *error)
{
        return r == -ENOMEM ? r : config_item_error(item, report, error->offset, "%s", error->message);
}

static int add_span(ScheduleSettings *settings, TriggerType type, usec_t min, const ConfigItem *item, ConfigReport *report)
{
        char least[TIMESPAN_MAX];
        WhenError error = {};
        usec_t span;
        int r = timespan_parse(item->value, &span, &error);

        if (r < 0)
                return item_when_error(item, report, r, &error);
        if (span < min)
                return config_item_error(item, report, 0, "must be at least %s", timespan_format(min, least));
        if (span == USEC_INFINITY)
                return config_item_error(item, report, 0, "would never fire; leave the key out instead");
        return schedule_add_trigger(&settings->schedule, (Trigger){ .type = type, .span = span });
}

static int read_every(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        return add_span(settings, TRIGGER_EVERY, SCHEDULE_PERIOD_MIN, item, report);
}

static int read_after(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        return add_span(settings, TRIGGER_AFTER, 1, item, report);
}

static int read_on_startup(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        return add_span(settings, TRIGGER_STARTUP, 0, item, report);
}

static int read_at(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        Trigger trigger = { .type = TRIGGER_AT };
        WhenError error = {};
        int r = timestamp_parse(item->value, settings->schedule.zone, &trigger.at_realtime, &error);

        trigger.at_is_local = timestamp_parse_local(item->value, &trigger.at_local, NULL) >= 0;
        return r < 0 ? item_when_error(item, report, r, &error) : schedule_add_trigger(&settings->schedule, trigger);
}

static int read_on_calendar(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        Trigger trigger = { .type = TRIGGER_CALENDAR };
        WhenError error = {};
        int r = calendar_parse(item->value, &trigger.calendar, &error);

        return r < 0 ? item_when_error(item, report, r, &error) : schedule_add_trigger(&settings->schedule, trigger);
}

static int read_cron(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        Trigger trigger = { .type = TRIGGER_CRON };
        WhenError error = {};
        int r = cron_parse(item->value, &trigger.cron, &error);

        return r < 0 ? item_when_error(item, report, r, &error) : schedule_add_trigger(&settings->schedule, trigger);
}

static int read_exclude(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        WhenError error = {};
        Calendar *calendar;
        int r = calendar_parse(item->value, &calendar, &error);

        return r < 0 ? item_when_error(item, report, r, &error) : schedule_add_exclude(&settings->schedule, calendar);
}

static int read_time_zone(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        WhenError error = {};
        Zone *zone;
        int r = zone_load(item->value, &zone, &error);

        if (r < 0)
                return item_when_error(item, report, r, &error);
        zone_unref(settings->schedule.zone);
        settings->schedule.zone = zone;
        settings->schedule.zone_is_machine = false;
        return 0;
}

static int read_align(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        WhenError error = {};
        int r = schedule_parse_align(&settings->schedule, item->value, &error);

        return r < 0 ? item_when_error(item, report, r, &error) : 0;
}

static int read_until(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report)
{
        WhenError error = {};
        Schedule *schedule = &settings->schedule;
        int r = timestamp_parse(item->value, schedule->zone, &schedule->until_realtime, &error);

        schedule->until_is_local = timestamp_parse_local(item->value, &schedule->until_local, NULL) >= 0;
        return r < 0 ? item_when_error(item, report, r, &error) : 0;
}

/* In the order in which they are read: the zone is needed by all that name a time. */
static const struct ScheduleReader {
        const char *key;
        int (*read)(ScheduleSettings *settings, const ConfigItem *item, ConfigReport *report);
        bool repeatable;
        bool trigger;
} readers[] = {
        { "TimeZone", read_time_zone, false, false },
        { "Every", read_every, false, true },
        { "After", read_after, false, true },
        { "OnStartup", read_on_startup, false, true },
        { "At", read_at, true, true },
        { "OnCalendar", read_on_calendar, true, true },
        { "Cron", read_cron, true, true },
        { "Exclude", read_exclude, true, false },
        { "Align", read_align, false, false },
        { "Until", read_until, false, false },
};

static bool is_trigger(const char *key)
{
        for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
                if (streq(readers[i].key, key))
                        return readers[i].trigger;
        return false;
}

static bool is_assignment_of(const ConfigItem *item, const char *key)
{
        return streq(item->section, "Schedule") && streq(item->key, key);
}

/* As people see it. */
static int add_trigger_text(StringList *triggers, const ConfigItem *item)
{
        _cleanup_free_ char *text = xasprintf("%s=%s", item->key, item->value);

        return text ? string_list_append(triggers, text) : -ENOMEM;
}

/* The assignments of one key that count: since the last empty one, and only the last where it is not repeatable. */
static int read_key(const struct ScheduleReader *reader, ScheduleSettings *settings, StringList *triggers,
                    const ConfigItems *items, ConfigReport *report)
{
        size_t first = 0;
        bool bad = false;

        for (size_t i = 0; i < items->n; i++)
                if (is_assignment_of(&items->items[i], reader->key)) {
                        if (items->items[i].value[0] == '\0')
                                first = i + 1;
                        else if (!reader->repeatable)
                                first = i;
                }
        for (size_t i = first; i < items->n; i++) {
                int r = 0;

                if (is_assignment_of(&items->items[i], reader->key)) {
                        r = reader->read(settings, &items->items[i], report);
                        if (r >= 0 && reader->trigger)
                                r = add_trigger_text(triggers, &items->items[i]);
                }
                if (r == -ENOMEM)
                        return r;
                if (r == -E2BIG)
                        r = config_item_error(&items->items[i], report, 0, "more triggers than a job may have");
                bad = bad || r < 0;
        }
        return bad ? -EBADMSG : 0;
}

/* Which of several triggers and limits is to blame no one can tell: the last trigger is shown. NULL: there is none. */
static const ConfigItem *last_trigger(const ConfigItems *items)
{
        for (size_t i = items->n; i-- > 0;)
                if (streq(items->items[i].section, "Schedule") && is_trigger(items->items[i].key) && items->items[i].value[0])
                        return &items->items[i];
        return NULL;
}

/* A time that was missed has gone by all the same: who adds a job too late has a job that never runs. */
#define ONLY_CAUGHT_UP "; it is caught up on where an earlier daemon missed it (Missed=)"

/* Whether a time that passed may still be made up for. */
static bool may_catch_up(const ScheduleSettings *settings, usec_t realtime, usec_t now_realtime)
{
        return settings->missed != MISSED_SKIP && now_realtime - realtime <= settings->missed_window;
}

/* Each At= that has passed by itself. Returns how many there are. */
static size_t warn_of_past_times(const ScheduleSettings *settings, const ConfigItems *items, usec_t now_realtime,
                                 ConfigReport *warnings)
{
        const Schedule *schedule = &settings->schedule;
        const ConfigItem *item = NULL;
        size_t n = 0;

        for (size_t i = 0; i < schedule->n_triggers; i++) {
                usec_t at = schedule->triggers[i].at_realtime;

                if (schedule->triggers[i].type != TRIGGER_AT)
                        continue;
                item = config_items_next(items, "Schedule", "At", item);
                if (!item || at > now_realtime)
                        continue;
                config_item_warning(item, warnings, 0, "this time has gone by%s",
                                    may_catch_up(settings, at, now_realtime) ? ONLY_CAUGHT_UP : "");
                n++;
        }
        return n;
}

static int check(const ScheduleSettings *settings, const ConfigItems *items, ConfigReport *report, ConfigReport *warnings)
{
        const ScheduleNow now = {
                .boottime = clock_boottime(clock_system()),
                .realtime = clock_realtime(clock_system()),
        };
        const ConfigItem *item = last_trigger(items);
        WhenError error = {};
        int r = schedule_check(&settings->schedule, &now, &error);
        size_t n_past;

        if (r == -EINVAL)
                return item ? config_item_error(item, report, 0, "%s", error.message) :
                              config_report_add(report, items->files[0], 0, 0, "%s", error.message);
        n_past = warn_of_past_times(settings, items, now.realtime, warnings);
        if (now.realtime > settings->schedule.until_realtime)
                item = config_items_find(items, "Schedule", "Until");
        /* Times that have all passed are no fault of the file: the job is finished. */
        if (r == -ETIME && item && n_past < settings->schedule.n_triggers)
                config_item_warning(item, warnings, 0, "%s%s", error.message, settings->missed == MISSED_SKIP ? "" : ONLY_CAUGHT_UP);
        return 0;
}

/* What KEY is set to in the file, as written; NULL where it is left to its default. */
static const char *written(const ConfigItems *items, const char *key)
{
        const ConfigItem *item = config_items_find(items, "Schedule", key);

        return item && item->value[0] ? item->value : NULL;
}

/* Persistent=yes stands for two keys. A file that says something else in one of these contradicts itself. */
static int apply_persistent(ScheduleSettings *settings, const ConfigItems *items, ConfigReport *report)
{
        bool bad = false;

        if (!settings->persistent)
                return 0;
        if (written(items, "Missed") && settings->missed != MISSED_LATEST) {
                config_items_contradiction(items, report, "Schedule", "Missed", "Schedule", "Persistent",
                                           "Persistent=yes stands for Missed=latest: leave one of the two keys out");
                bad = true;
        }
        if (!settings->resume) {
                config_items_contradiction(items, report, "Schedule", "Resume", "Schedule", "Persistent",
                                           "Persistent=yes stands for Resume=yes: leave one of the two keys out");
                bad = true;
        }
        settings->missed = MISSED_LATEST;
        return bad ? -EBADMSG : 0;
}

int schedule_settings_finish(ScheduleSettings *settings, StringList *triggers, const ConfigItems *items,
                             ConfigReport *report, ConfigReport *warnings)
{
        bool bad = false;
        int r;

        settings->schedule.until_realtime = USEC_INFINITY;
        if (!settings->schedule.zone) {
                settings->schedule.zone_is_machine = true;
                r = zone_load(ZONE_LOCAL, &settings->schedule.zone, NULL);
                if (r == -ENOMEM)
                        return r;
        }
        for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
                r = read_key(&readers[i], settings, triggers, items, report);
                if (r == -ENOMEM)
                        return r;
                bad = bad || r < 0;
        }
        settings->event_overlap = written(items, "Overlap") ? settings->overlap : OVERLAP_QUEUE;
        settings->holds_events = !written(items, "Overlap") && !written(items, "MaxQueued");
        bad = apply_persistent(settings, items, report) < 0 || bad;
        for (size_t i = 0; i < settings->schedule.n_triggers; i++) {
                settings->counts_from_end |= settings->schedule.triggers[i].type == TRIGGER_AFTER;
                settings->counts_from_start |= settings->schedule.triggers[i].type == TRIGGER_STARTUP;
        }
        for (size_t i = 0; i < settings->on.n; i++) {
                r = string_list_append(triggers, settings->on.triggers[i].text);
                if (r < 0)
                        return r;
        }
        return bad ? -EBADMSG : check(settings, items, report, warnings);
}
