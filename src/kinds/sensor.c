/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=sensor: a run reads a device once. There is one driver so far, the simulated device: in each period it
 * has one of Choices= with the given probability, else nothing. What it has in period k hangs on Seed= and k
 * alone, so that two readers, or two days, see the same. Its periods count from the time at which the job's
 * first reading was due; a period that passes unread is gone, as a key that nobody looked for.
 */

#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/spec.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "when/timespan.h"

#define SENSOR_CHOICES_MAX 256U
#define BLANKS " \t"

/* Values as JSON text. */
typedef struct SensorChoices {
        char **texts;
        size_t n;
} SensorChoices;

typedef struct SensorConfig {
        int driver;
        usec_t period;
        SensorChoices choices;
        double probability;
        unsigned seed;
} SensorConfig;

/* The device, between the readings of a job. */
typedef struct SensorMemo {
        usec_t period;
        unsigned seed;
        usec_t start_boottime; /* of period 0 */
        uint64_t next;         /* the first period that was not read */
        uint64_t n_lost;
} SensorMemo;

typedef struct Reading {
        bool fresh;    /* there is a period that was not read before */
        uint64_t k;    /* that is read */
        uint64_t lost; /* that passed unread since the last reading */
        usec_t late;   /* since the first of these could have been read */
} Reading;

/* --- keys --- */

static void clear_choices(_unused_ const ConfigKey *key, void *target)
{
        SensorChoices *choices = target;

        for (size_t i = 0; i < choices->n; i++)
                free(choices->texts[i]);
        free(choices->texts);
        *choices = (SensorChoices){};
}

/* A word that is a number in JSON is one, any other a string. */
static int choice_to_json(const char *word, size_t n, Buffer *out)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonWriter w;
        int r = json_parse(word, n, NULL, &doc, NULL);

        if (r == -ENOMEM)
                return r;
        if (r >= 0 && (json_root(doc)->type == JSON_INT || json_root(doc)->type == JSON_DOUBLE))
                return buffer_append(out, word, n);
        json_writer_init(&w, out, 0);
        json_string_n(&w, word, n);
        return json_writer_end(&w);
}

static int add_choice(SensorChoices *choices, const char *word, size_t n)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char **grown = reallocarray(choices->texts, choices->n + 1, sizeof(*grown));
        int r;

        if (!grown)
                return -ENOMEM;
        choices->texts = grown;
        r = choice_to_json(word, n, &text);
        if (r < 0)
                return r;
        grown[choices->n] = buffer_steal(&text);
        if (!grown[choices->n])
                return -ENOMEM;
        choices->n++;
        return 0;
}

static int parse_choices(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        SensorChoices *choices = target;
        const char *word = value + strspn(value, BLANKS);

        while (*word) {
                size_t n = strcspn(word, BLANKS);
                int r;

                if (choices->n == SENSOR_CHOICES_MAX)
                        return config_item_error(site->item, site->report, (size_t)(word - value),
                                                 "there may be at most %u choices", SENSOR_CHOICES_MAX);
                r = add_choice(choices, word, n);
                if (r == -EINVAL)
                        return config_item_error(site->item, site->report, (size_t)(word - value), "this is no UTF-8");
                if (r < 0)
                        return r;
                word += n;
                word += strspn(word, BLANKS);
        }
        return 0;
}

static const ConfigType type_choices = {
        .metavar = "WORDS", .repeatable = true, .parse = parse_choices, .clear = clear_choices,
};
static const char *const driver_names[] = { "sim", NULL };

#define SENSOR(member, type_) .type = &config_type_##type_, .offset = offsetof(SensorConfig, member)

static const ConfigKey sensor_keys[] = {
        { "Driver", SENSOR(driver, choice), .choices = driver_names, .default_value = "sim",
          .help = "What is read. sim: a simulated device." },
        { "PeriodSec", SENSOR(period, span), .default_value = "1s", .min = USEC_PER_MSEC, .max = USEC_PER_YEAR,
          .help = "How often the simulated device may have something." },
        { "Choices", .type = &type_choices, .offset = offsetof(SensorConfig, choices),
          .help = "What it may have: words with blanks between them, of which each is as likely. Numbers are numbers." },
        { "Probability", SENSOR(probability, double), .default_value = "0.5", .max = 1,
          .help = "How likely it has something in a period, from 0 to 1." },
        { "Seed", SENSOR(seed, unsigned), .default_value = "0",
          .help = "Where its chance begins: with the same number it has the same in the same periods." },
        {},
};

static const ConfigSection sensor_section = { "Sensor", sensor_keys, sizeof(SensorConfig) };

