/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/stop-reason.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"

#define CGROUP_MAX 4096U
#define ANSWER_MAX 16384U

struct StopReason {
        Loop *loop;
        SpawnedCommand *command;
        Timer timer;
        char *unit;
        void (*done)(bool restart, void *userdata);
        void *userdata;
};

char *stop_reason_unit(const char *text, bool *ret_user)
{
        /* The one hierarchy of today, or systemd's own among those of old. */
        const char *path = startswith(text, "0::") ?: strstr(text, "\n0::") ?: strstr(text, ":name=systemd:");
        size_t n;
        const char *slash;

        if (!path)
                return NULL;
        path += strcspn(path, "/");
        n = strcspn(path, "\n");
        slash = memrchr(path, '/', n);
        if (!slash || n < strlen(".service") || strncmp(path + n - strlen(".service"), ".service", strlen(".service")) != 0)
                return NULL;
        *ret_user = memmem(path, n, "/user@", strlen("/user@"));
        return strndup(slash + 1, n - (size_t)(slash + 1 - path));
}

bool stop_reason_is_restart(const char *text, const char *unit)
{
        char id[32], name[512], type[64];
        int n;

        /* JOB UNIT TYPE STATE, a line each. */
        for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
                n = sscanf(text, " %31[0-9] %511s %63s", id, name, type);
                if (n == 3 && streq(name, unit) && (streq(type, "restart") || streq(type, "try-restart")))
                        return true;
        }
        return false;
}

static void answer(StopReason *reason, bool restart)
{
        void (*done)(bool, void *) = reason->done;

        timer_disarm(loop_timers(reason->loop), &reason->timer);
        reason->done = NULL;
        if (done)
                done(restart, reason->userdata);
}

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        StopReason *reason = userdata;
        const Buffer *output = spawned_command_output(command, 1);

        if (!reason->done)
                return;
        if (exit->error < 0 || exit->code != CLD_EXITED || exit->status != 0)
                log_notice("systemctl can't tell a restart from a stop (%s); this is taken for a stop",
                           exit->error < 0 ? strerror(-exit->error) : "it failed");
        answer(reason, exit->error == 0 && exit->code == CLD_EXITED && exit->status == 0 &&
                               stop_reason_is_restart(buffer_string(output), reason->unit));
}

static void on_timeout(Timer *timer, _unused_ usec_t now)
{
        StopReason *reason = container_of(timer, StopReason, timer);

        log_notice("systemctl does not tell a restart from a stop in time; this is taken for a stop");
        answer(reason, false);
}

StopReason *stop_reason_free(StopReason *reason)
{
        if (!reason)
                return NULL;
        timer_disarm(loop_timers(reason->loop), &reason->timer);
        spawned_command_free(reason->command);
        free(reason->unit);
        free(reason);
        return NULL;
}
DEFINE_CLEANUP(StopReason *, stop_reason_free);

static int read_unit(char **ret, bool *ret_user)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = read_file_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_MAX, &text);

        if (r < 0)
                return r;
        *ret = stop_reason_unit(buffer_string(&text), ret_user);
        return *ret ? 0 : -ENXIO;
}

int stop_reason_ask(Loop *loop, Spawner *spawner, void (*done)(bool restart, void *userdata), void *userdata, StopReason **ret)
{
        static const SpawnCallbacks callbacks = { .exited = on_exited };
        _cleanup_(stop_reason_freep) StopReason *reason = new0(StopReason, 1);
        _cleanup_free_ char *path = NULL, *runtime = NULL;
        bool user = false;
        int r;

        if (!reason)
                return -ENOMEM;
        reason->loop = loop;
        reason->done = done;
        reason->userdata = userdata;
        reason->timer.callback = on_timeout;
        r = read_unit(&reason->unit, &user);
        if (r < 0)
                return r;
        path = xasprintf("PATH=%s", getenv("PATH") ?: "/usr/bin:/bin");
        runtime = xasprintf("XDG_RUNTIME_DIR=%s", getenv("XDG_RUNTIME_DIR") ?: "");
        if (!path || !runtime)
                return -ENOMEM;
        r = timer_arm_after(loop_timers(loop), &reason->timer, STOP_REASON_WAIT_USEC);
        if (r >= 0)
                r = spawner_start(spawner, &(SpawnRequest){
                        .argv = (char *[]){ (char *)"systemctl", (char *)(user ? "--user" : "--system"), (char *)"--no-pager",
                                            (char *)"--no-legend", (char *)"--full", (char *)"list-jobs", reason->unit, NULL },
                        .environment = (char *[]){ path, runtime, NULL },
                        .output = { .mode = SPAWN_CAPTURE, .max_bytes = ANSWER_MAX },
                }, &callbacks, reason, &reason->command);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reason);
        return 0;
}
