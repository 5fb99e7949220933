/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/instance.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/spec.h"

#define SOURCES_MAX 100000U /* words of Instances= */

typedef enum SourceType {
        SOURCE_NAME,
        SOURCE_RANGE,
        SOURCE_FILE,
} SourceType;

/* One word of Instances=. */
typedef struct Source {
        SourceType type;
        char *text; /* of a name and a path */
        uint64_t first, last;
        int width; /* of the numbers of a range that begins with a zero */
        const char *file; /* where the word stands; of the set */
        unsigned line, column;
} Source;

struct InstanceSet {
        Source *sources;
        size_t n;
        uint64_t n_names; /* without those of files */
        StringList files; /* that say Instances= */
};

struct InstanceReader {
        const InstanceSet *set;
        const char *directory;
        size_t source;
        uint64_t number; /* next of a range, counted from its first */
        size_t n_names;
        FILE *file;
        char *path; /* of FILE */
        unsigned line;
        size_t prefix; /* bytes of NAME that are the template's */
        char name[JOB_NAME_MAX + 2];
};

/* --- names --- */

bool job_name_is_template(const char *name)
{
        size_t n = strlen(name);

        return n > 1 && name[n - 1] == '@' && strchr(name, '@') == name + n - 1;
}

const char *job_name_instance(const char *name)
{
        const char *at = strchr(name, '@');

        return at ? at + 1 : NULL;
}

int job_name_template(const char *name, char *ret)
{
        const char *instance = job_name_instance(name);

        if (!job_name_is_valid(name) || !instance || instance == name + 1 || !job_instance_is_valid(instance))
                return -EINVAL;
        *(char *)mempcpy(ret, name, (size_t)(instance - name)) = '\0';
        return 0;
}

