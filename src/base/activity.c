/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/activity.h"

#include <string.h>

Activity activity_now;

void activity_keep(const char *subject)
{
        if (!memccpy(activity_now.kept, subject, '\0', ACTIVITY_SUBJECT_MAX))
                activity_now.kept[ACTIVITY_SUBJECT_MAX - 1] = '\0';
        activity_now.subject = activity_now.kept;
}
