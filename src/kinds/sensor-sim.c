/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated device: in each period it has one of Choices= with the given probability, else nothing. What it
 * has in period k hangs on Seed= and k alone, so that two readers, or two days, see the same. Its periods count
 * from the time at which the job's first reading was due; a period that passes unread is gone, as a key that
 * nobody looked for.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "job/job.h"
#include "kinds/outcome.h"
#include "kinds/sensor.h"
#include "when/timespan.h"

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
                return run_set_memo(run, memo);
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

void sensor_sim_start(Run *run)
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