/* Dots alone could make a ".." of a path. */
bool job_instance_is_valid(const char *x)
{
        size_t n = strspn(x, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.@");

        return n > 0 && !x[n] && n <= JOB_NAME_MAX && strspn(x, ".") < n;
}

int job_instance_substitute(const char *text, const char *instance, Buffer *out)
{
        const char *found;
        int r = 0;

        while (instance && r >= 0 && (found = strstr(text, INSTANCE_SPECIFIER))) {
                r = buffer_append(out, text, (size_t)(found - text));
                if (r >= 0)
                        r = buffer_append_string(out, instance);
                text = found + strlen(INSTANCE_SPECIFIER);
        }
        return r < 0 ? r : buffer_append_string(out, text);
}

bool job_instance_is_nested(const char *text)
{
        unsigned open = 0;

        for (const char *c = text; *c; c++) {
                if (startswith(c, "${") || (open > 0 && *c == '{'))
                        open++;
                else if (open > 0 && *c == '}')
                        open--;
                else if (open > 0 && startswith(c, INSTANCE_SPECIFIER))
                        return true;
                c += *c == '$' && (c[1] == '{' || c[1] == '$');
        }
        return false;
}

/* --- Instances= --- */

static InstanceSet *instance_set_free(InstanceSet *set)
{
        for (size_t i = 0; set && i < set->n; i++)
                free(set->sources[i].text);
        if (set)
                string_list_deinit(&set->files);
        if (set)
                free(set->sources);
        free(set);
        return NULL;
}

/* "1..100", "001..100": 1; 0 where WORD is no range. */
static int parse_range(const char *word, const ConfigSite *site, size_t offset, Source *ret)
{
        const char *dots = strstr(word, "..");
        size_t digits = strspn(word, "0123456789");
        char first[24];

        if (!dots || dots != word + digits || digits == 0 || digits >= sizeof(first) || !dots[2] ||
            dots[2 + strspn(dots + 2, "0123456789")])
                return 0;
        *(char *)mempcpy(first, word, digits) = '\0';
        ret->type = SOURCE_RANGE;
        ret->width = word[0] == '0' && digits > 1 ? (int)digits : 0;
        if (parse_uint64(first, &ret->first) < 0 || parse_uint64(dots + 2, &ret->last) < 0 || ret->last == UINT64_MAX)
                return config_item_error(site->item, site->report, offset, "'%s': the numbers are too large", word);
        if (ret->first > ret->last)
                return config_item_error(site->item, site->report, offset,
                                         "'%s' is empty: its first number is the larger one", word);
        return 1;
}

static int parse_source(const char *word, const ConfigSite *site, size_t offset, Source *ret)
{
        int r = parse_range(word, site, offset, ret);

        if (r != 0)
                return r;
        ret->type = strchr(word, '/') ? SOURCE_FILE : SOURCE_NAME;
        if (ret->type == SOURCE_NAME && !job_instance_is_valid(word))
                return config_item_error(site->item, site->report, offset,
                                         "'%s' can't name an instance: letters, digits and :-_.@ only; "
                                         "the path of a file holds a '/', as ./names does", word);
        ret->text = strdup(word);
        return ret->text ? 1 : -ENOMEM;
}

/* The sources of a file come one after another. */
static int note_place(InstanceSet *set, const ConfigSite *site, size_t offset, Source *source)
{
        StringList *files = &set->files;
        int r = 0;

        if (files->n == 0 || !streq(files->strings[files->n - 1], site->item->file))
                r = string_list_append(files, site->item->file);
        if (r < 0)
                return r;
        source->file = files->strings[files->n - 1];
        config_item_place(site->item, offset, &source->line, &source->column);
        return 0;
}

static int add_source(InstanceSet *set, const char *word, const ConfigSite *site, size_t offset)
{
        Source source = {}, *grown;
        int r;

        r = parse_source(word, site, offset, &source);
        if (r < 0)
                return r;
        set->n_names += source.type == SOURCE_RANGE ? source.last - source.first + 1 : source.type == SOURCE_NAME;
        if (set->n_names > INSTANCES_MAX || set->n >= SOURCES_MAX || source.last - source.first >= INSTANCES_MAX) {
                free(source.text);
                return config_item_error(site->item, site->report, offset, "more than %u instances", INSTANCES_MAX);
        }
        grown = note_place(set, site, offset, &source) >= 0 ? reallocarray(set->sources, set->n + 1, sizeof(*grown)) : NULL;
        if (!grown) {
                free(source.text);
                return -ENOMEM;
        }
        set->sources = grown;
        set->sources[set->n++] = source;
        return 0;
}

static int parse_instances(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        static const char blanks[] = " \t,";
        InstanceSet **set = target;
        int r = 0;

        if (!*set)
                *set = new0(InstanceSet, 1);
        if (!*set)
                return -ENOMEM;
        for (const char *p = value + strspn(value, blanks); *p && r >= 0; p += strspn(p, blanks)) {
                size_t n = strcspn(p, blanks);
                _cleanup_free_ char *word = strndup(p, n);

                r = word ? add_source(*set, word, site, (size_t)(p - value)) : -ENOMEM;
                p += n;
        }
        return r;
}

static void clear_instances(_unused_ const ConfigKey *key, void *target)
{
        InstanceSet **set = target;

        *set = instance_set_free(*set);
}

const ConfigType config_type_instances = {
        .metavar = "NAME…|FIRST..LAST|PATH", .repeatable = true, .parse = parse_instances, .clear = clear_instances,
};

static int parse_description(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        return config_type_string.parse(key, value, site, target);
}

static void clear_description(const ConfigKey *key, void *target)
{
        config_type_string.clear(key, target);
}

const ConfigType config_type_description = { .metavar = "TEXT", .parse = parse_description, .clear = clear_description };

/* --- reading --- */

int instance_reader_new(const InstanceSet *set, const char *template, const char *directory, InstanceReader **ret)
{
        InstanceReader *reader = new0(InstanceReader, 1);

        if (!reader)
                return -ENOMEM;
        reader->set = set;
        reader->directory = directory;
        reader->prefix = strlen(template);
        memcpy(reader->name, template, reader->prefix + 1);
        *ret = reader;
        return 0;
}

static void close_file(InstanceReader *reader)
{
        if (reader->file)
                (void)fclose(reader->file);
        reader->file = NULL;
        free(reader->path);
        reader->path = NULL;
}

InstanceReader *instance_reader_free(InstanceReader *reader)
{
        if (!reader)
                return NULL;
        close_file(reader);
        free(reader);
        return NULL;
}

/* The file as a whole can't be used: what names it is what is to be mended. */
static int refuse_file(const InstanceReader *reader, const char *why, ConfigReport *report)
{
        const Source *source = &reader->set->sources[reader->source];

        return config_report_add(report, source->file, source->line, source->column,
                                 "Instances=: the names of instances in %s can't be read: %s", reader->path, why);
}

static int open_file(InstanceReader *reader, const char *text, ConfigReport *report)
{
        _cleanup_close_ int fd = -1;
        struct stat st;

        reader->path = text[0] == '/' ? strdup(text) : path_join(reader->directory, text);
        if (!reader->path)
                return -ENOMEM;
        /* Neither a FIFO nor a device may hold the loop up. */
        fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return refuse_file(reader, strerror(errno), report);
        if (!S_ISREG(st.st_mode))
                return refuse_file(reader, "not a regular file", report);
        reader->file = fdopen(fd, "re");
        if (!reader->file)
                return -ENOMEM;
        TAKE_FD(fd);
        reader->line = 0;
        return 0;
}

static bool fits(const InstanceReader *reader, size_t n)
{
        return reader->prefix + n <= JOB_NAME_MAX;
}

/* The line as far as it may be part of a name and a byte more, blanks cut off: its length, or EOF. */
static int read_line(InstanceReader *reader)
{
        size_t max = JOB_NAME_MAX - reader->prefix + 1, n = 0;
        char *line = reader->name + reader->prefix;
        int c;

        while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
                if ((c == ' ' || c == '\t' || c == '\r') && n == 0)
                        continue;
                /* A NUL is no part of a name, and must not end it either. */
                if (n < max)
                        line[n++] = c == '\0' ? '\1' : (char)c;
                else if (line[0] != '#')
                        line[max - 1] = '\1';
        }
        while (n > 0 && strchr(" \t\r", line[n - 1]))
                n--;
        line[n] = '\0';
        reader->line++;
        return c == EOF && n == 0 ? EOF : (int)n;
}

