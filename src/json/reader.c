/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader's two ways: plain text, as nearly all is, in one pass over a copy that the document
 * keeps and its strings point into (reader-plain.c); anything else by yajl (reader-yajl.c), which
 * also knows what is wrong with it. The first piece of a document's arena lies in the document: a
 * small text costs one malloc(), or none where the memory of another is used again.
 */
#include "json/reader-internal.h"

#include <stdio.h>

#define FIRST_TREE_MAX (64U * 1024) /* bytes for values that a document begins with */

static void reader_export_error(const Reader *r, JsonError *ret)
{
        size_t line_begin = 0;
        const char *p;

        if (!ret)
                return;
        *ret = (JsonError){ .line = 1 };
        for (p = r->text; (p = memchr(p, '\n', r->error_offset - (size_t)(p - r->text))); p++) {
                ret->line++;
                line_begin = (size_t)(p - r->text) + 1;
        }
        ret->column = (unsigned)(r->error_offset - line_begin + 1);
        (void)snprintf(ret->message, sizeof(ret->message), "%s", r->message);
}

/* What a text of N bytes takes as a rule: the copy, and a tree of twice its size. */
static size_t first_size(size_t n)
{
        size_t copy = n + READER_PAD <= FIRST_TREE_MAX ? n + READER_PAD : 0;

        return copy + MIN(2 * n + 128, (size_t)FIRST_TREE_MAX);
}

static void doc_clear(JsonDoc *doc)
{
        if (doc->arena.chunks)
                arena_deinit(&doc->arena);
        arena_init(&doc->arena, doc->first, doc->first_size);
        doc->arena.chunk_size = doc->first_size;
}

/* Empty, and large enough for a text of N bytes; OLD where that is. */
static JsonDoc *doc_for(JsonDoc *old, size_t n)
{
        size_t first = first_size(n);
        JsonDoc *doc = old;

        if (!old || old->first_size < first) {
                json_doc_free(old);
                doc = malloc(sizeof(*doc) + first);
                if (!doc)
                        return NULL;
                doc->arena = ARENA_NULL;
                doc->first_size = first;
        }
        doc_clear(doc);
        return doc;
}

JsonDoc *json_doc_free(JsonDoc *doc)
{
        if (!doc)
                return NULL;
        arena_deinit(&doc->arena);
        free(doc);
        return NULL;
}

const JsonValue *json_root(const JsonDoc *doc)
{
        return &doc->root;
}

static void start(Reader *r)
{
        r->top = 0;
        r->depth = 0;
        r->open = NO_CONTAINER;
        r->error = 0;
}

static int run(Reader *r, size_t max_bytes)
{
        int error;

        if (r->n > max_bytes)
                return reader_fail(r, -E2BIG, 0, "the text has %zu bytes, %zu are allowed", r->n, max_bytes);
        r->doc = doc_for(r->doc, r->n);
        if (!r->doc)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        start(r);
        error = reader_read_plain(r);
        if (error < 0)
                return reader_fail(r, error, 0, "out of memory");
        if (error == 0) {
                doc_clear(r->doc);
                start(r);
                error = reader_read_with_yajl(r);
        }
        if (error >= 0)
                r->doc->root = r->stack[0].value;
        return error;
}

int json_parse_again(JsonDoc **doc, const char *text, size_t n, const JsonLimits *limits, JsonError *ret_error)
{
        size_t max_bytes = limits && limits->max_bytes > 0 ? limits->max_bytes : JSON_MAX_BYTES_DEFAULT;
        unsigned max_depth = limits && limits->max_depth > 0 ? limits->max_depth : JSON_MAX_DEPTH_DEFAULT;
        Reader reader;
        int r;

        /* Not all of it: the blocks at its end, and what is yajl's, are set up where they are needed. */
        reader.text = text;
        reader.n = n;
        reader.max_depth = MIN(max_depth, JSON_MAX_DEPTH_CEILING);
        reader.doc = TAKE_PTR(*doc);
        reader.stack = reader.stack_inline;
        reader.allocated = STACK_INLINE;

        r = run(&reader, MIN(max_bytes, (size_t)JSON_MAX_BYTES_CEILING));
        if (reader.stack != reader.stack_inline)
                free(reader.stack);
        if (r < 0) {
                reader_export_error(&reader, ret_error);
                json_doc_free(reader.doc);
                return r;
        }
        *doc = reader.doc;
        return 0;
}

int json_parse(const char *text, size_t n, const JsonLimits *limits, JsonDoc **ret, JsonError *ret_error)
{
        JsonDoc *doc = NULL;
        int r;

        r = json_parse_again(&doc, text, n, limits, ret_error);
        if (r >= 0)
                *ret = doc;
        return r;
}
