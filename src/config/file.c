/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>

#include "base/file.h"
#include "base/string-util.h"

#define BLANKS " \t\r"

static void item_deinit(ConfigItem *item)
{
        free(item->section);
        free(item->key);
        free(item->value);
        free(item->breaks);
}

void config_items_deinit(ConfigItems *items)
{
        for (size_t i = 0; i < items->n; i++)
                item_deinit(&items->items[i]);
        for (size_t i = 0; i < items->n_heads; i++)
                item_deinit(&items->heads[i]);
        for (size_t i = 0; i < items->n_files; i++) {
                free(items->files[i]);
                free(items->texts[i]);
        }
        free(items->items);
        free(items->heads);
        free(items->files);
        free(items->texts);
        *items = CONFIG_ITEMS_NULL;
}

/* Column in characters, as an editor counts, of the byte P of the line that begins at LINE. */
static unsigned column_of(const char *line, const char *p)
{
        unsigned column = 1;

        for (const char *c = line; c < p; c++)
                column += ((unsigned char)*c & 0xc0) != 0x80;
        return column;
}

/* The state of one file while it is parsed. */
typedef struct Parser {
        const char *file;
        char *section;
        ConfigItems *items;
        ConfigReport *report;
        ConfigItem *open; /* its value goes on in the next line */
        Buffer value;
        bool astray; /* behind a section header that can't be read: whose assignments follow no one knows */
        bool bad;
} Parser;

static int parser_close_item(Parser *p)
{
        char *value;

        if (!p->open)
                return 0;
        value = buffer_steal(&p->value);
        if (!value)
                return -ENOMEM;
        p->open->value = value;
        p->open = NULL;
        return 0;
}

static int parser_add_value_line(Parser *p, unsigned number, const char *line, const char *start, size_t n)
{
        ConfigItem *item = p->open;
        bool continues = n > 0 && start[n - 1] == '\\';
        int r;

        if (continues)
                n--;
        while (n > 0 && strchr(BLANKS, start[n - 1]))
                n--;
        if (n > 0 && number != item->line) {
                ConfigBreak *breaks;

                r = p->value.len > 0 ? buffer_append_char(&p->value, ' ') : 0;
                if (r < 0)
                        return r;
                breaks = reallocarray(item->breaks, item->n_breaks + 1, sizeof(*breaks));
                if (!breaks)
                        return -ENOMEM;
                item->breaks = breaks;
                item->breaks[item->n_breaks++] = (ConfigBreak){
                        .offset = p->value.len,
                        .line = number,
                        .column = column_of(line, start),
                };
        }
        r = buffer_append(&p->value, start, n);
        if (r < 0)
                return r;
        return continues ? 0 : parser_close_item(p);
}

