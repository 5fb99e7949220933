/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=http: one request, or several of the same form with their placeholders put in anew, one
 * after another or side by side (Requests=, Concurrency=). What does not vary is made at load.
 */

#include "drivers/http.h"

#include "base/siphash.h"
#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/spec.h"
#include "job/types.h"
#include "kinds/http-config.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"

#define HTTP_URL_MAX (64U * 1024)
#define HTTP_REQUEST_BODY_MAX (16U * 1024 * 1024)
/* Bytes of an unexpected response that its error message quotes. */
#define HTTP_QUOTE_MAX 120
#define TIMING_ROOM 256U /* for what is told of a request, but for a long URL */

/* One request of a run. */
typedef struct Slot {
        Run *run;
        HttpTransfer *transfer;
        unsigned index;
        uint64_t asked; /* for Conditional=: see hash_request() */
        Buffer body;    /* sent; lent to the transfer */
        Buffer response;
} Slot;

typedef struct HttpRun {
        Slot *slots; /* one a request */
        unsigned n_started;
        unsigned n_ended;
        bool failed; /* the run ends when nothing is under way any more */
        usec_t start_boottime;
        Buffer timings; /* JSON, one object a request */
        char *error_kind;
        char *error_message;
} HttpRun;

/* What a job keeps for Conditional=: one block, the strings behind it. */
typedef struct HttpMemo {
        uint64_t asked; /* what this is the answer to */
        const char *etag;
        const char *last_modified;
        const char *body;
        size_t body_len;
} HttpMemo;

static bool status_is_expected(const HttpConfig *config, unsigned status)
{
        for (size_t i = 0; i < config->expect.n; i++)
                if (status >= config->expect.ranges[i].first && status <= config->expect.ranges[i].last)
                        return true;
        return config->expect.n == 0 && status >= 200 && status <= 299;
}

/* Appends NAME=VALUE pairs: a query or a form. FIRST goes before the first of them. */
static int append_pairs(Run *run, const TemplateList *list, char first, Buffer *out)
{
        for (size_t i = 0; i < list->n; i++) {
                _cleanup_buffer_ Buffer pair = BUFFER_NULL;

                if (run_expand(run, list->templates[i], &pair) < 0)
                        return -EBADMSG;
                http_append_pair(out, buffer_string(&pair), i > 0 ? '&' : first);
        }
        return 0;
}

static int make_url(Run *run, const HttpConfig *config, Buffer *url)
{
        if (run_expand(run, config->url, url) < 0)
                return -EBADMSG;
        if (url->len == 0) {
                run_fail(run, "url", "Url= is empty");
                return -EBADMSG;
        }
        http_cut_fragment(url);
        return append_pairs(run, &config->query, strchr(url->data, '?') ? '&' : '?', url);
}

static int make_body(Run *run, const HttpConfig *config, Buffer *body)
{
        body->max = HTTP_REQUEST_BODY_MAX;
        if (config->form.n > 0)
                return append_pairs(run, &config->form, '\0', body);
        return run_expand(run, config->json ?: config->body, body);
}

static void start_more(Run *run);

static void set_failure(HttpRun *state, const char *kind, char *message)
{
        if (state->failed) {
                free(message);
                return;
        }
        state->failed = true;
        state->error_kind = strdup(kind);
        state->error_message = message;
}

/* Ends what is under way, without waiting for it. */
static void abandon(HttpRun *state)
{
        for (unsigned i = 0; i < state->n_started; i++)
                state->slots[i].transfer = http_transfer_cancel(state->slots[i].transfer);
}

