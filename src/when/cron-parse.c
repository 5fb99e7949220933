/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/cron.h"

#include <ctype.h>
#include <strings.h>

#include "when/bits.h"
#include "when/cron-internal.h"
#include "when/names.h"

#define BLANKS " \t"
#define PARTS_MAX 128 /* of a field's list */
#define EXPECTED "expected five fields (minute hour day month weekday), or six with seconds first"
#define BACK_MAX 30 /* L-30 */

typedef struct Parser {
        const char *start;
        const char *p;
        WhenError *error;
        Cron *cron;
} Parser;

typedef struct FieldInfo {
        const char *name;
        int min;
        int max;
} FieldInfo;

static const FieldInfo fields[_CRON_FIELD_MAX] = {
        [CRON_SECOND] = { "the second", 0, 59 },
        [CRON_MINUTE] = { "the minute", 0, 59 },
        [CRON_HOUR] = { "the hour", 0, 23 },
        [CRON_DAY] = { "the day of the month", 1, 31 },
        [CRON_MONTH] = { "the month", 1, 12 },
        [CRON_WEEKDAY] = { "the day of the week", 0, 7 }, /* 0 and 7 are Sunday */
};

static int refuse(const Parser *parser, const char *what)
{
        return when_error(parser->error, -EINVAL, (size_t)(parser->p - parser->start), "%s", what);
}

static bool skip_char(Parser *parser, char c)
{
        if (*parser->p != c)
                return false;
        parser->p++;
        return true;
}

/* L and W in either case, where they don't begin a name. */
static bool skip_letter(Parser *parser, char c)
{
        if (toupper((unsigned char)*parser->p) != c)
                return false;
        parser->p++;
        return true;
}

/* A number of MIN … MAX that is called WHAT. */
static int parse_number(Parser *parser, const char *what, int min, int max, int8_t *ret)
{
        const char *start = parser->p;
        int n = 0;

        if (!isdigit((unsigned char)*start))
                return refuse(parser, "expected a number");
        for (; isdigit((unsigned char)*parser->p); parser->p++)
                n = MIN(n * 10 + (*parser->p - '0'), 1000);
        if (n < min || n > max) {
                parser->p = start;
                return when_error(parser->error, -EINVAL, (size_t)(start - parser->start),
                                  "%s must be from %d to %d", what, min, max);
        }
        *ret = (int8_t)n;
        return 0;
}

/* A number, or the name of a month or weekday. */
static int parse_value(Parser *parser, CronField field, int8_t *ret)
{
        const FieldInfo *info = &fields[field];
        int n;

        if (!isalpha((unsigned char)*parser->p))
                return parse_number(parser, info->name, info->min, info->max, ret);
        if (field == CRON_MONTH) {
                n = month_parse(&parser->p);
                if (n < 0)
                        return refuse(parser, "expected a month such as 1 or Jan");
        } else if (field == CRON_WEEKDAY) {
                n = weekday_parse(&parser->p);
                if (n < 0)
                        return refuse(parser, "expected a weekday such as 1 or Mon");
                n = (n + 1) % 7; /* from Sunday on */
        } else {
                return refuse(parser, "expected a number");
        }
        *ret = (int8_t)n;
        return 0;
}

/* "/STEP", where there is one. */
static int parse_step(Parser *parser, CronField field, CronPart *part)
{
        if (!skip_char(parser, '/'))
                return 0;
        if (*parser->p == '0' && strspn(parser->p, "0") == strspn(parser->p, "0123456789"))
                return refuse(parser, "a step can't be 0; 1 is the least");
        return parse_number(parser, "the step", 1, fields[field].max, &part->step);
}

/* What only the day of the month knows: "L", "L-3", "LW". */
static int parse_last_day(Parser *parser, CronPart *part)
{
        part->form = CRON_FORM_LAST;
        if (skip_letter(parser, 'W'))
                part->form = CRON_FORM_LAST_WEEKDAY;
        else if (skip_char(parser, '-'))
                return parse_number(parser, "the days before the last", 0, BACK_MAX, &part->start);
        return 0;
}

