/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/http-config.h"

#include <stdio.h>

#include "base/string-util.h"

#define HTTP(member, type_) .type = &config_type_##type_, .offset = offsetof(HttpConfig, member)

static int parse_status(const char *text, StatusRange *ret)
{
        unsigned first, last;
        int end = -1;

        if (sscanf(text, "%3u-%3u%n", &first, &last, &end) == 2 && end >= 0 && text[end] == '\0') {
                *ret = (StatusRange){ first, last };
        } else if (end = -1, sscanf(text, "%3u%n", &first, &end) == 1 && end == 3 && text[end] == '\0') {
                *ret = (StatusRange){ first, first };
        } else if (strlen(text) == 3 && text[0] >= '1' && text[0] <= '5' && streq(text + 1, "xx")) {
                first = (unsigned)(text[0] - '0') * 100;
                *ret = (StatusRange){ first, first + 99 };
        } else {
                return -EINVAL;
        }
        return ret->first >= 100 && ret->last <= 599 && ret->first <= ret->last ? 0 : -EINVAL;
}

static int parse_expect(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_free_ char *copy = strdup(value);
        StatusSet *set = target;
        char *rest = NULL;
        int r;

        if (!copy)
                return -ENOMEM;
        r = free_and_strdup(&set->text, value);
        if (r < 0)
                return r;
        set->n = 0;
        for (char *word = strtok_r(copy, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest)) {
                if (set->n == HTTP_EXPECT_MAX)
                        return config_item_error(site->item, site->report, (size_t)(word - copy), "more than %u statuses", HTTP_EXPECT_MAX);
                if (parse_status(word, &set->ranges[set->n++]) < 0)
                        return config_item_error(site->item, site->report, (size_t)(word - copy),
                                                 "'%s' is no status; say 200, 200-299 or 2xx", word);
        }
        return 0;
}

static void clear_expect(_unused_ const ConfigKey *key, void *target)
{
        StatusSet *set = target;

        free(set->text);
        *set = (StatusSet){};
}

static int parse_method(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        if (!http_method_is_valid(value))
                return config_item_error(site->item, site->report, 0, "'%s' is no HTTP method", value);
        return free_and_strdup(target, value);
}

static void clear_method(_unused_ const ConfigKey *key, void *target)
{
        free(TAKE_PTR(*(char **)target));
}

static const ConfigType config_type_expect = { .metavar = "STATUS…", .parse = parse_expect, .clear = clear_expect };
static const ConfigType config_type_method = { .metavar = "METHOD", .parse = parse_method, .clear = clear_method };

static const char *const auth_names[] = { "none", "basic", "digest", "bearer", "any", NULL };
static const char *const version_names[] = { "auto", "1.0", "1.1", "2", "2-prior-knowledge", NULL };

