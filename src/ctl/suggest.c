/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/suggest.h"

#include <ctype.h>

#include "base/string-util.h"

#define MAX_LOOKED 10000U
#define SUGGEST_TIMEOUT (2 * USEC_PER_SEC) /* it is a hint, not worth a long wait */

typedef struct Search {
        Nearest nearest;
        bool removed; /* a job of that very name has runs left, and no file */
} Search;

/* Looks at each job of REPLY. FOUND has a copy of the nearest, as the reply goes. */
static void look_at_reply(const VarlinkReply *reply, Search *search, char **found)
{
        Nearest *nearest = &search->nearest;
        const JsonValue *jobs = json_get(reply->parameters, "jobs");

        for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n; i++) {
                const char *job = json_get_string(&jobs->items[i], "job", "");

                /* Of one that was removed, nothing can be asked for but what its name is found for. */
                if (!streq(json_get_string(&jobs->items[i], "state", ""), "removed"))
                        nearest_look(nearest, job);
                else if (streq(job, nearest->name))
                        search->removed = true;
        }
        /* Without memory there is no hint, and nothing nearer than none. */
        if (nearest->found && nearest->found != *found && free_and_strdup(found, nearest->found) < 0) {
                free(*found);
                *found = NULL;
        }
        nearest->found = *found;
}

/* Among the jobs that match PATTERN. */
static char *look(const char *socket, const char *name, const char *pattern, bool *ret_removed)
{
        _cleanup_(varlink_client_freep) VarlinkClient *client = NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        Search search = { .nearest.name = name };
        const char *parameters;
        char *found = NULL;
        bool more = true;

        params_init(&params);
        params_strings(&params, "jobs", &pattern, 1);
        if (params_end(&params, &parameters) != 0 || varlink_client_connect(socket, &client) < 0 ||
            varlink_client_send(client, "io.takt.Jobs.List", parameters, VARLINK_CALL_MORE) < 0)
                return NULL;
        for (uint32_t n = 0; more && n < MAX_LOOKED;) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                const JsonValue *jobs;

                if (varlink_client_receive(client, SUGGEST_TIMEOUT, &reply) < 0 || reply.error)
                        break;
                look_at_reply(&reply, &search, &found);
                jobs = json_get(reply.parameters, "jobs");
                n += json_is(jobs, JSON_ARRAY) ? jobs->n : 0;
                more = reply.continues;
        }
        *ret_removed = search.removed;
        return found;
}

char *suggest_job(const Ctl *ctl, const char *name, bool *ret_removed)
{
        const char beginning[] = { *name, '*', '\0' };
        char *found = NULL;

        *ret_removed = false;
        if (!ctl->environment)
                return NULL;
        if (isalnum((unsigned char)*name))
                found = look(ctl->environment->socket, name, beginning, ret_removed);
        return found || *ret_removed ? found : look(ctl->environment->socket, name, "*", ret_removed);
}
