/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock is one of flock(2). A mark is a shared lock of fcntl(2) on one byte, the one whose offset is the number of
 * the process: a directory is never opened for writing, which an exclusive lock of that kind would need, but anybody may
 * ask which shared ones would be in its way. The two kinds don't see each other.
 *
 * The marks of a place are those on its parent, from an offset on that hangs on the name. Many programs may
 * open that parent, say /var/lib, so anybody could put a mark there. Such a mark counts where the process
 * that it names is of the same user as this one, and the kernel says in /proc/PID/fdinfo that this process
 * holds it.
 */
#include "base/directory-lock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/siphash.h"
#include "base/string-util.h"

/* No process has a greater number. */
#define MARK_PID_BITS 23
#define MARK_PID_MAX ((off_t)(1 << MARK_PID_BITS) - 1)
/* Marks that are passed over in one search: what is behind them is not found. */
#define MARKS_SKIPPED_MAX 4096U
#define FDINFO_MAX 65536U

/* A search for marks from an offset on. */
typedef struct Search {
        int fd;
        off_t base;
        bool (*skip)(pid_t pid, void *userdata);
        void *userdata;
        unsigned n_skipped;
} Search;

int directory_open(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? negative_errno() : fd;
}

int directory_lock(const char *path)
{
        _cleanup_close_ int fd = directory_open(path);

        if (fd < 0)
                return fd;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0)
                if (errno != EINTR)
                        return errno == EWOULDBLOCK ? -EBUSY : negative_errno();
        return TAKE_FD(fd);
}

static int mark_at(int fd, off_t offset)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? negative_errno() : 0;
}

int directory_mark(int fd, pid_t pid)
{
        return mark_at(fd, pid);
}

/*
 * The process that some mark from FROM to TO names. A lock that is no mark, as it is not of one byte, hides
 * those that are behind it: marks keep takt's own processes apart and are no defence against who locks a
 * directory to deceive them.
 */
static pid_t find_between(const Search *search, pid_t from, pid_t to)
{
        struct flock lock = {
                .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = search->base + from, .l_len = to - from + 1,
        };

        if (fcntl(search->fd, F_OFD_GETLK, &lock) < 0)
                return negative_errno();
        if (lock.l_type == F_UNLCK || lock.l_len != 1)
                return 0;
        return (pid_t)(lock.l_start - search->base);
}

static bool skips(Search *search, pid_t pid)
{
        if (!search->skip(pid, search->userdata))
                return false;
        search->n_skipped++;
        return true;
}

/* The kernel tells of any one mark in a range. What is skipped divides the range. */
static pid_t find_in_range(Search *search, pid_t from, pid_t to)
{
        while (from <= to && search->n_skipped < MARKS_SKIPPED_MAX) {
                pid_t pid = find_between(search, from, to);

                if (pid <= 0 || !skips(search, pid))
                        return pid;
                if (pid > from) {
                        pid_t before = find_in_range(search, from, pid - 1);

                        if (before != 0)
                                return before;
                }
                from = pid + 1;
        }
        return 0;
}

static pid_t find(int fd, off_t base, bool (*skip)(pid_t pid, void *userdata), void *userdata)
{
        Search search = { .fd = fd, .base = base, .skip = skip, .userdata = userdata };

        return find_in_range(&search, 1, MARK_PID_MAX);
}

pid_t directory_find_mark(int fd, bool (*skip)(pid_t pid, void *userdata), void *userdata)
{
        return find(fd, 0, skip, userdata);
}

/* --- the place of a directory --- */

int directory_open_place(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : strdup(".");

        return parent ? directory_open(parent) : -ENOMEM;
}

/*
 * Where the marks of this kind begin for the name of PATH. Who may begin elsewhere by accident is one in
 * 2^38.
 */
static off_t place_base(const char *path, PlaceMark kind)
{
        const SipKey key = { { UINT64_C(0x74616b745f706c61), (uint64_t)kind } };
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        return (off_t)(siphash24(&key, name, strlen(name)) >> 26 | UINT64_C(1) << 38) << MARK_PID_BITS;
}

int directory_mark_place(int fd, const char *path, PlaceMark kind, pid_t pid)
{
        return mark_at(fd, place_base(path, kind) + pid);
}

/* Whether one of the descriptors that process PID has open holds the lock of one byte at OFFSET. */
static bool holds(pid_t pid, off_t offset)
{
        _cleanup_free_ char *path = xasprintf("/proc/%d/fdinfo", (int)pid), *lock = NULL;
        _cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
        struct dirent *entry;

        lock = xasprintf(" %" PRIi64 " %" PRIi64 "\n", (int64_t)offset, (int64_t)offset);
        while (dir && lock && (entry = readdir(dir))) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (read_file_at(dirfd(dir), entry->d_name, FDINFO_MAX, &text) >= 0 && strstr(buffer_string(&text), lock))
                        return true;
        }
        return false;
}

typedef struct PlaceSearch {
        off_t base;
        bool (*skip)(pid_t pid, void *userdata);
        void *userdata;
} PlaceSearch;

static bool is_of_this_user(pid_t pid)
{
        _cleanup_free_ char *path = xasprintf("/proc/%d", (int)pid);
        struct stat st;

        return path && stat(path, &st) == 0 && st.st_uid == geteuid();
}

static bool skip_at_place(pid_t pid, void *userdata)
{
        const PlaceSearch *search = userdata;

        return search->skip(pid, search->userdata) || !is_of_this_user(pid) || !holds(pid, search->base + pid);
}

pid_t directory_find_place_mark(int fd, const char *path, PlaceMark kind, bool (*skip)(pid_t pid, void *userdata), void *userdata)
{
        PlaceSearch search = { .base = place_base(path, kind), .skip = skip, .userdata = userdata };

        return find(fd, search.base, skip_at_place, &search);
}
