/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/text.h"

#include <stdio.h>
#include <unistd.h>
#include <wchar.h>

#include "base/string-util.h"

static const char *const styles[_STYLE_MAX] = {
        [STYLE_NONE] = "",
        [STYLE_BOLD] = "\x1b[1m",
        [STYLE_DIM] = "\x1b[2m",
        [STYLE_GOOD] = "\x1b[32m",
        [STYLE_ACTIVE] = "\x1b[1;32m",
        [STYLE_WARNING] = "\x1b[33m",
        [STYLE_BAD] = "\x1b[1;31m",
};

static const struct {
        const char *state;
        Style style;
} state_styles[] = {
        { "running", STYLE_ACTIVE },    { "retrying", STYLE_WARNING },  { "queued", STYLE_WARNING },
        { "succeeded", STYLE_GOOD },    { "failed", STYLE_BAD },        { "timeout", STYLE_BAD },
        { "cancelled", STYLE_WARNING }, { "skipped", STYLE_WARNING },   { "missed", STYLE_BAD },
        { "lost", STYLE_BAD },          { "removed", STYLE_WARNING },   { "paused", STYLE_WARNING },
        { "disabled", STYLE_DIM },      { "finished", STYLE_DIM },      { "refused", STYLE_BAD },       { "overflow", STYLE_BAD },
};

const char *style_begin(Style style, bool colour)
{
        return colour ? styles[style] : "";
}

const char *style_end(Style style, bool colour)
{
        return colour && style != STYLE_NONE ? "\x1b[0m" : "";
}

bool colour_wanted(void)
{
        const char *value = getenv("TAKT_COLORS"), *term = getenv("TERM");
        bool wanted;

        if (value && parse_boolean(value, &wanted) >= 0)
                return wanted;
        value = getenv("NO_COLOR");
        if (value && *value)
                return false;
        return isatty(STDOUT_FILENO) && term && !streq(term, "dumb");
}

Style state_style(const char *state)
{
        for (size_t i = 0; i < ARRAY_SIZE(state_styles); i++)
                if (streq(state_styles[i].state, state))
                        return state_styles[i].style;
        return STYLE_NONE;
}

char *span_to_text(usec_t span, char buffer[static TIMESPAN_MAX])
{
        /* Below a minute three digits are kept, above the smaller of two units. */
        static const struct {
                usec_t from;
                usec_t unit;
        } units[] = {
                { 10 * USEC_PER_DAY, USEC_PER_DAY },
                { USEC_PER_DAY, USEC_PER_HOUR },
                { USEC_PER_HOUR, USEC_PER_MINUTE },
                { USEC_PER_MINUTE, USEC_PER_SEC },
                { 10 * USEC_PER_SEC, 100 * USEC_PER_MSEC },
                { USEC_PER_SEC, 10 * USEC_PER_MSEC },
                { 100 * USEC_PER_MSEC, USEC_PER_MSEC },
                { 10 * USEC_PER_MSEC, USEC_PER_MSEC / 10 },
                { USEC_PER_MSEC, USEC_PER_MSEC / 100 },
        };

        if (span != USEC_INFINITY)
                for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                        if (span >= units[i].from) {
                                span -= span % units[i].unit;
                                break;
                        }
        return timespan_format(span, buffer);
}

char *relative_to_text(usec_t realtime, usec_t now_realtime, char buffer[static RELATIVE_MAX])
{
        usec_t span = realtime > now_realtime ? realtime - now_realtime : now_realtime - realtime;
        char text[TIMESPAN_MAX];

        /* Nobody wants to read how many milliseconds ago it was. */
        if (span >= USEC_PER_SEC)
                span -= span % USEC_PER_SEC;
        else if (span >= USEC_PER_MSEC)
                span -= span % USEC_PER_MSEC;

        if (realtime == USEC_INFINITY)
                return strcpy(buffer, "-");
        if (span < USEC_PER_MSEC)
                return strcpy(buffer, "now");
        span_to_text(span, text);
        (void)snprintf(buffer, RELATIVE_MAX, realtime > now_realtime ? "in %s" : "%s ago", text);
        return buffer;
}

char *time_to_text(usec_t realtime, usec_t unit, const Zone *zone, char buffer[static TIMESTAMP_MAX])
{
        if (realtime == USEC_INFINITY)
                return strcpy(buffer, "-");
        return timestamp_format(realtime - realtime % unit, zone, buffer);
}

/* All three digits of the milliseconds, so that what stands below each other lines up. */
static char *pad_fraction(char *text)
{
        char *dot = strchr(text, '.');
        size_t n = dot ? strlen(dot) : 0;

        if (n < 4)
                (void)strcpy(text + strlen(text), &".000"[n]);
        return text;
}

char *time_to_short_text(usec_t realtime, usec_t unit, const Zone *zone, char buffer[static TIMESTAMP_MAX])
{
        char text[TIMESTAMP_MAX];
        char *first = strchr(time_to_text(realtime, unit, zone, text), ' '), *last = strrchr(text, ' ');

        if (first == last)
                return strcpy(buffer, text);
        *last = '\0';
        (void)strcpy(buffer, first + 1);
        return unit == USEC_PER_MSEC ? pad_fraction(buffer) : buffer;
}

char *time_to_day_text(usec_t realtime, usec_t now_realtime, const Zone *zone, char buffer[static TIMESTAMP_MAX])
{
        char today[TIMESTAMP_MAX];
        size_t n = strcspn(time_to_short_text(now_realtime, USEC_PER_SEC, zone, today), " ");

        (void)time_to_short_text(realtime, USEC_PER_SEC, zone, buffer);
        if (today[n] && strncmp(buffer, today, n + 1) == 0)
                memmove(buffer, buffer + n + 1, strlen(buffer + n + 1) + 1);
        return buffer;
}

int text_append_clean(Buffer *out, const char *s, size_t n, bool keep_lines)
{
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];
                int r;

                /* C1 controls (U+0080 to U+009F) are two bytes in UTF-8, the second of which is c < 0xa0. */
                if (c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0)
                        r = buffer_appendf(out, "\\x%02x", (unsigned char)s[++i]);
                else if (c == '\n' && !keep_lines)
                        r = buffer_append_string(out, "\\n");
                else if ((c < 0x20 && !(keep_lines && (c == '\n' || c == '\t'))) || c == 0x7f)
                        r = buffer_appendf(out, "\\x%02x", c);
                else
                        r = buffer_append_char(out, (char)c);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Bytes of the first character of S; its columns go to RET_WIDTH. What is no character counts as one of a column. */
static size_t next_character(const char *s, size_t n, mbstate_t *state, size_t *ret_width)
{
        wchar_t wide;
        size_t k = mbrtowc(&wide, s, n, state);
        int width;

        if (k == 0 || k == (size_t)-1 || k == (size_t)-2) {
                *state = (mbstate_t){};
                *ret_width = 1;
                return 1;
        }
        width = wcwidth(wide);
        *ret_width = width < 0 ? 1 : (size_t)width;
        return k;
}

size_t text_fit(const char *s, size_t width)
{
        size_t n = strlen(s), i = 0, used = 0;
        mbstate_t state = {};

        while (i < n) {
                size_t columns, k = next_character(s + i, n - i, &state, &columns);

                if (used + columns > width)
                        break;
                used += columns;
                i += k;
        }
        return i;
}

size_t text_width(const char *s)
{
        size_t n = strlen(s), i = 0, used = 0;
        mbstate_t state = {};

        while (i < n) {
                size_t columns;

                i += next_character(s + i, n - i, &state, &columns);
                used += columns;
        }
        return used;
}