/* What may follow a value: "-STOP", "W", "L", "#N". */
static int parse_suffix(Parser *parser, CronField field, CronPart *part)
{
        const char *start = parser->p;
        int r;

        if (field == CRON_DAY && skip_letter(parser, 'W')) {
                part->form = CRON_FORM_NEAREST;
                return 0;
        }
        if (field == CRON_WEEKDAY && skip_letter(parser, 'L')) {
                part->form = CRON_FORM_LAST_OF;
                return 0;
        }
        if (field == CRON_WEEKDAY && skip_char(parser, '#')) {
                part->form = CRON_FORM_NTH_OF;
                return parse_number(parser, "the count of the weekday", 1, CRON_NTH_MAX, &part->stop);
        }
        if (skip_char(parser, '-')) {
                part->form = CRON_FORM_RANGE;
                r = parse_value(parser, field, &part->stop);
                if (r < 0)
                        return r;
                /* Sunday ends a week as well as it begins one. */
                if (field == CRON_WEEKDAY && part->stop == 0 && part->start > 0)
                        part->stop = 7;
                if (part->stop < part->start) {
                        parser->p = start;
                        return refuse(parser, "the range runs backwards; put the smaller value first");
                }
        }
        return parse_step(parser, field, part);
}

static int parse_part(Parser *parser, CronField field, CronPart *ret)
{
        CronPart part = { .form = CRON_FORM_VALUE };
        bool days = field == CRON_DAY || field == CRON_WEEKDAY;
        int r;

        if (skip_char(parser, '*') || (days && skip_char(parser, '?'))) {
                part.form = CRON_FORM_ALL;
                r = parse_step(parser, field, &part);
        } else if (field == CRON_DAY && skip_letter(parser, 'L')) {
                r = parse_last_day(parser, &part);
        } else if (field == CRON_WEEKDAY && toupper((unsigned char)*parser->p) == 'L') {
                r = refuse(parser, "L needs a weekday before it, as in 5L");
        } else {
                r = parse_value(parser, field, &part.start);
                if (r >= 0)
                        r = parse_suffix(parser, field, &part);
        }
        if (r < 0)
                return r;
        if (*parser->p && !strchr(BLANKS ",", *parser->p))
                return refuse(parser, "expected a blank, a comma, a range or a step");
        *ret = part;
        return 0;
}

static int parse_field(Parser *parser, CronField field)
{
        CronList *list = &parser->cron->fields[field];
        CronPart part, *parts;
        int r;

        if (field == CRON_WEEKDAY)
                parser->cron->both = skip_char(parser, '+');
        do {
                r = parse_part(parser, field, &part);
                if (r < 0)
                        return r;
                if (list->n >= PARTS_MAX)
                        return when_error(parser->error, -E2BIG, (size_t)(parser->p - parser->start),
                                          "more than %d values", PARTS_MAX);
                parts = reallocarray(list->parts, list->n + 1, sizeof(*parts));
                if (!parts)
                        return -ENOMEM;
                list->parts = parts;
                list->parts[list->n++] = part;
        } while (skip_char(parser, ','));
        parser->p += strspn(parser->p, BLANKS);
        return 0;
}

/* --- the sets --- */

static uint64_t part_bits(const CronPart *part, CronField field)
{
        bool all = part->form == CRON_FORM_ALL;
        int start = all ? fields[field].min : part->start, step = MAX(part->step, 1);
        int stop = part->form == CRON_FORM_RANGE ? part->stop : all || part->step > 0 ? fields[field].max : start;
        uint64_t bits = 0;

        /* A week of `*` ends on Saturday: a step does not go on to the second Sunday. */
        if (field == CRON_WEEKDAY && part->form != CRON_FORM_RANGE && part->start < 7)
                stop = MIN(stop, 6);
        for (int i = start; i <= stop; i += step)
                bits |= BIT(i);
        return bits;
}

static uint64_t field_bits(const Cron *cron, CronField field)
{
        uint64_t bits = 0;

        for (size_t i = 0; i < cron->fields[field].n; i++)
                if (cron->fields[field].parts[i].form <= CRON_FORM_RANGE)
                        bits |= part_bits(&cron->fields[field].parts[i], field);
        return bits;
}

/* Cron's numbers of weekdays as bits from Monday on. */
static uint8_t from_sunday(uint64_t bits)
{
        return (uint8_t)((bits >> 1 & 0x7f) | (bits & 1) << 6);
}

