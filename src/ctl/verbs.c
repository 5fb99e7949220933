/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/verb.h"

#include "base/string-util.h"

const Verb verbs[] = {
        { "list", "[JOB…]", 0, ARGS_UNLIMITED, OPTION_FAILED | OPTION_STATE | OPTION_NAMES, verb_list,
          "List jobs, their state and their next time",
          "JOB is a name or a shell pattern; without one, all jobs are listed." },
        { "status", "[JOB…]", 0, ARGS_UNLIMITED, OPTION_LINES | OPTION_NO_LINES, verb_status,
          "Show how jobs are, with their last runs and log lines",
          "-n sets how many lines of the journal are shown for each job, 10 otherwise, none\n"
          "with 0. Under runs that have processes is the tree of these, as far as this user\n"
          "may see them. Without JOB, shows how the daemon as a whole is: what runs now and\n"
          "which jobs have failed." },
        { "show", "JOB…", 1, ARGS_UNLIMITED, 0, verb_show,
          "Show all that is known of jobs as KEY=VALUE", NULL },
        { "cat", "JOB…", 1, ARGS_UNLIMITED, 0, verb_cat,
          "Show the files of jobs with their drop-ins", NULL },
        { "next", "[JOB…]", 0, ARGS_UNLIMITED, OPTION_LINES, verb_next,
          "Show when jobs are due next, and what shifts that",
          "JOB is a name or a shell pattern; the times of all are in one order. -n sets how\n"
          "many of each job are shown; otherwise 5 of one job, and 1 each of several. Where\n"
          "there are no more, it says why." },
        { "why", "RUN|JOB", 1, 1, OPTION_LINES | OPTION_RUN | OPTION_ONE_NAME, verb_why,
          "Explain why a job ran, did not run, and will run",
          "Shows what was decided about its last runs, 5 unless -n says otherwise, or about\n"
          "RUN alone; then what holds for the job now, and what comes next and why." },
        { "run", "JOB|RUN [ARG…]", 1, ARGS_UNLIMITED, OPTION_AGAIN | OPTION_WAIT | OPTION_PARAM | OPTION_JOB_ARGS | OPTION_ONE_NAME,
          verb_run,
          "Start a run of a job by hand",
          "Prints the id of the run or, with --wait, its result; then the exit status is 1\n"
          "unless the run succeeds. ARGs are values of the job's parameters in their order,\n"
          "or by name, as in \"--city Berlin\"; \"taktctl run JOB --help\" shows which there\n"
          "are. One that is named like an option below goes behind \"--\". RUN is\n"
          "for --again: its job is run, with the parameters that RUN had but for the ones\n"
          "that are given. With --wait, ^C cancels the run, and a second ^C\n"
          "leaves it to itself.",
          verb_run_usage },
        { "gather", "'JOB [ARG…]'…", 1, ARGS_UNLIMITED, OPTION_GROUP | OPTION_TIMEOUT, verb_gather,
          "Run jobs as one group",
          "Waits for the end and prints the array of the results in the order named. With\n"
          "--mode chain they run one after another, each with ${input}, the result of the\n"
          "one before; with taskgroup, the first that fails cancels the others. --timeout\n"
          "is for the whole. ^C cancels all of them, and a second ^C leaves them alone." },
        { "wait", "RUN|JOB…", 1, ARGS_UNLIMITED, OPTION_ANY | OPTION_TIMEOUT, verb_wait,
          "Wait until runs have ended",
          "JOB stands for its runs that are under way now. The exit status is 1 unless all\n"
          "of them succeed, or with --any those that have ended by then." },
        { "cancel", "RUN|JOB…", 1, ARGS_UNLIMITED, 0, verb_cancel,
          "Ask runs to end", "JOB stands for its runs that are under way now." },
        { "send", "RUN|JOB [VALUE…]", 1, ARGS_UNLIMITED, OPTION_WAIT | OPTION_TIMEOUT | OPTION_SEND | OPTION_ONE_NAME, verb_send,
          "Send values to a worker under way",
          "VALUE is JSON; what is not is sent as a string. JOB stands for its newest run.\n"
          "With --wait, prints the value that it yields next; the exit status is 1 where it\n"
          "ends, is tried again or has its process replaced before that, or says none in\n"
          "the time that --timeout gives it." },
        { "runs", "[JOB…]", 0, ARGS_UNLIMITED, OPTION_LINES | OPTION_STATE, verb_runs,
          "List runs, the newest first",
          "Runs under way come first, then those that have ended; of each the newest first.\n"
          "-n sets how many are listed, 20 otherwise." },
        { "result", "RUN|JOB", 1, 1, OPTION_ONE_NAME, verb_result,
          "Print the result of a run",
          "JOB stands for its last run that succeeded. Text is printed as it is, all else\n"
          "as JSON; with --json, everything is." },
        { "watch", "[JOB…]", 0, ARGS_UNLIMITED, OPTION_EVENT, verb_watch,
          "Print what happens as it happens",
          "First comes what is, then each event on a line of its own." },
        { "logs", "JOB…", 1, ARGS_UNLIMITED, OPTION_FOLLOW | OPTION_LINES | OPTION_SINCE, verb_logs,
          "Print what the journal has of jobs",
          "Only the last lines are printed: as many as -n says, otherwise 100, before what\n"
          "comes with -f 10, and with --since all. Needs no daemon." },
        { "pause", "JOB…", 1, ARGS_UNLIMITED, 0, verb_pause,
          "Hold back the schedules of jobs", NULL },
        { "resume", "JOB…", 1, ARGS_UNLIMITED, 0, verb_resume,
          "Let the schedules of jobs go on", NULL },
        { "reload", "", 0, 0, 0, verb_reload,
          "Read takt.conf and the job files again",
          "Jobs whose definition is unchanged go on as if nothing had happened. The exit\n"
          "status is 1 where a file is broken; the job then keeps its old definition. For\n"
          "warnings, about what is surely not meant, it is 0." },
        { "verify", "[FILE…]", 0, ARGS_UNLIMITED, OPTION_STRICT, verb_verify,
          "Check job files or takt.conf, without a daemon",
          "FILE may be a directory of job files, or an environment: its takt.conf and all\n"
          "its jobs. Without FILE, that is the environment that other verbs would talk to.\n"
          "What is legal and surely not meant, such as the name of a job or program that is\n"
          "not there, is a warning; the exit status is 1 for those only with --strict." },
        { "simulate", "[JOB|FILE…]", 0, ARGS_UNLIMITED, OPTION_FROM | OPTION_SIMULATE | OPTION_TIMEOUT, verb_simulate,
          "Show what would run, and where runs pile up",
          "Runs the scheduler on the environment's job files, or on FILEs (with a \"/\" or\n"
          ".job), from now or --from for a day or --until. Runs take as long as --duration\n"
          "says, or as the last ones took where a daemon answers, or no time at all. Prints\n"
          "how many begin and how many are under way at most in each stretch of time, the\n"
          "peaks with their jobs, and what becomes of each job. Needs no daemon." },
        { "calendar", "EXPR", 1, 1, OPTION_CRON | OPTION_FROM | OPTION_LINES, verb_calendar,
          "Explain a calendar or cron expression",
          "Prints its normal form and the next times, 5 unless -n says otherwise, in the\n"
          "machine's time zone or that of --timezone. Needs no daemon." },
        { "path", "JSONPATH [FILE]", 1, 2, 0, verb_path,
          "Print what a JSONPath names in a JSON document",
          "The nodes are printed as one JSON array, [] where there are none. Without FILE,\n"
          "the document is read from standard input. Needs no daemon." },
        { "validate", "SCHEMA [FILE]", 1, 2, 0, verb_validate,
          "Check a JSON document against a JSON Schema",
          "Each error is printed with its place in the document, the schema's keyword and\n"
          "what is wrong. Without FILE, the document is read from standard input. Other\n"
          "schemas are read from beside SCHEMA only. The exit status is 1 where the\n"
          "document is not valid, 2 where it or SCHEMA can't be used. Needs no daemon." },
        { "env", "[create DIR]", 0, 2, OPTION_FORCE, verb_env,
          "Show or create an environment",
          "Without arguments, shows which environment is in use and where its parts are.\n"
          "\"env create DIR\" makes DIR one; --force, even if it holds other things." },
        { "ping", "", 0, 0, 0, verb_ping, "Ask whether the daemon answers", NULL },
        { "info", "", 0, 0, 0, verb_info, "Show what the daemon is and does", NULL },
        {},
};

const Verb *verb_find(const char *name)
{
        for (const Verb *v = verbs; v->name; v++)
                if (streq(v->name, name))
                        return v;
        return NULL;
}

const char *verb_nearest(const char *name)
{
        Nearest nearest = { .name = name };

        for (const Verb *v = verbs; v->name; v++)
                nearest_look(&nearest, v->name);
        return nearest.found;
}
