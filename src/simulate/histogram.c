/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulate/histogram.h"

#define EIGHTHS 8U

int histogram_bar(uint64_t value, uint64_t max, size_t width, bool unicode, Buffer *out)
{
        /* Left blocks of one to seven eighths, U+258F to U+2589, and the full one. */
        static const char *const blocks[EIGHTHS + 1] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" };
        unsigned __int128 scaled;
        uint64_t eighths;
        int r = 0;

        if (value == 0 || max == 0)
                return 0;
        scaled = (unsigned __int128)MIN(value, max) * width * EIGHTHS / max;
        eighths = MAX((uint64_t)scaled, UINT64_C(1));
        for (; eighths >= EIGHTHS && r >= 0; eighths -= EIGHTHS)
                r = buffer_append_string(out, unicode ? blocks[EIGHTHS] : "#");
        if (r >= 0 && eighths > 0 && (unicode || out->len == 0 || eighths >= EIGHTHS / 2))
                r = buffer_append_string(out, unicode ? blocks[eighths] : "#");
        return r;
}
