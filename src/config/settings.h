/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* takt.conf: the settings of an environment. */

#include "config/key.h"

/* A group that is given a right; zeroed: nobody said one. */
typedef struct GroupSetting {
        bool set;
        bool everybody; /* "*" */
        gid_t gid;
} GroupSetting;

/* [Daemon] */
typedef struct Settings {
        char *listen; /* of the status pages; NULL: off */
        unsigned max_runs;
        unsigned max_queued;
        unsigned keep_runs;
        unsigned keep_runs_total;
        int log_level; /* as in syslog.h */
        usec_t stop_timeout;
        char *sysfs_root;
        unsigned http_max_connections;
        unsigned http_max_host_connections;
        unsigned max_connections; /* of the control socket */
        unsigned max_connections_per_user;
        unsigned max_watchers;
        GroupSetting control_group;
        GroupSetting read_group;
} Settings;

extern const ConfigSection settings_section;

/* How sections of takt.conf begin that are no settings but resources (job/resource.h). */
#define SETTINGS_RESOURCE_PREFIX "Resource:"

/*
 * Reads the assignments of PATH, a takt.conf that may be missing, and of its drop-ins. -EBADMSG with problems
 * in REPORT, -ENOMEM.
 */
int settings_read(const char *path, ConfigItems *items, ConfigReport *report);
/*
 * What ITEMS say in [Daemon]; all that is wrong there and with the names of sections goes to REPORT.
 * -EBADMSG, -ENOMEM.
 */
int settings_load_items(const ConfigItems *items, ConfigReport *report, Settings **ret);
/* Both. PATH may be missing: then all is as by default. -EBADMSG with problems in REPORT, -ENOMEM. */
int settings_load(const char *path, ConfigReport *report, Settings **ret);
Settings *settings_free(Settings *settings);
DEFINE_CLEANUP(Settings *, settings_free);
