/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "varlink/account.h"

void varlink_accounts_deinit(VarlinkAccounts *accounts)
{
        free(accounts->items);
        *accounts = (VarlinkAccounts){};
}

/* Forgets users who have no connection and nothing to be quiet about, so that the table can't grow for ever. */
static void forget_idle(VarlinkAccounts *accounts, usec_t now_boottime)
{
        size_t kept = 0;

        for (size_t i = 0; i < accounts->n; i++) {
                const VarlinkAccount *account = &accounts->items[i];

                if (account->n_connections > 0 || account->quiet_until_boottime > now_boottime)
                        accounts->items[kept++] = *account;
        }
        accounts->n = kept;
}

VarlinkAccount *varlink_accounts_get(VarlinkAccounts *accounts, uid_t uid, usec_t now_boottime)
{
        for (size_t i = 0; i < accounts->n; i++)
                if (accounts->items[i].uid == uid)
                        return &accounts->items[i];

        if (accounts->n == accounts->allocated)
                forget_idle(accounts, now_boottime);
        if (accounts->n == accounts->allocated) {
                size_t size = MAX(accounts->allocated * 2, (size_t)8);
                VarlinkAccount *items = reallocarray(accounts->items, size, sizeof(*items));

                if (!items)
                        return NULL;
                accounts->items = items;
                accounts->allocated = size;
        }
        accounts->items[accounts->n] = (VarlinkAccount){ .uid = uid };
        return &accounts->items[accounts->n++];
}

bool varlink_account_may_log(VarlinkAccount *account, usec_t now_boottime, unsigned *ret_silent)
{
        if (now_boottime < account->quiet_until_boottime) {
                account->n_silent++;
                return false;
        }
        *ret_silent = account->n_silent;
        account->n_silent = 0;
        account->quiet_until_boottime = usec_add(now_boottime, VARLINK_REFUSAL_INTERVAL);
        return true;
}