/* Room for one more of N items, grown in powers of two: realloc only where N is one. -ENOMEM. */
static int items_grow(ConfigItem **items, size_t n)
{
        ConfigItem *grown;

        if ((n & (n - 1)) != 0)
                return 0;
        grown = reallocarray(*items, MAX(n * 2, (size_t)1), sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *items = grown;
        return 0;
}

static int parser_section(Parser *p, unsigned number, const char *line, const char *start, const char *end)
{
        const char *close = memchr(start, ']', (size_t)(end - start));
        ConfigItem *head;

        if (!close || close == start + 1 || close + 1 + strspn(close + 1, BLANKS) < end) {
                p->bad = p->astray = true;
                config_report_add(p->report, p->file, number, column_of(line, start),
                                  "a section is one word in brackets on a line of its own, such as [Job]");
                return 0;
        }
        p->astray = false;
        free(p->section);
        p->section = strndup(start + 1, (size_t)(close - start - 1));
        if (!p->section)
                return -ENOMEM;
        if (p->items->n_heads >= CONFIG_MAX_ITEMS) {
                p->bad = true;
                config_report_add(p->report, p->file, number, 0, "more than %u sections", CONFIG_MAX_ITEMS);
                return -E2BIG;
        }
        if (items_grow(&p->items->heads, p->items->n_heads) < 0)
                return -ENOMEM;
        head = &p->items->heads[p->items->n_heads];
        *head = (ConfigItem){ .file = p->file, .line = number, .key_column = column_of(line, start), .section = strdup(p->section) };
        if (!head->section)
                return -ENOMEM;
        p->items->n_heads++;
        return 0;
}

static int parser_assignment(Parser *p, unsigned number, const char *line, const char *start, const char *end)
{
        const char *equals = memchr(start, '=', (size_t)(end - start)), *value;
        size_t key_len;
        ConfigItem *item;

        if (p->astray)
                return 0;
        if (!equals || equals == start) {
                p->bad = true;
                config_report_add(p->report, p->file, number, column_of(line, start),
                                  "neither [Section] nor Key=value nor a comment");
                return 0;
        }
        if (!p->section) {
                p->bad = true;
                config_report_add(p->report, p->file, number, column_of(line, start),
                                  "the assignment stands before any [Section]");
                return 0;
        }
        if (p->items->n >= CONFIG_MAX_ITEMS) {
                p->bad = true;
                config_report_add(p->report, p->file, number, 0, "more than %u assignments", CONFIG_MAX_ITEMS);
                return -E2BIG;
        }
        if (items_grow(&p->items->items, p->items->n) < 0)
                return -ENOMEM;
        for (key_len = (size_t)(equals - start); key_len > 0 && strchr(BLANKS, start[key_len - 1]); key_len--)
                ;
        value = equals + 1;
        while (value < end && strchr(BLANKS, *value))
                value++;
        item = &p->items->items[p->items->n++];
        *item = (ConfigItem){
                .file = p->file,
                .line = number,
                .key_column = column_of(line, start),
                .column = column_of(line, value),
                .section = strdup(p->section),
                .key = strndup(start, key_len),
        };
        if (!item->section || !item->key)
                return -ENOMEM;
        p->open = item;
        return parser_add_value_line(p, number, line, value, (size_t)(end - value));
}

static int parser_line(Parser *p, unsigned number, const char *line, const char *end)
{
        const char *start = line;

        while (end > line && end[-1] == '\r')
                end--;
        while (start < end && strchr(BLANKS, *start))
                start++;
        if (p->open) {
                /* As systemd has it, a comment between continued lines is passed over. */
                if (start < end && (*start == '#' || *start == ';'))
                        return 0;
                return parser_add_value_line(p, number, line, start, (size_t)(end - start));
        }
        if (start == end || *start == '#' || *start == ';')
                return 0;
        if (*start == '[')
                return parser_section(p, number, line, start, end);
        return parser_assignment(p, number, line, start, end);
}

/* A byte that can't be part of a configuration file: reported once, with its place. */
static bool text_is_sound(const char *file, const char *text, size_t n, ConfigReport *report)
{
        size_t bad = utf8_check(text, n);
        const char *nul = memchr(text, '\0', n), *line = text;
        unsigned number = 1;

        if (nul && (size_t)(nul - text) < bad)
                bad = (size_t)(nul - text);
        if (bad == n)
                return true;
        for (size_t i = 0; i < bad; i++)
                if (text[i] == '\n') {
                        number++;
                        line = text + i + 1;
                }
        config_report_add(report, file, number, column_of(line, text + bad),
                          nul == text + bad ? "a NUL byte; the file must be text" : "not valid UTF-8");
        return false;
}

static int items_add_file(ConfigItems *items, const char *file, const char *text, size_t n, const char **ret)
{
        char **files, **texts;

        files = reallocarray(items->files, items->n_files + 1, sizeof(*files));
        if (!files)
                return -ENOMEM;
        items->files = files;
        texts = reallocarray(items->texts, items->n_files + 1, sizeof(*texts));
        if (!texts)
                return -ENOMEM;
        items->texts = texts;
        files[items->n_files] = strdup(file);
        texts[items->n_files] = strndup(text, n);
        if (!files[items->n_files] || !texts[items->n_files]) {
                free(files[items->n_files]);
                free(texts[items->n_files]);
                return -ENOMEM;
        }
        *ret = files[items->n_files++];
        return 0;
}

int config_parse_text(const char *file, const char *text, size_t n, ConfigItems *items, ConfigReport *report)
{
        Parser p = { .items = items, .report = report };
        const char *end = text + n;
        unsigned number = 0;
        int r;

        if (!text_is_sound(file, text, n, report))
                return -EBADMSG;
        r = items_add_file(items, file, text, n, &p.file);
        for (const char *line = text; r >= 0 && line < end; number++) {
                const char *eol = memchr(line, '\n', (size_t)(end - line));

                if (!eol)
                        eol = end;
                /* An UTF-8 byte order mark is what some editors leave. */
                if (number == 0 && end - line >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
                        line += 3;
                r = parser_line(&p, number + 1, line, eol);
                line = eol + 1;
        }
        if (p.open) {
                int k = parser_close_item(&p);

                r = r < 0 ? r : k;
        }
        /* An item whose value was never read, for want of memory, must not be seen as one. */
        if (items->n > 0 && !items->items[items->n - 1].value)
                item_deinit(&items->items[--items->n]);
        buffer_deinit(&p.value);
        free(p.section);
        if (r == -ENOMEM)
                return r;
        return p.bad ? -EBADMSG : 0;
}

int config_parse_file(const char *path, ConfigItems *items, ConfigReport *report)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r;

        r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX_BYTES, &text);
        if (r == -ENOMEM)
                return r;
        if (r == -EFBIG)
                return config_report_add(report, path, 0, 0, "larger than %u bytes", CONFIG_FILE_MAX_BYTES);
        if (r == -EINVAL)
                return config_report_add(report, path, 0, 0, "not a regular file");
        if (r < 0)
                return config_report_add(report, path, 0, 0, "can't be read: %s", strerror(-r));
        return config_parse_text(path, buffer_string(&text), text.len, items, report);
}