/* As instance_reader_next(), of the file that is open. */
static int next_of_file(InstanceReader *reader, ConfigReport *report)
{
        const char *line = reader->name + reader->prefix;
        int n;

        while ((n = read_line(reader)) != EOF) {
                if (n == 0 || line[0] == '#')
                        continue;
                if (!fits(reader, (size_t)n))
                        return config_report_add(report, reader->path, reader->line, 1, "too long for the name of an instance: "
                                                 "with that of its template it may have %u bytes", JOB_NAME_MAX);
                if (!job_instance_is_valid(line))
                        return config_report_add(report, reader->path, reader->line, 1,
                                                 "'%s' can't name an instance: letters, digits and :-_.@ only", line);
                return 1;
        }
        if (ferror(reader->file))
                return refuse_file(reader, strerror(errno), report);
        close_file(reader);
        return 0;
}

static int next_of_source(InstanceReader *reader, const Source *source, ConfigReport *report)
{
        char *x = reader->name + reader->prefix;
        int r;

        switch (source->type) {
        case SOURCE_FILE:
                if (!reader->file) {
                        r = open_file(reader, source->text, report);
                        if (r < 0)
                                return r;
                }
                return next_of_file(reader, report);
        case SOURCE_RANGE:
                if (reader->number > source->last - source->first)
                        return 0;
                (void)snprintf(x, sizeof(reader->name) - reader->prefix, "%0*llu", source->width,
                               (unsigned long long)(source->first + reader->number));
                break;
        case SOURCE_NAME:
                if (reader->number > 0)
                        return 0;
                (void)snprintf(x, sizeof(reader->name) - reader->prefix, "%s", source->text);
                break;
        }
        reader->number++;
        return 1;
}

int instance_reader_next(InstanceReader *reader, ConfigReport *report, const char **ret)
{
        for (; reader->source < reader->set->n; reader->source++, reader->number = 0) {
                const Source *source = &reader->set->sources[reader->source];
                int r = next_of_source(reader, source, report);

                if (r == 0)
                        continue;
                if (r > 0 && ++reader->n_names > INSTANCES_MAX)
                        return config_report_add(report, source->file, source->line, source->column, "Instances=: there are more than %u instances", INSTANCES_MAX);
                if (r > 0 && strlen(reader->name) > JOB_NAME_MAX)
                        return config_report_add(report, source->file, source->line, source->column,
                                                 "Instances=: %.20s… is longer than the %u bytes of a job's name", reader->name, JOB_NAME_MAX);
                *ret = reader->name;
                return r;
        }
        return 0;
}
