/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may follow the name of a method in a call, read in the short way of who calls a method again
 * and as a whole: both must find the same.
 */
#include "fuzz.h"

#include "varlink/request.h"

#define MESSAGE_MAX (1024U * 1024)
#define METHOD "org.example.fuzz.Echo"

typedef struct Reading {
        JsonDoc *doc;
        VarlinkRequest request;
        int r;
} Reading;

static Reading read_request(const Buffer *message, const ServedMethod *guess)
{
        Reading reading = {};
        JsonError error = {};

        reading.r = varlink_request_read(message->data, message->len, MESSAGE_MAX, guess, &reading.doc, &reading.request, &error);
        FUZZ_CHECK(reading.r >= 0 || error.message[0]);
        return reading;
}

static void check_same(const VarlinkRequest *guessed, const VarlinkRequest *whole)
{
        FUZZ_CHECK(!whole->served);
        FUZZ_CHECK(guessed->more == whole->more && guessed->oneway == whole->oneway && guessed->upgrade == whole->upgrade);
        FUZZ_CHECK(json_equal(guessed->parameters, whole->parameters));
        FUZZ_CHECK(!guessed->wrong == !whole->wrong);
        if (guessed->served)
                FUZZ_CHECK(streq(whole->method->string, METHOD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const VarlinkMethod method = { .name = METHOD };
        _cleanup_(served_method_deinit) ServedMethod served = {};
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        Reading guessed, whole;

        if (size > MESSAGE_MAX / 2)
                return 0;
        FUZZ_CHECK(served_method_init(&served, &method, NULL, NULL) >= 0);
        FUZZ_CHECK(buffer_append_string(&message, "{\"method\":\"" METHOD) >= 0 && buffer_append(&message, data, size) >= 0);
        whole = read_request(&message, NULL);
        guessed = read_request(&message, &served);
        FUZZ_CHECK(guessed.r == whole.r);
        if (whole.r >= 0)
                check_same(&guessed.request, &whole.request);
        json_doc_free(guessed.doc);
        json_doc_free(whole.doc);
        return 0;
}
