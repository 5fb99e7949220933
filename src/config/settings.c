/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/settings.h"

#include <grp.h>
#include <unistd.h>

#include "base/loopback.h"
#include "base/string-util.h"

#define SETTING(member, type_) .type = &config_type_##type_, .offset = offsetof(Settings, member)

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", NULL };

enum {
        GROUP_EVERYBODY = 1 << 0, /* of ConfigKey.data: "*" is allowed */
};

/* Looked up here, at start and reload, and not when a client connects: that may ask the network. */
static int parse_group(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        GroupSetting *setting = target;
        const struct group *group;
        uint64_t gid;

        if (streq(value, "*") && key->data & GROUP_EVERYBODY) {
                *setting = (GroupSetting){ .set = true, .everybody = true };
                return 0;
        }
        if (parse_uint64(value, &gid) < 0) {
                group = getgrnam(value);
                if (!group)
                        return config_item_error(site->item, site->report, 0, "there is no group '%s'", value);
                gid = group->gr_gid;
        }
        if (gid >= UINT32_MAX)
                return config_item_error(site->item, site->report, 0, "'%s' is no id of a group", value);
        *setting = (GroupSetting){ .set = true, .gid = (gid_t)gid };
        return 0;
}

static void clear_group(_unused_ const ConfigKey *key, void *target)
{
        *(GroupSetting *)target = (GroupSetting){};
}

static const ConfigType config_type_group = { "GROUP", .parse = parse_group, .clear = clear_group };

/* What the daemon could not listen on is refused here, with its place. */
static int parse_listen(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        LoopbackAddress address;
        const char *problem;
        size_t offset;

        if (loopback_address_parse(value, &address, &problem, &offset) < 0)
                return config_item_error(site->item, site->report, offset, "%s", problem);
        return config_type_string.parse(key, value, site, target);
}

static void clear_listen(const ConfigKey *key, void *target)
{
        config_type_string.clear(key, target);
}

static const ConfigType config_type_listen = { "ADDRESS", .parse = parse_listen, .clear = clear_listen };

static const ConfigKey settings_keys[] = {
        { "Listen", SETTING(listen, listen),
          .help = "Where the status pages /healthz and /metrics are served: 127.0.0.1:PORT, [::1]:PORT or the path of a UNIX socket. Off unless set." },
        { "MaxRuns", SETTING(max_runs, unsigned), .min = 1, .max = 10000000, .default_value = "10000",
          .help = "The most runs of all jobs that are under way at a time; others wait." },
        { "MaxQueued", SETTING(max_queued, unsigned), .min = 1, .max = 10000000, .default_value = "100000",
          .help = "The most runs of all jobs that wait for a place; others are skipped." },
        { "KeepRuns", SETTING(keep_runs, unsigned), .max = 1000000, .default_value = "100",
          .help = "How many ended runs of a job are kept." },
        { "KeepRunsTotal", SETTING(keep_runs_total, unsigned), .max = 10000000, .default_value = "20000",
          .help = "How many ended runs of all jobs are kept." },
        { "LogLevel", SETTING(log_level, choice), .choices = level_names, .default_value = "info",
          .help = "The least important messages that are logged." },
        { "StopTimeoutSec", SETTING(stop_timeout, span), .default_value = "20s",
          .help = "How long runs under way may take to end when the daemon is stopped. What later ones had entered is left at the next start." },
        { "SysfsRoot", SETTING(sysfs_root, string), .default_value = "/sys", .help = "Where sysfs is; for tests with a copy of it." },
        { "HttpMaxConnections", SETTING(http_max_connections, unsigned), .min = 1, .max = 100000, .default_value = "1024",
          .help = "The most connections of http jobs at a time; further requests wait." },
        { "HttpMaxHostConnections", SETTING(http_max_host_connections, unsigned), .min = 1, .max = 100000, .default_value = "256",
          .help = "As above, to one host and port." },
        { "MaxConnections", SETTING(max_connections, unsigned), .min = 1, .max = 100000, .default_value = "4096",
          .help = "The most connections to the control socket." },
        { "MaxConnectionsPerUser", SETTING(max_connections_per_user, unsigned), .min = 1, .max = 100000, .default_value = "1024",
          .help = "As above, of one user." },
        { "MaxWatchers", SETTING(max_watchers, unsigned), .min = 1, .max = 100000, .default_value = "2000",
          .help = "The most clients that watch events at a time." },
        { "ControlGroup", SETTING(control_group, group),
          .help = "The group that may control the daemon, by name or id, besides root and the daemon's own user. Without it, the group of the control socket." },
        { "ReadGroup", SETTING(read_group, group), .data = GROUP_EVERYBODY,
          .help = "The group that may look at everything and change nothing, by name or id; * is everybody. Without it, nobody." },
        {},
};

const ConfigSection settings_section = { "Daemon", settings_keys, sizeof(Settings) };

Settings *settings_free(Settings *settings)
{
        if (!settings)
                return NULL;
        config_section_deinit(&settings_section, settings);
        free(settings);
        return NULL;
}

static int refuse_unknown_sections(const ConfigItems *items, ConfigReport *report)
{
        int r = 0;

        for (size_t i = 0; i < items->n_heads; i++) {
                const ConfigItem *head = &items->heads[i];

                if (!startswith(head->section, SETTINGS_RESOURCE_PREFIX) && !streq(head->section, settings_section.name))
                        r = config_item_key_error(head, report, "there is no section [%s]; takt.conf has [%s] and [%sNAME]",
                                                  head->section, settings_section.name, SETTINGS_RESOURCE_PREFIX);
        }
        return r;
}

int settings_load_items(const ConfigItems *items, ConfigReport *report, Settings **ret)
{
        _cleanup_(settings_freep) Settings *settings = new0(Settings, 1);
        int r, k;

        if (!settings)
                return -ENOMEM;
        r = config_section_init(&settings_section, settings);
        if (r < 0)
                return r;
        for (size_t i = 0; i < items->n; i++) {
                k = streq(items->items[i].section, settings_section.name) ?
                                config_section_apply(&settings_section, &items->items[i], settings, report) : 0;
                if (k == -ENOMEM)
                        return k;
                r = r < 0 ? r : k;
        }
        k = refuse_unknown_sections(items, report);
        if (r < 0 || k < 0)
                return r < 0 ? r : k;
        *ret = TAKE_PTR(settings);
        return 0;
}

int settings_read(const char *path, ConfigItems *items, ConfigReport *report)
{
        return access(path, F_OK) == 0 ? config_parse_file_with_dropins(path, items, report) : 0;
}

int settings_load(const char *path, ConfigReport *report, Settings **ret)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;
        int r = settings_read(path, &items, report), k;

        if (r == -ENOMEM)
                return r;
        k = settings_load_items(&items, report, &settings);
        if (r < 0 || k < 0)
                return k == -ENOMEM || r >= 0 ? k : r;
        *ret = TAKE_PTR(settings);
        return 0;
}
