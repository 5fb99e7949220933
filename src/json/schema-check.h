/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The checks that the table of keywords names: those of one value, and those that apply schemas. */

#include "json/schema-internal.h"

#define DECLARE_CHECK(name) int check_##name(Frame *f, const Keyword *k, const JsonValue *instance)

DECLARE_CHECK(const);
DECLARE_CHECK(dependent_required);
DECLARE_CHECK(enum);
DECLARE_CHECK(exclusive_maximum);
DECLARE_CHECK(exclusive_minimum);
DECLARE_CHECK(max_items);
DECLARE_CHECK(max_length);
DECLARE_CHECK(max_properties);
DECLARE_CHECK(maximum);
DECLARE_CHECK(min_items);
DECLARE_CHECK(min_length);
DECLARE_CHECK(min_properties);
DECLARE_CHECK(minimum);
DECLARE_CHECK(multiple_of);
DECLARE_CHECK(pattern);
DECLARE_CHECK(required);
DECLARE_CHECK(type);
DECLARE_CHECK(unique_items);

DECLARE_CHECK(additional_properties);
DECLARE_CHECK(all_of);
DECLARE_CHECK(any_of);
DECLARE_CHECK(contains);
DECLARE_CHECK(dependent_schemas);
DECLARE_CHECK(dynamic_ref);
DECLARE_CHECK(if);
DECLARE_CHECK(items);
DECLARE_CHECK(not);
DECLARE_CHECK(one_of);
DECLARE_CHECK(pattern_properties);
DECLARE_CHECK(prefix_items);
DECLARE_CHECK(properties);
DECLARE_CHECK(property_names);
DECLARE_CHECK(ref);
DECLARE_CHECK(unevaluated_items);
DECLARE_CHECK(unevaluated_properties);
