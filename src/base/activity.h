/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What this process does at the moment: noted in passing where work begins whose length hangs on
 * somebody's data (a run starts, a result is decoded, a call is answered), and read by the loop
 * when something took too long. One note for the one thread of the loop; noting costs some ten
 * nanoseconds.
 */

#include "base/macro.h"

/* Bytes of the subject that are kept, its NUL included. */
#define ACTIVITY_SUBJECT_MAX 96U

typedef struct Activity {
        const char *doing; /* "starting a run", static; NULL: nothing was noted */
        bool is_job;       /* the subject is the name of a job */
        char subject[ACTIVITY_SUBJECT_MAX];
} Activity;

extern Activity activity_now;

static inline void activity_clear(void)
{
        activity_now.doing = NULL;
}

/* SUBJECT (may be NULL) is copied, and cut where it is long. */
static inline void activity_note(const char *doing, const char *subject)
{
        activity_now.doing = doing;
        activity_now.is_job = false;
        if (!subject || !memccpy(activity_now.subject, subject, '\0', ACTIVITY_SUBJECT_MAX))
                activity_now.subject[subject ? ACTIVITY_SUBJECT_MAX - 1 : 0] = '\0';
}

static inline void activity_note_job(const char *doing, const char *job)
{
        activity_note(doing, job);
        activity_now.is_job = true;
}
