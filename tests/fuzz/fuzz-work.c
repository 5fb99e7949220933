/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a line to takt-worker. jq and files are stood in for, so that each line ends and reads nothing of the machine.
 * Property: there is always one answer, a line whose header is an object on its own; its document is JSON.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "json/json.h"
#include "work/jq-filter.h"
#include "work/limits.h"
#include "work/request.h"

int filter_check(const char *program, char **ret_error)
{
        if (program[0] != '!')
                return 0;
        *ret_error = strdup(program);
        return *ret_error ? -EBADMSG : -ENOMEM;
}

/* "!…" fails with these words, "-" gives none, anything else the document. */
int filter_run(const char *program, const char *text, size_t n, Buffer *out, char **ret_error)
{
        int r = filter_check(program, ret_error);

        if (r < 0)
                return r;
        return program[0] == '-' ? buffer_append_string(out, "null") : buffer_append(out, text, n);
}

/* The path is what the file holds. */
static int open_file(const char *path)
{
        int fd = *path ? memfd_create("file", MFD_CLOEXEC) : -1;

        if (fd < 0)
                return -ENOENT;
        FUZZ_CHECK(write(fd, path, strlen(path)) == (ssize_t)strlen(path) && lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

/* What has a long name is there; of the rest the nearest is the directory. */
static int look(const Look *look, char **ret_nearest)
{
        if (strlen(look->name) > 8)
                return 0;
        if (ret_nearest)
                *ret_nearest = strdup(look->directory);
        return -ENOENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const WorkFiles files = { .open = open_file, .look = look };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL, *document = NULL;
        _cleanup_buffer_ Buffer header = BUFFER_NULL, out = BUFFER_WITH_MAX(WORK_MAX_ANSWER);
        _cleanup_free_ char *line = malloc(size + 1);
        const JsonValue *error;

        FUZZ_CHECK(line);
        memcpy(line, data, size);
        line[size] = '\0';
        FUZZ_CHECK(work_answer(&files, line, strcspn(line, "\n"), &header, &out) >= 0);
        FUZZ_CHECK(header.len > 1 && (header.data[header.len - 1] == '\t' || header.data[header.len - 1] == '\n'));
        FUZZ_CHECK(json_parse(header.data, header.len - 1, NULL, &doc, NULL) >= 0 && json_is(json_root(doc), JSON_OBJECT));
        FUZZ_CHECK(!memchr(header.data, '\n', header.len - 1) && !memchr(header.data, '\t', header.len - 1));
        FUZZ_CHECK((header.data[header.len - 1] == '\t') == (out.len > 0));
        error = json_get(json_root(doc), "error");
        if (error)
                FUZZ_CHECK(json_string_or_null(json_get(error, "kind")) && json_string_or_null(json_get(error, "message")));
        if (out.len == 0)
                return 0;
        FUZZ_CHECK(memchr(out.data, '\n', out.len) == out.data + out.len - 1);
        /* What is not decoded is the daemon's own text, and comes back as it is. */
        if (!error && strstr(line, "\"decode\":true"))
                FUZZ_CHECK(json_parse(out.data, out.len - 1, NULL, &document, NULL) >= 0);
        return 0;
}
