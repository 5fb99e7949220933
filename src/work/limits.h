/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What takt-worker and the daemon say to each other, and how much of it. A request is a line: a header,
 * which is a JSON object whose "do" is the name of the work; then, where there is a document, a tab and
 * the document as it is, but for its line breaks, which are WORK_LINE_BREAK. The answer has the same form;
 * its header's "error", an object of kind and message, tells that the work could not be done. A tab is in no
 * header and a WORK_LINE_BREAK in no JSON: both are escaped in strings and stand nowhere else.
 */

#include "base/clock.h"

#define WORK_LINE_BREAK '\x1e'

/* Processes at a time; they are started on demand, and end after some time without work. */
#define WORK_MAX_PROCESSES 8U
/* The same for files. They sleep: so many may hang before the next one waits. */
#define WORK_MAX_FILE_PROCESSES 32U
#define WORK_IDLE_USEC (30 * USEC_PER_SEC)
/* A process is replaced after so many requests: libjq is trusted to leak little, not nothing. */
#define WORK_MAX_REQUESTS 10000U
/* Requests that wait for a process. */
#define WORK_MAX_QUEUED 16384U
/* Bytes of an answer, of a filter's values among others. */
#define WORK_MAX_ANSWER (64U * 1024 * 1024)
/* And of its header, with the outputs that were taken out of it: at most what JSON has in all. */
#define WORK_MAX_HEADER (64U * 1024 * 1024)
/* How long a request may take, waiting included, where nothing else says so. */
#define WORK_TIMEOUT_USEC (30 * USEC_PER_SEC)

/* Of a process: address space, and processor time for one request. */
#define WORK_MAX_MEMORY (1024UL * 1024 * 1024)
#define WORK_MAX_CPU_SEC 120U

/* How many programs a process keeps compiled. */
#define WORK_MAX_PROGRAMS 64U
