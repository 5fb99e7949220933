/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeds files to a fuzz target: those named, those in the directories named, else its own corpus. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/string-util.h"

#define FILE_MAX (16U * 1024 * 1024)

static unsigned replayed;

static int replay_file(const char *path)
{
        _cleanup_buffer_ Buffer bytes = BUFFER_NULL;
        _cleanup_free_ uint8_t *exact = NULL;
        int r;

        r = read_file_at(AT_FDCWD, path, FILE_MAX, &bytes);
        if (r < 0)
                return r;
        /* A copy of just this size, so that a sanitizer sees what is read past its end. */
        exact = malloc(MAX(bytes.len, (size_t)1));
        if (!exact)
                return -ENOMEM;
        memcpy(exact, buffer_string(&bytes), bytes.len);
        (void)LLVMFuzzerTestOneInput(exact, bytes.len);
        replayed++;
        return 0;
}

static int replay(const char *path)
{
        _cleanup_(closedirp) DIR *dir = opendir(path);
        struct dirent *entry;

        if (!dir)
                return errno == ENOTDIR ? replay_file(path) : -errno;
        while ((entry = readdir(dir))) {
                _cleanup_free_ char *file = NULL;
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                file = path_join(path, entry->d_name);
                r = file ? replay_file(file) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The corpus of the target that this program is: fuzz-NAME. */
static char *own_corpus(const char *program)
{
        const char *source = getenv("TAKT_SRCDIR"), *name = strstr(program, "fuzz-");

        return xasprintf("%s/tests/fuzz/corpus/%s", source ? source : ".",
                         name ? name + strlen("fuzz-") : program);
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *corpus = own_corpus(program_invocation_short_name);
        char *defaults[] = { corpus, NULL };
        int r = corpus ? 0 : -ENOMEM;

        for (char **path = argc > 1 ? argv + 1 : defaults; r >= 0 && *path; path++) {
                r = replay(*path);
                if (r < 0)
                        fprintf(stderr, "%s: %s\n", *path, strerror(-r));
        }
        printf("%s: %u inputs\n", program_invocation_short_name, replayed);
        return r < 0 || replayed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