static const ConfigKey http_keys[] = {
        { "Url", HTTP(url, template), .data = TEMPLATE_URL, .help = "What is asked for; what is put in is percent-encoded." },
        { "Method", HTTP(method, method), .help = "GET, or POST where there is a body, unless it is said here." },
        { "Query", HTTP(query, templates), .data = TEMPLATE_PLAIN, .help = "NAME=VALUE, percent-encoded and added to the URL." },
        { "Header", HTTP(headers, templates), .data = TEMPLATE_HEADER, .help = "A request header: Name: value." },
        { "Form", HTTP(form, templates), .data = TEMPLATE_PLAIN, .help = "NAME=VALUE of a form that is the body." },
        { "Json", HTTP(json, template), .data = TEMPLATE_JSON, .help = "A JSON text that is the body." },
        { "Body", HTTP(body, template), .data = TEMPLATE_PLAIN, .help = "The body as it is." },
        { "Expect", HTTP(expect, expect), .help = "Statuses that are no failure: 200, 200-299, 2xx; 200-299 unless it is said here." },
        { "Requests", HTTP(requests, unsigned), .min = 1, .max = HTTP_REQUESTS_MAX, .default_value = "1",
          .help = "How many requests a run makes; above 1 the result is the array of the responses." },
        { "Concurrency", HTTP(concurrency, unsigned), .max = HTTP_REQUESTS_MAX, .default_value = "1",
          .help = "How many of them at a time; 0 for all at once." },
        { "Conditional", HTTP(conditional, bool), .default_value = "no",
          .help = "Asks for what has changed only (ETag, Last-Modified); a response that has not is the last one again." },
        { "MaxBytes", HTTP(max_bytes, size), .min = 1, .max = 1ULL << 30, .default_value = "16M",
          .help = "The most that a response may hold when decoded." },
        { "ConnectTimeoutSec", HTTP(connect_timeout, span), .min = 1000, .default_value = "10s",
          .help = "How long name look-up, connecting and TLS may take together." },
        { "MaxRedirects", HTTP(max_redirects, unsigned), .max = 50, .default_value = "0",
          .help = "How many redirects are followed; with 0 a redirect is a response like any other." },
        { "Auth", HTTP(auth, choice), .choices = auth_names, .default_value = "none", .help = "How the request is authenticated." },
        { "User", HTTP(user, string), .help = "The user's name." },
        { "Secret", HTTP(secret, template), .data = TEMPLATE_HEADER, .help = "The password or token, such as ${credential:api}." },
        { "CaFile", HTTP(ca_file, string), .help = "Certificates to trust, in PEM, instead of the system's." },
        { "CertFile", HTTP(cert_file, string), .help = "The client's certificate, in PEM." },
        { "KeyFile", HTTP(key_file, string), .help = "The client's key, in PEM." },
        { "Verify", HTTP(verify, bool), .default_value = "yes", .help = "Whether the server's certificate and name are checked." },
        { "Proxy", HTTP(proxy, string), .help = "The URL of a proxy; none: no proxy. Otherwise as the environment says." },
        { "UnixSocket", HTTP(unix_socket, string), .help = "Connects to this socket whatever the URL's host is." },
        { "Interface", HTTP(interface, string), .help = "The network interface or local address to use." },
        { "Resolve", HTTP(resolve, strings), .help = "HOST:PORT:ADDRESS that goes before a name look-up." },
        { "HttpVersion", HTTP(version, choice), .choices = version_names, .default_value = "auto", .help = "The version of HTTP." },
        { "Compressed", HTTP(compressed, bool), .default_value = "no", .help = "Asks for a compressed response." },
        { "UserAgent", HTTP(user_agent, string), .help = "What takt calls itself; takt/VERSION unless it is said here." },
        {},
};

const ConfigSection http_section = { "Http", http_keys, sizeof(HttpConfig) };

static bool has_several_requests(const JobSpec *spec)
{
        const HttpConfig *c = spec->config;

        return c->requests > 1;
}

/* A redirect may lead to any URL, and a URL that varies may be any. */
static bool may_use_tls(const JobSpec *spec)
{
        const HttpConfig *c = spec->config;
        const char *url = template_constant(c->url);

        return c->max_redirects > 0 || !url || !startswith(url, "http://");
}

static bool checks_server(const JobSpec *spec)
{
        const HttpConfig *c = spec->config;

        return c->verify;
}

#define NO_TLS "the URL is one of http:// and no redirect is followed"

const KeyNeed http_needs[] = {
        { "Concurrency", has_several_requests, "Requests= is 1", "Requests" },
        { "CaFile", may_use_tls, NO_TLS, "Url" },
        { "CaFile", checks_server, "Verify= is no", "Verify" },
        { "CertFile", may_use_tls, NO_TLS, "Url" },
        { "KeyFile", may_use_tls, NO_TLS, "Url" },
        { "Verify", may_use_tls, NO_TLS, "Url" },
        {},
};

static bool all_constant(const TemplateList *list)
{
        for (size_t i = 0; i < list->n; i++)
                if (!template_is_constant(list->templates[i]))
                        return false;
        return true;
}

static bool is_constant(const Template *t)
{
        return !t || template_is_constant(t);
}

static void append_percent_encoded(Buffer *out, const char *s, size_t n)
{
        static const char hex[] = "0123456789ABCDEF";

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c != 0 && strchr("-._~", c))) {
                        (void)buffer_append_char(out, (char)c);
                } else {
                        char code[3] = { '%', hex[c >> 4], hex[c & 15] };

                        (void)buffer_append(out, code, sizeof(code));
                }
        }
}

