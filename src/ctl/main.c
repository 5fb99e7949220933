/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/pager.h"
#include "ctl/table.h"
#include "ctl/verb.h"

/* Names and results are UTF-8 whatever the locale says; where it can be had, they are treated so. */
static void use_locale(void)
{
        (void)setlocale(LC_CTYPE, "");
        if (!streq(nl_langinfo(CODESET), "UTF-8"))
                (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static int load_zone(Ctl *ctl)
{
        WhenError error;

        if (zone_load(ctl->options.time_zone ? ctl->options.time_zone : ZONE_LOCAL, &ctl->zone, &error) >= 0)
                return 0;
        if (ctl->options.time_zone)
                return ctl_error(STATUS_USAGE, "--timezone: %s", error.message);
        /* A broken /etc/localtime is no reason to tell nothing. */
        ctl->zone = zone_ref(zone_utc());
        return 0;
}

static int run(Ctl *ctl, int argc, char **argv)
{
        _cleanup_free_ char **args = new0(char *, (size_t)argc + 1);
        size_t n = 0;
        int r;

        if (!args)
                return ctl_oom();
        r = options_parse(ctl, argc, argv, args, &n);
        if (r != 0)
                return r;
        if (ctl->options.version) {
                printf("taktctl %s\n", PACKAGE_VERSION);
                return ctl_flush();
        }
        if (ctl->options.help && (n == 0 || !ctl->verb || !ctl->verb->usage)) {
                ctl_pager(ctl);
                help_print(ctl->verb);
                return ctl_flush();
        }
        if ((ctl->verb->options & OPTION_ONE_NAME) && n > 0 && strpbrk(args[0], "*?["))
                return ctl_error(STATUS_USAGE, "%s takes the name of one job or the id of one run, and no pattern such as %s",
                                 ctl->verb->name, args[0]);
        r = load_zone(ctl);
        if (r == 0)
                r = (ctl->options.help ? ctl->verb->usage : ctl->verb->run)(ctl, args, n);
        return r == 0 ? ctl_flush() : r;
}

int main(int argc, char **argv)
{
        Ctl ctl = { .argv = argv };
        int r;

        use_locale();
        ctl.colour = colour_wanted();
        ctl.terminal = isatty(STDOUT_FILENO);
        ctl.width = terminal_width();
        r = run(&ctl, argc, argv);
        pager_close();
        ctl_tell_unknown(&ctl);
        if (ctl.unknown.any)
                r = MAX(r, STATUS_NOT_FOUND);
        varlink_client_free(ctl.client);
        environment_free(ctl.environment);
        zone_unref(ctl.zone);
        options_deinit(&ctl.options);
        return r;
}