static int sensor_load(_unused_ JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        const SensorConfig *c = config;

        if (c->choices.n > 0)
                return 0;
        return config_items_error(items, report, "Sensor", "Choices", 0,
                                  "Driver=sim needs Choices=, such as Choices=left right");
}

/* --- the simulated device --- */

/* Number I of splitmix64 (Steele, Lea, Flood 2014) from SEED: its state is a counter, so any of them comes at once. */
static uint64_t draw(uint64_t seed, uint64_t i)
{
        uint64_t z = seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* What the device has in period K, as JSON text; NULL: nothing. */
static const char *sim_value(const SensorConfig *c, uint64_t k)
{
        double chance = (double)(draw(c->seed, 2 * k) >> 11) * 0x1p-53;

        if (chance >= c->probability)
                return NULL;
        return c->choices.texts[(size_t)(((unsigned __int128)draw(c->seed, 2 * k + 1) * c->choices.n) >> 64)];
}

/* The job's device; a new one where there is none, or it became another. */
static SensorMemo get_device(const Run *run, const SensorConfig *c)
{
        const SensorMemo *memo = run_memo(run);
        usec_t now = clock_boottime(run->services->clock);

        if (memo && memo->period == c->period && memo->seed == c->seed)
                return *memo;
        return (SensorMemo){ .period = c->period, .seed = c->seed, .start_boottime = MIN(run->due_boottime, now) };
}

static int keep_device(Run *run, const SensorMemo *device)
{
        SensorMemo *memo = run_memo(run);

        if (!memo) {
                memo = malloc(sizeof(*memo));
                if (!memo)
                        return -ENOMEM;
                *memo = *device;
                run_set_memo(run, memo);
                return 0;
        }
        *memo = *device;
        return 0;
}

static Reading read_device(SensorMemo *memo, usec_t now)
{
        uint64_t k = usec_sub(now, memo->start_boottime) / memo->period;
        Reading reading = { .k = k };

        if (k < memo->next)
                return reading;
        reading.fresh = true;
        reading.lost = k - memo->next;
        if (reading.lost > 0)
                reading.late = now - (memo->start_boottime + memo->next * memo->period) - memo->period;
        memo->next = k + 1;
        memo->n_lost += reading.lost;
        return reading;
}

static void tell_lost(Run *run, const Reading *reading)
{
        char span[TIMESPAN_MAX], message[TIMESPAN_MAX + 96], data[96];

        (void)snprintf(message, sizeof(message), "missed: read %s too late, up to %" PRIu64 " events may be lost",
                       timespan_format(reading->late - reading->late % USEC_PER_MSEC, span), reading->lost);
        (void)snprintf(data, sizeof(data), "{\"missed\":{\"lateUsec\":%" PRIu64 ",\"lost\":%" PRIu64 "}}", reading->late,
                       reading->lost);
        run_progress(run, message, data);
}

static void note_details(Run *run, const SensorMemo *memo, const Reading *reading)
{
        run_set_details(run, xasprintf("{\"period\":%" PRIu64 ",\"lateUsec\":%" PRIu64 ",\"lost\":%" PRIu64
                                       ",\"lostTotal\":%" PRIu64 "}", reading->k, reading->late, reading->lost, memo->n_lost));
}

/* --- a run --- */

/* What there is wakes those who listen for it; each run ends with what it read, or null. */
static int yield_value(Run *run, const char *json)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = json_parse(json, strlen(json), NULL, &doc, NULL);

        if (r < 0)
                return r;
        r = buffer_append_string(&text, json);
        return r < 0 ? r : run_yield_value(run, json_root(doc), &text);
}

static void sensor_start(Run *run)
{
        const SensorConfig *c = run_config(run);
        SensorMemo device = get_device(run, c);
        Reading reading = read_device(&device, clock_boottime(run->services->clock));
        const char *value = reading.fresh ? sim_value(c, reading.k) : NULL;

        if (keep_device(run, &device) < 0) {
                run_fail(run, "memory", "no memory for the device");
                return;
        }
        note_details(run, &device, &reading);
        if (reading.lost > 0)
                tell_lost(run, &reading);
        /* What does not fit the job's outputs or schema is said at the end, and yielded to nobody. */
        if (value)
                (void)yield_value(run, value);
        run_finish_with_bytes(run, RESULT_JSON, value ?: "null", value ? strlen(value) : 4);
}

/* Never called: a run ends in its start(). */
static void sensor_cancel(Run *run)
{
        run_fail(run, "cancelled", "ended before its time");
}

const JobKind sensor_kind = {
        .name = "sensor",
        .help = "Reads a device.",
        .section = &sensor_section,
        .load = sensor_load,
        .start = sensor_start,
        .cancel = sensor_cancel,
};