static int is_dropin(const struct dirent *entry)
{
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && streq(entry->d_name + n - 5, ".conf");
}

int config_parse_file_with_dropins(const char *path, ConfigItems *items, ConfigReport *report)
{
        _cleanup_free_ char *dir = xasprintf("%s.d", path);
        struct dirent **names = NULL;
        int r, n;

        if (!dir)
                return -ENOMEM;
        r = config_parse_file(path, items, report);
        n = scandir(dir, &names, is_dropin, alphasort);
        if (n < 0 && errno != ENOENT && errno != ENOTDIR)
                r = config_report_add(report, dir, 0, 0, "can't be read: %m");
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *dropin = path_join(dir, names[i]->d_name);
                int k = dropin ? config_parse_file(dropin, items, report) : -ENOMEM;

                if (r >= 0 || k == -ENOMEM)
                        r = k;
                free(names[i]);
        }
        free(names);
        return r;
}

void config_item_place(const ConfigItem *item, size_t offset, unsigned *line, unsigned *column)
{
        const char *from = item->value;

        *line = item->line;
        *column = item->column;
        for (size_t i = 0; i < item->n_breaks && item->breaks[i].offset <= offset; i++) {
                *line = item->breaks[i].line;
                *column = item->breaks[i].column;
                from = item->value + item->breaks[i].offset;
        }
        if (from)
                *column += column_of(from, item->value + MIN(offset, strlen(item->value))) - 1;
}

/* A problem at OFFSET bytes into the item's value, without its message. */
static ConfigProblem problem_at(const ConfigItem *item, ConfigSeverity severity, size_t offset)
{
        ConfigProblem problem = { .severity = severity, .file = (char *)item->file };

        config_item_place(item, offset, &problem.line, &problem.column);
        return problem;
}

/* Adds it with "SUBJECT=: ", unless that is NULL, and the message. Returns -EBADMSG. */
_printf_(4, 0)
static int addv(ConfigReport *report, const ConfigProblem *problem, const char *subject, const char *format, va_list ap)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;

        if (!subject || buffer_appendf(&message, "%s=: ", subject) >= 0)
                (void)buffer_appendv(&message, format, ap);
        if (problem->severity == CONFIG_WARNING)
                config_report_warn(report, problem->file, problem->line, problem->column, "%s", buffer_string(&message));
        else
                config_report_add(report, problem->file, problem->line, problem->column, "%s", buffer_string(&message));
        return -EBADMSG;
}

