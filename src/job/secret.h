/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Secrets: what a definition or a run knows that may reach a server or a command, and nobody else.
 * Whatever a run tells — its result, error, progress, log lines — is searched for them on the way
 * out, in one place each (run.c, exec.c), and what is found is replaced by SECRET_SHOWN.
 */

#include "base/buffer.h"

#define SECRET_MIN 4U       /* bytes; what is shorter can't be told from other text */
#define SECRET_LINE_MIN 8U  /* bytes of a line that counts by itself, as of a key in PEM */
#define SECRET_TEXTS_MAX 1024U
#define SECRET_SHOWN "***"  /* no longer than SECRET_MIN, so that texts only shrink */

/* A form in which a secret may turn up: as it is, percent-encoded, quoted in JSON. */
typedef struct SecretText SecretText;

typedef struct SecretSet {
        SecretText *texts; /* the longest first */
        size_t n;
} SecretSet;

/* Overwrites what it held. */
void secret_set_deinit(SecretSet *set);
/* Adds VALUE in all its forms; one that is there, or below SECRET_MIN, is passed over. -ENOMEM, -E2BIG. */
int secret_set_add(SecretSet *set, const char *value, size_t n);
/* The word in which basic authentication sends both (RFC 7617), and SECRET. USER may be NULL. */
int secret_set_add_basic(SecretSet *set, const char *user, const char *secret);
/* "Name: value" of a header such as Authorization: the value, and its word behind the scheme. Of others nothing. */
int secret_set_add_header(SecretSet *set, const char *header);
/* The password in the authority of a URL, with what basic authentication makes of it, and such pairs in its query. */
int secret_set_add_url(SecretSet *set, const char *url);
/* "NAME=VALUE" of a query or form whose name says so: "api_key", "access_token", "password". */
int secret_set_add_pair(SecretSet *set, const char *pair);

/* Adds all that OTHER holds. -ENOMEM, -E2BIG. */
int secret_set_add_all(SecretSet *set, const SecretSet *other);

/* Replaces every secret of TEXT[0…*N), which is followed by a NUL, in place. */
void secret_set_redact(const SecretSet *set, char *text, size_t *n);
/*
 * As above, so that JSON stays JSON: a number becomes null; where a key would have to be changed,
 * OTHERWISE ("{}", "\"***\"") takes the place of the whole.
 */
void secret_set_redact_json(const SecretSet *set, char *text, size_t *n, const char *otherwise);

/* Appends URL without what stands before '@' in its authority. */
int secret_append_url(Buffer *out, const char *url);
