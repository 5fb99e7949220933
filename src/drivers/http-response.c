/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a transfer ended: curl's codes as the few kinds that a user tells apart, with one line of text. */
#include <stdio.h>
#include <strings.h>

#include "base/string-util.h"
#include "drivers/http-private.h"

#define HTTP_HOST_MAX (HTTP_MESSAGE_MAX - CURL_ERROR_SIZE - 8)

static const struct {
        CURLcode code;
        const char *kind;
} kinds[] = {
        { CURLE_URL_MALFORMAT, "url" },
        { CURLE_UNSUPPORTED_PROTOCOL, "url" },
        { CURLE_COULDNT_RESOLVE_HOST, "resolve" },
        { CURLE_COULDNT_CONNECT, "connect" },
        { CURLE_INTERFACE_FAILED, "connect" },
        { CURLE_COULDNT_RESOLVE_PROXY, "proxy" },
        { CURLE_PROXY, "proxy" },
        { CURLE_OPERATION_TIMEDOUT, "timeout" },
        { CURLE_SSL_CONNECT_ERROR, "tls" },
        { CURLE_PEER_FAILED_VERIFICATION, "tls" },
        { CURLE_SSL_CERTPROBLEM, "tls" },
        { CURLE_SSL_CIPHER, "tls" },
        { CURLE_SSL_CACERT_BADFILE, "tls" },
        { CURLE_SSL_ISSUER_ERROR, "tls" },
        { CURLE_SSL_CLIENTCERT, "tls" },
        { CURLE_GOT_NOTHING, "closed" },
        { CURLE_PARTIAL_FILE, "closed" },
        { CURLE_SEND_ERROR, "closed" },
        { CURLE_RECV_ERROR, "closed" },
        { CURLE_TOO_MANY_REDIRECTS, "redirect" },
        { CURLE_WEIRD_SERVER_REPLY, "protocol" },
        { CURLE_BAD_CONTENT_ENCODING, "protocol" },
        { CURLE_HTTP2, "protocol" },
        { CURLE_HTTP2_STREAM, "protocol" },
        { CURLE_FILESIZE_EXCEEDED, "too-large" },
        { CURLE_OUT_OF_MEMORY, "memory" },
};

static long get_long(CURL *easy, CURLINFO info)
{
        long value = 0;

        (void)curl_easy_getinfo(easy, info, &value);
        return MAX(value, 0L);
}

static uint64_t get_offset(CURL *easy, CURLINFO info)
{
        curl_off_t value = 0;

        (void)curl_easy_getinfo(easy, info, &value);
        return (uint64_t)MAX(value, (curl_off_t)0);
}

static const char *get_string(CURL *easy, CURLINFO info)
{
        char *value = NULL;

        (void)curl_easy_getinfo(easy, info, &value);
        return value ?: "";
}

static const char *get_header(CURL *easy, const char *name)
{
        struct curl_header *header;

        return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : "";
}

static unsigned get_http_version(CURL *easy)
{
        switch (get_long(easy, CURLINFO_HTTP_VERSION)) {
        case CURL_HTTP_VERSION_1_0:
                return 10;
        case CURL_HTTP_VERSION_1_1:
                return 11;
        case CURL_HTTP_VERSION_2_0:
                return 20;
        default:
                return 0;
        }
}

static bool is_http_url(const char *url)
{
        return strncasecmp(url, "http:", 5) == 0 || strncasecmp(url, "https:", 6) == 0 || !strstr(url, "://");
}

static const char *error_kind(CURL *easy, CURLcode code)
{
        /* An answer that does not begin like HTTP/1 is taken for HTTP/0.9, a protocol that is not allowed. */
        if (code == CURLE_UNSUPPORTED_PROTOCOL && is_http_url(get_string(easy, CURLINFO_EFFECTIVE_URL)))
                return "protocol";
        if ((code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) &&
            get_long(easy, CURLINFO_REDIRECT_COUNT) > 0)
                return "redirect";
        if (code == CURLE_RECV_ERROR && get_long(easy, CURLINFO_HTTP_CONNECTCODE) >= 300)
                return "proxy";
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i].code == code)
                        return kinds[i].kind;
        return "internal";
}

