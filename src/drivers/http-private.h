/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the three files of the HTTP client share; see http.h for what it is. */

#include <curl/curl.h>

#include "base/list.h"
#include "drivers/http.h"

/* Header lines in a single block of memory, in the form that curl wants. Its end may lead on into another's. */
typedef struct HeaderList {
        struct curl_slist *first; /* NULL: none */
        void *block;
} HeaderList;

struct HttpRequest {
        unsigned n_refs;
        HttpOptions options;      /* deep copy */
        CURLU *url;               /* the request's, taken apart; NULL: it has none, or curl shall say what is wrong with it */
        size_t max_bytes;
        bool direct;              /* never by a proxy */
        bool needs_length;        /* a body is always sent, if only an empty one */
        HeaderList headers;       /* the constant ones */
        HeaderList body_headers;  /* those of a body, then leads on into HEADERS */
        struct curl_slist *connect_to;
        List idle; /* transfers at rest whose handle is set up for this request */
};

/* A transfer under way, or at rest: the handle is kept with the options of the request that it had last. */
struct HttpTransfer {
        HttpClient *client;
        CURL *easy;
        HttpRequest *request; /* that EASY is set up for; a reference is held under way only */
        List link;            /* in HttpClient.active or .idle */
        List request_link;    /* in HttpRequest.idle */
        Timer timeout;
        Deferred abort;
        usec_t started_boottime;
        HttpCallback callback;
        void *userdata;
        HeaderList headers;
        Buffer body;
        size_t header_bytes;
        const char *failure; /* the error kind where it is us who ended it, with a static text */
        const char *failure_message;
        char message[CURL_ERROR_SIZE]; /* curl's */
};

/* Sets an option of the local `easy`, unless an earlier one has failed: `code` says. */
#define SET(option, value)                                            \
        do {                                                          \
                if (code == CURLE_OK)                                 \
                        code = curl_easy_setopt(easy, option, value); \
        } while (0)

/* Sets all that is constant for the request. */
CURLcode http_request_apply(const HttpRequest *request, CURL *easy);
/* Sets what varies: URL, method, body, headers, credentials. 0, -EINVAL, -ENOMEM, -EOPNOTSUPP. */
int http_request_apply_start(const HttpRequest *request, const HttpStart *start, CURL *easy, HeaderList *headers);
void header_list_deinit(HeaderList *list);
int errno_from_curl(CURLcode code);

/* Room for a message in an HttpResponse. */
#define HTTP_MESSAGE_MAX 512

/* How the transfer stands after CODE, written to RESPONSE; the strings live as long as the handle is not reused. */
void http_response_fill(HttpTransfer *transfer, CURLcode code, usec_t now_boottime,
                        char message[static HTTP_MESSAGE_MAX], HttpResponse *response);
