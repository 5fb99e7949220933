/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Bytes as a file that is in no directory, for processes that read them from a descriptor. */

#include "base/macro.h"

/* A file of N bytes that nobody can change any more, at its beginning. NAME is for people. -errno. */
int memory_file_new(const char *name, const void *data, size_t n, int *ret);
