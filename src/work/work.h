/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Work off the loop: what may take long, block or never end is asked of takt-worker (work/limits.h), whose
 * processes are a pool with an empty environment. They are started on demand; who asks for nothing has none.
 */

#include "json/json.h"
#include "process/pool-set.h"

typedef struct Work Work;
typedef struct WorkCall WorkCall;

/* Who waits in the kernel holds up only those that may have to as well. */
typedef enum WorkPool {
        WORK_COMPUTE, /* takes the processor */
        WORK_FILES,   /* opens and reads what may lie anywhere */
        _WORK_POOL_MAX,
} WorkPool;

/*
 * How it ended. ERROR 0: HEADER is the answer's, and TEXT its document, "" where it has none; both live for the
 * call. Else KIND and MESSAGE say what went wrong: a word of the worker's or "memory", "work-timeout",
 * "worker-died", "too-large"; HEADER is NULL, and TEXT what was answered all the same.
 */
typedef struct WorkAnswer {
        int error;
        const char *kind;
        const char *message;
        const JsonValue *header;
        const char *text;
        size_t n;
} WorkAnswer;

/* CALL is freed once this returns. */
typedef void (*WorkDone)(WorkCall *call, const WorkAnswer *answer, void *userdata);

/* Finds takt-worker, and starts nothing. Errors of helper_find(). */
int work_new(PoolSet *pools, Work **ret);
/* No call may be under way. Accepts NULL. */
Work *work_free(Work *work);
DEFINE_CLEANUP(Work *, work_free);

/*
 * Asks with the JSON object HEADER and, where TEXT is not NULL, the N bytes of a document; all is copied. TIMEOUT
 * is from now on. DONE is called from the loop, never from within. -EAGAIN: too many wait. -EILSEQ: TEXT has a byte
 * (WORK_LINE_BREAK) that is in no JSON. -EINVAL: HEADER has a tab or line break. -ENOMEM; what pool_set_hold() says.
 */
int work_ask(Work *work, WorkPool pool, const char *header, size_t n_header, const char *text, size_t n, usec_t timeout,
             WorkDone done, void *userdata, WorkCall **ret);
/*
 * Whether PROGRAM is a jq program, asked of a takt-worker that is started for that and waited for: not for who
 * has a loop. -EBADMSG: it is none, and *RET_ERROR, which the caller frees, says why. Other errors: it could not be asked.
 */
int work_check_filter(const char *program, char **ret_error);
/* Ends the process that has the call in work; DONE is not called. Accepts NULL. */
WorkCall *work_call_stop(WorkCall *call);
