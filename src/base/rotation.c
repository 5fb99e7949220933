/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/rotation.h"

void rotation_deinit(Rotation *rotation)
{
        for (size_t i = 0; i < rotation->n; i++)
                free(rotation->names[i]);
        free(rotation->names);
        free(rotation->last);
        *rotation = (Rotation){ .max = rotation->max, .max_bytes = rotation->max_bytes };
}

/* Names behind the last one come before all others, which the order goes around to. */
static int compare(const Rotation *rotation, const char *a, const char *b)
{
        bool a_behind = !rotation->last || strcmp(a, rotation->last) > 0;
        bool b_behind = !rotation->last || strcmp(b, rotation->last) > 0;

        return a_behind != b_behind ? b_behind - a_behind : strcmp(a, b);
}

static bool is_too_much(const Rotation *rotation)
{
        return rotation->n > rotation->max || (rotation->max_bytes > 0 && rotation->n_bytes > rotation->max_bytes);
}

/* The others wait. One may be longer than all of them may be. */
static void drop_last(Rotation *rotation)
{
        while (rotation->n > 1 && is_too_much(rotation)) {
                char *name = rotation->names[--rotation->n];

                rotation->n_bytes -= strlen(name);
                free(name);
                rotation->full = true;
        }
}

/* Where NAME is or would be. */
static size_t find(const Rotation *rotation, const char *name, bool *ret_found)
{
        size_t begin = 0, end = rotation->n;

        *ret_found = false;
        while (begin < end) {
                size_t middle = begin + (end - begin) / 2;
                int c = compare(rotation, name, rotation->names[middle]);

                if (c == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (c < 0)
                        end = middle;
                else
                        begin = middle + 1;
        }
        return begin;
}

void rotation_offer(Rotation *rotation, const char *name)
{
        bool found;
        size_t i;
        char *copy;

        /* Most of very many. */
        if (rotation->full && compare(rotation, name, rotation->names[rotation->n - 1]) > 0)
                return;
        i = find(rotation, name, &found);
        if (found)
                return;
        if (!rotation->names)
                rotation->names = new0(char *, rotation->max + 1);
        copy = rotation->names ? strdup(name) : NULL;
        if (!copy)
                return;
        memmove(rotation->names + i + 1, rotation->names + i, (rotation->n - i) * sizeof(char *));
        rotation->names[i] = copy;
        rotation->n++;
        rotation->n_bytes += strlen(copy);
        drop_last(rotation);
}

void rotation_next(Rotation *rotation)
{
        size_t n = rotation->n;

        /* Where all had their turn, the order begins anew. */
        if (rotation->full) {
                free(rotation->last);
                rotation->last = rotation->names[--n];
        }
        for (size_t i = 0; i < n; i++)
                free(rotation->names[i]);
        rotation->n = 0;
        rotation->n_bytes = 0;
        rotation->full = false;
}
