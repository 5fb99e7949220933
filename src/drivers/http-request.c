/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options go to curl in two steps: those of the request once for a handle that stays with it, those
 * of a single transfer each time. A URL that stays the same is handed over as its parts: curl would take
 * it apart and put it together again for each transfer. Header lines likewise: the list of a transfer leads on into
 * the list of its request, which is never copied.
 */
#include <stdio.h>
#include <strings.h>

#include "base/string-util.h"
#include "drivers/http-private.h"

#define HTTP_METHOD_MAX 32 /* bytes */
#define HTTP_HEADER_LINES_MAX 128 /* of a request, and again of a start */
#define HTTP_HEADER_LINE_MAX 65536

/* All lines end up as PREFIX and TEXT, so that a value needs no copy to get its name. */
typedef struct HeaderPart {
        const char *prefix;
        const char *text;
} HeaderPart;

static const size_t copied_strings[] = {
        offsetof(HttpOptions, url),         offsetof(HttpOptions, method),    offsetof(HttpOptions, content_type),
        offsetof(HttpOptions, user),        offsetof(HttpOptions, secret),    offsetof(HttpOptions, ca_file),
        offsetof(HttpOptions, cert_file),   offsetof(HttpOptions, key_file),  offsetof(HttpOptions, proxy),
        offsetof(HttpOptions, unix_socket), offsetof(HttpOptions, interface), offsetof(HttpOptions, user_agent),
};

static const struct {
        CURLoption option;
        size_t offset;
} curl_strings[] = {
        { CURLOPT_CAINFO, offsetof(HttpOptions, ca_file) },
        { CURLOPT_SSLCERT, offsetof(HttpOptions, cert_file) },
        { CURLOPT_SSLKEY, offsetof(HttpOptions, key_file) },
        { CURLOPT_PROXY, offsetof(HttpOptions, proxy) },
        { CURLOPT_UNIX_SOCKET_PATH, offsetof(HttpOptions, unix_socket) },
        { CURLOPT_INTERFACE, offsetof(HttpOptions, interface) },
};

static const unsigned long curl_auth[] = {
        [HTTP_AUTH_NONE] = CURLAUTH_BASIC, /* for a URL that names its user */
        [HTTP_AUTH_BASIC] = CURLAUTH_BASIC,
        [HTTP_AUTH_DIGEST] = CURLAUTH_DIGEST,
        [HTTP_AUTH_BEARER] = CURLAUTH_BEARER,
        [HTTP_AUTH_ANY] = CURLAUTH_BASIC | CURLAUTH_DIGEST,
};

static const long curl_versions[] = {
        [HTTP_VERSION_AUTO] = CURL_HTTP_VERSION_2TLS,
        [HTTP_VERSION_1_0] = CURL_HTTP_VERSION_1_0,
        [HTTP_VERSION_1_1] = CURL_HTTP_VERSION_1_1,
        [HTTP_VERSION_2] = CURL_HTTP_VERSION_2_0,
        [HTTP_VERSION_2_PRIOR_KNOWLEDGE] = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
};

static char **string_at(HttpOptions *options, size_t offset)
{
        return (char **)(void *)((char *)options + offset);
}

int errno_from_curl(CURLcode code)
{
        switch (code) {
        case CURLE_OK:
                return 0;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        default:
                return -EOPNOTSUPP;
        }
}

