/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/file-watch.h"

#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"

#define WATCHED (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE)

struct FileWatch {
        Loop *loop;
        char *name; /* in the directory */
        int fd;
        IoSource *source;
        Timer settled;
        void (*callback)(void *userdata);
        void *userdata;
};

static void on_settled(Timer *timer, _unused_ usec_t now)
{
        FileWatch *watch = container_of(timer, FileWatch, settled);

        watch->callback(watch->userdata);
}

static void on_inotify(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        _Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
        FileWatch *watch = userdata;
        ssize_t n = read(fd, buffer, sizeof(buffer));
        bool changed = false;

        for (char *p = buffer; n > 0 && p < buffer + n;) {
                const struct inotify_event *event = (const struct inotify_event *)(void *)p;

                /* Where events were lost, it may have been one of these. */
                changed = changed || event->mask & IN_Q_OVERFLOW || (event->len > 0 && streq(event->name, watch->name));
                p += sizeof(*event) + event->len;
        }
        if (changed)
                (void)timer_arm_after(loop_timers(watch->loop), &watch->settled, FILE_WATCH_SETTLE);
}

int file_watch_new(Loop *loop, const char *path, void (*callback)(void *userdata), void *userdata, FileWatch **ret)
{
        _cleanup_(file_watch_freep) FileWatch *watch = new0(FileWatch, 1);
        _cleanup_free_ char *directory = strdup(path);
        char *slash;
        int r;

        if (!watch || !directory)
                return -ENOMEM;
        *watch = (FileWatch){ .loop = loop, .fd = -1, .settled.callback = on_settled, .callback = callback, .userdata = userdata };
        slash = strrchr(directory, '/');
        if (!slash)
                return -EINVAL;
        watch->name = strdup(slash + 1);
        if (!watch->name)
                return -ENOMEM;
        slash[slash == directory] = '\0';
        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (watch->fd < 0 || inotify_add_watch(watch->fd, directory, WATCHED) < 0)
                return negative_errno();
        r = io_source_new(loop, watch->fd, IO_READ, on_inotify, watch, &watch->source);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(watch);
        return 0;
}

FileWatch *file_watch_free(FileWatch *watch)
{
        if (!watch)
                return NULL;
        timer_disarm(loop_timers(watch->loop), &watch->settled);
        io_source_free(watch->source);
        safe_close(watch->fd);
        free(watch->name);
        free(watch);
        return NULL;
}