int config_item_error(const ConfigItem *item, ConfigReport *report, size_t offset, const char *format, ...)
{
        const ConfigProblem problem = problem_at(item, CONFIG_ERROR, offset);
        va_list ap;
        int r;

        va_start(ap, format);
        r = addv(report, &problem, item->key, format, ap);
        va_end(ap);
        return r;
}

void config_item_warning(const ConfigItem *item, ConfigReport *report, size_t offset, const char *format, ...)
{
        const ConfigProblem problem = problem_at(item, CONFIG_WARNING, offset);
        va_list ap;

        va_start(ap, format);
        (void)addv(report, &problem, item->key, format, ap);
        va_end(ap);
}

int config_item_key_error(const ConfigItem *item, ConfigReport *report, const char *format, ...)
{
        const ConfigProblem problem = {
                .severity = CONFIG_ERROR,
                .file = (char *)item->file,
                .line = item->line,
                .column = item->key_column,
        };
        va_list ap;
        int r;

        va_start(ap, format);
        r = addv(report, &problem, NULL, format, ap);
        va_end(ap);
        return r;
}

int config_item_key_contradiction(const ConfigItem *item, const ConfigItem *other, ConfigReport *report, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        va_list ap;

        va_start(ap, format);
        (void)buffer_appendv(&message, format, ap);
        va_end(ap);
        if (other)
                (void)config_item_append_other_place(item, other, &message);
        return config_item_key_error(item, report, "%s", buffer_string(&message));
}

const ConfigItem *config_items_find(const ConfigItems *items, const char *section, const char *key)
{
        for (size_t i = items->n; i-- > 0;)
                if (streq(items->items[i].section, section) && streq(items->items[i].key, key))
                        return &items->items[i];
        return NULL;
}

static bool is_assignment_of(const ConfigItem *item, const char *section, const char *key)
{
        return streq(item->section, section) && streq(item->key, key);
}

const ConfigItem *config_items_next(const ConfigItems *items, const char *section, const char *key, const ConfigItem *after)
{
        size_t i = after ? (size_t)(after - items->items) + 1 : items->n;

        if (!after)
                while (i > 0 && !(is_assignment_of(&items->items[i - 1], section, key) && items->items[i - 1].value[0] == '\0'))
                        i--;
        for (; i < items->n; i++)
                if (is_assignment_of(&items->items[i], section, key))
                        return &items->items[i];
        return NULL;
}

int config_item_append_other_place(const ConfigItem *item, const ConfigItem *other, Buffer *out)
{
        return streq(item->file, other->file) ? 0 : buffer_appendf(out, " (%s= is set in %s:%u)", other->key, other->file, other->line);
}

int config_items_contradiction(const ConfigItems *items, ConfigReport *report, const char *section, const char *key,
                               const char *other_section, const char *other_key, const char *format, ...)
{
        const ConfigItem *item = config_items_find(items, section, key), *other = config_items_find(items, other_section, other_key);
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        va_list ap;

        va_start(ap, format);
        (void)buffer_appendv(&message, format, ap);
        va_end(ap);
        if (item && other)
                (void)config_item_append_other_place(item, other, &message);
        return config_items_error(items, report, section, key, 0, "%s", buffer_string(&message));
}

int config_items_error(const ConfigItems *items, ConfigReport *report, const char *section, const char *key,
                       size_t offset, const char *format, ...)
{
        const ConfigItem *item = config_items_find(items, section, key);
        _cleanup_free_ char *subject = item ? NULL : xasprintf("[%s] %s", section, key);
        ConfigProblem problem = { .severity = CONFIG_ERROR, .file = items->n_files > 0 ? items->files[0] : (char *)"job" };
        va_list ap;
        int r;

        if (item)
                problem = problem_at(item, CONFIG_ERROR, offset);
        va_start(ap, format);
        r = addv(report, &problem, item ? item->key : subject ?: key, format, ap);
        va_end(ap);
        return r;
}
