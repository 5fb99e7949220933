/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A circular doubly linked list whose links live in the members.
 * An initialised link that is in no list points to itself, so unlinking twice is harmless.
 */

#include "base/macro.h"

typedef struct List List;

struct List {
        List *next;
        List *prev;
};

#define LIST_INIT(l) { .next = &(l), .prev = &(l) }

static inline void list_init(List *l)
{
        l->next = l->prev = l;
}

static inline bool list_is_empty(const List *l)
{
        return l->next == l;
}

static inline void list_append(List *head, List *l)
{
        l->prev = head->prev;
        l->next = head;
        head->prev->next = l;
        head->prev = l;
}

static inline void list_prepend(List *head, List *l)
{
        list_append(head->next, l);
}

static inline void list_unlink(List *l)
{
        l->prev->next = l->next;
        l->next->prev = l->prev;
        list_init(l);
}

/* Moves all of FROM, which may be empty, to the end of HEAD. */
static inline void list_splice(List *head, List *from)
{
        if (list_is_empty(from))
                return;
        from->next->prev = head->prev;
        head->prev->next = from->next;
        from->prev->next = head;
        head->prev = from->prev;
        list_init(from);
}

#define list_first(head, type, member) \
        (list_is_empty(head) ? NULL : container_of((head)->next, type, member))

#define list_last(head, type, member) \
        (list_is_empty(head) ? NULL : container_of((head)->prev, type, member))

/* The current object may be unlinked or freed in the body, its successor may not. */
#define list_foreach(var, head, type, member) \
        _list_foreach(var, head, type, member, PASTE(_l, __LINE__), PASTE(_n, __LINE__))
#define _list_foreach(var, head, type, member, l, n)                             \
        for (List *l = (head)->next, *n = l->next;                               \
             l != (head) && ((var) = container_of(l, type, member), true);       \
             l = n, n = l->next)
