/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sensor that is a file with one number in it, such as those of sysfs. Reading one may take as long as the device
 * behind it (750 ms on a 1-wire bus) or for ever (a pipe), so that takt-worker does it.
 */
#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/environment.h"
#include "job/expand.h"
#include "job/spec.h"
#include "kinds/outcome.h"
#include "kinds/sensor.h"
#include "when/timespan.h"
#include "work/limits.h"
#include "work/work.h"

/* Of a file; those of sysfs have no more either. */
#define SENSOR_FILE_MAX_BYTES 4096

/* Digits that survive a conversion to double and back: what comes behind them is its noise, not the device's. */
#define SENSOR_DIGITS 15

/* (raw + offset) × scale, as the kernel's IIO has it. */
static double measure(const SensorConfig *c, double raw)
{
        char digits[32];
        double value = (raw + c->offset) * c->scale;

        if (c->offset == 0 && c->scale == 1)
                return raw;
        (void)snprintf(digits, sizeof(digits), "%.*g", SENSOR_DIGITS, value);
        return parse_double(digits, &value) < 0 ? NAN : value;
}

/* A whole number is one, where a double has it exactly. */
static void write_number(JsonWriter *w, double value)
{
        if (fabs(value) < 0x1p53 && value == trunc(value))
                json_int(w, (int64_t)value);
        else
                json_double(w, value);
}

static void set_details(Run *run, const SensorConfig *c, double raw)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        json_begin_object(&w);
        json_key(&w, "raw");
        write_number(&w, raw);
        if (c->unit) {
                json_key(&w, "unit");
                json_string(&w, c->unit);
        }
        json_end_object(&w);
        if (json_writer_end(&w) >= 0)
                run_set_details(run, buffer_steal(&text));
}

static void take_contents(Run *run, char *contents)
{
        const SensorConfig *c = run_config(run);
        const SensorRun *state = run_state(run);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const char *number = strip(contents);
        double raw, value;
        JsonWriter w;

        if (number[0] == '\0') {
                run_fail(run, "bad-number", "%s is empty, where a number was expected", state->path);
                return;
        }
        if (parse_double(number, &raw) < 0) {
                run_fail(run, "bad-number", "%s: '%.*s' is no number", state->path, (int)MIN(strlen(number), (size_t)64), number);
                return;
        }
        value = measure(c, raw);
        if (!isfinite(value)) {
                run_fail(run, "bad-number", "%s: %g becomes too large a number by Offset= and Scale=", state->path, raw);
                return;
        }
        set_details(run, c, raw);
        json_writer_init(&w, &text, 0);
        write_number(&w, value);
        if (json_writer_end(&w) < 0)
                run_fail(run, "memory", "no memory for the value");
        else
                run_finish_with_bytes(run, RESULT_JSON, text.data, text.len);
}

static void fail(Run *run, const WorkAnswer *answer)
{
        /* What the worker tells apart for others is the same here. */
        bool unreadable = answer->error == -ETIMEDOUT || streq(answer->kind, "missing");
        const SensorRun *state = run_state(run);
        char span[TIMESPAN_MAX], late[TIMESPAN_MAX + 32];

        (void)snprintf(late, sizeof(late), "nothing came within %s", timespan_format(WORK_TIMEOUT_USEC, span));
        run_fail(run, unreadable ? "read" : answer->kind, "%s: %s", state->path, answer->error == -ETIMEDOUT ? late : answer->message);
}

static void on_read(_unused_ WorkCall *call, const WorkAnswer *answer, void *userdata)
{
        Run *run = userdata;
        SensorRun *state = run_state(run);
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *contents = NULL;

        state->call = NULL;
        if (answer->error < 0) {
                fail(run, answer);
                return;
        }
        if (json_parse(answer->text, answer->n, NULL, &doc, NULL) >= 0)
                contents = strdup(json_string_or_null(json_root(doc)) ?: "");
        if (contents)
                take_contents(run, contents);
        else
                run_fail(run, "memory", "no memory for what is in %s", state->path);
}

/* A relative path is one of the environment, as for all that a job names. The error of a failure is set. */
static int find_path(Run *run, char **ret)
{
        const struct Environment *e = run->services->environment;
        const SensorConfig *c = run_config(run);
        _cleanup_buffer_ Buffer path = BUFFER_NULL;

        if (run_expand(run, c->path, &path) < 0)
                return -EBADMSG;
        *ret = path_join(e ? environment_work_directory(e) : ".", buffer_string(&path));
        if (*ret)
                return 0;
        run_fail(run, "memory", "no memory for the path");
        return -ENOMEM;
}

static int ask(Run *run)
{
        SensorRun *state = run_state(run);
        _cleanup_buffer_ Buffer header = BUFFER_NULL;
        JsonWriter w;
        int r;

        if (!run->services->work)
                return -EOPNOTSUPP;
        json_writer_init(&w, &header, 0);
        json_begin_object(&w);
        json_key(&w, "do");
        json_string(&w, "read");
        json_key(&w, "path");
        json_string(&w, state->path);
        json_key(&w, "max");
        json_uint(&w, SENSOR_FILE_MAX_BYTES);
        json_end_object(&w);
        r = json_writer_end(&w);
        return r < 0 ? r : work_ask(run->services->work, WORK_FILES, header.data, header.len, NULL, 0, WORK_TIMEOUT_USEC, on_read,
                                    run, &state->call);
}

void sensor_file_start(Run *run)
{
        SensorRun *state = run_state(run);
        int r;

        if (find_path(run, &state->path) < 0)
                return;
        r = ask(run);
        if (r == -EAGAIN)
                run_fail(run, "read", "%s: too many files are waited for", state->path);
        else if (r < 0)
                run_fail(run, "read", "%s: takt-worker can't be asked: %s", state->path, strerror(-r));
}
