/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "result/output.h"

#include "base/string-util.h"
#include "json/path.h"

#define OUTPUT_NAME_MAX 63U
#define BLANKS " \t\r\n"

typedef struct Output {
        char *name;
        char *declaration;
        const char *text; /* of the path, in it: for messages */
        JsonPath *path;
        bool optional;
        bool singular;
} Output;

struct OutputSet {
        size_t n;
        Output *outputs; /* grown one by one: there are few */
};

OutputSet *output_set_new(void)
{
        return new0(OutputSet, 1);
}

static void output_deinit(Output *output)
{
        free(output->name);
        free(output->declaration);
        json_path_free(output->path);
}

OutputSet *output_set_free(OutputSet *set)
{
        for (size_t i = 0; set && i < set->n; i++)
                output_deinit(set->outputs + i);
        if (set)
                free(set->outputs);
        free(set);
        return NULL;
}

/* Splits "NAME?: PATH" at the colon. */
static int parse_declaration(const char *s, Output *output, TextError *ret_error, size_t *ret_path_offset)
{
        static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
        size_t start = strspn(s, BLANKS), n, p;

        n = strchr(first, s[start]) && s[start] ?
                strspn(s + start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-") : 0;
        if (n == 0)
                return text_error(ret_error, start, "expected NAME: PATH, such as temp: $.main.temp; "
                                  "a name begins with a letter or '_'");
        if (n > OUTPUT_NAME_MAX)
                return text_error(ret_error, start, "a name has at most %u bytes", OUTPUT_NAME_MAX);
        p = start + n;
        output->optional = s[p] == '?';
        p += output->optional;
        p += strspn(s + p, BLANKS);
        if (s[p] != ':')
                return text_error(ret_error, p, "expected ':' and a JSONPath, such as temp: $.main.temp");
        p++;
        p += strspn(s + p, BLANKS);

        output->name = strndup(s + start, n);
        output->declaration = strdup(s + start);
        if (!output->name || !output->declaration)
                return -ENOMEM;
        output->text = output->declaration + (p - start);
        n = strlen(output->declaration);
        while (n > p - start && strchr(BLANKS, output->declaration[n - 1]))
                output->declaration[--n] = '\0';
        *ret_path_offset = p;
        return 0;
}

static int compile_output(const OutputSet *set, const char *declaration, Output *output, TextError *ret_error)
{
        JsonPathError error;
        size_t offset = 0;
        int r;

        r = parse_declaration(declaration, output, ret_error, &offset);
        if (r < 0)
                return r;
        if (output_set_has(set, output->name))
                return text_error(ret_error, 0, "there is an output '%s' already", output->name);
        r = json_path_compile(output->text, &output->path, &error);
        if (r == -EBADMSG)
                return text_error(ret_error, offset + error.offset, "%s", error.message);
        if (r < 0)
                return r;
        output->singular = json_path_is_singular(output->path);
        if (output->optional && !output->singular)
                return text_error(ret_error, offset, "this path gives a list, which is empty where nothing is "
                                  "found: leave out the '?'");
        return 0;
}

int output_set_add(OutputSet *set, const char *declaration, TextError *ret_error)
{
        Output output = {}, *grown;
        int r;

        if (set->n == OUTPUTS_MAX)
                return text_error(ret_error, 0, "a job has at most %u outputs", OUTPUTS_MAX);
        grown = realloc(set->outputs, (set->n + 1) * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        set->outputs = grown;
        r = compile_output(set, declaration, &output, ret_error);
        if (r < 0) {
                output_deinit(&output);
                return r;
        }
        set->outputs[set->n++] = output;
        return 0;
}

size_t output_set_size(const OutputSet *set)
{
        return set ? set->n : 0;
}

const char *output_set_name(const OutputSet *set, size_t i)
{
        return set->outputs[i].name;
}

const char *output_set_declaration(const OutputSet *set, size_t i)
{
        return set->outputs[i].declaration;
}

bool output_set_has(const OutputSet *set, const char *name)
{
        for (size_t i = 0; i < output_set_size(set); i++)
                if (streq(set->outputs[i].name, name))
                        return true;
        return false;
}

static void write_nodes(const JsonNodes *nodes, JsonWriter *w)
{
        json_begin_array(w);
        for (size_t i = 0; i < nodes->n; i++)
                json_value(w, nodes->nodes[i]);
        json_end_array(w);
}

/* -ENODATA where there has to be a node and is none. */
static int extract_one(const Output *output, const JsonValue *root, JsonNodes *nodes, JsonWriter *w)
{
        int r;

        nodes->n = 0;
        r = json_path_select(output->path, root, nodes);
        if (r < 0)
                return r;
        json_key(w, output->name);
        if (!output->singular)
                write_nodes(nodes, w);
        else if (nodes->n > 0)
                json_value(w, nodes->nodes[0]);
        else if (output->optional)
                json_null(w);
        else
                return -ENODATA;
        return 0;
}

static char *describe_failure(const Output *output, int error)
{
        if (error == -ENODATA)
                return xasprintf("output '%s': %s names nothing in the result; '%s?: …' would allow that",
                                 output->name, output->text, output->name);
        return xasprintf("output '%s': %s: %s", output->name, output->text,
                         error == -E2BIG ? "more nodes were visited than allowed" : strerror(-error));
}

int outputs_extract(const OutputSet *set, const JsonValue *root, JsonWriter *w, char **ret_error)
{
        _cleanup_(json_nodes_deinit) JsonNodes nodes = JSON_NODES_NULL;

        if (ret_error)
                *ret_error = NULL;
        json_begin_object(w);
        for (size_t i = 0; i < output_set_size(set); i++) {
                int r = extract_one(set->outputs + i, root, &nodes, w);

                if (r >= 0)
                        continue;
                if (w->error == 0)
                        w->error = r;
                if (ret_error)
                        *ret_error = describe_failure(set->outputs + i, r);
                return r;
        }
        json_end_object(w);
        return w->error;
}
