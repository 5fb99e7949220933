/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the compiler of templates (template.c) leaves to their expansion (template-expand.c). */

#include "job/template.h"

typedef enum PartType {
        PART_LITERAL,
        PART_PARAMETER,
        PART_ENVIRONMENT,
        PART_CREDENTIAL,
        PART_RANDOM,
        PART_SCHEDULED,
        PART_LAST,
        PART_EVENT,
        PART_INSTANCE,
        _PART_TYPE_MAX,
} PartType;

typedef struct TemplatePart {
        PartType type;
        size_t offset;      /* in the text of the template */
        char *text;         /* of a literal; else the placeholder as it was written, for messages */
        size_t text_len;
        char *name;         /* of a parameter, variable, credential, output */
        char *zone;         /* of a time, NULL: the job's */
        char *format;       /* of a time, NULL: RFC 3339 */
        bool has_fallback;
        char *fallback;     /* the text behind ":-" */
        JsonDoc *fallback_doc; /* the same where it stands for a JSON value and is one */
        int64_t minimum, maximum; /* of a random number */
        bool in_string;     /* inside a string literal of a JSON text */
} TemplatePart;

struct Template {
        TemplateEscape escape;
        bool has_credential;
        size_t n_parts;
        TemplatePart *parts; /* a constant is one literal */
};
