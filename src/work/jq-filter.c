/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work/jq-filter.h"

#include <jq.h>
#include <sys/resource.h>
#include <time.h>

#include "base/list.h"
#include "base/string-util.h"
#include "work/limits.h"

/* Bytes of what jq says of an error: it may quote the value that it did not like. */
#define ERROR_MAX 1024U

typedef struct Program {
        List programs;
        jq_state *jq;
        char *error; /* of its compilation, the first line */
        char text[];
} Program;

static List programs = { &programs, &programs }; /* the one used last is first */
static unsigned n_programs;
static void (*on_out_of_memory)(void);

static void out_of_memory(_unused_ void *data)
{
        on_out_of_memory();
}

void filter_init(void (*handler)(void))
{
        /* 0, 1 and 2 are there; who may open more (see WorkFiles) raises it. Databases of users take some at a time. */
        const struct rlimit none = { 3, 16 };

        on_out_of_memory = handler;
        tzset();
        (void)setrlimit(RLIMIT_NOFILE, &none);
}

static Program *program_free(Program *program)
{
        if (!program)
                return NULL;
        list_unlink(&program->programs);
        if (program->jq)
                jq_teardown(&program->jq);
        free(program->error);
        free(program);
        return NULL;
}
DEFINE_CLEANUP(Program *, program_free);

void filter_deinit(void)
{
        Program *program;

        while ((program = list_first(&programs, Program, programs)))
                program_free(program);
        n_programs = 0;
}

/* The first thing that the compiler says, without its name, is what is wrong. */
static void on_error(void *data, jv message)
{
        Program *program = data;
        jv text = jq_format_error(message);

        if (!program->error && jv_get_kind(text) == JV_KIND_STRING) {
                const char *s = jv_string_value(text);

                s = startswith(s, "jq: error: ") ?: s;
                program->error = strndup(s, strcspn(s, "\n"));
                if (program->error) {
                        /* It takes every mistake for one of a shell. */
                        char *hint = strstr(program->error, " (Unix shell quoting issues?)");

                        if (hint)
                                memmove(hint, hint + 29, strlen(hint + 29) + 1);
                        s = strrchr(program->error, ':');
                        if (s && s[1] == '\0')
                                program->error[s - program->error] = '\0';
                }
        }
        jv_free(text);
}

static void ignore_message(_unused_ void *data, jv message)
{
        jv_free(message);
}

static int program_new(const char *text, Program **ret, char **ret_error)
{
        size_t n = strlen(text) + 1;
        _cleanup_(program_freep) Program *program = calloc(1, sizeof(*program) + n);

        if (!program)
                return -ENOMEM;
        list_init(&program->programs);
        memcpy(program->text, text, n);
        program->jq = jq_init();
        if (!program->jq)
                return -ENOMEM;
        jq_set_nomem_handler(program->jq, out_of_memory, NULL);
        jq_set_error_cb(program->jq, on_error, program);
        jq_set_debug_cb(program->jq, ignore_message, NULL);
        /* Where modules are looked for: nowhere. Without it, libjq 1.6 aborts at an import. */
        jq_set_attr(program->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
        if (!jq_compile(program->jq, text)) {
                *ret_error = TAKE_PTR(program->error) ?: strdup("it can't be compiled");
                return *ret_error ? -EBADMSG : -ENOMEM;
        }
        *ret = TAKE_PTR(program);
        return 0;
}

static int find_program(const char *text, Program **ret, char **ret_error)
{
        Program *program;
        int r;

        list_foreach(program, &programs, Program, programs)
                if (streq(program->text, text)) {
                        list_unlink(&program->programs);
                        list_prepend(&programs, &program->programs);
                        *ret = program;
                        return 0;
                }
        r = program_new(text, &program, ret_error);
        if (r < 0)
                return r;
        if (n_programs == WORK_MAX_PROGRAMS)
                program_free(list_last(&programs, Program, programs));
        else
                n_programs++;
        list_prepend(&programs, &program->programs);
        *ret = program;
        return 0;
}

int filter_check(const char *program, char **ret_error)
{
        Program *found;

        return find_program(program, &found, ret_error);
}

/* What the program failed with: a string, or any other value. */
static int tell_error(jv message, char **ret_error)
{
        jv text = jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0);

        *ret_error = strndup(jv_string_value(text), ERROR_MAX);
        jv_free(text);
        return *ret_error ? -EBADMSG : -ENOMEM;
}

static int append_value(jv value, unsigned n_values, Buffer *out)
{
        jv text = jv_dump_string(value, 0);
        int r = n_values > 0 ? buffer_append_char(out, ',') : 0;

        if (r >= 0)
                r = buffer_append(out, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
        jv_free(text);
        return r;
}

/* The values one after the other, behind a bracket. */
static int collect(jq_state *jq, Buffer *out, unsigned *ret_n, char **ret_error)
{
        unsigned n = 0;
        jv value = jv_invalid();
        int r = buffer_append_char(out, '[');

        while (r >= 0 && jv_is_valid(value = jq_next(jq)))
                r = append_value(value, n++, out);
        *ret_n = n;
        if (r < 0)
                return r;
        if (jv_invalid_has_msg(jv_copy(value)))
                return tell_error(jv_invalid_get_msg(value), ret_error);
        jv_free(value);
        if (jq_halted(jq)) {
                jv error = jq_get_error_message(jq);

                if (jv_is_valid(error))
                        return tell_error(error, ret_error);
                jv_free(error);
        }
        return buffer_append_char(out, ']');
}

int filter_run(const char *program, const char *text, size_t n, Buffer *out, char **ret_error)
{
        size_t start = out->len;
        Program *found;
        unsigned n_values;
        jv input;
        int r = n > INT32_MAX ? -E2BIG : find_program(program, &found, ret_error);

        if (r < 0)
                return r;
        input = jv_parse_sized(text, (int)n);
        if (!jv_is_valid(input))
                return tell_error(jv_invalid_get_msg(input), ret_error);
        jq_start(found->jq, input, 0);
        r = collect(found->jq, out, &n_values, ret_error);
        /* What it holds of the document is given up, and a halted one begins anew. */
        jq_start(found->jq, jv_null(), 0);
        if (r < 0 || n_values > 1)
                return r;
        if (n_values == 1) {
                /* One value stands for itself. */
                memmove(out->data + start, out->data + start + 1, out->len - start - 2);
                out->len -= 2;
                out->data[out->len] = '\0';
                return 0;
        }
        out->len = start;
        return buffer_append_string(out, "null");
}
