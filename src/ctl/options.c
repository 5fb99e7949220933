/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/verb.h"

#include "base/string-util.h"
#include "when/timespan.h"

#define MAX_LINES 1000000U

#define AT(field) offsetof(CtlOptions, field)

const Option options[] = {
        { 0, "env", "DIR", 0, OPTION_STRING, 0, AT(env), "Talk to the daemon of the environment DIR" },
        { 0, "system", NULL, 0, OPTION_SCOPE, ENVIRONMENT_SYSTEM, AT(scope), "Talk to the system's daemon" },
        { 0, "user", NULL, 0, OPTION_SCOPE, ENVIRONMENT_USER, AT(scope), "Talk to the user's own daemon" },
        { 'j', "json", NULL, 0, OPTION_FLAG, 0, AT(json), "Print JSON" },
        { 'q', "quiet", NULL, 0, OPTION_FLAG, 0, AT(quiet), "Print no headings and no remarks" },
        { 0, "timezone", "TZ", 0, OPTION_STRING, 0, AT(time_zone), "Show times of this zone (Europe/Berlin, UTC)" },
        { 0, "no-pager", NULL, 0, OPTION_FLAG, 0, AT(no_pager), "Don't pipe long output into a pager" },
        { 'h', "help", NULL, 0, OPTION_FLAG, 0, AT(help), "Show this help, or that of a verb" },
        { 0, "version", NULL, 0, OPTION_FLAG, 0, AT(version), "Show the version" },
        { 0, "again", NULL, OPTION_AGAIN, OPTION_FLAG, 0, AT(again), "Name a run, to start one that is as it was" },
        { 0, "all", NULL, OPTION_ANY, OPTION_FLAG, 0, AT(all), "Wait until all have ended (the default)" },
        { 0, "any", NULL, OPTION_ANY, OPTION_FLAG, 0, AT(any), "Wait until the first has ended" },
        { 0, "close", NULL, OPTION_SEND, OPTION_FLAG, 0, AT(close), "Close its input, which asks it to return" },
        { 0, "concurrency", "N", OPTION_GROUP, OPTION_COUNT, 0, AT(concurrency), "At most so many side by side" },
        { 0, "cron", NULL, OPTION_CRON, OPTION_FLAG, 0, AT(cron), "Take it as a cron expression" },
        { 0, "duration", "[JOB=]SPAN", OPTION_SIMULATE, OPTION_WORDS, 0, AT(durations), "Runs take so long; may be repeated" },
        { 0, "errors", "WHAT", OPTION_GROUP, OPTION_STRING, 0, AT(errors), "raise (the default) or keep errors" },
        { 'e', "event", "EVENT", OPTION_EVENT, OPTION_LIST, 0, AT(events), "Only events of this name, or these (A,B)" },
        { 0, "failed", NULL, OPTION_FAILED, OPTION_FLAG, 0, AT(failed), "Only jobs whose last run failed or was lost" },
        { 'f', "follow", NULL, OPTION_FOLLOW, OPTION_FLAG, 0, AT(follow), "Go on with what comes" },
        { 0, "for", "ITEM", OPTION_GROUP, OPTION_WORDS, 0, AT(items), "Run them for ${item}; may be repeated" },
        { 0, "force", NULL, OPTION_FORCE, OPTION_FLAG, 0, AT(force), "Use a directory that is not empty" },
        { 0, "from", "TIME", OPTION_FROM, OPTION_STRING, 0, AT(from), "Begin after this time, not now" },
        { 'n', "lines", "N", OPTION_LINES, OPTION_COUNT, 0, AT(lines), "Show that many" },
        { 0, "list", NULL, OPTION_SIMULATE, OPTION_FLAG, 0, AT(list), "Print each run, not what comes of all" },
        { 0, "mode", "MODE", OPTION_GROUP, OPTION_STRING, 0, AT(mode), "gather (the default), chain or taskgroup" },
        { 0, "names", NULL, OPTION_NAMES, OPTION_FLAG, 0, AT(names), "Print names only, one a line" },
        { 'p', "param", "NAME=VALUE", OPTION_PARAM, OPTION_WORDS, 0, AT(params), "Set a parameter; may be repeated" },
        { 0, "run", "ID", OPTION_RUN, OPTION_STRING, 0, AT(run), "Only this run" },
        { 0, "seed", "N", OPTION_SIMULATE, OPTION_STRING, 0, AT(seed), "Draw other random delays" },
        { 0, "signal", "SIGNAL", OPTION_SEND, OPTION_STRING, 0, AT(signal), "Send it a signal, such as USR1" },
        { 0, "since", "TIME", OPTION_SINCE, OPTION_STRING, 0, AT(since), "Begin at this time, or at -SPAN before now" },
        { 's', "state", "STATE", OPTION_STATE, OPTION_LIST, 0, AT(states), "Only those in this state, or these (A,B)" },
        { 0, "strict", NULL, OPTION_STRICT, OPTION_FLAG, 0, AT(strict), "Fail where there are warnings as well" },
        { 0, "throw", "MESSAGE", OPTION_SEND, OPTION_STRING, 0, AT(throw), "Throw an error into it" },
        { 't', "timeout", "SPAN", OPTION_TIMEOUT, OPTION_SPAN, 0, AT(timeout), "Wait no longer than this (10s, 2min)" },
        { 0, "until", "TIME|+SPAN", OPTION_SIMULATE, OPTION_STRING, 0, AT(until), "End before this time, or so long after --from" },
        { 'w', "wait", NULL, OPTION_WAIT, OPTION_FLAG, 0, AT(wait), "Wait for the end, or the next value, and print it" },
        {},
};

