/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Lines of "     Label: text", as status shows what it knows. What is missing gets no line. */

#include "ctl/ctl.h"
#include "ctl/text.h"

/* "     Label: "; blanks for "", so that lines stand below each other. */
void label_print(const char *label);
void label_print_text(const char *label, const char *text);
/* A line for each string of the list, with the label before the first. */
void label_print_strings(const char *label, const JsonValue *list);
/* "17 succeeded, 1 failed", the zero ones left out. */
void label_print_counts(const char *label, const JsonValue *counts);
/* The time and how far away it is, and NOTE ("" for none) behind that. */
void label_print_time(const Ctl *ctl, const char *label, usec_t realtime, const char *note);
