/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/labels.h"

#include <inttypes.h>
#include <stdio.h>

void label_print(const char *label)
{
        printf("%10s%s ", label, *label ? ":" : " ");
}

void label_print_text(const char *label, const char *text)
{
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;

        if (!text || !*text || text_append_clean(&clean, text, strlen(text), false) < 0)
                return;
        label_print(label);
        printf("%s\n", buffer_string(&clean));
}

void label_print_strings(const char *label, const JsonValue *list)
{
        for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
                const char *text = json_string_or_null(&list->items[i]);

                label_print_text(i == 0 ? label : "", text);
        }
}

void label_print_counts(const char *label, const JsonValue *counts)
{
        bool first = true;

        for (uint32_t i = 0; json_is(counts, JSON_OBJECT) && i < counts->n; i++) {
                const JsonMember *m = &counts->members[i];

                if (m->value.type != JSON_INT || m->value.integer == 0)
                        continue;
                if (first)
                        label_print(label);
                printf("%s%" PRIi64 " %s", first ? "" : ", ", m->value.integer, m->key);
                first = false;
        }
        if (!first)
                putchar('\n');
}

void label_print_time(const Ctl *ctl, const char *label, usec_t realtime, const char *note)
{
        char text[TIMESTAMP_MAX], relative[RELATIVE_MAX];

        if (realtime == USEC_INFINITY)
                return;
        label_print(label);
        printf("%s; %s%s\n", time_to_text(realtime, USEC_PER_MSEC, ctl->zone, text),
               relative_to_text(realtime, clock_realtime(clock_system()), relative), note);
}
