/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An interface description; after the first NUL, a JSON value that is checked against all of its types. */
#include "fuzz.h"

#include "varlink/interface.h"

static void check_value(const VarlinkInterface *interface, const JsonValue *value)
{
        const VarlinkMember *members;
        size_t n;

        members = varlink_interface_members(interface, &n);
        for (size_t i = 0; i < n; i++) {
                char path[VARLINK_PATH_MAX] = "unset";

                FUZZ_CHECK(varlink_interface_find(interface, members[i].kind, members[i].name, members[i].name_len));
                if (varlink_type_check(&members[i].type, value, path) < 0)
                        FUZZ_CHECK(memchr(path, '\0', sizeof(path)));
                else
                        FUZZ_CHECK(strcmp(path, "unset") == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(varlink_interface_freep) VarlinkInterface *interface = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const char *text = (const char *)data;
        const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
        size_t n = nul ? (size_t)(nul - data) : size;
        TextError error = {};

        if (varlink_interface_parse(text, n, &interface, &error) < 0) {
                FUZZ_CHECK(error.message[0] && error.offset <= n);
                return 0;
        }
        FUZZ_CHECK(strlen(varlink_interface_text(interface)) == n);
        if (nul && json_parse(text + n + 1, size - n - 1, NULL, &doc, NULL) >= 0)
                check_value(interface, json_root(doc));
        return 0;
}
