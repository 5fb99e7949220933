/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What cmocka wants included before it, and the small helpers that the unit tests share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macro.h"

#define assert_ok(call)                           \
        do {                                      \
                int _result = (call);             \
                assert_return_code(_result, -_result); \
        } while (0)
#define RUN(name) cmocka_unit_test(name)
