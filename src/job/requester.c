/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/requester.h"

int requester_append(const Requester *by, Buffer *out)
{
        if (!requester_is_known(by))
                return 0;
        if (by->pid > 0)
                return buffer_appendf(out, " by uid %u (pid %d)", by->uid, (int)by->pid);
        return buffer_appendf(out, " by uid %u", by->uid);
}

void requester_write(const Requester *by, const char *key, JsonWriter *w)
{
        if (!requester_is_known(by))
                return;
        json_key(w, key);
        json_begin_object(w);
        json_key(w, "uid");
        json_uint(w, by->uid);
        if (by->pid > 0) {
                json_key(w, "pid");
                json_int(w, by->pid);
        }
        json_end_object(w);
}
