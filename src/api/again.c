/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a run was started with, for one that is to be like it. */
#include "api/decision.h"
#include "api/internal.h"

static void take(_unused_ Api *api, const RunRecord *record, void *userdata)
{
        const char *params = record->params ?: "{}";
        ApiAgain *again = userdata;

        again->job = strdup(record->job);
        again->error = again->job ? json_parse(params, strlen(params), NULL, &again->params, NULL) : -ENOMEM;
}

int api_again_find(Api *api, uint64_t run, ApiAgain *ret)
{
        if (!explain_with_run(api, run, take, ret))
                return 0;
        return ret->error < 0 ? ret->error : 1;
}

void api_again_deinit(ApiAgain *again)
{
        free(again->job);
        json_doc_free(again->params);
        *again = (ApiAgain){};
}
