/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Keys as data. A section is a table of rows: name, type, where the value goes, range or choices,
 * default, help. The same rows parse files, make the man pages' lists and seed the fuzzers.
 */

#include "base/clock.h"
#include "config/file.h"

typedef struct ConfigKey ConfigKey;
typedef struct ConfigType ConfigType;

/* Where a value comes from and where its problems go. */
typedef struct ConfigSite {
        const ConfigItem *item;
        ConfigReport *report;
} ConfigSite;

/*
 * How a kind of value is read. TARGET points to the member that the row names. PARSE gets a value
 * that is not empty and either stores it or adds a problem at its place and returns -EBADMSG.
 * CLEAR frees what the member holds and zeroes it: for an empty assignment (the default follows)
 * and before the structure is freed; NULL where nothing is owned.
 */
struct ConfigType {
        const char *metavar; /* for manuals: "TIMESPAN" */
        bool repeatable;     /* another assignment adds */
        int (*parse)(const ConfigKey *key, const char *value, const ConfigSite *site, void *target);
        void (*clear)(const ConfigKey *key, void *target);
};

struct ConfigKey {
        const char *name;
        const ConfigType *type;
        size_t offset;              /* of the member in the section's structure */
        const char *default_value;  /* parsed like one from a file; NULL: the member stays zeroed */
        uint64_t min, max;          /* of numbers, sizes, spans in usec; max 0: none */
        const char *const *choices; /* of config_type_choice, ended by NULL; stored is the index, an int */
        unsigned data;              /* what the type's parser makes of it */
        const char *help;           /* one sentence for manuals and error messages */
};

/* A section: its name, its rows (ended by a NULL name), the size of the structure they fill. */
typedef struct ConfigSection {
        const char *name;
        const ConfigKey *keys;
        size_t size;
} ConfigSection;

typedef struct StringList {
        char **strings; /* N of them and a NULL; NULL where there never was one */
        size_t n;
} StringList;

void string_list_deinit(StringList *list);
int string_list_append(StringList *list, const char *s);
/* S, which may be NULL for want of memory, is the list's from now on, also on failure. -ENOMEM. */
int string_list_take(StringList *list, char *s);

extern const ConfigType config_type_string;   /* char * */
extern const ConfigType config_type_strings;  /* StringList, repeatable */
extern const ConfigType config_type_bool;     /* bool */
extern const ConfigType config_type_unsigned; /* unsigned */
extern const ConfigType config_type_size;     /* uint64_t, with K M G suffixes */
extern const ConfigType config_type_span;     /* usec_t; "infinity" is USEC_INFINITY where max is 0 */
extern const ConfigType config_type_double;   /* double */
extern const ConfigType config_type_real;     /* double, of any size and sign */
extern const ConfigType config_type_choice;   /* int */

/* The row NAME of SECTION, or NULL. */
const ConfigKey *config_section_find(const ConfigSection *section, const char *name);
/* The name among the rows that looks most like NAME; NULL where none is near. */
const char *config_section_nearest(const ConfigSection *section, const char *name);

/* Whether ITEM sets KEY to what holds without it. Of types that own memory nothing is compared: false. */
bool config_item_says_default(const ConfigItem *item, const ConfigKey *key);

/* Puts the defaults into STRUCTURE, which is zeroed. -ENOMEM. A default that can't be parsed is a programmer's error. */
int config_section_init(const ConfigSection *section, void *structure);
/* Frees what the rows own in STRUCTURE, not the structure. */
void config_section_deinit(const ConfigSection *section, void *structure);
/* Applies one assignment of this section. -EBADMSG: a problem was added; -ENOMEM. */
int config_section_apply(const ConfigSection *section, const ConfigItem *item, void *structure, ConfigReport *report);