/* How far a transfer that took too long came. */
static const char *timeout_phase(const HttpTransfer *transfer, const HttpTiming *timing)
{
        if (timing->name == 0)
                return "before the name was looked up";
        if (timing->connect == 0)
                return "before it was connected";
        if (timing->tls == 0 && streq(get_string(transfer->easy, CURLINFO_SCHEME), "HTTPS"))
                return "before TLS was agreed upon";
        if (timing->first_byte == 0)
                return "before the answer began";
        return "before the answer was whole";
}

/* "HOST" or "HOST:PORT" of the last URL; a user and a password in it are not for messages. */
static void print_host(const HttpTransfer *transfer, char *text, size_t size)
{
        CURLU *url = curl_url();
        char *host = NULL, *port = NULL;

        (void)snprintf(text, size, "no host");
        if (transfer->request->options.unix_socket) {
                (void)snprintf(text, size, "%s", transfer->request->options.unix_socket);
        } else if (url && curl_url_set(url, CURLUPART_URL, get_string(transfer->easy, CURLINFO_EFFECTIVE_URL),
                                       CURLU_DEFAULT_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                   curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
                (void)curl_url_get(url, CURLUPART_PORT, &port, 0);
                (void)snprintf(text, size, "%s%s%s", host, port ? ":" : "", port ?: "");
        }
        curl_free(host);
        curl_free(port);
        curl_url_cleanup(url);
}

static void print_message(const HttpTransfer *transfer, CURLcode code, const HttpResponse *response,
                          char message[static HTTP_MESSAGE_MAX])
{
        char host[HTTP_HOST_MAX];
        const char *text = *transfer->message ? transfer->message : curl_easy_strerror(code);

        print_host(transfer, host, sizeof(host));
        if (streq(response->error, "timeout"))
                (void)snprintf(message, HTTP_MESSAGE_MAX, "%s: timed out after %.3g s, %s", host,
                               (double)response->timing.total / (double)USEC_PER_SEC,
                               timeout_phase(transfer, &response->timing));
        else
                (void)snprintf(message, HTTP_MESSAGE_MAX, "%s: %s", host, transfer->failure_message ?: text);
}

void http_response_fill(HttpTransfer *transfer, CURLcode code, usec_t now_boottime,
                        char message[static HTTP_MESSAGE_MAX], HttpResponse *response)
{
        CURL *easy = transfer->easy;
        bool validators = transfer->request->options.validators;

        *response = (HttpResponse){
                .message = "",
                .status = (unsigned)get_long(easy, CURLINFO_RESPONSE_CODE),
                .body = &transfer->body,
                .content_type = get_string(easy, CURLINFO_CONTENT_TYPE),
                .etag = validators ? get_header(easy, "ETag") : "",
                .last_modified = validators ? get_header(easy, "Last-Modified") : "",
                .url = get_string(easy, CURLINFO_EFFECTIVE_URL),
                .remote_ip = get_string(easy, CURLINFO_PRIMARY_IP),
                .http_version = get_http_version(easy),
                .redirects = (unsigned)get_long(easy, CURLINFO_REDIRECT_COUNT),
                .bytes_received = get_offset(easy, CURLINFO_SIZE_DOWNLOAD_T),
                .bytes_sent = get_offset(easy, CURLINFO_SIZE_UPLOAD_T),
                .timing.name = get_offset(easy, CURLINFO_NAMELOOKUP_TIME_T),
                .timing.connect = get_offset(easy, CURLINFO_CONNECT_TIME_T),
                .timing.tls = get_offset(easy, CURLINFO_APPCONNECT_TIME_T),
                .timing.first_byte = get_offset(easy, CURLINFO_STARTTRANSFER_TIME_T),
                .timing.total = usec_sub(now_boottime, transfer->started_boottime),
        };
        response->reused = get_long(easy, CURLINFO_NUM_CONNECTS) == 0 && *response->remote_ip;
        if (!transfer->failure && code == CURLE_OK)
                return;
        response->error = transfer->failure ?: error_kind(easy, code);
        response->message = message;
        print_message(transfer, code, response, message);
}
