/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a configuration names that is not in it: other jobs, programs, files, users. Whether they are there is no
 * reason to refuse it, as they may come later; what is named and not there is a warning. Mentions are noted while
 * a file is read, looked up once that can be done, and forgotten then.
 */

#include "config/file.h"

#define MENTIONS_MAX 10000U /* of one definition; what comes behind them is not looked up */

typedef enum MentionType {
        MENTION_EVENTS,     /* jobs, by name or pattern, whose events start this one: name-check.h */
        MENTION_PROGRAM,    /* all others: surroundings.h */
        MENTION_DIRECTORY,
        MENTION_FILE,
        MENTION_LED,
        MENTION_CREDENTIAL,
        MENTION_VARIABLE,   /* of the daemon's environment */
        MENTION_USER,
        MENTION_GROUP,
        _MENTION_TYPE_MAX,
} MentionType;

typedef struct Mention {
        MentionType type;
        const char *key;  /* of its row: it outlives the mention */
        char *name;
        unsigned events;  /* of MENTION_EVENTS, as EVENT_BIT() */
        char *directory;  /* where a relative name begins; relative itself, or NULL: where jobs run that say nothing else */
        char *path;       /* PATH of a program; NULL: that of commands which say nothing else */
        bool foreign;     /* it is not the daemon that uses it, but the service manager for it */
        char *file;       /* where it stands */
        unsigned line, column;
} Mention;

typedef struct MentionList {
        Mention *mentions;
        size_t n;
} MentionList;

void mention_list_deinit(MentionList *list);
/* Adds MENTION, whose strings are copied, with the place of the byte at OFFSET of ITEM's value. -ENOMEM. */
int mention_list_add(MentionList *list, const Mention *mention, const ConfigItem *item, size_t offset);