void http_append_pair(Buffer *out, const char *pair, char separator)
{
        const char *equals = strchr(pair, '=');

        if (separator != '\0')
                (void)buffer_append_char(out, separator);
        append_percent_encoded(out, pair, equals ? (size_t)(equals - pair) : strlen(pair));
        if (equals) {
                (void)buffer_append_char(out, '=');
                append_percent_encoded(out, equals + 1, strlen(equals + 1));
        }
}

void http_cut_fragment(Buffer *url)
{
        char *fragment = url->data ? strchr(url->data, '#') : NULL;

        if (fragment) {
                url->len = (size_t)(fragment - url->data);
                *fragment = '\0';
        }
}

const char *http_config_content_type(const HttpConfig *config)
{
        if (config->form.n > 0)
                return "application/x-www-form-urlencoded";
        return config->json ? "application/json" : NULL;
}

static int make_constant_url(HttpConfig *c)
{
        _cleanup_buffer_ Buffer url = BUFFER_NULL;
        bool has_query;
        int r;

        if (!is_constant(c->url) || !all_constant(&c->query))
                return 0;
        r = buffer_append_string(&url, template_constant(c->url));
        if (r < 0)
                return r;
        http_cut_fragment(&url);
        has_query = strchr(url.data, '?') != NULL;
        for (size_t i = 0; i < c->query.n; i++)
                http_append_pair(&url, template_constant(c->query.templates[i]), i > 0 || has_query ? '&' : '?');
        c->constant_url = buffer_steal(&url);
        return c->constant_url ? 0 : -ENOMEM;
}

static void make_constant_body(HttpConfig *c, Buffer *body)
{
        const Template *t = c->json ?: c->body;

        c->constant_body = is_constant(c->json) && is_constant(c->body) && all_constant(&c->form);
        if (!c->constant_body)
                return;
        if (t)
                (void)buffer_append_string(body, template_constant(t));
        for (size_t i = 0; i < c->form.n; i++)
                http_append_pair(body, template_constant(c->form.templates[i]), i > 0 ? '&' : '\0');
}

/* What can't be told from one key alone. */
static int check(const HttpConfig *c, const ConfigItems *items, ConfigReport *report)
{
        unsigned bodies = (c->json != NULL) + (c->body != NULL) + (c->form.n > 0);

        if (!c->url)
                return config_items_error(items, report, "Http", "Url", 0, "is missing");
        if (template_is_constant(c->url) && !startswith(template_constant(c->url), "http://") &&
            !startswith(template_constant(c->url), "https://"))
                return config_items_error(items, report, "Http", "Url", 0, "must begin with http:// or https://");
        if (bodies > 1)
                return config_items_contradiction(items, report, "Http", c->body ? "Body" : "Form",
                                                  "Http", c->json ? "Json" : "Form",
                                                  "there can be one body only, of Json=, Form= and Body=");
        if (c->auth == HTTP_AUTH_NONE && (c->secret || c->user))
                return config_items_contradiction(items, report, "Http", c->user ? "User" : "Secret", "Http", "Auth",
                                                  "is not used unless Auth= says how (basic, digest, bearer or any)");
        for (size_t i = 0; i < c->headers.n; i++)
                if (template_is_constant(c->headers.templates[i]) &&
                    !http_header_is_valid(template_constant(c->headers.templates[i])))
                        /* Not quoted: it may be an Authorization whose colon was forgotten. */
                        return config_items_error(items, report, "Http", "Header", 0, "is not of the form Name: value");
        return 0;
}

static int note_pairs(SecretSet *secrets, const TemplateList *list)
{
        int r = 0;

        for (size_t i = 0; i < list->n && r >= 0; i++)
                if (template_is_constant(list->templates[i]))
                        r = secret_set_add_pair(secrets, template_constant(list->templates[i]));
        return r;
}

