/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Job files made at random, beside what they mean. */
#include <stdio.h>

#include "base/string-util.h"

#include "model.h"
#include "world.h"

#define SEC INT64_C(1000000)
#define DAY (86400 * SEC)

const char *const zone_names[] = {
        "UTC", "Europe/Dublin", "Africa/Cairo", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York",
        "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Antarctica/Troll", "Pacific/Chatham", "Africa/Casablanca",
        "Asia/Gaza", "America/Caracas", "Asia/Pyongyang",
};
const unsigned n_zone_names = ARRAY_SIZE(zone_names);

static void _printf_(2, 3) say(Definition *d, const char *format, ...)
{
        size_t n = strlen(d->text);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(d->text + n, sizeof(d->text) - n, format, ap);
        va_end(ap);
}

/* Whether the local time of INSTANT names one instant alone, in whatever zone the job comes to stand on. */
static bool names_one(const Definition *d, int64_t t)
{
        for (unsigned i = 0; i < n_zone_names && d->machine_zone; i++)
                if (!local_is_quiet(local_zone(zone_names[i]), t))
                        return false;
        return local_is_quiet(d->rules.zone, t);
}

/* INSTANT as local time of the job's zone, where that names it alone; else in UTC. Returns it, or INT64_MIN. */
static int64_t say_time(Definition *d, const char *key, int64_t instant)
{
        int64_t t = instant / SEC, days, time;
        bool own = names_one(d, t);
        Stretch stretch;
        Date date;

        local_stretch(own ? d->rules.zone : local_zone("UTC"), t, &stretch);
        t += stretch.offset;
        days = t / 86400;
        time = t % 86400;
        date = local_date(days);
        say(d, "%s=%04d-%02d-%02d %02d:%02d:%02d%s\n", key, date.year, date.month, date.day, (int)(time / 3600),
            (int)(time / 60 % 60), (int)(time % 60), own ? "" : " UTC");
        return own ? t * SEC : INT64_MIN;
}

static void random_every(Definition *d, Random *random, bool dense)
{
        static const int64_t minutes[] = { 1, 5, 7, 15, 30, 60, 95, 360, 720, 1440, 2880, 10080, 14400 };

        d->every = (usec_t)(dense ? draw_range(random, 50000, 90 * SEC) : draw_range(random, 5 * 3600 * SEC, 20 * DAY));
        if (chance(random, 40)) {
                int64_t minute = minutes[dense ? draw(random, ARRAY_SIZE(minutes)) : 7 + draw(random, 6)];

                d->aligned = true;
                d->every = (usec_t)(60 * minute * SEC);
                d->grid = (Grid){ .origin = 4 * 86400, .span = 60 * minute };
        } else if (chance(random, 50)) {
                d->every -= d->every % (dense ? 1000 : 60 * SEC);
        }
        say(d, "Every=%lluus\n", (unsigned long long)d->every);
        if (d->aligned && chance(random, 40)) {
                int64_t days = draw_range(random, 14000, 17000), minute = draw_range(random, 0, 1439);
                Date date = local_date(days);

                say(d, "Align=%04d-%02d-%02d %02d:%02d\n", date.year, date.month, date.day, (int)(minute / 60), (int)(minute % 60));
                d->grid.origin = days * 86400 + minute * 60;
                d->grid.from_origin = true;
        } else if (d->aligned) {
                say(d, "Align=yes\n");
        }
}

static void random_triggers(Definition *d, Random *random, bool dense, int64_t now)
{
        unsigned n = chance(random, 70) ? 1 : 2 + (unsigned)draw(random, 3), daily = dense ? 100000 : chance(random, 5) ? 24 : 2;

        for (unsigned i = 0; i < n; i++)
                switch (draw(random, 12)) {
                case 0:
                case 1:
                        if (d->every == USEC_INFINITY)
                                random_every(d, random, dense);
                        break;
                case 2:
                        if (d->after == USEC_INFINITY) {
                                d->after = (usec_t)(dense ? draw_range(random, 1000, 90 * SEC) : draw_range(random, 5 * 3600 * SEC, 9 * DAY));
                                say(d, "After=%lluus\n", (unsigned long long)d->after);
                        }
                        break;
                case 3:
                        if (d->startup == USEC_INFINITY) {
                                d->startup = (usec_t)draw_range(random, 0, 2 * DAY);
                                say(d, "OnStartup=%lluus\n", (unsigned long long)d->startup);
                        }
                        break;
                case 4:
                        if (d->n_ats < ARRAY_SIZE(d->ats)) {
                                int64_t at = (now + draw_range(random, -DAY, 400 * DAY)) / SEC * SEC;

                                d->ats_local[d->n_ats] = say_time(d, "At", at);
                                d->ats[d->n_ats++] = (usec_t)at;
                        }
                        break;
                case 5:
                case 6:
                case 7:
                        pattern_random_cron(&d->patterns[d->n_patterns], random, daily);
                        say(d, "Cron=%s\n", d->patterns[d->n_patterns++].text);
                        break;
                default:
                        pattern_random_calendar(&d->patterns[d->n_patterns], random, daily, zone_names, n_zone_names);
                        say(d, "OnCalendar=%s\n", d->patterns[d->n_patterns++].text);
                }
}

