/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/authority.h"

#include <sys/stat.h>
#include <unistd.h>

void authority_init(Authority *authority, const Settings *settings, const char *socket)
{
        struct stat st;

        *authority = (Authority){ .uid = geteuid(), .control = settings->control_group, .read = settings->read_group };
        if (!authority->control.set && stat(socket, &st) == 0)
                authority->control = (GroupSetting){ .set = true, .gid = st.st_gid };
}

static bool in_group(const GroupSetting *group, gid_t gid, const gid_t *groups, size_t n)
{
        if (!group->set || group->everybody)
                return group->set;
        for (size_t i = 0; i < n; i++)
                if (groups[i] == group->gid)
                        return true;
        return gid == group->gid;
}

ApiAuthority authority_of(const Authority *authority, uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
        if (uid == 0 || uid == authority->uid || in_group(&authority->control, gid, groups, n))
                return API_CONTROL;
        return in_group(&authority->read, gid, groups, n) ? API_READ : API_NOBODY;
}
