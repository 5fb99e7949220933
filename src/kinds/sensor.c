/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type=sensor: a run reads a device once, by the driver that Driver= names. */
#include "kinds/sensor.h"

#include "job/spec.h"
#include "kinds/kinds.h"
#include "when/timespan.h"
#include "work/work.h"

#define SENSOR_CHOICES_MAX 256U
#define BLANKS " \t"

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
static const char *const driver_names[] = { [SENSOR_SIM] = "sim", [SENSOR_FILE] = "file", [_SENSOR_DRIVER_MAX] = NULL };

#define SENSOR(member, type_) .type = &config_type_##type_, .offset = offsetof(SensorConfig, member)

static const ConfigKey sensor_keys[] = {
        { "Driver", SENSOR(driver, choice), .choices = driver_names, .default_value = "sim",
          .help = "What is read. sim: a simulated device. file: a file with one number in it." },
        { "PeriodSec", SENSOR(period, span), .default_value = "1s", .min = USEC_PER_MSEC, .max = USEC_PER_YEAR,
          .help = "How often the simulated device may have something." },
        { "Choices", .type = &type_choices, .offset = offsetof(SensorConfig, choices),
          .help = "What it may have: words with blanks between them, of which each is as likely. Numbers are numbers." },
        { "Probability", SENSOR(probability, double), .default_value = "0.5", .max = 1,
          .help = "How likely it has something in a period, from 0 to 1." },
        { "Seed", SENSOR(seed, unsigned), .default_value = "0",
          .help = "Where its chance begins: with the same number it has the same in the same periods." },
        { "Path", SENSOR(path, template), .data = TEMPLATE_PATH,
          .help = "The file that is read. A relative path is one of the environment." },
        { "Scale", SENSOR(scale, real), .default_value = "1", .help = "What the sum of the number in the file and Offset= is multiplied by." },
        { "Offset", SENSOR(offset, real), .default_value = "0", .help = "What is added to the number in the file first." },
        { "Unit", SENSOR(unit, string), .help = "The unit of the value in the file, with offset and scale; it is told in the run's details." },
        {},
};

static const ConfigSection sensor_section = { "Sensor", sensor_keys, sizeof(SensorConfig) };

/* Each key but Driver= is of one driver. */
static const struct {
        const char *key;
        int driver;
} owned[] = {
        { "PeriodSec", SENSOR_SIM }, { "Choices", SENSOR_SIM }, { "Probability", SENSOR_SIM }, { "Seed", SENSOR_SIM },
        { "Path", SENSOR_FILE },     { "Scale", SENSOR_FILE },  { "Offset", SENSOR_FILE },     { "Unit", SENSOR_FILE },
};

static int note_path(JobSpec *spec, const SensorConfig *c, const ConfigItems *items)
{
        const char *path = c->driver == SENSOR_FILE && c->path ? template_constant(c->path) : NULL;
        const ConfigItem *item = config_items_find(items, "Sensor", "Path");

        return path && item ? job_spec_mention(spec, &(Mention){ .type = MENTION_FILE, .key = "Path", .name = (char *)path }, item, 0) : 0;
}

static unsigned sensor_events(const void *config)
{
        const SensorConfig *c = config;

        return c->driver == SENSOR_SIM ? EVENT_BIT(EVENT_PROGRESS) | EVENT_BIT(EVENT_YIELD) : 0;
}

static int sensor_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        const SensorConfig *c = config;
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
                const ConfigItem *item = config_items_find(items, "Sensor", owned[i].key);

                if (item && item->value[0] && owned[i].driver != c->driver)
                        r = config_item_key_contradiction(item, config_items_find(items, "Sensor", "Driver"), report,
                                                          "%s= is for Driver=%s, and this is Driver=%s", owned[i].key,
                                                          driver_names[owned[i].driver], driver_names[c->driver]);
        }
        if (c->driver == SENSOR_SIM && c->choices.n == 0)
                r = config_items_error(items, report, "Sensor", "Choices", 0,
                                       "Driver=sim needs Choices=, such as Choices=left right");
        if (c->driver == SENSOR_FILE && !c->path)
                r = config_items_error(items, report, "Sensor", "Path", 0,
                                       "Driver=file needs Path=, such as Path=/sys/class/thermal/thermal_zone0/temp");
        return r < 0 ? r : note_path(spec, c, items);
}

static void sensor_start(Run *run)
{
        static void (*const start[])(Run *run) = { [SENSOR_SIM] = sensor_sim_start, [SENSOR_FILE] = sensor_file_start };
        const SensorConfig *c = run_config(run);

        start[c->driver](run);
}

/* The simulated device is read at once: only a file may be under way. */
static void sensor_cancel(Run *run)
{
        SensorRun *state = run_state(run);

        state->call = work_call_stop(state->call);
        run_fail(run, "cancelled", "ended before its time");
}

static void sensor_reset(Run *run)
{
        SensorRun *state = run_state(run);

        work_call_stop(state->call);
        free(state->path);
}

const JobKind sensor_kind = {
        .name = "sensor",
        .help = "Reads a device.",
        .section = &sensor_section,
        .load = sensor_load,
        .events = sensor_events,
        .run_size = sizeof(SensorRun),
        .start = sensor_start,
        .cancel = sensor_cancel,
        .reset = sensor_reset,
};
