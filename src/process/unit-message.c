/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A UnitRequest as the arguments of StartTransientUnit(), and what a unit tells, org.freedesktop.systemd1(5). */
#include <signal.h>

#include "base/file.h"
#include "base/memory-file.h"
#include "base/string-util.h"
#include "process/transient-unit-internal.h"
#include "process/unit-property.h"

static const struct {
        int resource;
        const char *hard;
        const char *soft;
} limits[] = {
        { RLIMIT_AS, "LimitAS", "LimitASSoft" },
        { RLIMIT_CORE, "LimitCORE", "LimitCORESoft" },
        { RLIMIT_CPU, "LimitCPU", "LimitCPUSoft" },
        { RLIMIT_DATA, "LimitDATA", "LimitDATASoft" },
        { RLIMIT_FSIZE, "LimitFSIZE", "LimitFSIZESoft" },
        { RLIMIT_LOCKS, "LimitLOCKS", "LimitLOCKSSoft" },
        { RLIMIT_MEMLOCK, "LimitMEMLOCK", "LimitMEMLOCKSoft" },
        { RLIMIT_NOFILE, "LimitNOFILE", "LimitNOFILESoft" },
        { RLIMIT_NPROC, "LimitNPROC", "LimitNPROCSoft" },
        { RLIMIT_RTPRIO, "LimitRTPRIO", "LimitRTPRIOSoft" },
        { RLIMIT_STACK, "LimitSTACK", "LimitSTACKSoft" },
};

/* systemd gives the time of a CPU limit in microseconds. */
static uint64_t limit_value(const SpawnLimit *limit, rlim_t value)
{
        if (value == RLIM_INFINITY)
                return UINT64_MAX;
        return limit->resource == RLIMIT_CPU ? (uint64_t)value * USEC_PER_SEC : (uint64_t)value;
}

static int append_limits(sd_bus_message *m, const SpawnRequest *command)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < command->n_limits; i++)
                for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(limits); k++) {
                        const SpawnLimit *limit = &command->limits[i];

                        if (limits[k].resource == limit->resource)
                                r = sd_bus_message_append(m, "(sv)(sv)", limits[k].hard, "t", limit_value(limit, limit->limit.rlim_max),
                                                          limits[k].soft, "t", limit_value(limit, limit->limit.rlim_cur));
                }
        return r;
}

/* A property of type "as". WORDS may be NULL. */
static int append_strings(sd_bus_message *m, const char *name, char *const *words)
{
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **)(uintptr_t)words);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* One command line, of whose words the manager expands nothing. */
static int append_command(sd_bus_message *m, char *const *argv)
{
        static char *const flags[] = { (char *)(uintptr_t)"no-env-expand", NULL };
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStartEx");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasas");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", argv[0]);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **)(uintptr_t)argv);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **)(uintptr_t)flags);
        for (unsigned i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* Where a program without a slash is looked for: the directories of the environment's PATH. */
static int append_search_path(sd_bus_message *m, const SpawnRequest *command)
{
        _cleanup_free_ char *copy = NULL;
        const char *directories[64] = {};
        const char *path = NULL;
        char *rest = NULL;
        size_t n = 0;

        for (char *const *v = command->environment; v && *v; v++)
                if (strncmp(*v, "PATH=", 5) == 0)
                        path = *v + 5;
        if (!path || strchr(command->argv[0], '/'))
                return 0;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        for (char *d = strtok_r(copy, ":", &rest); d && n < ARRAY_SIZE(directories) - 1; d = strtok_r(NULL, ":", &rest))
                if (d[0] == '/')
                        directories[n++] = d;
        return append_strings(m, "ExecSearchPath", (char *const *)(uintptr_t)directories);
}

static int append_input(sd_bus_message *m, const SpawnInput *input)
{
        _cleanup_close_ int fd = -1;
        int r;

        if (input->mode == SPAWN_NULL)
                return sd_bus_message_append(m, "(sv)", "StandardInput", "s", "null");
        if (input->mode != SPAWN_BYTES)
                return -EINVAL;
        r = memory_file_new("takt-input", input->data, input->n, &fd);
        return r < 0 ? r : sd_bus_message_append(m, "(sv)", "StandardInputFileDescriptor", "h", fd);
}

/* SIGKILL after no time at all is the first signal. */
static int append_kill(sd_bus_message *m, const SpawnRequest *command)
{
        int signo = command->kill_after == 0 ? SIGKILL : command->kill_signal ?: SIGTERM;
        uint64_t timeout = command->kill_after == 0 ? USEC_PER_SEC : command->kill_after;

        return sd_bus_message_append(m, "(sv)(sv)(sv)", "KillSignal", "i", signo, "TimeoutStopUSec", "t",
                                     timeout == USEC_INFINITY ? UINT64_MAX : timeout, "SendSIGKILL", "b",
                                     timeout != USEC_INFINITY);
}

/*
 * A unit that goes on until its last process has ended (ExitType=cgroup) must have got so far that systemd
 * knows of it as executed. Where its main process ends before, and not well, systemd takes the start for
 * failed once it gets to it, and ends what is left. How the main process ended is for the run to judge, so to
 * systemd every end of it is a good one, but for those statuses that tell of a failed setup.
 */
static int append_good_ends(sd_bus_message *m)
{
        int32_t statuses[UNIT_SETUP_STATUS_MIN - 1], signals[SIGSYS];
        int r = sd_bus_message_open_container(m, 'r', "sv");

        for (int i = 0; i < (int)ARRAY_SIZE(statuses); i++)
                statuses[i] = i + 1;
        for (int i = 0; i < (int)ARRAY_SIZE(signals); i++)
                signals[i] = i + 1;
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "SuccessExitStatus");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "(aiai)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "aiai");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'i', statuses, sizeof(statuses));
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'i', signals, sizeof(signals));
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* The words of units are those of the keys. What is the default is not said to a systemd that may not know it. */
static int append_modes(sd_bus_message *m, const SpawnRequest *command)
{
        static const char *const kill_modes[] = {
                [SPAWN_KILL_ALL] = NULL, [SPAWN_KILL_MAIN_THEN_ALL] = "mixed", [SPAWN_KILL_MAIN] = "process",
        };
        int r = 0;

        if (command->exit_type == SPAWN_EXIT_WITH_ALL)
                r = sd_bus_message_append(m, "(sv)", "ExitType", "s", "cgroup");
        if (r >= 0 && command->exit_type == SPAWN_EXIT_WITH_ALL)
                r = append_good_ends(m);
        if (r >= 0 && kill_modes[command->kill_mode])
                r = sd_bus_message_append(m, "(sv)", "KillMode", "s", kill_modes[command->kill_mode]);
        return r;
}

