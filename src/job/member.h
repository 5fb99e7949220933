/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Runs under a run: what a kind that is made of other jobs (group) asks of the scheduler, which it can't
 * see. A member is an ordinary run, with an id, a state and a place in the history of its job.
 */

#include "job/parameter.h"
#include "job/run.h"

/* Groups within groups, the outermost being the first. */
#define GROUP_DEPTH_MAX 16U

typedef struct Member Member;

/* Embedded in what its owner keeps of the member; stays where it is as long as RUN is not NULL. */
struct Member {
        Run *run;   /* while it is under way; the owner lets go of it by zeroing RUN->member */
        Run *group; /* the run that it belongs to */
        /* Called once with the run in its final state, which is freed afterwards. RUN is NULL by then. */
        void (*ended)(Member *member, const Run *run);
};

typedef struct MemberRequest {
        const char *job;
        const char *const *args; /* its arguments, as words of a command line */
        size_t n_args;
        const JsonValue *input; /* for a parameter named "input", where the job has one; NULL: none */
        bool may_wait;          /* for a place under MaxRuns=; else -EBUSY */
} MemberRequest;

typedef struct MemberOperations {
        /*
         * Starts a run as MEMBER, whose GROUP and ENDED are set; ENDED may be called before it returns.
         * Overlap=skip and =replace of the job are not asked, caps are. -ENOENT: no such job; -EISDIR: it is a
         * template; -ELOOP: it
         * would be a member of itself, or groups are nested deeper than GROUP_DEPTH_MAX; -EINVAL with
         * RET_ERROR: an argument does not fit; -EBUSY: there is no place now; -ENOMEM. RET_ID is its id.
         */
        int (*start)(Member *member, const MemberRequest *request, uint64_t *ret_id, ParameterError *ret_error);
        /* Asks it to end; it may have ended by the time of return. Harmless where it is not under way. */
        void (*cancel)(Member *member);
} MemberOperations;
