/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two rules of the kernel's decide the order of the writes: clearing a trigger also turns the LED
 * off, and writing brightness 0 also clears the trigger. So a LED is given back by clearing the
 * trigger, setting the brightness, and only then setting the trigger that it had.
 *
 * The state file is written before the LED is touched and removed after it was restored; in
 * between it is the truth about what the LED was. It is not synced: a power cut that takes it takes the
 * state of the LED as well. Where it can't be written, only this process knows what the LED was. An flock() on the brightness file tells an owner that lives from one that
 * crashed, and keeps two daemons off one LED.
 */
#include "drivers/led.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/string-util.h"

#define LED_TRIGGERS_MAX 65536 /* bytes of the list of triggers, which grows with CPUs and disks */
#define LED_NUMBER_MAX 32
#define LED_STATE_MAX 4096
#define TEMPORARY_SUFFIX 7 /* what write_file_atomic() adds to a name */

struct LedSet {
        char *class_dir;
        char *state_dir;
        List leds;
        size_t n_leds;
        int error; /* of the last attempt to write a state file */
};

/* What a LED was before it was taken. */
typedef struct LedState {
        char *trigger;
        uint64_t brightness;
} LedState;

/* The trigger is -1 in a kernel without triggers. */
typedef struct LedFiles {
        int brightness_fd;
        int trigger_fd;
} LedFiles;

#define LED_FILES_NULL ((LedFiles){ .brightness_fd = -1, .trigger_fd = -1 })

struct Led {
        LedSet *set;
        List link;
        char *name;
        char *owner;
        char *state_path;
        LedState saved;
        LedFiles files;
        char on[LED_NUMBER_MAX]; /* the maximal brightness as sysfs wants it */
};

static void led_state_deinit(LedState *state)
{
        free(state->trigger);
}

static void led_files_deinit(LedFiles *files)
{
        files->brightness_fd = safe_close(files->brightness_fd);
        files->trigger_fd = safe_close(files->trigger_fd);
}

bool led_name_is_valid(const char *name)
{
        return *name && *name != '.' && !strpbrk(name, "/\n") && strlen(name) <= NAME_MAX - TEMPORARY_SUFFIX;
}

static int write_attribute(int fd, const char *value)
{
        size_t n = strlen(value);
        ssize_t k;

        /* Nothing to sysfs; a plain file in its place would keep the rest of a longer value. */
        if (ftruncate(fd, 0) < 0)
                return negative_errno();
        k = pwrite(fd, value, n, 0);
        if (k < 0)
                return negative_errno();
        return (size_t)k == n ? 0 : -EIO;
}

static int read_number(int fd, uint64_t *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r;

        r = read_fd(fd, LED_NUMBER_MAX, &text);
        if (r < 0)
                return r;
        return text.len > 0 && parse_uint64(strip(text.data), ret) >= 0 ? 0 : -EIO;
}

