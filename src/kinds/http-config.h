/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The keys of [Http], and what is made of them at load. */

#include "config/key.h"
#include "drivers/http.h"
#include "job/key-need.h"
#include "job/spec.h"
#include "job/types.h"

#define HTTP_REQUESTS_MAX 10000U
#define HTTP_EXPECT_MAX 32U /* statuses and ranges of Expect= */

typedef struct StatusRange {
        unsigned first, last;
} StatusRange;

/* Expect=: none stands for 200-299. */
typedef struct StatusSet {
        StatusRange ranges[HTTP_EXPECT_MAX];
        size_t n;
        char *text;
} StatusSet;

typedef struct HttpConfig {
        Template *url;
        char *method;
        TemplateList query;
        TemplateList headers;
        TemplateList form;
        Template *json;
        Template *body;
        StatusSet expect;
        unsigned requests;
        unsigned concurrency; /* 0: all at once */
        bool conditional;
        uint64_t max_bytes;
        usec_t connect_timeout;
        unsigned max_redirects;
        int auth; /* HttpAuth */
        char *user;
        Template *secret; /* password or token */
        char *ca_file;
        char *cert_file;
        char *key_file;
        bool verify;
        char *proxy;
        char *unix_socket;
        char *interface;
        StringList resolve;
        int version; /* HttpVersion */
        bool compressed;
        char *user_agent;

        /* made by http_config_load() */
        HttpRequest *request;
        char *constant_url; /* with the query; NULL: it varies */
        bool constant_body; /* it is in the request, or there is none */
} HttpConfig;

extern const ConfigSection http_section;
extern const KeyNeed http_needs[];

int http_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report);
void http_config_unload(void *config);

/* Of the body, by the key that gives it; NULL: none is sent. */
const char *http_config_content_type(const HttpConfig *config);

/* Appends SEPARATOR (0: none) and "NAME=VALUE" with both sides percent-encoded, for queries and forms. */
void http_append_pair(Buffer *out, const char *pair, char separator);
/* A fragment is for browsers; it is never sent, and a query goes before it. */
void http_cut_fragment(Buffer *url);
