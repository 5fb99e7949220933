/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the configuration of sensors (sensor.c) and the drivers that read them share. */

#include "job/run.h"
#include "job/types.h"

typedef enum SensorDriver {
        SENSOR_SIM,
        SENSOR_FILE,
        _SENSOR_DRIVER_MAX,
} SensorDriver;

/* Values as JSON text. */
typedef struct SensorChoices {
        char **texts;
        size_t n;
} SensorChoices;

typedef struct SensorConfig {
        int driver; /* SensorDriver */

        /* sim */
        usec_t period;
        SensorChoices choices;
        double probability;
        unsigned seed;

        /* file */
        Template *path;
        double scale, offset;
        char *unit; /* NULL: none */
} SensorConfig;

/* What is under way: of file. */
typedef struct SensorRun {
        struct WorkCall *call; /* NULL: nothing */
        char *path;
} SensorRun;

/* Each reads once and ends RUN, now or later. */
void sensor_sim_start(Run *run);
void sensor_file_start(Run *run);
