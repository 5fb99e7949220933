/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address space for the largest size is set aside at once. From its beginning on, KEPT bytes are mapped from the
 * file, and what follows up to SIZE is anonymous memory:
 *
 *     base ├─ the file ─┤ kept ├─ anonymous ─┤ size ├─ set aside ─┤ max
 *
 * To keep what is not in the file, it is written there a piece at a time, and each piece is then mapped over the
 * memory that it was written from. As this is the only thread, nothing is written to that memory in between. A file
 * that was taken away, cut short or lost a page is given up: KEPT is 0 then, whatever is mapped there, and another
 * file is made from the memory as it reads.
 *
 * Blocks are allocated before they are mapped, so that a full disk is an error of the growth and no signal. File
 * systems that copy on write, a truncated file and a broken disk send one all the same.
 */
#include "base/mapped-file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "base/string-util.h"

struct MappedFile {
        List link; /* of all there are */
        char *path;
        char *new_path;
        char *base;
        size_t size;
        size_t max;
        size_t kept;
        int fd;         /* -1: none */
        bool committed; /* it is to have its name */
        bool named;     /* it has */
        bool stale;     /* another one has it, which could not be removed */
        int error;
        size_t n_lost;   /* pages, by the handler */
        size_t n_broken; /* of these, in the file */
};

static List files = LIST_INIT(files);

/* Of any kernel that may have written a file. */
#define PAGE_SIZE_MAX 65536U

static size_t page_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t size)
{
        return (size + page_size() - 1) / page_size() * page_size();
}

/* --- pages that the disk can't give --- */

/* Other threads, of libraries, touch none of it, and must not look at the list while it changes. */
static MappedFile *find_file(const char *address)
{
        MappedFile *file;

        if (gettid() != getpid())
                return NULL;
        list_foreach(file, &files, MappedFile, link)
                if (address >= file->base && address < file->base + file->size)
                        return file;
        return NULL;
}

