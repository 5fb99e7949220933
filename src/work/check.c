/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work/work.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "json/writer.h"
#include "process/helper.h"

/* Bytes of an answer, which is a sentence. */
#define ANSWER_MAX 65536U

static int start_worker(int fd, pid_t *ret)
{
        _cleanup_free_ char *helper = NULL;
        char *argv[] = { NULL, NULL }, *environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        int r = helper_find("takt-worker", &helper);

        if (r < 0)
                return r;
        argv[0] = helper;
        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
        if (r >= 0)
                r = -posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
        if (r >= 0)
                r = -posix_spawn(ret, helper, &actions, NULL, argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* One line, and all that is answered until the worker has gone. */
static int ask(const Buffer *line, Buffer *answer)
{
        _cleanup_close_ int ours = -1, theirs = -1;
        int fds[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return negative_errno();
        ours = fds[0];
        theirs = fds[1];
        r = start_worker(theirs, &pid);
        if (r < 0)
                return r;
        theirs = safe_close(theirs);
        /* Its death is no signal here, but the end of what can be read. */
        if (send(ours, line->data, line->len, MSG_NOSIGNAL) < 0)
                r = negative_errno();
        (void)shutdown(ours, SHUT_WR);
        if (r >= 0)
                r = read_fd(ours, ANSWER_MAX, answer);
        ours = safe_close(ours);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

int work_check_filter(const char *program, char **ret_error)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer line = BUFFER_NULL, answer = BUFFER_NULL;
        const JsonValue *error;
        JsonWriter w;
        int r;

        json_writer_init(&w, &line, 0);
        json_begin_object(&w);
        json_key(&w, "do");
        json_string(&w, "check");
        json_key(&w, "program");
        json_string(&w, program);
        json_end_object(&w);
        r = json_writer_end(&w);
        if (r >= 0)
                r = buffer_append_char(&line, '\n');
        if (r >= 0)
                r = ask(&line, &answer);
        if (r >= 0)
                r = json_parse(buffer_string(&answer), answer.len, NULL, &doc, NULL);
        if (r < 0)
                return r == -EBADMSG ? -EPIPE : r;
        error = json_get(json_root(doc), "error");
        if (!error)
                return 0;
        *ret_error = strdup(json_string_or_null(json_get(error, "message")) ?: "");
        return *ret_error ? -EBADMSG : -ENOMEM;
}