/* The characters of RFC 9110's token. */
static size_t token_length(const char *s)
{
        return strspn(s, "!#$%&'*+-.^_`|~0123456789"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

static bool field_value_is_valid(const char *s)
{
        for (const char *p = s; *p; p++)
                if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
                        return false;
        return true;
}

bool http_method_is_valid(const char *method)
{
        size_t n = strlen(method);

        return n > 0 && n <= HTTP_METHOD_MAX && token_length(method) == n;
}

bool http_header_is_valid(const char *header)
{
        size_t name = token_length(header);

        if (name == 0 || strlen(header) > HTTP_HEADER_LINE_MAX)
                return false;
        if (header[name] == ';')
                return header[name + 1] == '\0';
        return header[name] == ':' && field_value_is_valid(header + name + 1);
}

void header_list_deinit(HeaderList *list)
{
        free(list->block);
        *list = (HeaderList){};
}

/* Leads on into TAIL, which is borrowed. */
static int header_list_init(HeaderList *list, const HeaderPart *parts, size_t n, struct curl_slist *tail)
{
        struct curl_slist *nodes;
        size_t size = n * sizeof(*nodes);
        char *text;

        list->first = tail;
        if (n == 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                size += strlen(parts[i].prefix) + strlen(parts[i].text) + 1;
        nodes = malloc(size);
        if (!nodes)
                return -ENOMEM;
        text = (char *)(nodes + n);
        for (size_t i = 0; i < n; i++) {
                nodes[i].data = text;
                nodes[i].next = i + 1 < n ? &nodes[i + 1] : tail;
                text = stpcpy(stpcpy(text, parts[i].prefix), parts[i].text) + 1;
        }
        list->first = list->block = nodes;
        return 0;
}

static bool has_header(const char *const *headers, size_t n, const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < n; i++)
                if (strncasecmp(headers[i], name, length) == 0 && strchr(":;", headers[i][length]))
                        return true;
        return false;
}

/*
 * What goes with a body. No "Expect: 100-continue", which would cost a second with every server
 * that does not know it. Returns the number of parts, at most 2.
 */
static size_t add_body_headers(const char *const *headers, size_t n_headers, const char *content_type,
                               HeaderPart *parts)
{
        size_t n = 0;

        if (!has_header(headers, n_headers, "Content-Type"))
                parts[n++] = content_type ? (HeaderPart){ "Content-Type: ", content_type } :
                                            (HeaderPart){ "Content-Type:", "" };
        if (!has_header(headers, n_headers, "Expect"))
                parts[n++] = (HeaderPart){ "Expect:", "" };
        return n;
}

static const char *check_headers(const char *const *headers, size_t n)
{
        if (n > HTTP_HEADER_LINES_MAX)
                return "too many headers";
        for (size_t i = 0; i < n; i++)
                if (!http_header_is_valid(headers[i]))
                        return "a header is not of the form \"Name: value\" on one line";
        return NULL;
}

/* NULL where all is well. */
static const char *find_problem(const HttpOptions *o)
{
        const char *problem = check_headers(o->headers, o->n_headers);

        if (problem)
                return problem;
        if (o->method && !http_method_is_valid(o->method))
                return "the method is no single word";
        if (o->method && streq(o->method, "HEAD") && o->body)
                return "a HEAD request has no body";
        if (o->content_type && !field_value_is_valid(o->content_type))
                return "the content type is not on one line";
        if (o->user_agent && !field_value_is_valid(o->user_agent))
                return "the user agent is not on one line";
        if ((o->user && !field_value_is_valid(o->user)) || (o->secret && !field_value_is_valid(o->secret)))
                return "user or secret are not on one line";
        if (o->key_file && !o->cert_file)
                return "a key needs a certificate";
        if ((size_t)o->auth >= ARRAY_SIZE(curl_auth) || (size_t)o->version >= ARRAY_SIZE(curl_versions))
                return "unknown authentication or HTTP version";
        if (o->auth == HTTP_AUTH_BEARER && o->user)
                return "a bearer token needs no user";
        return NULL;
}

/*
 * CURLOPT_RESOLVE writes into the cache that all transfers share; CURLOPT_CONNECT_TO does the same
 * for one transfer: "HOST:PORT:ADDRESS" becomes "HOST:PORT:ADDRESS:", "*" for any host is "".
 */
static int add_resolve(HttpRequest *request, const char *entry)
{
        _cleanup_free_ char *copy = strdup(entry), *target = NULL;
        char *port, *address;
        struct curl_slist *list;
        uint64_t number;
        bool bare_ipv6;

        if (!copy)
                return -ENOMEM;
        port = strchr(copy, ':');
        address = port ? strchr(port + 1, ':') : NULL;
        if (!address || port == copy || !address[1] || !field_value_is_valid(entry))
                return -EINVAL;
        *port++ = *address++ = '\0';
        if (parse_uint64(port, &number) < 0 || number == 0 || number > UINT16_MAX)
                return -EINVAL;
        bare_ipv6 = strchr(address, ':') && *address != '[';
        target = xasprintf("%s:%s:%s%s%s:", streq(copy, "*") ? "" : copy, port, bare_ipv6 ? "[" : "", address,
                           bare_ipv6 ? "]" : "");
        list = target ? curl_slist_append(request->connect_to, target) : NULL;
        if (!list)
                return -ENOMEM;
        request->connect_to = list;
        return 0;
}

static int copy_options(HttpOptions *ret, const HttpOptions *options)
{
        HttpOptions *copy = ret;

        *copy = *options;
        copy->headers = NULL; /* held as a HeaderList */
        copy->n_headers = 0;
        copy->resolve = NULL;
        copy->n_resolve = 0;
        copy->body = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(copied_strings); i++)
                *string_at(copy, copied_strings[i]) = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(copied_strings); i++) {
                const char *s = *string_at((HttpOptions *)options, copied_strings[i]);

                if (free_and_strdup(string_at(copy, copied_strings[i]), s) < 0)
                        return -ENOMEM;
        }
        if (options->body) {
                void *body = malloc(MAX(options->body_size, (size_t)1));

                if (!body)
                        return -ENOMEM;
                if (options->body_size > 0)
                        memcpy(body, options->body, options->body_size);
                copy->body = body;
        }
        return free_and_strdup(string_at(copy, offsetof(HttpOptions, user_agent)),
                               options->user_agent ?: "takt/" PACKAGE_VERSION);
}

