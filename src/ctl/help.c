/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/verb.h"

#include <stdio.h>

#include "ctl/text.h"

#define NAME_COLUMNS 24

/* "  NAME            HELP", with the name's columns counted and not its bytes. */
static void print_row(const char *name, const char *help)
{
        size_t width = text_width(name);

        printf("  %s%*s%s\n", name, width < NAME_COLUMNS ? (int)(NAME_COLUMNS - width) : 1, "", help);
}

static void print_option(const Option *o)
{
        char name[64];

        if (o->letter)
                (void)snprintf(name, sizeof(name), "-%c, --%s%s%s", o->letter, o->name, o->metavar ? " " : "",
                               o->metavar ? o->metavar : "");
        else
                (void)snprintf(name, sizeof(name), "    --%s%s%s", o->name, o->metavar ? " " : "",
                               o->metavar ? o->metavar : "");
        print_row(name, o->help);
}

static void print_verb_help(const Verb *verb)
{
        printf("taktctl [OPTION…] %s%s%s\n\n%s.\n", verb->name, *verb->args ? " " : "", verb->args, verb->summary);
        if (verb->details)
                printf("\n%s\n", verb->details);
        printf("\nOptions:\n");
        for (const Option *o = options; o->name; o++)
                if (o->verbs & verb->options)
                        print_option(o);
        for (const Option *o = options; o->name; o++)
                if (o->verbs == 0)
                        print_option(o);
}

void help_print(const Verb *verb)
{
        if (verb) {
                print_verb_help(verb);
                return;
        }
        printf("taktctl [OPTION…] [VERB [ARG…]]\n\n"
               "Controls taktd, which runs the recurring work of this machine.\n\nVerbs:\n");
        for (const Verb *v = verbs; v->name; v++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "%s %s", v->name, v->args);
                print_row(name, v->summary);
        }
        printf("\nOptions:\n");
        for (const Option *o = options; o->name; o++)
                if (o->verbs == 0)
                        print_option(o);
        printf("\nOptions of some verbs:\n");
        for (const Option *o = options; o->name; o++)
                if (o->verbs != 0)
                        print_option(o);
        printf("\nThe exit status is 0 when done, 1 when a run or check failed, 2 for wrong usage,\n"
               "3 for no such job or run, 4 for no daemon, 5 when it is not permitted.\n"
               "See taktctl(1), and taktctl VERB --help.\n");
}
