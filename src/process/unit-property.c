/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One row a property: its name, and the form that its value takes on the bus. What a form makes of a text is
 * one function, which is called without a message at load, to check, and with one for each run.
 */
#include "process/unit-property.h"

#include <linux/capability.h>
#include <sched.h>
#include <strings.h>
#include <sys/mount.h>

#include "base/buffer.h"
#include "base/string-util.h"

typedef struct PropertyRow PropertyRow;
/* Appends NAME and VALUE as the contents of a struct (sv). Returns -EINVAL where VALUE is none of that form. */
typedef int (*PropertyForm)(sd_bus_message *m, const PropertyRow *row, const char *value);

struct PropertyRow {
        const char *name;
        PropertyForm form;
        const char *expected; /* for errors */
        const char *bus_name; /* NULL: as NAME */
};

static const char *bus_name(const PropertyRow *row)
{
        return row->bus_name ?: row->name;
}

#define APPEND(m, ...) ((m) ? sd_bus_message_append((m), __VA_ARGS__) : 0)

static int form_bool(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        bool b;
        int r = parse_boolean(value, &b);

        return r < 0 ? r : APPEND(m, "sv", bus_name(row), "b", (int)b);
}

static int form_string(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        return value[0] ? APPEND(m, "sv", bus_name(row), "s", value) : -EINVAL;
}

static int form_int(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        int64_t number;
        int r = parse_int64(value, &number);

        if (r >= 0 && (number < -1000 || number > 1000))
                r = -EINVAL;
        return r < 0 ? r : APPEND(m, "sv", bus_name(row), "i", (int32_t)number);
}

static int form_number(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        uint64_t number = UINT64_MAX;
        int r = streq(value, "infinity") ? 0 : parse_uint64(value, &number);

        return r < 0 ? -EINVAL : APPEND(m, "sv", bus_name(row), "t", number);
}

static int form_size(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        uint64_t size = UINT64_MAX;
        int r = streq(value, "infinity") ? 0 : parse_size(value, &size);

        return r < 0 ? -EINVAL : APPEND(m, "sv", bus_name(row), "t", size);
}

/* "150%" of one processor is 1.5 s of its time a second. */
static int form_quota(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        _cleanup_free_ char *number = NULL;
        size_t n = strlen(value);
        double percent;

        if (n < 2 || value[n - 1] != '%')
                return -EINVAL;
        number = strndup(value, n - 1);
        if (!number)
                return -ENOMEM;
        if (parse_double(number, &percent) < 0 || percent < 0.1 || percent > 1e6)
                return -EINVAL;
        return APPEND(m, "sv", bus_name(row), "t", (uint64_t)(percent * 10000));
}

/* Opens the struct, NAME and a variant of CONTENTS with one container TYPE of ELEMENTS in it. */
static int open_list(sd_bus_message *m, const PropertyRow *row, const char *contents, const char *elements)
{
        int r;

        if (!m)
                return 0;
        r = sd_bus_message_append(m, "s", bus_name(row));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', contents);
        return r < 0 ? r : sd_bus_message_open_container(m, 'a', elements);
}

static int close_list(sd_bus_message *m)
{
        int r = m ? sd_bus_message_close_container(m) : 0;

        return r < 0 || !m ? r : sd_bus_message_close_container(m);
}

/* Calls ADD for each word of VALUE, at least one. */
static int for_words(sd_bus_message *m, const char *value, int (*add)(sd_bus_message *m, char *word))
{
        _cleanup_free_ char *copy = strdup(value);
        char *rest = NULL;
        int r = copy ? -EINVAL : -ENOMEM;

        for (char *word = copy ? strtok_r(copy, " \t", &rest) : NULL; word; word = strtok_r(NULL, " \t", &rest)) {
                r = add(m, word);
                if (r < 0)
                        return r;
        }
        return r;
}

static int add_string(sd_bus_message *m, char *word)
{
        return APPEND(m, "s", word);
}

static int form_strings(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        int r = open_list(m, row, "as", "s");

        if (r >= 0)
                r = for_words(m, value, add_string);
        return r < 0 ? r : close_list(m);
}

