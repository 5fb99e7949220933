/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What this process does at the moment: noted in passing where work begins whose length hangs on
 * somebody's data (a run starts, a result is decoded, a call is answered), and read by the loop
 * when something took too long. One note for the one thread of the loop; noting a job costs three
 * writes to memory.
 */

#include "base/macro.h"

/* Bytes of the subject that are kept, its NUL included. */
#define ACTIVITY_SUBJECT_MAX 96U

typedef struct Activity {
        const char *doing;   /* "starting a run", static; NULL: nothing was noted, and what follows says nothing */
        const char *subject; /* NULL: none */
        bool is_job;         /* the subject is the name of a job */
        char kept[ACTIVITY_SUBJECT_MAX];
} Activity;

extern Activity activity_now;

static inline void activity_clear(void)
{
        activity_now.doing = NULL;
}

/* SUBJECT is copied, and cut where it is long. */
void activity_keep(const char *subject);

/* SUBJECT (may be NULL) is copied. */
static inline void activity_note(const char *doing, const char *subject)
{
        activity_now.doing = doing;
        activity_now.subject = NULL;
        activity_now.is_job = false;
        if (subject)
                activity_keep(subject);
}

/* JOB is borrowed, as this comes twice a run: who frees it calls activity_forget() before. */
static inline void activity_note_job(const char *doing, const char *job)
{
        activity_now.doing = doing;
        activity_now.subject = job;
        activity_now.is_job = true;
}

static inline void activity_forget(const char *job)
{
        if (activity_now.subject == job)
                activity_keep(job);
}
