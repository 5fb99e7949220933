/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Text with ${…} in it, compiled once at load and expanded at the start of each run.
 *
 *     ${NAME}                a parameter of the run
 *     ${NAME:%H:%M}          a parameter of type time in a format of strftime(3)
 *     ${env:NAME}            an environment variable
 *     ${credential:NAME}     the contents of a file in the credentials directory (systemd.exec(5)),
 *                            without the line breaks at its end
 *     ${random:1..251}       a whole number, both ends included, equally likely, anew at each place
 *     ${scheduled}           the time that the run was scheduled for: RFC 3339, UTC, as TAKT_SCHEDULED
 *     ${scheduled:%Y-%m-%d}  the same in a format of strftime(3) and in the job's time zone
 *     ${last:NAME}           a named output of the job's last successful run
 *     ${%i}                  X of the job NAME@X, as the %i of a template becomes it
 *     ${event}               the event that started the run, an object
 *     ${event:outputs.temp}  a member of it, and of that
 *     $$                     a dollar
 *
 * `@ZONE` before the format asks for another time zone: ${scheduled@Europe/Kyiv:%H:%M}. `:-TEXT`
 * after the name of env, credential, last or event stands in where there is none: ${last:page:-1}. A lone
 * dollar that no brace follows is itself.
 *
 * What is put in is escaped for its place and can't leave it; what the author wrote is never
 * touched. A string goes in as it is, any other value as its JSON text.
 */

#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text-error.h"
#include "json/json.h"

#define TEMPLATE_PARTS_MAX 1024U            /* of one template */
#define TEMPLATE_CREDENTIAL_MAX (64U * 1024) /* bytes of a credential */
#define TEMPLATE_NAME_MAX 63U               /* bytes of the name of a parameter or output */

typedef enum TemplateEscape {
        TEMPLATE_PLAIN,  /* as it is; one argument, a message, a body. No NUL */
        /*
         * Percent-encoded but for RFC 3986's unreserved characters; can't make a "." or ".." segment of
         * the path. A placeholder that the URL begins with stands for the beginning of a URL (scheme,
         * host and so on): there the reserved characters and "%" are kept.
         */
        TEMPLATE_URL,
        /*
         * A JSON text: a placeholder that stands for a value becomes a value of its type, one inside a
         * string literal becomes part of that string. The text is checked when it is compiled.
         */
        TEMPLATE_JSON,
        TEMPLATE_HEADER, /* no control character but the tab: -EINVAL */
        TEMPLATE_FORM,   /* a part of a query or form: percent-encoded but for the unreserved characters */
        /*
         * A file's path: a value can't hold a "/" nor make a "." or ".." of the path. One that the path begins
         * with stands for the beginning of a path and is put in as it is.
         */
        TEMPLATE_PATH,
} TemplateEscape;

typedef struct Template Template;

/* Where the values come from. Zeroed members know nothing, and asking them is an error of the run. */
typedef struct TemplateContext {
        const JsonValue *params;           /* an object, as parameter_bind() makes it */
        const JsonValue *event;            /* an object; NULL: no event started the run */
        const JsonValue *last_outputs;     /* an object; NULL: no run of the job has succeeded yet */
        const char *credentials_directory; /* NULL: none */
        const char *instance;              /* X of the job NAME@X; NULL: it is none */
        usec_t scheduled_realtime;
        /* The value of a variable, borrowed; NULL: not set. */
        const char *(*environment)(const char *name, void *userdata);
        /* 64 random bits. NULL: the kernel's. */
        uint64_t (*random)(void *userdata);
        /*
         * REALTIME in ZONE (NULL: the job's own), with tm_gmtoff and tm_zone set: 0, -ENOENT for an unknown
         * zone, -errno. NULL: UTC, and no other zone.
         */
        int (*local_time)(usec_t realtime, const char *zone, struct tm *ret, void *userdata);
        /* Told of each credential before it is put in; a negative answer ends the expansion. NULL: nobody is. */
        int (*secret)(const char *value, size_t n, void *userdata);
        void *userdata; /* of all of them */
} TemplateContext;

/* -EBADMSG with RET_ERROR (may be NULL) set, -ENOMEM. */
int template_compile(const char *text, TemplateEscape escape, Template **ret, TextError *ret_error);
Template *template_free(Template *t);
DEFINE_CLEANUP(Template *, template_free);

/* Without a placeholder: it expands to the same text always, so that a kind can do its work at load. */
bool template_is_constant(const Template *t);
/* That text; NULL where it is not constant. Lives as long as T. */
const char *template_constant(const Template *t);
/* The text before the first placeholder, "" where there is none. */
const char *template_beginning(const Template *t);
/* Whether a secret is put in: what it expands to must not be shown or logged. */
bool template_has_credential(const Template *t);

/* Whether it may differ from run to run: a parameter, a time, a random number, an output is put in. */
bool template_varies(const Template *t);
/* Whether a time is put in in a format, as it is in the job's zone. */
bool template_uses_job_zone(const Template *t);
/* Whether it has a placeholder of the parameter NAME. */
bool template_uses(const Template *t, const char *name);

/* What a template can't be expanded without. */
typedef struct TemplateNeed {
        bool is_credential; /* else it is a variable of the environment */
        const char *name;
        const char *text;   /* the placeholder as it was written */
} TemplateNeed;

/* The next need at or behind *I, which begins as 0; false: there is none. What has a text to stand in is none. */
bool template_next_need(const Template *t, size_t *i, TemplateNeed *ret);

/* A placeholder of the event that started the run, or of a member of it. */
typedef struct TemplateEvent {
        const char *name;  /* "" for the event as a whole, else "outputs.temp" */
        const char *text;  /* the placeholder as it was written */
        bool has_fallback; /* a text stands in where there is no such thing */
} TemplateEvent;

/* The next one at or behind *I, which begins as 0; false: there is none. */
bool template_next_event(const Template *t, size_t *i, TemplateEvent *ret);

/* What a template may refer to, asked at load. A NULL function knows every name. */
typedef struct TemplateNames {
        bool (*parameter)(const char *name, bool *ret_is_time, void *userdata);
        bool (*output)(const char *name, void *userdata);
        bool (*zone)(const char *name, void *userdata);
        void *userdata;
} TemplateNames;

/* 0, or -EBADMSG with RET_ERROR for the first name that NAMES does not know. */
int template_check_names(const Template *t, const TemplateNames *names, TextError *ret_error);

/*
 * Appends the expanded text to OUT, whose cap holds. On failure OUT is as it was and *RET_ERROR (may be
 * NULL) is a sentence for people that the caller frees and that never holds a secret: -ENOENT (no such
 * parameter, variable, credential, output), -EINVAL (the value can't stand in this place), -E2BIG (over
 * the cap of OUT or of a credential), -ENOMEM, errno of reading a credential.
 */
int template_expand(const Template *t, const TemplateContext *context, Buffer *out, char **ret_error);