void options_deinit(CtlOptions *o)
{
        free(o->states.words);
        free(o->events.words);
        free(o->params.words);
        free(o->durations.words);
        free(o->items.words);
        *o = (CtlOptions){};
}

static const Option *find_letter(char letter)
{
        for (const Option *o = options; o->name; o++)
                if (o->letter == letter)
                        return o;
        return NULL;
}

static const Option *find_name(const char *name, size_t n)
{
        for (const Option *o = options; o->name; o++)
                if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
                        return o;
        return NULL;
}

static int unknown_option(const char *name, size_t n)
{
        _cleanup_free_ char *copy = strndup(name, n);
        Nearest nearest = { .name = copy };

        if (!copy)
                return ctl_oom();
        for (const Option *o = options; o->name; o++)
                nearest_look(&nearest, o->name);
        if (nearest.found)
                return ctl_error(STATUS_USAGE, "unknown option --%s; did you mean --%s?", copy, nearest.found);
        return ctl_error(STATUS_USAGE, "unknown option --%s; see: taktctl --help", copy);
}

static int add_word(Words *words, const char *word)
{
        const char **w = reallocarray(words->words, words->n + 1, sizeof(*w));

        if (!w)
                return ctl_oom();
        w[words->n] = word;
        words->words = w;
        words->n++;
        return 0;
}

/* The words of VALUE, which is cut at its commas. */
static int add_list(Words *words, char *value)
{
        char *word;
        int r = 0;

        while (r == 0 && (word = strsep(&value, ",")))
                r = add_word(words, word);
        return r;
}

static int set_option(CtlOptions *o, const Option *option, char *value)
{
        void *target = (char *)o + option->offset;
        WhenError error;
        uint64_t n;

        switch (option->type) {
        case OPTION_FLAG:
                *(bool *)target = true;
                return 0;
        case OPTION_SCOPE:
                *(EnvironmentScope *)target = (EnvironmentScope)option->value;
                return 0;
        case OPTION_STRING:
                *(const char **)target = value;
                return 0;
        case OPTION_WORDS:
                return add_word(target, value);
        case OPTION_LIST:
                return add_list(target, value);
        case OPTION_COUNT:
                if (parse_uint64(value, &n) < 0 || n > MAX_LINES)
                        return ctl_error(STATUS_USAGE, "--%s wants a number from 1 to %u, not \"%s\"",
                                         option->name, MAX_LINES, value);
                *(unsigned *)target = (unsigned)n;
                o->no_lines = n == 0;
                return 0;
        case OPTION_SPAN:
                if (timespan_parse(value, target, &error) < 0)
                        return ctl_error(STATUS_USAGE, "--%s: %s", option->name, error.message);
                return 0;
        }
        return 0;
}

/* What is read so far. */
typedef struct Parser {
        Ctl *ctl;
        char **argv;
        int argc;
        int i;
        unsigned seen; /* OPTION_… */
        char **args;
        size_t n;
} Parser;