/* In the variables that curl looks at. */
static bool environment_names_proxies(void)
{
        static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (getenv(names[i]))
                        return true;
        return false;
}

static bool is_direct(const HttpOptions *o)
{
        return o->proxy ? *o->proxy == '\0' : !environment_names_proxies();
}

static int init_headers(HttpRequest *request, const HttpOptions *options)
{
        HeaderPart parts[HTTP_HEADER_LINES_MAX + 1], body_parts[2];
        size_t n = 0, n_body;
        int r;

        for (; n < options->n_headers; n++)
                parts[n] = (HeaderPart){ "", options->headers[n] };
        /* Proxies are told as well, by curl, which prints the line for each transfer. */
        if (request->direct && !has_header(options->headers, options->n_headers, "User-Agent"))
                parts[n++] = (HeaderPart){ "User-Agent: ", request->options.user_agent };
        r = header_list_init(&request->headers, parts, n, NULL);
        if (r < 0)
                return r;
        n_body = add_body_headers(options->headers, options->n_headers, options->content_type, body_parts);
        return header_list_init(&request->body_headers, body_parts, n_body, request->headers.first);
}

/* What isn't a whole URL of the schemes that are spoken is curl's to complete, or to complain of. */
static int take_apart(HttpRequest *request)
{
        const char *url = request->options.url;
        CURLUcode code;

        if (!url || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
                return 0;
        request->url = curl_url();
        if (!request->url)
                return -ENOMEM;
        code = curl_url_set(request->url, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
        if (code != CURLUE_OK) {
                curl_url_cleanup(request->url);
                request->url = NULL;
        }
        return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : 0;
}

int http_request_new(const HttpOptions *options, HttpRequest **ret, const char **ret_problem)
{
        _cleanup_(http_request_unrefp) HttpRequest *request = NULL;
        const char *problem = find_problem(options);
        int r;

        if (problem) {
                if (ret_problem)
                        *ret_problem = problem;
                return -EINVAL;
        }
        request = new0(HttpRequest, 1);
        if (!request)
                return -ENOMEM;
        request->n_refs = 1;
        list_init(&request->idle);
        r = copy_options(&request->options, options);
        if (r < 0)
                return r;
        request->direct = is_direct(options);
        r = take_apart(request);
        if (r >= 0)
                r = init_headers(request, options);
        if (r < 0)
                return r;
        for (size_t i = 0; i < options->n_resolve; i++) {
                r = add_resolve(request, options->resolve[i]);
                if (r == -EINVAL && ret_problem)
                        *ret_problem = "an address to connect to is not of the form \"HOST:PORT:ADDRESS\"";
                if (r < 0)
                        return r;
        }
        request->max_bytes = options->max_bytes ?: HTTP_BODY_MAX;
        /* RFC 9110, 8.6: methods that expect a body say so when there is none. */
        request->needs_length = options->method && (streq(options->method, "POST") ||
                                                    streq(options->method, "PUT") ||
                                                    streq(options->method, "PATCH"));
        *ret = TAKE_PTR(request);
        return 0;
}

HttpRequest *http_request_ref(HttpRequest *request)
{
        if (request)
                request->n_refs++;
        return request;
}

HttpRequest *http_request_unref(HttpRequest *request)
{
        HttpTransfer *transfer;

        if (!request || --request->n_refs > 0)
                return NULL;
        list_foreach(transfer, &request->idle, HttpTransfer, request_link) {
                list_unlink(&transfer->request_link);
                transfer->request = NULL;
        }
        for (size_t i = 0; i < ARRAY_SIZE(copied_strings); i++)
                free(*string_at(&request->options, copied_strings[i]));
        free((void *)request->options.body);
        curl_url_cleanup(request->url);
        curl_slist_free_all(request->connect_to);
        header_list_deinit(&request->body_headers);
        header_list_deinit(&request->headers);
        free(request);
        return NULL;
}

/* curl counts the second request of an authentication as a redirect, even where none is followed. */
static long max_redirects(const HttpOptions *o)
{
        long n = (long)MIN(o->max_redirects, (unsigned)INT16_MAX);

        if (n == 0)
                return -1;
        return o->auth == HTTP_AUTH_DIGEST || o->auth == HTTP_AUTH_ANY ? n + 1 : n;
}

CURLcode http_request_apply(const HttpRequest *request, CURL *easy)
{
        const HttpOptions *o = &request->options;
        usec_t connect_timeout = o->connect_timeout ?: HTTP_CONNECT_TIMEOUT;
        CURLcode code = CURLE_OK;

        for (size_t i = 0; i < ARRAY_SIZE(curl_strings); i++)
                SET(curl_strings[i].option, *string_at((HttpOptions *)o, curl_strings[i].offset));
        /* Else curl searches the environment for each transfer. */
        if (request->direct)
                SET(CURLOPT_NOPROXY, "*");
        else
                SET(CURLOPT_USERAGENT, o->user_agent);
        if (request->url)
                SET(CURLOPT_CURLU, request->url);
        else
                SET(CURLOPT_URL, o->url);
        SET(CURLOPT_CONNECT_TO, request->connect_to);
        SET(CURLOPT_CONNECTTIMEOUT_MS, (long)MAX(MIN(connect_timeout / USEC_PER_MSEC, (usec_t)INT32_MAX), (usec_t)1));
        SET(CURLOPT_FOLLOWLOCATION, o->max_redirects > 0 ? 1L : 0L);
        SET(CURLOPT_MAXREDIRS, max_redirects(o));
        SET(CURLOPT_HTTPAUTH, curl_auth[o->auth]);
        SET(CURLOPT_HTTP_VERSION, curl_versions[o->version]);
        SET(CURLOPT_ACCEPT_ENCODING, o->compressed ? "" : NULL);
        if (o->insecure) {
                SET(CURLOPT_SSL_VERIFYPEER, 0L);
                SET(CURLOPT_SSL_VERIFYHOST, 0L);
        }
        /* Saves reading what announces itself as too large; what does not is counted as it comes. */
        if (!streq_ptr(o->method, "HEAD"))
                SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)MIN(request->max_bytes, (size_t)INT64_MAX));
        return code;
}