static void write_timing(JsonWriter *w, const HttpResponse *response, const char *url)
{
        json_key(w, "status");
        json_uint(w, response->status);
        json_key(w, "url");
        json_string_lossy(w, url, strlen(url));
        json_key(w, "bytes");
        json_uint(w, response->bytes_received);
        json_key(w, "reused");
        json_bool(w, response->reused);
        json_key(w, "redirects");
        json_uint(w, response->redirects);
        json_key(w, "nameUsec");
        json_uint(w, response->timing.name);
        json_key(w, "connectUsec");
        json_uint(w, response->timing.connect);
        json_key(w, "tlsUsec");
        json_uint(w, response->timing.tls);
        json_key(w, "firstByteUsec");
        json_uint(w, response->timing.first_byte);
        json_key(w, "totalUsec");
        json_uint(w, response->timing.total);
}

static void note_timing(HttpRun *state, const HttpConfig *config, const HttpResponse *response, bool secret)
{
        _cleanup_buffer_ Buffer url = BUFFER_NULL;
        JsonWriter w;

        /* A credential, of whatever length, may stand in the query. */
        if (!secret)
                (void)secret_append_url(&url, response->url);
        (void)buffer_reserve(&state->timings, TIMING_ROOM);
        if (config->requests > 1)
                (void)buffer_append_char(&state->timings, state->timings.len > 0 ? ',' : '[');
        json_writer_init(&w, &state->timings, 0);
        json_begin_object(&w);
        write_timing(&w, response, buffer_string(&url));
        json_end_object(&w);
        (void)json_writer_end(&w);
}

static void set_details(Run *run, const HttpConfig *config)
{
        HttpRun *state = run_state(run);
        usec_t total = usec_sub(clock_boottime(run->services->clock), state->start_boottime);

        if (config->requests > 1)
                run_set_details(run, xasprintf("{\"requests\":%u,\"totalUsec\":%llu,\"responses\":%s]}", state->n_ended,
                                               (unsigned long long)total, state->timings.len > 0 ? state->timings.data : "["));
        else if (state->timings.len > 0)
                run_set_details(run, buffer_steal(&state->timings));
}

/*
 * Of all that decides what is asked for: the definition, and what was put in for its placeholders. Where that is
 * another than before, what the server said of its version holds for something else.
 */
static uint64_t hash_request(const Run *run, const char *url, const StringList *headers)
{
        const SipKey key = { .k = { siphash24(&(SipKey){}, url, strlen(url)), 0 } };
        uint64_t hash = siphash24(&key, run->spec->identity, strlen(run->spec->identity));

        for (size_t i = 0; i < headers->n; i++)
                hash = siphash24(&(SipKey){ .k = { hash, i } }, headers->strings[i], strlen(headers->strings[i]));
        return hash;
}

/* What the last answer to the same request was; NULL: there is none. */
static const HttpMemo *recall(const Run *run, const Slot *slot)
{
        const HttpConfig *config = run_config(run);
        const HttpMemo *memo = config->conditional ? run_memo(run) : NULL;

        return memo && memo->asked == slot->asked ? memo : NULL;
}

static void remember(Run *run, const Slot *slot, const HttpResponse *response)
{
        size_t etag = strlen(response->etag), modified = strlen(response->last_modified);
        HttpMemo *memo;
        char *strings;

        if (etag + modified == 0)
                return;
        memo = malloc(sizeof(*memo) + etag + modified + 3 + response->body->len);
        if (!memo)
                return;
        strings = (char *)(memo + 1);
        memo->asked = slot->asked;
        memo->etag = memcpy(strings, response->etag, etag + 1);
        memo->last_modified = memcpy(strings + etag + 1, response->last_modified, modified + 1);
        memo->body = strings + etag + modified + 2;
        memo->body_len = response->body->len;
        memcpy(strings + etag + modified + 2, buffer_string(response->body), response->body->len + 1);
        (void)run_set_memo(run, memo);
}

static void finish_many(Run *run, const HttpConfig *config)
{
        HttpRun *state = run_state(run);
        _cleanup_free_ const Buffer **bodies = new0(const Buffer *, config->requests);

        if (!bodies) {
                run_fail(run, "memory", "no memory for the responses");
                return;
        }
        for (unsigned i = 0; i < config->requests; i++)
                bodies[i] = &state->slots[i].response;
        run_finish_with_bodies(run, run_result_format(run, RESULT_JSON), bodies, config->requests);
}