static void random_schedule(Definition *d, Random *random, LocalZone *machine_zone, int64_t now)
{
        static const char *const folds[] = { "first", "second", "both" };
        bool dense = chance(random, 25);

        say(d, "[Schedule]\n");
        d->every = d->after = d->startup = d->until = USEC_INFINITY;
        d->machine_zone = chance(random, 15);
        if (d->machine_zone) {
                d->rules.zone = machine_zone;
        } else {
                d->rules.zone = local_zone(zone_names[draw(random, n_zone_names)]);
                say(d, "TimeZone=%s\n", local_zone_name(d->rules.zone));
        }
        if (chance(random, 40)) {
                d->rules.skip_gaps = chance(random, 50);
                d->rules.fold = (unsigned)draw(random, 3);
                say(d, "DstGap=%s\nDstFold=%s\n", d->rules.skip_gaps ? "skip" : "after", folds[d->rules.fold]);
        }
        random_triggers(d, random, dense, now);
        if (chance(random, 20))
                for (d->n_excludes = 0; d->n_excludes < 1 + draw(random, 2); d->n_excludes++) {
                        pattern_random_exclude(&d->excludes[d->n_excludes], random);
                        say(d, "Exclude=%s\n", d->excludes[d->n_excludes].text);
                }
        if (dense ? chance(random, 50) : chance(random, 5)) {
                int64_t until = (now + draw_range(random, 60 * SEC, dense ? DAY / 4 : 900 * DAY)) / SEC * SEC;

                d->until_local = say_time(d, "Until", until);
                d->until = (usec_t)until;
        }
        if ((dense && d->until == USEC_INFINITY) || chance(random, 5)) {
                d->count = (unsigned)draw_range(random, 1, chance(random, 10) ? 1000 : 200);
                say(d, "Count=%u\n", d->count);
        }
}

/* Persistent=yes is another way to write two of these. */
static void say_missed(Definition *d, Random *random)
{
        static const char *const names[] = { "skip", "latest", "all" };

        if (d->missed == MISSED_LATEST && d->resume && chance(random, 50))
                say(d, "Persistent=yes\n");
        else
                say(d, "Missed=%s\n%s", names[d->missed], d->resume ? "" : "Resume=no\n");
}

static void random_spread(Definition *d, Random *random)
{
        d->missed = (JobMissed)draw(random, 3);
        d->missed_window = chance(random, 50) ? USEC_INFINITY : (usec_t)draw_range(random, SEC, 3 * DAY);
        d->accuracy = chance(random, 90) ? 1000 : (usec_t)draw_range(random, 1, 600 * SEC);
        d->random_delay = chance(random, 90) ? 0 : (usec_t)draw_range(random, 1, 3600 * SEC);
        d->resume = chance(random, 80);
        say_missed(d, random);
        if (d->missed_window != USEC_INFINITY)
                say(d, "MissedWindowSec=%lluus\n", (unsigned long long)d->missed_window);
        if (d->accuracy != 1000)
                say(d, "AccuracySec=%lluus\n", (unsigned long long)d->accuracy);
        if (d->random_delay > 0)
                say(d, "RandomizedDelaySec=%lluus\nFixedRandomDelay=%s\n", (unsigned long long)d->random_delay,
                    chance(random, 50) ? "yes" : "no");
}

static void random_runs(Definition *d, Random *random)
{
        static const char *const overlaps[] = { "skip", "queue", "replace", "parallel" };

        d->overlap = (JobOverlap)draw(random, 4);
        d->max_parallel = (unsigned)draw(random, 4);
        d->max_queued = 1 + (unsigned)draw(random, 4);
        say(d, "Overlap=%s\nMaxParallel=%u\nMaxQueued=%u\n", overlaps[d->overlap], d->max_parallel, d->max_queued);
        if (chance(random, 70))
                d->duration = (usec_t)draw_range(random, 0, chance(random, 5) ? 8 * 3600 * SEC : 60 * SEC);
        d->fails = chance(random, 30) ? (unsigned)draw(random, 60) : 0;
        d->stubborn = chance(random, 20);
}

/* A job of nothing but a schedule; what its runs do is up to the simulation. */
static void random_definition(Definition *d, Random *random, LocalZone *machine_zone, int64_t now)
{
        *d = (Definition){};
        d->enabled = chance(random, 97);
        d->retries = chance(random, 30) ? (unsigned)draw(random, 4) : 0;
        say(d, "[Job]\nType=sleep\nEnabled=%s\nRetries=%u\nRetryDelaySec=%llums\n", d->enabled ? "yes" : "no", d->retries,
            (unsigned long long)draw_range(random, 1, 90000));
        if (chance(random, 20))
                say(d, "TimeoutSec=%llus\n", (unsigned long long)draw_range(random, 1, 40));
        random_schedule(d, random, machine_zone, now);
        random_spread(d, random);
        random_runs(d, random);
}

void model_define(Model *model, Random *random)
{
        const World *w = model->world;
        char name[16];

        (void)snprintf(name, sizeof(name), "j%04u", model->index);
        if (!model->definition)
                model->definition = new0(Definition, 1);
        do {
                job_spec_unref(model->definition->spec);
                random_definition(model->definition, random, world_zone(w), world_boottime(w) + world_offset(w));
                model->definition->spec = world_parse(w, name, model->definition->text);
        } while (!model->definition->spec);
        model_rate(model->definition);
}