static CURLcode apply_body(const HttpRequest *request, CURL *easy, const void *body, size_t size)
{
        const char *method = request->options.method;
        CURLcode code = CURLE_OK;

        if (body || request->needs_length) {
                SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
                SET(CURLOPT_POSTFIELDS, body ?: "");
                SET(CURLOPT_CUSTOMREQUEST, streq_ptr(method, "POST") ? NULL : method);
        } else if (streq_ptr(method, "HEAD")) {
                SET(CURLOPT_NOBODY, 1L);
        } else {
                SET(CURLOPT_HTTPGET, 1L);
                SET(CURLOPT_CUSTOMREQUEST, streq_ptr(method, "GET") ? NULL : method);
        }
        return code;
}

static CURLcode apply_credentials(const HttpOptions *o, const HttpStart *start, CURL *easy)
{
        const char *secret = start->secret ?: o->secret;
        CURLcode code = CURLE_OK;

        if (o->auth == HTTP_AUTH_NONE)
                return CURLE_OK;
        if (o->auth == HTTP_AUTH_BEARER) {
                SET(CURLOPT_XOAUTH2_BEARER, secret);
                return code;
        }
        SET(CURLOPT_USERNAME, start->user ?: o->user);
        SET(CURLOPT_PASSWORD, secret);
        return code;
}