/* Whether OPTION, which stands on the command line now, is for the job that was named before it. */
static bool is_for_job(const Parser *p, const Option *option)
{
        const Verb *verb = p->ctl->verb;

        return verb && (verb->options & OPTION_JOB_ARGS) && p->n > 0 &&
               (!option || (option->verbs != 0 && !(option->verbs & verb->options)));
}

static int take_argument(Parser *p)
{
        p->args[p->n++] = p->argv[p->i];
        return 0;
}

static int take_option(Parser *p, const Option *option, char *value)
{
        if (option->metavar && !value) {
                if (p->i + 1 >= p->argc)
                        return ctl_error(STATUS_USAGE, "option --%s wants a value: --%s %s",
                                         option->name, option->name, option->metavar);
                value = p->argv[++p->i];
        }
        p->seen |= option->verbs;
        return set_option(&p->ctl->options, option, value);
}

static int take_long(Parser *p, char *text)
{
        size_t n = strcspn(text, "=");
        const Option *option = find_name(text, n);

        if (is_for_job(p, option))
                return take_argument(p);
        if (!option)
                return unknown_option(text, n);
        if (text[n] == '=' && !option->metavar)
                return ctl_error(STATUS_USAGE, "option --%s takes no value", option->name);
        return take_option(p, option, text[n] == '=' ? text + n + 1 : NULL);
}

/* A group such as "-qn5". */
static int take_letters(Parser *p, char *text)
{
        if (is_for_job(p, find_letter(*text)))
                return take_argument(p); /* -5, for one */
        for (; *text; text++) {
                const Option *option = find_letter(*text);
                int r;

                if (!option)
                        return ctl_error(STATUS_USAGE, "unknown option -%c; see: taktctl --help", *text);
                if (option->metavar)
                        return take_option(p, option, text[1] ? text + 1 : NULL);
                r = take_option(p, option, NULL);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int take_verb(Ctl *ctl, const char *name)
{
        const char *nearest;

        ctl->verb = verb_find(name);
        if (ctl->verb)
                return 0;
        nearest = verb_nearest(name);
        if (nearest)
                return ctl_error(STATUS_USAGE, "unknown verb \"%s\"; did you mean %s?", name, nearest);
        return ctl_error(STATUS_USAGE, "unknown verb \"%s\"; see: taktctl --help", name);
}

static int check(const Parser *p, size_t n)
{
        const CtlOptions *o = &p->ctl->options;
        const Verb *verb = p->ctl->verb;
        unsigned foreign = p->seen & ~verb->options;

        if (o->help || o->version)
                return 0;
        for (const Option *option = options; option->name; option++)
                if (option->verbs & foreign)
                        return ctl_error(STATUS_USAGE, "%s takes no option --%s; see: taktctl %s --help",
                                         verb->name, option->name, verb->name);
        if (o->no_lines && !(verb->options & OPTION_NO_LINES))
                return ctl_error(STATUS_USAGE, "--lines wants a number from 1 to %u, not 0", MAX_LINES);
        if (n < verb->min_args || n > verb->max_args)
                return ctl_error(STATUS_USAGE, "%s arguments; usage: taktctl %s%s%s",
                                 n < verb->min_args ? "too few" : "too many", verb->name,
                                 *verb->args ? " " : "", verb->args);
        if (o->env && o->scope != ENVIRONMENT_AUTO)
                return ctl_error(STATUS_USAGE, "--env goes with neither --system nor --user");
        return 0;
}

int options_parse(Ctl *ctl, int argc, char **argv, char **args, size_t *ret_n)
{
        Parser p = { .ctl = ctl, .argv = argv, .argc = argc, .args = args };
        bool ended = false;
        int r = 0;

        ctl->options.timeout = USEC_INFINITY;
        for (p.i = 1; p.i < argc && r == 0; p.i++) {
                char *arg = argv[p.i];

                if (ended || arg[0] != '-' || arg[1] == '\0') {
                        if (ctl->verb)
                                (void)take_argument(&p);
                        else
                                r = take_verb(ctl, arg);
                } else if (streq(arg, "--")) {
                        ended = true;
                } else if (arg[1] == '-') {
                        r = take_long(&p, arg + 2);
                } else {
                        r = take_letters(&p, arg + 1);
                }
        }
        if (r != 0)
                return r;
        if (!ctl->verb && !ctl->options.help)
                ctl->verb = &verbs[0];
        *ret_n = p.n;
        return ctl->verb ? check(&p, p.n) : 0;
}
