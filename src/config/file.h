/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The grammar of configuration files, systemd's INI form: sections, Key=value, `#` and `;`
 * comments, `\` at a line's end. It yields assignments with their places and knows no key.
 */

#include "config/report.h"

#define CONFIG_FILE_MAX_BYTES (1024U * 1024)
#define CONFIG_MAX_ITEMS 10000U /* assignments of a file and its drop-ins together */

/* Where a value that goes on over several lines continues. */
typedef struct ConfigBreak {
        size_t offset; /* in the joined value */
        unsigned line;
        unsigned column;
} ConfigBreak;

typedef struct ConfigItem {
        const char *file; /* owned by the ConfigItems */
        unsigned line;
        unsigned key_column;
        unsigned column; /* of the value */
        char *section;
        char *key;
        char *value; /* joined, blanks around it cut off */
        ConfigBreak *breaks;
        size_t n_breaks;
} ConfigItem;

/* The assignments of one file and its drop-ins, in the order in which they count. */
typedef struct ConfigItems {
        ConfigItem *items;
        size_t n;
        ConfigItem *heads; /* each [Section], with neither key nor value: one may stand for itself */
        size_t n_heads;
        char **files; /* the files read, in order */
        char **texts; /* and what they said */
        size_t n_files;
} ConfigItems;

#define CONFIG_ITEMS_NULL ((ConfigItems){})
void config_items_deinit(ConfigItems *items);

/* Adds what TEXT says. -EBADMSG: problems were added to REPORT (as many as were found); -ENOMEM. */
int config_parse_text(const char *file, const char *text, size_t n, ConfigItems *items, ConfigReport *report);
/* Reads the file and adds what it says. A file that can't be read is a problem of the report as well. */
int config_parse_file(const char *path, ConfigItems *items, ConfigReport *report);
/* Adds PATH, then the files *.conf of the directory PATH.d in the order of their names. */
int config_parse_file_with_dropins(const char *path, ConfigItems *items, ConfigReport *report);

/* Adds a problem at OFFSET bytes into the item's value. Returns -EBADMSG. */
int config_item_error(const ConfigItem *item, ConfigReport *report, size_t offset, const char *format, ...)
        _printf_(4, 5);
/* Adds a warning at OFFSET bytes into the item's value. */
void config_item_warning(const ConfigItem *item, ConfigReport *report, size_t offset, const char *format, ...)
        _printf_(4, 5);
/* Appends " (OTHER= is set in FILE:LINE)" where that is another file than ITEM's. -ENOMEM. */
int config_item_append_other_place(const ConfigItem *item, const ConfigItem *other, Buffer *out);
/* Where the byte at OFFSET of the item's value stands in its file. */
void config_item_place(const ConfigItem *item, size_t offset, unsigned *ret_line, unsigned *ret_column);
/* The last assignment of KEY in SECTION, which may be an empty one; NULL: none. */
const ConfigItem *config_items_find(const ConfigItems *items, const char *section, const char *key);
/*
 * Of a key that may be repeated, the assignments that count, which are those behind the last empty one: the first
 * (AFTER NULL) and then the one behind AFTER. NULL: there is none.
 */
const ConfigItem *config_items_next(const ConfigItems *items, const char *section, const char *key, const ConfigItem *after);
/*
 * Adds a problem with the value of KEY in SECTION, at OFFSET into it; where no file sets it, with
 * the first file as a whole. Returns -EBADMSG.
 */
int config_items_error(const ConfigItems *items, ConfigReport *report, const char *section, const char *key,
                       size_t offset, const char *format, ...) _printf_(6, 7);

/*
 * As config_items_error(), of what contradicts OTHER_KEY of OTHER_SECTION: it says where that is set in
 * another file.
 */
int config_items_contradiction(const ConfigItems *items, ConfigReport *report, const char *section, const char *key,
                               const char *other_section, const char *other_key, const char *format, ...) _printf_(7, 8);

/* Adds a problem at the item's key. Returns -EBADMSG. */
int config_item_key_error(const ConfigItem *item, ConfigReport *report, const char *format, ...) _printf_(3, 4);
/* The same of what contradicts OTHER, which may be NULL: it says where that is set in another file. */
int config_item_key_contradiction(const ConfigItem *item, const ConfigItem *other, ConfigReport *report, const char *format, ...)
        _printf_(4, 5);
