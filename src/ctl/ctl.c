/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctl/pager.h"
#include "when/timestamp.h"

int ctl_error(int status, const char *format, ...)
{
        va_list ap;

        (void)fflush(stdout);
        fputs("taktctl: ", stderr);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
        return status;
}

int ctl_oom(void)
{
        return ctl_error(STATUS_FAILED, "out of memory");
}

static bool is_known(const char *word, const char *const *known)
{
        for (; *known; known++)
                if (streq(*known, word))
                        return true;
        return false;
}

int ctl_check_words(const Words *words, const char *option, const char *const *known)
{
        _cleanup_buffer_ Buffer list = BUFFER_NULL;

        for (size_t i = 0; i < words->n; i++) {
                if (is_known(words->words[i], known))
                        continue;
                for (const char *const *k = known; *k; k++)
                        if (buffer_appendf(&list, "%s%s", k == known ? "" : ", ", *k) < 0)
                                return ctl_oom();
                return ctl_error(STATUS_USAGE, "--%s: there is no \"%s\", only %s", option, words->words[i],
                                 buffer_string(&list));
        }
        return 0;
}

void ctl_pager(const Ctl *ctl)
{
        pager_open(!ctl->options.json && !ctl->options.no_pager);
}

int ctl_flush(void)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return 0;
        return ctl_error(STATUS_FAILED, "can't write the output: %s", strerror(errno));
}

static int print_json(const JsonValue *value, unsigned indent, const char *before, const char *after)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (json_format(value, indent, &text) < 0)
                return ctl_oom();
        printf("%s%s%s", before, buffer_string(&text), after);
        return 0;
}

int ctl_print_json(const Ctl *ctl, const JsonValue *value)
{
        return print_json(value, ctl->terminal ? 2 : 0, "", "\n");
}

int json_array_add(JsonArray *array, const JsonValue *value)
{
        return print_json(value, 0, array->n++ == 0 ? "[\n" : ",\n", "");
}

void json_array_end(JsonArray *array)
{
        puts(array->n == 0 ? "[]" : "\n]");
}

const char *json_get_string(const JsonValue *object, const char *key, const char *otherwise)
{
        const char *s = json_string_or_null(json_get(object, key));

        return s ? s : otherwise;
}

int64_t json_get_int(const JsonValue *object, const char *key, int64_t otherwise)
{
        const JsonValue *value = json_get(object, key);

        return json_is(value, JSON_INT) ? value->integer : otherwise;
}

bool json_get_bool(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_get(object, key);

        return json_is(value, JSON_BOOL) && value->boolean;
}

usec_t json_get_time(const JsonValue *object, const char *key)
{
        return json_item_time(json_get(object, key));
}

usec_t json_item_time(const JsonValue *value)
{
        const char *s = value ? json_string_or_null(value) : NULL;
        usec_t realtime;

        return s && timestamp_parse(s, zone_utc(), &realtime, NULL) >= 0 ? realtime : USEC_INFINITY;
}

usec_t json_get_span(const JsonValue *object, const char *key)
{
        int64_t value = json_get_int(object, key, -1);

        return value >= 0 ? (usec_t)value : USEC_INFINITY;
}