/* "none [timer] heartbeat": the current one stands in brackets. A file with none lists one alone. */
static int read_trigger(int fd, char **ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char *begin, *copy;
        int r;

        r = read_fd(fd, LED_TRIGGERS_MAX, &text);
        if (r < 0)
                return r;
        if (text.len == 0)
                return -EIO;
        begin = strchr(text.data, '[');
        begin = begin ? begin + 1 : text.data;
        begin[strcspn(begin, "] \n")] = '\0';
        copy = strdup(begin);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* A directory or attribute that is missing means that there is no such LED. */
static int open_at(int dir_fd, const char *name, int flags)
{
        int fd = openat(dir_fd, name, flags | O_CLOEXEC);

        if (fd >= 0)
                return fd;
        return errno == ENOENT || errno == ENOTDIR ? -ENODEV : negative_errno();
}

/* -EBUSY where another open description, here or in another process, owns the LED. */
static int led_files_open(int dir_fd, LedFiles *ret)
{
        _cleanup_(led_files_deinit) LedFiles files = LED_FILES_NULL;

        files.brightness_fd = open_at(dir_fd, "brightness", O_RDWR);
        if (files.brightness_fd < 0)
                return files.brightness_fd;
        if (flock(files.brightness_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : negative_errno();
        files.trigger_fd = open_at(dir_fd, "trigger", O_RDWR);
        if (files.trigger_fd < 0 && files.trigger_fd != -ENODEV)
                return files.trigger_fd;
        *ret = files;
        files = LED_FILES_NULL;
        return 0;
}

static int led_files_restore(const LedFiles *files, const LedState *state)
{
        char number[LED_NUMBER_MAX];
        int r = 0;

        if (files->trigger_fd >= 0)
                r = write_attribute(files->trigger_fd, "none");
        if (r < 0)
                return r;
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)state->brightness);
        r = write_attribute(files->brightness_fd, number);
        if (r < 0 || files->trigger_fd < 0 || streq(state->trigger, "none"))
                return r;
        return write_attribute(files->trigger_fd, state->trigger);
}

static int led_state_read_device(const LedFiles *files, LedState *ret)
{
        _cleanup_(led_state_deinit) LedState state = {};
        int r;

        if (files->trigger_fd >= 0) {
                r = read_trigger(files->trigger_fd, &state.trigger);
        } else {
                state.trigger = strdup("none");
                r = state.trigger ? 0 : -ENOMEM;
        }
        if (r < 0)
                return r;
        r = read_number(files->brightness_fd, &state.brightness);
        if (r < 0)
                return r;
        *ret = state;
        state.trigger = NULL;
        return 0;
}

/* "BRIGHTNESS TRIGGER", sealed. -EBADMSG where the file holds something else, -ENOENT. */
static int led_state_load(const char *path, LedState *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        uint64_t brightness;
        char *trigger;
        int r;

        r = read_plain_file(path, LED_STATE_MAX, &text);
        if (r >= 0)
                r = unseal_line(&text);
        if (r < 0)
                return r == -EFBIG || r == -EINVAL || r == -EISDIR || r == -ELOOP ? -EBADMSG : r;
        trigger = strchr(text.data, ' ');
        if (!trigger)
                return -EBADMSG;
        *trigger++ = '\0';
        if (!*trigger || parse_uint64(text.data, &brightness) < 0)
                return -EBADMSG;
        trigger = strdup(trigger);
        if (!trigger)
                return -ENOMEM;
        *ret = (LedState){ .trigger = trigger, .brightness = brightness };
        return 0;
}

static int led_state_store(const LedState *state, const char *path)
{
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        int r = buffer_appendf(&line, "%llu %s", (unsigned long long)state->brightness, state->trigger);

        if (r >= 0)
                r = seal_line(&line);
        return r < 0 ? r : write_file_atomic(path, line.data, line.len, 0600, false);
}

int led_set_new(const char *sysfs_root, const char *state_dir, LedSet **ret)
{
        _cleanup_(led_set_freep) LedSet *set = new0(LedSet, 1);

        if (!set)
                return -ENOMEM;
        list_init(&set->leds);
        set->class_dir = path_join(sysfs_root ?: "/sys", "class/leds");
        set->state_dir = path_join(state_dir, "leds");
        if (!set->class_dir || !set->state_dir)
                return -ENOMEM;
        *ret = TAKE_PTR(set);
        return 0;
}

LedSet *led_set_free(LedSet *set)
{
        Led *led;

        if (!set)
                return NULL;
        list_foreach(led, &set->leds, Led, link)
                (void)led_release(led);
        free(set->class_dir);
        free(set->state_dir);
        free(set);
        return NULL;
}

static Led *find_led(LedSet *set, const char *name)
{
        Led *led;

        list_foreach(led, &set->leds, Led, link)
                if (streq(led->name, name))
                        return led;
        return NULL;
}

const char *led_set_owner(LedSet *set, const char *name)
{
        Led *led = find_led(set, name);

        return led ? led->owner : NULL;
}

static int open_led_dir(LedSet *set, const char *name)
{
        _cleanup_free_ char *path = path_join(set->class_dir, name);

        return path ? open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY) : -ENOMEM;
}

/* Returns 1 for a LED that was restored, 0 where there is nothing to do for it. */
static int recover_led(LedSet *set, const char *name, const char *state_path)
{
        _cleanup_(led_files_deinit) LedFiles files = LED_FILES_NULL;
        _cleanup_(led_state_deinit) LedState state = {};
        _cleanup_close_ int dir_fd = -1;
        int r;

        dir_fd = open_led_dir(set, name);
        r = dir_fd < 0 ? dir_fd : led_files_open(dir_fd, &files);
        if (r >= 0)
                r = led_state_load(state_path, &state);
        if (r >= 0)
                r = led_files_restore(&files, &state);
        switch (r) {
        case 0:
                (void)unlink(state_path);
                return 1;
        case -EBUSY: /* its owner lives */
        case -ENOENT:
                return 0;
        case -ENODEV:
        case -EBADMSG:
                log_warning("LED %s can't be restored: %s", name,
                            r == -ENODEV ? "it is gone" : "its saved state is not readable");
                (void)unlink(state_path);
                return 0;
        default:
                return log_errno(LOG_WARNING, r, "LED %s can't be restored, it is tried again next time: %m", name);
        }
}

