/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a job does: one JobKind a file in kinds/, found by its name in the registry. Scheduling
 * knows kinds by this table only.
 */

#include "config/key.h"

typedef struct JobKind JobKind;
typedef struct JobSpec JobSpec;
typedef struct KeyNeed KeyNeed;
typedef struct Run Run;

/* What can be said to a run under way. */
typedef enum RunMessageType {
        RUN_MESSAGE_SEND,   /* a value: its JSON text on one line */
        RUN_MESSAGE_THROW,  /* an error: so too */
        RUN_MESSAGE_SIGNAL, /* a signal */
        RUN_MESSAGE_CLOSE,  /* nothing more will be sent */
} RunMessageType;

typedef struct RunMessage {
        RunMessageType type;
        const char *text;
        size_t n;
        int signo;
} RunMessage;

struct JobKind {
        const char *name; /* Type= */
        const char *help; /* one sentence */

        /* The kind's own section; its structure is allocated zeroed with the spec. NULL: none. */
        const ConfigSection *section;

        /* TimeoutSec= where the file says none; 0: infinity. */
        usec_t default_timeout;

        /*
         * Called once all keys are read: checks across keys, work that need not be done a run.
         * Adds problems to REPORT, placed by config_items_error(), and returns -EBADMSG; -ENOMEM.
         * NULL: nothing to check.
         */
        int (*load)(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report);
        /*
         * Keys of its section that do nothing without another one, ended by a NULL key: job/key-need.h. NULL:
         * there are none.
         */
        const KeyNeed *needs;
        /* Frees what load() made; the section's own values are freed by its rows. */
        void (*unload)(void *config);

        /* Its runs only wait for other runs: they take no place under MaxRuns=, which those may need. */
        bool only_waits;

        /* The events between start and end, of progress, that its runs may have with CONFIG, as EVENT_BIT(). NULL: none. */
        unsigned (*events)(const void *config);

        /* Placeholders that its section knows beside the job's parameters, ended by NULL; NULL: none. */
        const char *const *placeholders;

        /* Bytes of the kind's own state in each Run, zeroed before start(). */
        size_t run_size;

        /*
         * Begins an attempt. The run ends, now or later from the loop, by exactly one call of
         * run_succeed() or run_fail(). Must not block.
         */
        void (*start)(Run *run);
        /*
         * Goes on with an attempt that a process before this one began: SURVIVOR is what is left of it there,
         * of the kind's own type, and taken over on success. -errno: it can't. NULL: attempts of this kind end
         * with their process.
         */
        int (*resume)(Run *run, void *survivor);
        /* Whether resume() goes on with runs of jobs as SPEC is; NULL: with those of all. */
        bool (*can_resume)(const JobSpec *spec);
        /*
         * Asks a started attempt to end soon: at most one call an attempt; the run still ends by
         * run_succeed() or run_fail(). Never called for what has ended.
         */
        void (*cancel)(Run *run);
        /*
         * Takes a message for a started attempt; text is copied. *RET_UNSENT: bytes that wait until it reads
         * them. 0, -ENOBUFS where that are too many, -EPIPE where it takes no more, -ESRCH where there is no
         * process for a signal, -ENOMEM. NULL: runs of this kind take none.
         */
        int (*send)(Run *run, const RunMessage *message, size_t *ret_unsent);
        /*
         * The details of a started attempt as they are now, in the place of what run_set_details() was told last; the
         * caller frees. NULL, as a function or from it: that is up to date.
         */
        char *(*details)(const Run *run);
        /* Frees the kind's state, after the end of each attempt. NULL: nothing to free. */
        void (*reset)(Run *run);
};

/* The registry, ended by NULL; in kinds/registry.c. A new kind is one file and one line there. */
extern const JobKind *const job_kinds[];

/* NULL where there is none of that name. */
const JobKind *job_kind_find(const char *name);
