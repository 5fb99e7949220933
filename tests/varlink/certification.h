/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What client and server of org.varlink.certification have in common. */

#include "json/json.h"

#define CERTIFICATION "org.varlink.certification."
#define CERTIFICATION_N_REPLIES 10 /* of Test10 */

typedef struct CertificationStep {
        const char *method;
        const char *wants; /* parameters besides client_id */
        const char *gives;
} CertificationStep;

/* Test01 to Test11, ended by NULL. Test10 gives as many replies as Test11 wants strings. */
extern const CertificationStep certification_steps[];

/* As json_equal(), but a member that is null is the same as one that is absent. */
bool certification_equal(const JsonValue *a, const JsonValue *b);
