/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/who.h"

#include <inttypes.h>
#include <pwd.h>

#include "ctl/ctl.h"
#include "ctl/text.h"

int who_append(Buffer *out, const char *before, const JsonValue *by)
{
        int64_t uid = json_get_int(by, "uid", -1), pid = json_get_int(by, "pid", 0);
        const struct passwd *user;
        int r;

        if (!json_is(by, JSON_OBJECT) || uid < 0 || uid > UINT32_MAX)
                return 0;
        user = getpwuid((uid_t)uid);
        r = buffer_appendf(out, "%sby ", before);
        if (r >= 0 && user)
                r = text_append_clean(out, user->pw_name, strlen(user->pw_name), false);
        if (r >= 0)
                r = buffer_appendf(out, user ? " (uid %" PRIi64 : "uid %" PRIi64, uid);
        if (r >= 0 && pid > 0)
                r = buffer_appendf(out, user ? ", pid %" PRIi64 : " (pid %" PRIi64, pid);
        return r >= 0 && (user || pid > 0) ? buffer_append_char(out, ')') : r;
}