/* "~a b": all but these. */
static int form_filter(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        bool deny = value[0] == '~';
        int r = 0;

        if (m) {
                r = sd_bus_message_append(m, "s", bus_name(row));
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', "(bas)");
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'r', "bas");
                if (r >= 0)
                        r = sd_bus_message_append(m, "b", (int)!deny);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'a', "s");
        }
        if (r >= 0)
                r = for_words(m, value + deny, add_string);
        if (r >= 0 && m)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : close_list(m);
}

/* "/dev/ttyS0 rw", "/run:size=1M": two strings, the second of which may be missing. */
static int append_pair(sd_bus_message *m, const PropertyRow *row, const char *value, const char *separators, const char *second)
{
        size_t n = strcspn(value, separators);
        _cleanup_free_ char *first = strndup(value, n);
        int r;

        if (!first)
                return -ENOMEM;
        if (n == 0 || (value[n] && !value[n + 1]))
                return -EINVAL;
        r = open_list(m, row, "a(ss)", "(ss)");
        if (r >= 0)
                r = APPEND(m, "(ss)", first, value[n] ? value + n + 1 : second);
        return r < 0 ? r : close_list(m);
}

static int form_device(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        return append_pair(m, row, value, " ", "rwm");
}

static int form_file_system(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        return value[0] == '/' ? append_pair(m, row, value, ":", "") : -EINVAL;
}

/* "[-]SOURCE[:DESTINATION[:rbind|norbind]]" */
static int add_bind(sd_bus_message *m, char *word)
{
        bool ignore = word[0] == '-';
        char *source = word + ignore, *destination = strchr(source, ':'), *how = NULL;

        if (destination) {
                *destination++ = '\0';
                how = strchr(destination, ':');
                if (how)
                        *how++ = '\0';
        }
        if (source[0] != '/' || (destination && destination[0] != '/') || (how && !streq(how, "rbind") && !streq(how, "norbind")))
                return -EINVAL;
        return APPEND(m, "(ssbt)", source, destination ?: source, (int)ignore,
                      how && streq(how, "norbind") ? UINT64_C(0) : (uint64_t)MS_REC);
}

static int form_binds(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        int r = open_list(m, row, "a(ssbt)", "(ssbt)");

        if (r >= 0)
                r = for_words(m, value, add_bind);
        return r < 0 ? r : close_list(m);
}

typedef struct BitName {
        const char *name;
        uint64_t bit;
} BitName;

/* The bits of all words of VALUE, which may be a list of what is left out ("~…"), of those in NAMES. */
static int parse_bits(const char *value, const BitName *names, size_t n_names, uint64_t *ret)
{
        bool invert = value[0] == '~';
        _cleanup_free_ char *copy = strdup(value + invert);
        uint64_t bits = 0, all = 0;
        char *rest = NULL;

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n_names; i++)
                all |= names[i].bit;
        for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
                size_t i = 0;

                while (i < n_names && strcasecmp(names[i].name, word) != 0)
                        i++;
                if (i == n_names)
                        return -EINVAL;
                bits |= names[i].bit;
        }
        *ret = invert ? all & ~bits : bits;
        return 0;
}

#define CAPABILITY(name) { #name, UINT64_C(1) << name }
static const BitName capabilities[] = {
        CAPABILITY(CAP_AUDIT_CONTROL),      CAPABILITY(CAP_AUDIT_READ),    CAPABILITY(CAP_AUDIT_WRITE),
        CAPABILITY(CAP_BLOCK_SUSPEND),      CAPABILITY(CAP_BPF),           CAPABILITY(CAP_CHECKPOINT_RESTORE),
        CAPABILITY(CAP_CHOWN),              CAPABILITY(CAP_DAC_OVERRIDE),  CAPABILITY(CAP_DAC_READ_SEARCH),
        CAPABILITY(CAP_FOWNER),             CAPABILITY(CAP_FSETID),        CAPABILITY(CAP_IPC_LOCK),
        CAPABILITY(CAP_IPC_OWNER),          CAPABILITY(CAP_KILL),          CAPABILITY(CAP_LEASE),
        CAPABILITY(CAP_LINUX_IMMUTABLE),    CAPABILITY(CAP_MAC_ADMIN),     CAPABILITY(CAP_MAC_OVERRIDE),
        CAPABILITY(CAP_MKNOD),              CAPABILITY(CAP_NET_ADMIN),     CAPABILITY(CAP_NET_BIND_SERVICE),
        CAPABILITY(CAP_NET_BROADCAST),      CAPABILITY(CAP_NET_RAW),       CAPABILITY(CAP_PERFMON),
        CAPABILITY(CAP_SETFCAP),            CAPABILITY(CAP_SETGID),        CAPABILITY(CAP_SETPCAP),
        CAPABILITY(CAP_SETUID),             CAPABILITY(CAP_SYSLOG),        CAPABILITY(CAP_SYS_ADMIN),
        CAPABILITY(CAP_SYS_BOOT),           CAPABILITY(CAP_SYS_CHROOT),    CAPABILITY(CAP_SYS_MODULE),
        CAPABILITY(CAP_SYS_NICE),           CAPABILITY(CAP_SYS_PACCT),     CAPABILITY(CAP_SYS_PTRACE),
        CAPABILITY(CAP_SYS_RAWIO),          CAPABILITY(CAP_SYS_RESOURCE),  CAPABILITY(CAP_SYS_TIME),
        CAPABILITY(CAP_SYS_TTY_CONFIG),     CAPABILITY(CAP_WAKE_ALARM),
};

