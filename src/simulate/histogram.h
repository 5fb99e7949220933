/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Bars of text. */

#include "base/buffer.h"

/*
 * Appends a bar for VALUE of MAX, at most WIDTH columns wide and for anything above 0 at least an eighth of
 * one: of block characters with UNICODE, else of "#". -ENOMEM.
 */
int histogram_bar(uint64_t value, uint64_t max, size_t width, bool unicode, Buffer *out);
