/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Most numbers on the wire have few digits and a small exponent: both the digits and the power of
 * ten are then exact doubles and one multiplication or division rounds correctly (Clinger, "How to
 * read floating point numbers accurately", 1990). The rest goes to strtod(), which rounds
 * correctly as well but heeds the locale, so that the point is put into the text first.
 */
#include "json/number.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#define EXACT_DIGITS_MAX (UINT64_C(1) << 53) /* integers up to here are exact doubles */
#define EXACT_POWER_MAX 22                   /* 10^22 is the last power of ten that is one */
#define FEW_DECIMALS_MAX 6                   /* with which the short way of printing is tried */
#define EXPONENT_MAX 100000                  /* far past any double: where counting stops */

static const double powers[EXACT_POWER_MAX + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

typedef struct Decimal {
        bool negative;
        bool whole;      /* neither fraction nor exponent was written */
        bool exact;      /* DIGITS is all there was */
        uint64_t digits; /* the value is DIGITS × 10^EXPONENT */
        int exponent;
} Decimal;

static void decimal_add_digit(Decimal *d, char c)
{
        uint64_t digit = (uint64_t)(c - '0');

        if (d->exact &&
            (__builtin_mul_overflow(d->digits, 10, &d->digits) || __builtin_add_overflow(d->digits, digit, &d->digits)))
                d->exact = false;
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static Decimal decimal_scan(const char *p, const char *end)
{
        Decimal d = { .whole = true, .exact = true };
        int exponent = 0;
        bool negative;

        if (p < end && *p == '-') {
                d.negative = true;
                p++;
        }
        for (; p < end && is_digit(*p); p++)
                decimal_add_digit(&d, *p);
        if (p < end && *p == '.') {
                d.whole = false;
                for (p++; p < end && is_digit(*p); p++) {
                        decimal_add_digit(&d, *p);
                        d.exponent--;
                }
        }
        if (p < end && (*p == 'e' || *p == 'E')) {
                d.whole = false;
                p++;
                negative = p < end && *p == '-';
                if (p < end && (*p == '-' || *p == '+'))
                        p++;
                for (; p < end && is_digit(*p); p++)
                        exponent = MIN(exponent * 10 + (*p - '0'), EXPONENT_MAX);
                d.exponent += negative ? -exponent : exponent;
        }
        return d;
}

/* strtod() in whatever locale. */
static int parse_with_strtod(const char *text, size_t n, double *ret)
{
        _cleanup_free_ char *allocated = NULL;
        const char *point = localeconv()->decimal_point;
        size_t point_len = strlen(point);
        char local[128], *copy = local, *dot;

        if (n + point_len >= sizeof(local)) {
                copy = allocated = malloc(n + point_len + 1);
                if (!copy)
                        return -ENOMEM;
        }
        memcpy(copy, text, n);
        copy[n] = '\0';
        dot = memchr(copy, '.', n);
        if (dot && !streq(point, ".")) {
                memmove(dot + point_len, dot + 1, strlen(dot + 1) + 1);
                memcpy(dot, point, point_len);
        }
        *ret = strtod(copy, NULL);
        return 0;
}

static int parse_double_exactly(const Decimal *d, const char *text, size_t n, double *ret)
{
        double value;

        /* Registers wider than a double would round twice. */
        if (FLT_EVAL_METHOD != 0 || !d->exact || d->digits > EXACT_DIGITS_MAX || abs(d->exponent) > EXACT_POWER_MAX)
                return parse_with_strtod(text, n, ret);
        value = (double)d->digits;
        value = d->exponent < 0 ? value / powers[-d->exponent] : value * powers[d->exponent];
        *ret = d->negative ? -value : value;
        return 0;
}

int json_number_parse(const char *text, size_t n, JsonValue *ret)
{
        Decimal d = decimal_scan(text, text + n);
        double value;
        int r;

        if (d.whole && d.exact && d.digits <= (uint64_t)INT64_MAX + d.negative) {
                *ret = (JsonValue){
                        .type = JSON_INT,
                        .integer = d.negative ? (int64_t)(0 - d.digits) : (int64_t)d.digits,
                };
                return 0;
        }
        r = parse_double_exactly(&d, text, n, &value);
        if (r < 0)
                return r;
        if (!isfinite(value))
                return -ERANGE;
        *ret = (JsonValue){ .type = JSON_DOUBLE, .number = value };
        return 0;
}

/*
 * The same for numbers of few digits, as most are: VALUE is then an integer divided by a power of
 * ten, which the way back shows. There is only one such with up to DBL_DIG digits. 0: not so.
 */
static int few_digits(double value, char digits[static DBL_DECIMAL_DIG + 1], int *ret_exponent)
{
        char text[24];
        int n;

        value = fabs(value);
        for (int k = 0; FLT_EVAL_METHOD == 0 && k <= FEW_DECIMALS_MAX; k++) {
                double scaled = rint(value * powers[k]);

                if (scaled >= powers[DBL_DIG])
                        break;
                if (scaled < 1 || scaled / powers[k] != value)
                        continue;
                n = snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)scaled);
                memcpy(digits, text, (size_t)n);
                *ret_exponent = n - 1 - k;
                return n;
        }
        return 0;
}

/*
 * Below a power of two doubles lie twice as dense as above it: the nearest text may then read back
 * as another number, and the next one above, further away, as this one.
 */
static bool reads_back_above(double value, char *text)
{
        char *last = strchr(text, 'e') - 1;
        int exponent;

        if (fabs(frexp(value, &exponent)) != 0.5 || *last == '9')
                return false;
        ++*last;
        return strtod(text, NULL) == value;
}

/*
 * The fewest significant digits that read back. Up to DBL_DIG digits survive the way through a
 * double, so that nothing shorter needs a try, except where a subnormal has less precision.
 */
static int shortest_digits(double value, char digits[static DBL_DECIMAL_DIG + 1], int *ret_exponent)
{
        int precision = fabs(value) < DBL_MIN ? 1 : DBL_DIG, n = few_digits(value, digits, ret_exponent);
        char text[JSON_NUMBER_MAX + 16]; /* the locale's point may have several bytes */

        while (n > 1 && digits[n - 1] == '0')
                n--;
        if (n > 0)
                return n;
        for (;; precision++) {
                (void)snprintf(text, sizeof(text), "%.*e", precision - 1, value);
                if (precision >= DBL_DECIMAL_DIG || strtod(text, NULL) == value || reads_back_above(value, text))
                        break;
        }
        for (const char *p = text; *p && *p != 'e'; p++)
                if (is_digit(*p))
                        digits[n++] = *p;
        while (n > 1 && digits[n - 1] == '0')
                n--;
        *ret_exponent = atoi(strchr(text, 'e') + 1);
        return n;
}

size_t json_number_format(double value, char buffer[static JSON_NUMBER_MAX])
{
        char digits[DBL_DECIMAL_DIG + 1], *p = buffer;
        int exponent, n;

        n = shortest_digits(value, digits, &exponent);
        if (signbit(value))
                *p++ = '-';
        if (exponent < -5 || exponent > DBL_DIG) {
                *p++ = digits[0];
                if (n > 1) {
                        *p++ = '.';
                        p = mempcpy(p, digits + 1, (size_t)n - 1);
                }
                p += snprintf(p, 8, "e%+03d", exponent);
                return (size_t)(p - buffer);
        }
        if (exponent < 0) {
                *p++ = '0';
                *p++ = '.';
                for (int i = exponent + 1; i < 0; i++)
                        *p++ = '0';
                p = mempcpy(p, digits, (size_t)n);
        } else {
                for (int i = 0; i < MAX(n, exponent + 2); i++) {
                        if (i == exponent + 1)
                                *p++ = '.';
                        *p++ = i < n ? digits[i] : '0';
                }
        }
        *p = '\0';
        return (size_t)(p - buffer);
}

char *json_number_print(const JsonValue *value, char buffer[static JSON_NUMBER_MAX])
{
        if (value->type == JSON_INT)
                (void)snprintf(buffer, JSON_NUMBER_MAX, "%" PRId64, value->integer);
        else
                (void)json_number_format(value->number, buffer);
        return buffer;
}

static int compare_mixed(double number, int64_t integer)
{
        int64_t whole;

        if (number >= 0x1p63)
                return 1;
        if (number < -0x1p63)
                return -1;
        whole = (int64_t)number; /* cut towards zero */
        if (whole != integer)
                return whole < integer ? -1 : 1;
        return number < (double)whole ? -1 : number > (double)whole;
}

int json_number_compare(const JsonValue *a, const JsonValue *b)
{
        if (a->type == JSON_INT && b->type == JSON_INT)
                return a->integer < b->integer ? -1 : a->integer > b->integer;
        if (a->type == JSON_DOUBLE && b->type == JSON_DOUBLE)
                return a->number < b->number ? -1 : a->number > b->number;
        return a->type == JSON_DOUBLE ? compare_mixed(a->number, b->integer) : -compare_mixed(b->number, a->integer);
}

bool json_number_is_whole(const JsonValue *value)
{
        return value->type == JSON_INT || (value->type == JSON_DOUBLE && trunc(value->number) == value->number);
}

/* |VALUE| as RET_DIGITS × 10^RET. */
static int to_decimal(const JsonValue *value, uint64_t *ret_digits)
{
        char digits[DBL_DECIMAL_DIG + 1];
        int exponent, n;

        if (value->type == JSON_INT) {
                *ret_digits = value->integer < 0 ? 0 - (uint64_t)value->integer : (uint64_t)value->integer;
                return 0;
        }
        n = shortest_digits(value->number, digits, &exponent);
        *ret_digits = 0;
        for (int i = 0; i < n; i++)
                *ret_digits = *ret_digits * 10 + (uint64_t)(digits[i] - '0');
        return exponent - (n - 1);
}

bool json_number_is_multiple(const JsonValue *a, const JsonValue *b)
{
        uint64_t dividend, divisor, rest;
        int exponent = to_decimal(a, &dividend) - to_decimal(b, &divisor);

        if (dividend == 0)
                return true;
        /* Either the divisor grows by powers of ten until it exceeds what it should divide … */
        for (; exponent < 0; exponent++)
                if (__builtin_mul_overflow(divisor, 10, &divisor) || divisor > dividend)
                        return false;
        /* … or the dividend does, of which only the rest counts. */
        rest = dividend % divisor;
        for (; exponent > 0 && rest > 0; exponent--)
                rest = (uint64_t)((unsigned __int128)rest * 10 % divisor);
        return rest == 0;
}