static int form_capabilities(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        uint64_t bits;
        int r = parse_bits(value, capabilities, ARRAY_SIZE(capabilities), &bits);

        return r < 0 ? r : APPEND(m, "sv", bus_name(row), "t", bits);
}

static const BitName namespaces[] = {
        { "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC },   { "net", CLONE_NEWNET }, { "mnt", CLONE_NEWNS },
        { "pid", CLONE_NEWPID },       { "user", CLONE_NEWUSER }, { "uts", CLONE_NEWUTS },
};

/* The bus names those that stay allowed: none for "yes", all for "no". */
static int form_namespaces(sd_bus_message *m, const PropertyRow *row, const char *value)
{
        uint64_t bits;
        bool restrict_all;
        int r = 0;

        if (parse_boolean(value, &restrict_all) >= 0)
                r = parse_bits(restrict_all ? "" : "~", namespaces, ARRAY_SIZE(namespaces), &bits);
        else
                r = parse_bits(value, namespaces, ARRAY_SIZE(namespaces), &bits);
        return r < 0 ? r : APPEND(m, "sv", bus_name(row), "t", bits);
}

#define YES_OR_NO "yes or no"
#define A_SIZE "a size such as 512M, or infinity"
#define A_NUMBER "a number, or infinity"
#define NAMES "names with blanks between them"
#define PATHS "paths with blanks between them"

static const PropertyRow rows[] = {
        { "AmbientCapabilities", form_capabilities, "capabilities such as CAP_NET_RAW, or ~ and those left out" },
        { "BindPaths", form_binds, "SOURCE:DESTINATION" },
        { "BindReadOnlyPaths", form_binds, "SOURCE:DESTINATION" },
        { "CPUQuota", form_quota, "a share of a processor such as 50%", .bus_name = "CPUQuotaPerSecUSec" },
        { "CPUWeight", form_number, A_NUMBER },
        { "CacheDirectory", form_strings, NAMES },
        { "CapabilityBoundingSet", form_capabilities, "capabilities such as CAP_NET_RAW, or ~ and those left out" },
        { "DeviceAllow", form_device, "a device and what is allowed, such as /dev/ttyS0 rw" },
        { "DevicePolicy", form_string, "auto, closed or strict" },
        { "DynamicUser", form_bool, YES_OR_NO },
        { "ExecPaths", form_strings, PATHS },
        { "Group", form_string, "a group" },
        { "IOWeight", form_number, A_NUMBER },
        { "InaccessiblePaths", form_strings, PATHS },
        { "KeyringMode", form_string, "inherit, private or shared" },
        { "LockPersonality", form_bool, YES_OR_NO },
        { "LogsDirectory", form_strings, NAMES },
        { "MemoryDenyWriteExecute", form_bool, YES_OR_NO },
        { "MemoryHigh", form_size, A_SIZE },
        { "MemoryLow", form_size, A_SIZE },
        { "MemoryMax", form_size, A_SIZE },
        { "MemoryMin", form_size, A_SIZE },
        { "MemorySwapMax", form_size, A_SIZE },
        { "NoExecPaths", form_strings, PATHS },
        { "NoNewPrivileges", form_bool, YES_OR_NO },
        { "OOMPolicy", form_string, "continue, stop or kill" },
        { "OOMScoreAdjust", form_int, "a number from -1000 to 1000" },
        { "PrivateDevices", form_bool, YES_OR_NO },
        { "PrivateIPC", form_bool, YES_OR_NO },
        { "PrivateMounts", form_bool, YES_OR_NO },
        { "PrivateNetwork", form_bool, YES_OR_NO },
        { "PrivateTmp", form_bool, YES_OR_NO },
        { "PrivateUsers", form_bool, YES_OR_NO },
        { "ProcSubset", form_string, "all or pid" },
        { "ProtectClock", form_bool, YES_OR_NO },
        { "ProtectControlGroups", form_bool, YES_OR_NO },
        { "ProtectHome", form_string, "yes, no, read-only or tmpfs" },
        { "ProtectHostname", form_bool, YES_OR_NO },
        { "ProtectKernelLogs", form_bool, YES_OR_NO },
        { "ProtectKernelModules", form_bool, YES_OR_NO },
        { "ProtectKernelTunables", form_bool, YES_OR_NO },
        { "ProtectProc", form_string, "default, noaccess, invisible or ptraceable" },
        { "ProtectSystem", form_string, "yes, no, full or strict" },
        { "ReadOnlyPaths", form_strings, PATHS },
        { "ReadWritePaths", form_strings, PATHS },
        { "RemoveIPC", form_bool, YES_OR_NO },
        { "RestrictAddressFamilies", form_filter, "families such as AF_UNIX AF_INET, or ~ and those left out" },
        { "RestrictNamespaces", form_namespaces, "yes, no, or namespaces such as net mnt" },
        { "RestrictRealtime", form_bool, YES_OR_NO },
        { "RestrictSUIDSGID", form_bool, YES_OR_NO },
        { "RootDirectory", form_string, "a path" },
        { "RuntimeDirectory", form_strings, NAMES },
        { "Slice", form_string, "the name of a slice unit" },
        { "StateDirectory", form_strings, NAMES },
        { "SupplementaryGroups", form_strings, NAMES },
        { "SystemCallArchitectures", form_strings, NAMES },
        { "SystemCallFilter", form_filter, "system calls such as @system-service, or ~ and those left out" },
        { "TasksMax", form_number, A_NUMBER },
        { "TemporaryFileSystem", form_file_system, "a path, with :OPTIONS where there are some" },
        { "User", form_string, "a user" },
};

/* -ENOENT with a sentence that has all names in it. */
static int fail_unknown(const char *name, size_t n, char **ret_error)
{
        _cleanup_free_ char *names = unit_property_names();

        if (!names)
                return -ENOMEM;
        if (ret_error)
                *ret_error = xasprintf("'%.*s' is not among the properties that are passed on: %s", (int)n, name, names);
        return -ENOENT;
}

int unit_property_append(sd_bus_message *m, const char *assignment, char **ret_error)
{
        const char *value = strchr(assignment, '=');
        size_t n = value ? (size_t)(value - assignment) : strlen(assignment), i = 0;
        int r;

        if (ret_error)
                *ret_error = NULL;
        while (i < ARRAY_SIZE(rows) && !(strlen(rows[i].name) == n && strncmp(rows[i].name, assignment, n) == 0))
                i++;
        if (i == ARRAY_SIZE(rows))
                return fail_unknown(assignment, n, ret_error);
        r = m ? sd_bus_message_open_container(m, 'r', "sv") : 0;
        if (r >= 0)
                r = value ? rows[i].form(m, &rows[i], value + 1) : -EINVAL;
        if (r >= 0 && m)
                r = sd_bus_message_close_container(m);
        if (r >= 0 || r == -ENOMEM)
                return MIN(r, 0);
        if (ret_error)
                *ret_error = xasprintf("say %s=VALUE, which is %s", rows[i].name, rows[i].expected);
        return -EINVAL;
}

char *unit_property_names(void)
{
        _cleanup_buffer_ Buffer names = BUFFER_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (buffer_appendf(&names, "%s%s", i > 0 ? ", " : "", rows[i].name) < 0)
                        return NULL;
        return buffer_steal(&names);
}