/* Files are removed from it, so it has to be our own: a link leads to somebody else's. */
static DIR *open_state_dir(const LedSet *set)
{
        int fd = open(set->state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                safe_close(fd);
        return dir;
}

int led_set_error(const LedSet *set)
{
        return set->error;
}

int led_set_recover(LedSet *set)
{
        _cleanup_(closedirp) DIR *dir = open_state_dir(set);
        struct dirent *entry;
        int n = 0;

        if (!dir)
                return errno == ENOENT ? 0 : negative_errno();
        while ((entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;

                if (!led_name_is_valid(entry->d_name))
                        continue;
                path = path_join(set->state_dir, entry->d_name);
                if (!path)
                        return -ENOMEM;
                if (recover_led(set, entry->d_name, path) > 0)
                        n++;
        }
        return n;
}

static void led_free(Led *led)
{
        if (!led)
                return;
        if (!list_is_empty(&led->link))
                led->set->n_leds--;
        list_unlink(&led->link);
        led_files_deinit(&led->files);
        led_state_deinit(&led->saved);
        free(led->state_path);
        free(led->owner);
        free(led->name);
        free(led);
}
DEFINE_CLEANUP(Led *, led_free);

static int led_store(const Led *led)
{
        struct stat st;

        if (mkdir(led->set->state_dir, 0700) < 0 && errno != EEXIST)
                return negative_errno();
        if (lstat(led->set->state_dir, &st) < 0)
                return negative_errno();
        return S_ISDIR(st.st_mode) ? led_state_store(&led->saved, led->state_path) : -ENOTDIR;
}

/*
 * What an earlier owner that crashed has saved counts for more than what it left the LED at. A LED whose state can't
 * be kept is given back all the same, unless this process crashes.
 */
static int led_save(Led *led)
{
        int r = led_state_load(led->state_path, &led->saved);

        if (r >= 0 || r == -ENOMEM)
                return r;
        r = led_state_read_device(&led->files, &led->saved);
        if (r < 0)
                return r;
        led->set->error = led_store(led);
        return 0;
}

static int led_open(Led *led)
{
        _cleanup_close_ int dir_fd = -1, max_fd = -1;
        uint64_t max;
        int r;

        dir_fd = open_led_dir(led->set, led->name);
        if (dir_fd < 0)
                return dir_fd;
        r = led_files_open(dir_fd, &led->files);
        if (r < 0)
                return r;
        max_fd = open_at(dir_fd, "max_brightness", O_RDONLY);
        if (max_fd < 0)
                return max_fd;
        r = read_number(max_fd, &max);
        if (r < 0)
                return r;
        (void)snprintf(led->on, sizeof(led->on), "%llu", (unsigned long long)max);
        return 0;
}

static int led_new(LedSet *set, const char *name, const char *owner, Led **ret)
{
        _cleanup_(led_freep) Led *led = new0(Led, 1);

        if (!led)
                return -ENOMEM;
        led->set = set;
        led->files = LED_FILES_NULL;
        list_init(&led->link);
        led->name = strdup(name);
        led->owner = strdup(owner);
        led->state_path = path_join(set->state_dir, name);
        if (!led->name || !led->owner || !led->state_path)
                return -ENOMEM;
        *ret = TAKE_PTR(led);
        return 0;
}

int led_acquire(LedSet *set, const char *name, const char *owner, Led **ret)
{
        _cleanup_(led_freep) Led *led = NULL;
        int r;

        if (!led_name_is_valid(name))
                return -EINVAL;
        if (find_led(set, name))
                return -EBUSY;
        if (set->n_leds >= LEDS_OWNED_MAX)
                return -EUSERS;
        r = led_new(set, name, owner, &led);
        if (r < 0)
                return r;
        r = led_open(led);
        if (r < 0)
                return r;
        r = led_save(led);
        if (r < 0)
                return r;
        if (led->files.trigger_fd >= 0)
                r = write_attribute(led->files.trigger_fd, "none");
        if (r >= 0)
                r = led_switch(led, false);
        list_append(&set->leds, &led->link);
        set->n_leds++;
        if (r < 0) {
                (void)led_release(TAKE_PTR(led));
                return r;
        }
        *ret = TAKE_PTR(led);
        return 0;
}

int led_switch(Led *led, bool on)
{
        return write_attribute(led->files.brightness_fd, on ? led->on : "0");
}

int led_release(Led *led)
{
        _cleanup_(led_freep) Led *owned = led;
        int r;

        r = led_files_restore(&owned->files, &owned->saved);
        if (r < 0 && r != -ENODEV)
                return r;
        (void)unlink(owned->state_path);
        return 0;
}
