/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Cron expressions: five fields, six with seconds first, names, L W #, and the @shorthands. */

#include "when/dst.h"
#include "when/error.h"

#define CRON_TEXT_MAX 1024 /* bytes of an expression */

typedef struct Cron Cron;

/*
 * -EINVAL (also for what can never be, such as 31 February, and for @reboot), -E2BIG, -ENOMEM;
 * ERROR may be NULL.
 */
int cron_parse(const char *s, Cron **ret, WhenError *error);
Cron *cron_free(Cron *cron);
DEFINE_CLEANUP(Cron *, cron_free);

/* The normal form (numbers for names, fields and lists in their order). The caller frees it. NULL: no memory. */
char *cron_format(const Cron *cron);

/* The first instant strictly later than AFTER_REALTIME. 1 found, 0 none up to WHEN_YEAR_MAX. */
int cron_next(const Cron *cron, const DstRules *rules, usec_t after_realtime, usec_t *ret_realtime);
