/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a message asks for. */

#include "json/json.h"
#include "varlink/method-table.h"

typedef struct VarlinkRequest {
        const ServedMethod *served; /* NULL: METHOD is to be looked up */
        const JsonValue *method;
        const JsonValue *parameters; /* an object; with none, an empty one */
        bool more;
        bool oneway;
        bool upgrade;
        const JsonMember *wrong; /* the first member that may not be there, or is of the wrong type */
} VarlinkRequest;

/*
 * Reads MESSAGE, whose end is followed by a NUL, into RET and the document that it points into, as
 * json_parse_again() does. GUESS, which may be NULL, is a method that it may be for. -EBADMSG: it is
 * no object, -ENOMEM; RET_ERROR, of JSON, is set on either.
 */
int varlink_request_read(
        const char *message, size_t n, size_t max_message, const ServedMethod *guess, JsonDoc **doc, VarlinkRequest *ret,
        JsonError *ret_error);