static void finish(Run *run)
{
        const HttpConfig *config = run_config(run);
        HttpRun *state = run_state(run);

        set_details(run, config);
        if (state->failed) {
                _cleanup_free_ char *kind = TAKE_PTR(state->error_kind), *message = TAKE_PTR(state->error_message);

                run_fail(run, kind ?: "memory", "%s", message ?: "no memory for the error");
        } else if (config->requests > 1) {
                finish_many(run, config);
        } else {
                run_finish_with_bytes(run, run_result_format(run, RESULT_JSON), buffer_string(&state->slots[0].response),
                                      state->slots[0].response.len);
        }
}

/* The beginning of a body that was not expected, on one line. */
static char *quote_body(const Buffer *body)
{
        size_t n = MIN(body->len, (size_t)HTTP_QUOTE_MAX);
        char *quote = strndup(buffer_string(body), n);

        for (char *c = quote; c && *c; c++)
                if ((unsigned char)*c < 0x20)
                        *c = ' ';
        return quote;
}

static void on_response(_unused_ HttpTransfer *transfer, const HttpResponse *response, void *userdata)
{
        Slot *slot = userdata;
        Run *run = slot->run;
        const HttpConfig *config = run_config(run);
        HttpRun *state = run_state(run);
        const HttpMemo *memo = recall(run, slot);

        slot->transfer = NULL;
        state->n_ended++;
        note_timing(state, config, response, run->spec->has_secret);
        if (response->error) {
                set_failure(state, response->error, strdup(response->message));
        } else if (response->status == 304 && memo) {
                (void)buffer_append(&slot->response, memo->body, memo->body_len);
        } else if (!status_is_expected(config, response->status)) {
                _cleanup_free_ char *quote = quote_body(response->body);

                set_failure(state, "http-status",
                            xasprintf("status %u, expected %s%s%s", response->status, config->expect.text ?: "200-299",
                                      response->body->len > 0 ? ": " : "", quote ?: ""));
        } else {
                if (config->conditional)
                        remember(run, slot, response);
                slot->response = *response->body;
                *response->body = BUFFER_NULL;
        }
        /* A failure among several lets those under way come to their end, and starts no more. */
        if (state->n_ended == (state->failed ? state->n_started : config->requests))
                finish(run);
        else
                start_more(run);
}

/* Headers of this request that have placeholders; those without are in the HttpRequest. */
static int make_headers(Run *run, const HttpConfig *config, StringList *headers)
{
        for (size_t i = 0; i < config->headers.n; i++) {
                _cleanup_buffer_ Buffer header = BUFFER_NULL;
                SecretSet *secrets;

                if (template_is_constant(config->headers.templates[i]))
                        continue;
                if (run_expand(run, config->headers.templates[i], &header) < 0)
                        return -EBADMSG;
                secrets = run_secrets(run);
                if (!secrets || secret_set_add_header(secrets, buffer_string(&header)) < 0 ||
                    string_list_append(headers, buffer_string(&header)) < 0) {
                        run_fail(run, "memory", "no memory for a header");
                        return -ENOMEM;
                }
        }
        return 0;
}

/* What was put in with a password around it, or made one by what was. */
static int note_secrets(Run *run, const HttpConfig *config, const char *url, const Buffer *secret)
{
        bool of_url = !config->constant_url, of_secret = config->secret && !template_is_constant(config->secret);
        SecretSet *secrets = of_url || of_secret ? run_secrets(run) : NULL;
        int r = (of_url || of_secret) && !secrets ? -ENOMEM : 0;

        if (r >= 0 && of_url)
                r = secret_set_add_url(secrets, url);
        if (r >= 0 && of_secret)
                r = secret_set_add_basic(secrets, config->user, buffer_string(secret));
        if (r < 0)
                run_fail(run, "memory", "no memory for the secrets");
        return r;
}

