/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/memory-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

int memory_file_new(const char *name, const void *data, size_t n, int *ret)
{
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const char *p = data;

        if (fd < 0)
                return negative_errno();
        for (size_t done = 0; done < n;) {
                ssize_t k = pwrite(fd, p + done, n - done, (off_t)done);

                if (k < 0)
                        return negative_errno();
                done += (size_t)k;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return negative_errno();
        *ret = TAKE_FD(fd);
        return 0;
}