static void fill_days(Cron *cron)
{
        const CronList *days = &cron->fields[CRON_DAY], *weekdays = &cron->fields[CRON_WEEKDAY];

        cron->days.days = (uint32_t)field_bits(cron, CRON_DAY);
        cron->days.weekdays = from_sunday(field_bits(cron, CRON_WEEKDAY));
        for (size_t i = 0; i < days->n; i++) {
                const CronPart *part = &days->parts[i];

                if (part->form == CRON_FORM_LAST)
                        cron->days.from_end |= (uint32_t)BIT(part->start);
                else if (part->form == CRON_FORM_NEAREST)
                        cron->days.nearest |= (uint32_t)BIT(part->start);
                else if (part->form == CRON_FORM_LAST_WEEKDAY)
                        cron->days.last_weekday = true;
        }
        for (size_t i = 0; i < weekdays->n; i++) {
                const CronPart *part = &weekdays->parts[i];

                if (part->form == CRON_FORM_LAST_OF)
                        cron->days.last |= from_sunday(BIT(part->start));
                else if (part->form == CRON_FORM_NTH_OF)
                        cron->days.nth[part->stop - 1] |= from_sunday(BIT(part->start));
        }
        cron->either = !cron->both && days->parts[0].form != CRON_FORM_ALL && weekdays->parts[0].form != CRON_FORM_ALL;
}

static bool is_wildcard(const CronList *list)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->parts[i].form == CRON_FORM_ALL ||
                    (list->parts[i].form == CRON_FORM_VALUE && list->parts[i].step > 0))
                        return true;
        return false;
}

static void fill_sets(Cron *cron)
{
        cron->seconds = cron->fields[CRON_SECOND].n > 0 ? field_bits(cron, CRON_SECOND) : BIT(0);
        cron->minutes = field_bits(cron, CRON_MINUTE);
        cron->hours = (uint32_t)field_bits(cron, CRON_HOUR);
        cron->months = (uint16_t)field_bits(cron, CRON_MONTH);
        cron->fixed = !is_wildcard(&cron->fields[CRON_HOUR]) && !is_wildcard(&cron->fields[CRON_MINUTE]);
        fill_days(cron);
}

static size_t count_fields(const char *p)
{
        size_t n = 0;

        for (p += strspn(p, BLANKS); *p; p += strspn(p, BLANKS)) {
                p += strcspn(p, BLANKS);
                n++;
        }
        return n;
}

/* Puts the expression for an @shorthand into *RET. */
static int find_shorthand(const Parser *parser, const char **ret)
{
        static const struct {
                const char *name;
                const char *expression;
        } shorthands[] = {
                { "@hourly", "0 * * * *" },
                { "@daily", "0 0 * * *" },
                { "@midnight", "0 0 * * *" },
                { "@weekly", "0 0 * * 0" },
                { "@monthly", "0 0 1 * *" },
                { "@yearly", "0 0 1 1 *" },
                { "@annually", "0 0 1 1 *" },
        };
        size_t length = strcspn(parser->p, BLANKS);

        if (length == strlen("@reboot") && strncasecmp(parser->p, "@reboot", length) == 0)
                return refuse(parser, "@reboot is no time; use OnStartup=");
        if (length == strlen("@every") && strncasecmp(parser->p, "@every", length) == 0)
                return refuse(parser, "@every is no time; use Every=");
        for (size_t i = 0; i < ARRAY_SIZE(shorthands); i++)
                if (length == strlen(shorthands[i].name) &&
                    strncasecmp(parser->p, shorthands[i].name, length) == 0 &&
                    !parser->p[length + strspn(parser->p + length, BLANKS)]) {
                        *ret = shorthands[i].expression;
                        return 0;
                }
        return refuse(parser, "expected @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually");
}

int cron_parse(const char *s, Cron **ret, WhenError *error)
{
        _cleanup_(cron_freep) Cron *cron = NULL;
        Parser parser = { .start = s, .p = s + strspn(s, BLANKS), .error = error };
        const char *expression = parser.p;
        int64_t local;
        size_t n;
        int r;

        if (strlen(s) > CRON_TEXT_MAX)
                return when_error(error, -E2BIG, CRON_TEXT_MAX, "the expression is too long");
        if (*parser.p == '@') {
                r = find_shorthand(&parser, &expression);
                if (r < 0)
                        return r;
                parser.start = parser.p = expression;
        }
        n = count_fields(parser.p);
        if (n != 5 && n != 6)
                return refuse(&parser, EXPECTED);

        parser.cron = cron = new0(Cron, 1);
        if (!cron)
                return -ENOMEM;
        for (size_t i = 6 - n; i < _CRON_FIELD_MAX; i++) {
                r = parse_field(&parser, (CronField)i);
                if (r < 0)
                        return r;
        }
        fill_sets(cron);
        if (cron_local_next(cron, 0, &local) == 0)
                return when_error(error, -EINVAL, (size_t)(expression - s),
                                  "there is no such date: no month named here has that day");
        *ret = TAKE_PTR(cron);
        return 0;
}