static bool map_anonymous(char *address, size_t n)
{
        return mmap(address, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Comes from the access to the page, in the middle of it: nothing else is going on, and the access is made again. */
static void on_sigbus(int signo, siginfo_t *info, _unused_ void *context)
{
        int saved = errno;
        MappedFile *file = find_file(info->si_addr);
        size_t offset = file ? (size_t)((char *)info->si_addr - file->base) / page_size() * page_size() : 0;

        if (file && map_anonymous(file->base + offset, page_size())) {
                file->n_lost++;
                file->n_broken += offset < file->kept;
        } else {
                /* Not ours. It comes again, and ends the process as it would have. */
                (void)signal(signo, SIG_DFL);
        }
        errno = saved;
}

static void catch_sigbus(void)
{
        (void)sigaction(SIGBUS, &(struct sigaction){ .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO }, NULL);
}

/* --- the file --- */

static const char *name_of(const MappedFile *file)
{
        return file->named ? file->path : file->new_path;
}

/* 0 where the file is what has its name, and holds what it should. */
static int look(const MappedFile *file)
{
        struct stat ours, named;

        if (fstat(file->fd, &ours) < 0 || lstat(name_of(file), &named) < 0)
                return negative_errno();
        if (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
                return -ENOENT;
        return (size_t)ours.st_size < file->kept || file->n_broken > 0 ? -EIO : 0;
}

/* Memory that is mapped from it stays what it is. */
static void give_up(MappedFile *file)
{
        if (file->fd >= 0 && !file->named && look(file) != -ENOENT)
                (void)unlink(file->new_path);
        file->fd = safe_close(file->fd);
        file->kept = file->n_broken = 0;
        file->named = false;
}

static int open_new(MappedFile *file)
{
        int r;

        if (unlink(file->new_path) < 0 && errno == EISDIR)
                (void)rmdir(file->new_path);
        file->fd = open(file->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file->fd < 0)
                return negative_errno();
        r = -posix_fallocate(file->fd, 0, (off_t)file->size);
        if (r < 0)
                give_up(file);
        return r;
}

/* Maps the file from FROM to END, up to where its contents are those of the memory. */
static int map_range(MappedFile *file, size_t from, size_t end)
{
        const int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;

        if (mmap(file->base + from, end - from, protection, flags, file->fd, (off_t)from) == MAP_FAILED)
                return negative_errno();
        file->kept = end;
        return 0;
}

/* write(2) fails where the memory can't be read; here the signal comes before it. */
static void touch(const char *memory, size_t n)
{
        for (size_t i = 0; i < n; i += page_size())
                (void)*(const volatile char *)(memory + i);
}

static int write_at(int fd, const char *data, size_t n, size_t offset)
{
        while (n > 0) {
                ssize_t k = pwrite(fd, data, n, (off_t)offset);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? negative_errno() : -EIO;
                data += k;
                offset += (size_t)k;
                n -= (size_t)k;
        }
        return 0;
}

static int copy_next(MappedFile *file)
{
        size_t n = MIN(file->size - file->kept, (size_t)MAPPED_FILE_TURN);
        int r;

        touch(file->base + file->kept, n);
        r = write_at(file->fd, file->base + file->kept, n, file->kept);
        return r < 0 ? r : map_range(file, file->kept, file->kept + n);
}

static int give_name(MappedFile *file)
{
        int r = rename(file->new_path, file->path) < 0 ? negative_errno() : 0;

        /* Something has made a directory there. One that holds nothing is no loss. */
        if (r == -EISDIR && rmdir(file->path) == 0)
                r = rename(file->new_path, file->path) < 0 ? negative_errno() : 0;
        if (r >= 0) {
                file->named = true;
                file->stale = false;
        }
        return r;
}

/* What PATH holds is not true any more, and must not stay until there is another file. Without it there may be room, too. */
static void remove_stale(MappedFile *file)
{
        file->stale = unlink(file->path) < 0 && errno != ENOENT && errno != EISDIR && errno != ENOTDIR;
}

/* As mapped_file_keep(). */
static int make_whole(MappedFile *file)
{
        int r = file->fd >= 0 ? look(file) : 0;

        if (r < 0) {
                if (r == -EIO && file->named)
                        remove_stale(file);
                give_up(file);
                return r;
        }
        if (file->fd < 0)
                r = open_new(file);
        if (r >= 0 && file->kept < file->size)
                r = copy_next(file);
        if (r < 0)
                return r;
        if (file->kept < file->size)
                return 1;
        return file->committed && !file->named ? give_name(file) : 0;
}

/* --- */

/* Memory that was not used yet is zeros, as the file is. */
static int extend(MappedFile *file, size_t size)
{
        size_t old = file->size;
        int r;

        if (!map_anonymous(file->base + old, size - old))
                return -ENOMEM;
        file->size = size;
        if (file->fd < 0 || file->kept < old || file->n_broken > 0)
                return 0;
        r = -posix_fallocate(file->fd, (off_t)old, (off_t)(size - old));
        /* All of it anew: valgrind 3.19 aborts where two mappings meet of a file that was renamed since. */
        if (r >= 0)
                r = map_range(file, 0, size);
        if (r < 0)
                file->error = r;
        return 0;
}

static void open_first(MappedFile *file)
{
        int r = open_new(file);

        if (r >= 0)
                r = map_range(file, 0, file->size);
        if (r < 0) {
                give_up(file);
                file->error = r;
        }
}

int mapped_file_read(const char *path, size_t max, Buffer *buffer)
{
        int r = read_plain_file(path, max + PAGE_SIZE_MAX, buffer);

        if (r >= 0 && buffer->len > max)
                buffer->len = max;
        return r;
}

int mapped_file_new(const char *path, size_t size, size_t max, MappedFile **ret)
{
        _cleanup_(mapped_file_freep) MappedFile *file = new0(MappedFile, 1);
        void *base;
        int r;

        if (!file)
                return -ENOMEM;
        list_init(&file->link);
        file->fd = -1;
        file->path = strdup(path);
        file->new_path = xasprintf("%s.new", path);
        if (!file->path || !file->new_path)
                return -ENOMEM;
        base = mmap(NULL, round_up(max), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
                return -ENOMEM;
        file->base = base;
        file->max = round_up(max);
        catch_sigbus();
        list_append(&files, &file->link);
        r = extend(file, round_up(size));
        if (r < 0)
                return r;
        open_first(file);
        *ret = TAKE_PTR(file);
        return 0;
}

MappedFile *mapped_file_free(MappedFile *file)
{
        if (!file)
                return NULL;
        give_up(file);
        list_unlink(&file->link);
        if (file->base)
                (void)munmap(file->base, file->max);
        free(file->new_path);
        free(file->path);
        free(file);
        return NULL;
}

void *mapped_file_data(const MappedFile *file)
{
        return file->base;
}

size_t mapped_file_size(const MappedFile *file)
{
        return file->size;
}

int mapped_file_grow(MappedFile *file, size_t size)
{
        size = round_up(size);
        if (size > file->max)
                return -E2BIG;
        return size <= file->size ? 0 : extend(file, size);
}

void mapped_file_commit(MappedFile *file)
{
        int r;

        if (file->named)
                return;
        file->committed = true;
        if (file->kept < file->size) {
                remove_stale(file);
                (void)mapped_file_keep(file);
                return;
        }
        r = give_name(file);
        if (r < 0) {
                file->error = r;
                remove_stale(file);
        }
}

int mapped_file_replace(MappedFile *file)
{
        int r = mapped_file_error(file);

        if (r >= 0)
                r = file->kept < file->size ? -EIO : give_name(file);
        file->committed = r >= 0;
        return r;
}

int mapped_file_error(const MappedFile *file)
{
        return file->n_broken > 0 ? -EIO : file->error;
}

bool mapped_file_is_stale(const MappedFile *file)
{
        return file->stale;
}

int mapped_file_keep(MappedFile *file)
{
        int r = make_whole(file);

        file->error = r > 0 ? file->error : r;
        return r;
}

size_t mapped_file_take_lost(MappedFile *file)
{
        size_t n = file->n_lost;

        file->n_lost = 0;
        return n;
}
