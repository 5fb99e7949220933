/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The methods of a server by their full names. */

#include "varlink/interface.h"
#include "varlink/server.h"

typedef struct ServedMethod {
        const VarlinkMethod *method;
        const VarlinkMember *member; /* in the description */
        size_t name_len;
        void *userdata;
        /* What most calls of it begin with: {"method":"NAME","parameters": of which METHOD_LEN up to the comma. */
        char *head;
        size_t head_len;
        size_t method_len;
} ServedMethod;

/* Fills in RET; -ENOMEM. */
int served_method_init(ServedMethod *ret, const VarlinkMethod *method, const VarlinkMember *member, void *userdata);
void served_method_deinit(ServedMethod *served);

typedef struct VarlinkMethodTable {
        const ServedMethod **slots; /* at most half of them taken */
        unsigned bits;              /* there are 2^BITS; 0: none */
        size_t n;
} VarlinkMethodTable;

void varlink_method_table_deinit(VarlinkMethodTable *table);
/* Adds METHODS, which stay where they are and are not there yet. -ENOMEM: nothing was added. */
int varlink_method_table_add(VarlinkMethodTable *table, const ServedMethod *methods, size_t n);
/* The method with that full name; NULL: there is none. */
const ServedMethod *varlink_method_table_find(const VarlinkMethodTable *table, const char *name, size_t n);
