/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A problem of a job's files as clients and takt-verify --json are told of it. */

#include "config/report.h"
#include "json/writer.h"

/*
 * Adds where PROBLEM is and what it says, as members of an object: those of io.takt.Manager.Problem but for
 * its job.
 */
void problem_write(const ConfigProblem *problem, JsonWriter *w);