/* The list leads on into the one of the request that fits. */
static int apply_headers(const HttpRequest *request, const HttpStart *start, bool has_body, HeaderList *ret)
{
        HeaderPart parts[HTTP_HEADER_LINES_MAX + 4];
        struct curl_slist *tail = has_body ? request->body_headers.first : request->headers.first;
        size_t n = 0;

        if (check_headers(start->headers, start->n_headers))
                return -EINVAL;
        if (has_body && (start->content_type || has_header(start->headers, start->n_headers, "Content-Type"))) {
                tail = request->headers.first;
                n += add_body_headers(start->headers, start->n_headers, start->content_type, parts);
        }
        for (size_t i = 0; i < start->n_headers; i++)
                parts[n++] = (HeaderPart){ "", start->headers[i] };
        if (start->etag && *start->etag)
                parts[n++] = (HeaderPart){ "If-None-Match: ", start->etag };
        if (start->last_modified && *start->last_modified)
                parts[n++] = (HeaderPart){ "If-Modified-Since: ", start->last_modified };
        for (size_t i = 0; i < n; i++)
                if (!field_value_is_valid(parts[i].text))
                        return -EINVAL;
        return header_list_init(ret, parts, n, tail);
}

int http_request_apply_start(const HttpRequest *request, const HttpStart *start, CURL *easy, HeaderList *headers)
{
        const HttpOptions *o = &request->options;
        const void *body = start->body ?: o->body;
        bool has_body = body || request->needs_length;
        CURLcode code = CURLE_OK;
        int r;

        if ((start->user && !field_value_is_valid(start->user)) ||
            (start->secret && !field_value_is_valid(start->secret)) ||
            (start->body && streq_ptr(o->method, "HEAD")) || !start->url == !o->url)
                return -EINVAL;
        r = apply_headers(request, start, has_body, headers);
        if (r < 0)
                return r;
        if (start->url)
                SET(CURLOPT_URL, start->url);
        SET(CURLOPT_HTTPHEADER, headers->first);
        if (code == CURLE_OK)
                code = apply_body(request, easy, body, start->body ? start->body_size : o->body_size);
        if (code == CURLE_OK)
                code = apply_credentials(o, start, easy);
        return errno_from_curl(code);
}
