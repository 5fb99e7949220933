/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCRE2 takes a limit of steps for a match but doesn't tell how many it took. A match is therefore
 * tried with few steps first and, where they don't suffice, again with many more: what it is
 * charged is then in proportion to what it cost, and nearly every match ends in the first round.
 */
#include "json/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "json/regex-translate.h"

#define STEPS_FIRST 64U        /* cost 1 */
#define STEPS_LAST 1048576U    /* more is an error */
#define STEPS_FACTOR 16U
#define BYTES_PER_COST 64U     /* of the text */
#define HEAP_MAX_KIB 4096U     /* for backtracking */

struct Regex {
        pcre2_code *code;
        pcre2_match_data *match;
        pcre2_match_context *limits;
};

Regex *regex_free(Regex *regex)
{
        if (!regex)
                return NULL;
        pcre2_match_context_free(regex->limits);
        pcre2_match_data_free(regex->match);
        pcre2_code_free(regex->code);
        free(regex);
        return NULL;
}

static const struct {
        int (*translate)(const char *pattern, size_t n, Buffer *out);
        uint32_t options;
        uint32_t extra_options;
} syntaxes[] = {
        [REGEX_I_REGEXP] = { regex_translate_i_regexp, 0, 0 },
        [REGEX_ECMA] = {
                regex_translate_ecma,
                PCRE2_ALLOW_EMPTY_CLASS | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF,
                PCRE2_EXTRA_ALT_BSUX,
        },
};

static int compile_code(RegexSyntax syntax, const Buffer *pattern, bool whole, pcre2_code **ret)
{
        uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
        pcre2_compile_context *context = pcre2_compile_context_create(NULL);
        PCRE2_SIZE offset;
        int error;

        if (!context)
                return -ENOMEM;
        options |= syntaxes[syntax].options;
        if (whole)
                options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
        (void)pcre2_set_compile_extra_options(context, syntaxes[syntax].extra_options);
        *ret = pcre2_compile((PCRE2_SPTR)buffer_string(pattern), pattern->len, options, &error, &offset, context);
        pcre2_compile_context_free(context);
        if (*ret)
                return 0;
        return error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
}

int regex_compile(RegexSyntax syntax, const char *pattern, size_t n, bool whole, Regex **ret)
{
        _cleanup_(regex_freep) Regex *regex = new0(Regex, 1);
        _cleanup_buffer_ Buffer translated = BUFFER_NULL;
        int r;

        if (!regex)
                return -ENOMEM;
        if (n > REGEX_MAX_BYTES)
                return -EINVAL;
        r = syntaxes[syntax].translate(pattern, n, &translated);
        if (r >= 0)
                r = compile_code(syntax, &translated, whole, &regex->code);
        if (r < 0)
                return r;
        regex->match = pcre2_match_data_create(1, NULL);
        regex->limits = pcre2_match_context_create(NULL);
        if (!regex->match || !regex->limits)
                return -ENOMEM;
        (void)pcre2_set_heap_limit(regex->limits, HEAP_MAX_KIB);
        *ret = TAKE_PTR(regex);
        return 0;
}

int regex_match(const Regex *regex, const char *s, size_t n, size_t *budget, bool *ret)
{
        for (uint32_t steps = STEPS_FIRST; steps <= STEPS_LAST; steps *= STEPS_FACTOR) {
                size_t cost = steps / STEPS_FIRST + n / BYTES_PER_COST;
                int r;

                if (*budget < cost)
                        break;
                *budget -= cost;
                (void)pcre2_set_match_limit(regex->limits, steps);
                r = pcre2_match(regex->code, (PCRE2_SPTR)s, n, 0, PCRE2_NO_UTF_CHECK, regex->match, regex->limits);
                if (r == PCRE2_ERROR_NOMEMORY)
                        return -ENOMEM;
                if (r >= 0 || r == PCRE2_ERROR_NOMATCH) {
                        *ret = r >= 0;
                        return 0;
                }
                if (r != PCRE2_ERROR_MATCHLIMIT)
                        break;
        }
        return -E2BIG;
}