/* What the file itself holds; what is put in is noted with each run. */
static int note_secrets(SecretSet *secrets, const HttpConfig *c)
{
        int r = 0;

        for (size_t i = 0; i < c->headers.n && r >= 0; i++)
                if (template_is_constant(c->headers.templates[i]))
                        r = secret_set_add_header(secrets, template_constant(c->headers.templates[i]));
        if (r >= 0)
                r = note_pairs(secrets, &c->query);
        if (r >= 0)
                r = note_pairs(secrets, &c->form);
        if (r >= 0 && c->secret && template_is_constant(c->secret))
                r = secret_set_add_basic(secrets, c->user, template_constant(c->secret));
        if (r >= 0 && c->constant_url)
                r = secret_set_add_url(secrets, c->constant_url);
        if (r >= 0 && c->proxy)
                r = secret_set_add_url(secrets, c->proxy);
        return r == -E2BIG ? 0 : r;
}

/* Files that curl reads at each request. A socket or interface may come with what it belongs to. */
static int note_files(JobSpec *spec, const HttpConfig *c, const ConfigItems *items)
{
        const struct {
                const char *key;
                char *path;
        } files[] = { { "CaFile", c->ca_file }, { "CertFile", c->cert_file }, { "KeyFile", c->key_file } };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(files) && r >= 0; i++) {
                const ConfigItem *item = config_items_find(items, "Http", files[i].key);

                if (files[i].path && item)
                        r = job_spec_mention(spec, &(Mention){ .type = MENTION_FILE, .key = files[i].key, .name = files[i].path }, item, 0);
        }
        return r;
}

/* Those headers that are the same for all runs; borrowed. NULL: no memory. */
static const char **constant_headers(const HttpConfig *c, size_t *ret_n)
{
        const char **headers = new0(const char *, c->headers.n + 1);
        size_t n = 0;

        for (size_t i = 0; headers && i < c->headers.n; i++)
                if (template_is_constant(c->headers.templates[i]))
                        headers[n++] = template_constant(c->headers.templates[i]);
        *ret_n = n;
        return headers;
}

int http_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        HttpConfig *c = config;
        _cleanup_buffer_ Buffer body = BUFFER_NULL;
        _cleanup_free_ const char **headers = NULL;
        const char *problem = NULL;
        HttpOptions options;
        size_t n_headers;
        int r;

        r = check(c, items, report);
        if (r >= 0)
                r = make_constant_url(c);
        if (r >= 0)
                r = note_secrets(&spec->secrets, c);
        if (r >= 0)
                r = note_files(spec, c, items);
        if (r < 0)
                return r;
        make_constant_body(c, &body);
        headers = constant_headers(c, &n_headers);
        if (!headers)
                return -ENOMEM;
        options = (HttpOptions){
                .url = c->constant_url,
                /* A body that is made for each run is not known here: the request must be told. */
                .method = c->method || c->constant_body ? c->method : "POST",
                .headers = headers,
                .n_headers = n_headers,
                .body = body.data,
                .body_size = body.len,
                .content_type = body.data ? http_config_content_type(c) : NULL,
                .connect_timeout = c->connect_timeout,
                /* TimeoutSec= ends the run as a whole and is kept by the scheduler. */
                .max_bytes = c->max_bytes,
                .max_redirects = c->max_redirects,
                .auth = (HttpAuth)c->auth,
                .user = c->user,
                .secret = c->secret && template_is_constant(c->secret) ? template_constant(c->secret) : NULL,
                .ca_file = c->ca_file,
                .cert_file = c->cert_file,
                .key_file = c->key_file,
                .insecure = !c->verify,
                .proxy = c->proxy && streq(c->proxy, "none") ? "" : c->proxy,
                .unix_socket = c->unix_socket,
                .interface = c->interface,
                .resolve = (const char *const *)c->resolve.strings,
                .n_resolve = c->resolve.n,
                .version = (HttpVersion)c->version,
                .compressed = c->compressed,
                .user_agent = c->user_agent,
                .validators = c->conditional,
        };
        r = http_request_new(&options, &c->request, &problem);
        if (r == -EINVAL)
                return config_items_error(items, report, "Http", "Url", 0, "%s", problem);
        return r;
}

void http_config_unload(void *config)
{
        HttpConfig *c = config;

        http_request_unref(c->request);
        free(c->constant_url);
}
