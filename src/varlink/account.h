/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a server keeps of each user: how many connections are open, and when a refusal was last
 * logged, so that nobody fills the log by being refused.
 */

#include "base/clock.h"

#define VARLINK_REFUSAL_INTERVAL (1 * USEC_PER_MINUTE)

typedef struct VarlinkAccount {
        uid_t uid;
        unsigned n_connections;
        unsigned n_silent; /* refusals since the one that was logged */
        usec_t quiet_until_boottime;
} VarlinkAccount;

typedef struct VarlinkAccounts {
        VarlinkAccount *items;
        size_t n;
        size_t allocated;
} VarlinkAccounts;

void varlink_accounts_deinit(VarlinkAccounts *accounts);

/* The account of UID, made where there is none; it may move with the next call. NULL: no memory. */
VarlinkAccount *varlink_accounts_get(VarlinkAccounts *accounts, uid_t uid, usec_t now_boottime);

/* Whether a refusal is to be logged now; RET_SILENT is then the number of those that were not. */
bool varlink_account_may_log(VarlinkAccount *account, usec_t now_boottime, unsigned *ret_silent);
