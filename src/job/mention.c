/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/mention.h"

static void mention_deinit(Mention *mention)
{
        free(mention->name);
        free(mention->directory);
        free(mention->path);
        free(mention->file);
}

void mention_list_deinit(MentionList *list)
{
        for (size_t i = 0; i < list->n; i++)
                mention_deinit(&list->mentions[i]);
        free(list->mentions);
        *list = (MentionList){};
}

/* A copy of S, which may be NULL; false: no memory. */
static bool copy_string(char **target, const char *s)
{
        *target = s ? strdup(s) : NULL;
        return *target || !s;
}

static bool copy_strings(Mention *to, const Mention *from, const char *file)
{
        bool name = copy_string(&to->name, from->name), directory = copy_string(&to->directory, from->directory);
        bool path = copy_string(&to->path, from->path);

        return copy_string(&to->file, file) && name && directory && path;
}

int mention_list_add(MentionList *list, const Mention *mention, const ConfigItem *item, size_t offset)
{
        Mention copy = *mention;

        if (list->n >= MENTIONS_MAX)
                return 0;
        /* Grown at powers of two. */
        if ((list->n & (list->n - 1)) == 0) {
                Mention *grown = reallocarray(list->mentions, MAX(list->n * 2, (size_t)1), sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                list->mentions = grown;
        }
        config_item_place(item, offset, &copy.line, &copy.column);
        if (!copy_strings(&copy, mention, item->file)) {
                mention_deinit(&copy);
                return -ENOMEM;
        }
        list->mentions[list->n++] = copy;
        return 0;
}
