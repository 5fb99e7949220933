/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/activity.h"

Activity activity_now;
