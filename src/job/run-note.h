/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a daemon has to know of an attempt that was begun by an earlier one, in order to go on with it: a
 * line of text that stays with the attempt's command. Boot-time values hold as long as that command does.
 */

#include "base/buffer.h"
#include "job/run.h"

#define RUN_NOTE_MAX 32768U

typedef struct RunNote {
        uint64_t id;
        RunTrigger trigger;
        unsigned attempts;
        Requester started_by;
        uint64_t origin;
        usec_t scheduled_realtime;
        usec_t created_realtime;
        usec_t started_realtime;
        usec_t due_boottime; /* when it was to begin; by how much of that it was put off is not kept */
        usec_t started_boottime;
        usec_t attempt_boottime;
        uint64_t cause;     /* not in the text: the job_trigger_id() that the list of active runs has; 0: none … */
        bool unwanted;      /* … and so is whether somebody asked it to end */
        const char *params; /* in the text; NULL: {} */
        size_t job_len;
        const char *job; /* in the text, not terminated */
} RunNote;

/*
 * Of an attempt that begins now. -EOPNOTSUPP: nobody could go on with it, as it is the member of a group, holds resources, or secrets
 * were put in for it, which can't be known again in what it prints; -E2BIG: its parameters are too long; -ENOMEM.
 */
int run_note_write(const Run *run, Buffer *text);
/* -EBADMSG for any other text. */
int run_note_parse(const char *text, RunNote *ret);