/* What journald adds to each line: bytes, not strings. */
static int append_log_fields(sd_bus_message *m, char *const *fields)
{
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "LogExtraFields");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "aay");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "ay");
        for (; r >= 0 && fields && *fields; fields++)
                r = sd_bus_message_append_array(m, 'y', *fields, strlen(*fields));
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_owner(sd_bus_message *m, const char *owner)
{
        const char *const words[] = { owner, NULL };

        return owner ? append_strings(m, "BindsTo", (char *const *)(uintptr_t)words) : 0;
}

static int append_service(sd_bus_message *m, const UnitRequest *request, const char *owner)
{
        const SpawnRequest *command = &request->command;
        int r;

        /* Type=exec: whether the program could be executed is told by the start. The reference keeps an ended unit
         * until its result was read, and not longer. */
        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Description", "s", request->description, "Type", "s", "exec", "AddRef",
                                  "b", true, "CollectMode", "s", "inactive-or-failed");
        if (r >= 0)
                r = append_owner(m, owner);
        if (r >= 0)
                r = append_command(m, command->argv);
        if (r >= 0)
                r = append_search_path(m, command);
        if (r >= 0)
                r = append_strings(m, "Environment", command->environment);
        if (r >= 0 && command->directory)
                r = sd_bus_message_append(m, "(sv)", "WorkingDirectory", "s", command->directory);
        if (r >= 0 && command->set_umask)
                r = sd_bus_message_append(m, "(sv)", "UMask", "u", (uint32_t)command->umask);
        if (r >= 0 && command->set_nice)
                r = sd_bus_message_append(m, "(sv)", "Nice", "i", (int32_t)command->nice);
        if (r >= 0)
                r = append_limits(m, command);
        if (r >= 0)
                r = append_kill(m, command);
        if (r >= 0)
                r = append_modes(m, command);
        return r;
}

int unit_message_new(sd_bus *bus, const UnitRequest *request, const char *owner, int output, int error_output,
                     sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", request->name, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = append_service(m, request, owner);
        if (r >= 0)
                r = append_input(m, &request->command.input);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)", "StandardOutputFileDescriptor", "h", output,
                                          "StandardErrorFileDescriptor", "h", error_output);
        if (r >= 0)
                r = append_log_fields(m, request->log_fields);
        for (char *const *p = request->properties; r >= 0 && p && *p; p++)
                r = unit_property_append(m, *p, NULL);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* --- what comes back --- */

void unit_properties_deinit(UnitProperties *p)
{
        free(p->active_state);
        free(p->result);
        *p = (UnitProperties){};
}

static int read_text(sd_bus_message *m, char **ret)
{
        const char *s;
        int r = sd_bus_message_read(m, "v", "s", &s);

        return r < 0 ? r : free_and_strdup(ret, s);
}

static int read_property(sd_bus_message *m, const char *name, UnitProperties *p)
{
        if (streq(name, "ActiveState"))
                return read_text(m, &p->active_state);
        if (streq(name, "Result"))
                return read_text(m, &p->result);
        if (streq(name, "ExecMainCode"))
                return sd_bus_message_read(m, "v", "i", &p->code);
        if (streq(name, "ExecMainStatus"))
                return sd_bus_message_read(m, "v", "i", &p->status);
        if (streq(name, "ExecMainPID"))
                return sd_bus_message_read(m, "v", "u", &p->pid);
        if (streq(name, "CPUUsageNSec"))
                return sd_bus_message_read(m, "v", "t", &p->cpu_nsec);
        return sd_bus_message_skip(m, "v");
}

int unit_properties_read(sd_bus_message *m, UnitProperties *p)
{
        const char *name;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, p);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

const char *unit_setup_failure(int status)
{
        /* systemd.exec(5), "Process Exit Codes" */
        static const struct {
                int status;
                const char *what;
        } steps[] = {
                { 200, "it can't change to WorkingDirectory=" },
                { 201, "it can't set Nice=" },
                { 203, "its program can't be executed" },
                { 205, "it can't set a limit" },
                { 214, "it can't set its scheduling" },
                { 216, "there is no such group, or it can't become it" },
                { 217, "there is no such user, or it can't become it" },
                { 218, "it can't set its capabilities" },
                { 219, "it can't be put into its control group" },
                { 226, "its file system namespace can't be made" },
                { 228, "its filter of system calls can't be installed" },
                { 233, "its credentials or runtime directory can't be made" },
                { 238, "its state directory can't be made" },
                { 239, "its cache directory can't be made" },
                { 240, "its logs directory can't be made" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (steps[i].status == status)
                        return steps[i].what;
        return NULL;
}