/* 0, or the run has ended. */
static int start_one(Run *run, const HttpConfig *config, Slot *slot)
{
        HttpRun *state = run_state(run);
        const HttpMemo *memo;
        _cleanup_(string_list_deinit) StringList headers = {};
        _cleanup_buffer_ Buffer url = BUFFER_WITH_MAX(HTTP_URL_MAX), secret = BUFFER_NULL;
        HttpStart start = {};
        int r;

        if (!config->constant_url && make_url(run, config, &url) < 0)
                return -EBADMSG;
        if (!config->constant_body && make_body(run, config, &slot->body) < 0)
                return -EBADMSG;
        if (make_headers(run, config, &headers) < 0 || run_expand(run, config->secret, &secret) < 0)
                return -EBADMSG;
        if (note_secrets(run, config, url.data, &secret) < 0)
                return -ENOMEM;
        if (config->conditional)
                slot->asked = hash_request(run, config->constant_url ?: url.data, &headers);
        memo = recall(run, slot);
        start = (HttpStart){
                .url = url.data,
                .headers = (const char *const *)headers.strings,
                .n_headers = headers.n,
                .body = slot->body.data,
                .body_size = slot->body.len,
                .content_type = slot->body.data ? http_config_content_type(config) : NULL,
                .user = config->user,
                .secret = config->secret ? buffer_string(&secret) : NULL,
                .etag = memo && memo->etag[0] ? memo->etag : NULL,
                .last_modified = memo && memo->last_modified[0] ? memo->last_modified : NULL,
        };
        r = http_transfer_start(run->services->http, config->request, &start, on_response, slot, &slot->transfer);
        if (r >= 0)
                return 0;
        abandon(state);
        run_fail(run, r == -EBUSY ? "too-many-transfers" : "internal", "the request could not be started: %s", strerror(-r));
        return r;
}

static void start_more(Run *run)
{
        const HttpConfig *config = run_config(run);
        HttpRun *state = run_state(run);
        unsigned at_once = config->concurrency > 0 ? config->concurrency : config->requests;

        while (!state->failed && state->n_started < config->requests && state->n_started - state->n_ended < at_once) {
                Slot *slot = &state->slots[state->n_started];

                *slot = (Slot){ .run = run, .index = state->n_started };
                state->n_started++;
                if (start_one(run, config, slot) < 0)
                        return;
        }
}

static void http_start(Run *run)
{
        const HttpConfig *config = run_config(run);
        HttpRun *state = run_state(run);

        state->slots = new0(Slot, config->requests);
        if (!state->slots) {
                run_fail(run, "memory", "no memory for the requests");
                return;
        }
        state->start_boottime = clock_boottime(run->services->clock);
        start_more(run);
}

static void http_cancel(Run *run)
{
        abandon(run_state(run));
        set_details(run, run_config(run));
        run_fail(run, "cancelled", "ended before its time");
}

static void http_reset(Run *run)
{
        HttpRun *state = run_state(run);

        abandon(state);
        for (unsigned i = 0; i < state->n_started; i++) {
                buffer_deinit(&state->slots[i].body);
                buffer_deinit(&state->slots[i].response);
        }
        free(state->slots);
        buffer_deinit(&state->timings);
        free(state->error_kind);
        free(state->error_message);
}

const JobKind http_kind = {
        .name = "http",
        .help = "Asks an HTTP server.",
        .section = &http_section,
        .default_timeout = 30 * USEC_PER_SEC,
        .load = http_config_load,
        .needs = http_needs,
        .unload = http_config_unload,
        .run_size = sizeof(HttpRun),
        .start = http_start,
        .cancel = http_cancel,
        .reset = http_reset,
};
