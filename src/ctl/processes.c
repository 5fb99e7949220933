/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run's processes are those of its unit's control group or, where it has none, what descends from its process,
 * with those that have lost their parent and are in its session: takt-spawn, a subreaper, has these.
 */
#include "ctl/processes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>

#include "base/file.h"
#include "base/string-util.h"
#include "ctl/text.h"
#include "process/children.h"

/* Of a run; the others are counted. */
#define PROCESSES_MAX 64U
/* Levels that are shown; deeper ones stand at the last. */
#define DEPTH_MAX 16U
#define COMMAND_LINE_MAX (4U * 1024 * 1024)
#define CGROUP_MAX (1024U * 1024)

typedef struct ProcessRoot {
        int64_t run;
        pid_t pid;
        char *unit; /* NULL: none */
} ProcessRoot;

typedef struct Process {
        pid_t pid;
        pid_t parent;
        char state;
        bool shown;
} Process;

typedef struct Processes {
        Process list[PROCESSES_MAX];
        size_t n;
        size_t n_more; /* that did not fit */
} Processes;

void process_roots_deinit(ProcessRoots *roots)
{
        for (size_t i = 0; i < roots->n; i++)
                free(roots->roots[i].unit);
        free(roots->roots);
        *roots = PROCESS_ROOTS_NULL;
}

int process_roots_add(ProcessRoots *roots, const JsonValue *run)
{
        const JsonValue *details = json_get(run, "details");
        int64_t pid = json_get_int(details, "pid", 0);
        const char *unit = json_get_string(details, "unit", NULL);
        _cleanup_free_ char *copy = NULL;
        ProcessRoot *grown;

        if (!streq(json_get_string(run, "state", ""), "running") || pid <= 0 || pid > INT32_MAX)
                return 0;
        copy = unit ? strdup(unit) : NULL;
        grown = reallocarray(roots->roots, roots->n + 1, sizeof(*grown));
        if (grown)
                roots->roots = grown;
        if (!grown || (unit && !copy))
                return ctl_oom();
        grown[roots->n++] = (ProcessRoot){ .run = json_get_int(run, "run", 0), .pid = (pid_t)pid, .unit = TAKE_PTR(copy) };
        return 0;
}

/* --- what there is --- */

static bool has(const Processes *p, pid_t pid)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->list[i].pid == pid)
                        return true;
        return false;
}

/* SESSION: only one that is in it; 0: any. */
static void add(Processes *p, pid_t pid, pid_t session)
{
        ProcessStat stat;

        if (has(p, pid) || process_stat_read(pid, &stat) < 0 || (session > 0 && stat.session != session))
                return;
        if (p->n == PROCESSES_MAX)
                p->n_more++;
        else
                p->list[p->n++] = (Process){ .pid = pid, .parent = stat.parent, .state = stat.state };
}

static void add_children(Processes *p, pid_t pid, pid_t session)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        if (process_children(pid, &pids, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                add(p, pids[i], session);
}

static bool has_name(pid_t pid, const char *name)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char path[48];

        (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        return read_file_at(AT_FDCWD, path, 64, &text) >= 0 && startswith(buffer_string(&text), name);
}

/*
 * Whoever talks to a daemon in another PID namespace has other processes of these numbers: a command is a child of
 * takt-spawn, or of a taktd that it came back to.
 */
static void collect_command(Processes *p, pid_t pid)
{
        ProcessStat stat;

        if (process_stat_read(pid, &stat) < 0 || !(has_name(stat.parent, "takt-spawn") || has_name(stat.parent, "taktd")))
                return;
        add(p, pid, 0);
        for (size_t i = 0; i < p->n; i++)
                add_children(p, p->list[i].pid, 0);
        add_children(p, stat.parent, pid);
}

static int read_members(const char *cgroup, Buffer *ret)
{
        /* cgroups(7): the second in a hybrid setup, the third where there is only the first version */
        static const char *const hierarchies[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd" };
        int r = -ENOENT;

        for (size_t i = 0; i < ARRAY_SIZE(hierarchies) && r < 0; i++) {
                _cleanup_free_ char *path = xasprintf("%s%s/cgroup.procs", hierarchies[i], cgroup);

                if (!path)
                        return -ENOMEM;
                r = read_file_at(AT_FDCWD, path, CGROUP_MAX, ret);
        }
        return r;
}

/* The control group of UNIT that PID is in, a path from the root of its hierarchy. NULL: it is in none, or no memory. */
static char *unit_cgroup(pid_t pid, const char *unit)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char path[48], *rest = NULL;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        if (read_file_at(AT_FDCWD, path, CGROUP_MAX, &text) < 0 || text.len == 0)
                return NULL;
        for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *group = strchr(line, '/'), *last = strrchr(line, '/');

                if (group && streq(last + 1, unit))
                        return strdup(group);
        }
        return NULL;
}

static void collect_unit(Processes *p, pid_t pid, const char *unit)
{
        _cleanup_free_ char *cgroup = unit_cgroup(pid, unit);
        _cleanup_buffer_ Buffer members = BUFFER_NULL;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        if (!cgroup)
                return;
        add(p, pid, 0);
        if (read_members(cgroup, &members) < 0 || pid_list_parse(buffer_string(&members), &pids, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                add(p, pids[i], 0);
}

/* --- the tree --- */

typedef struct Branches {
        const char *item;
        const char *last;
        const char *past;
} Branches;

typedef struct Printer {
        const Ctl *ctl;
        Processes *processes;
        const Branches *branches;
} Printer;

/* What it was called with, as far as it can be told at once: one that waits in the kernel may hold its memory locked. */
static int append_command_line(Buffer *out, const Process *process)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char path[48];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)process->pid);
        if (process->state != 'D')
                (void)read_file_at(AT_FDCWD, path, COMMAND_LINE_MAX, &text);
        while (text.len > 0 && text.data[text.len - 1] == '\0')
                text.len--;
        for (size_t i = 0; i < text.len; i++)
                if (text.data[i] == '\0')
                        text.data[i] = ' ';
        if (text.len > 0)
                return text_append_clean(out, text.data, text.len, false);
        (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)process->pid);
        (void)read_file_at(AT_FDCWD, path, 64, &text);
        r = buffer_append_char(out, '[');
        if (r >= 0)
                r = text_append_clean(out, buffer_string(&text), strcspn(buffer_string(&text), "\n"), false);
        return r < 0 ? r : buffer_append_char(out, ']');
}

static int print_line(const Printer *printer, const char *indent, const char *branch, const Process *process)
{
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        size_t width = printer->ctl->width;
        int r = buffer_appendf(&line, "%s%s%d ", indent, branch, (int)process->pid);

        if (r >= 0)
                r = append_command_line(&line, process);
        if (r < 0)
                return ctl_oom();
        printf("%.*s\n", (int)(width > 0 ? text_fit(line.data, width) : line.len), line.data);
        return 0;
}

static bool is_child(const Processes *p, const Process *child, pid_t parent)
{
        return !child->shown && (parent > 0 ? child->parent == parent : !has(p, child->parent));
}

/* The children of PARENT; 0: those whose parent is not of the run. */
static int print_children(const Printer *printer, pid_t parent, const char *indent, unsigned depth)
{
        Processes *p = printer->processes;
        const Branches *b = printer->branches;
        int r = 0;

        for (size_t i = 0; i < p->n && r == 0; i++) {
                _cleanup_free_ char *deeper = NULL;
                bool last = true;

                if (!is_child(p, &p->list[i], parent))
                        continue;
                for (size_t k = i + 1; k < p->n && last; k++)
                        last = !is_child(p, &p->list[k], parent);
                if (parent == 0 && p->n_more > 0)
                        last = false;
                p->list[i].shown = true;
                r = print_line(printer, indent, last ? b->last : b->item, &p->list[i]);
                deeper = xasprintf("%s%s", indent, last ? "  " : b->past);
                if (!deeper)
                        return ctl_oom();
                if (r == 0)
                        r = print_children(printer, p->list[i].pid, depth < DEPTH_MAX ? deeper : indent, depth + 1);
        }
        return r;
}

static int print_tree(const Ctl *ctl, const ProcessRoot *root)
{
        static const Branches drawn = { "├─", "└─", "│ " }, plain = { "|-", "`-", "| " };
        Processes processes = {};
        const Printer printer = {
                .ctl = ctl,
                .processes = &processes,
                .branches = streq(nl_langinfo(CODESET), "UTF-8") ? &drawn : &plain,
        };
        int r;

        if (root->unit)
                collect_unit(&processes, root->pid, root->unit);
        else
                collect_command(&processes, root->pid);
        if (processes.n == 0)
                return 0;
        printf("\n%sProcesses of run %" PRIi64 "%s%s%s\n", style_begin(STYLE_BOLD, ctl->colour), root->run,
               root->unit ? ", unit " : "", root->unit ?: "", style_end(STYLE_BOLD, ctl->colour));
        r = print_children(&printer, 0, "", 0);
        if (r == 0 && processes.n_more > 0)
                printf("%s%zu more\n", printer.branches->last, processes.n_more);
        return r;
}

int process_roots_print(const Ctl *ctl, const ProcessRoots *roots)
{
        int r = 0;

        for (size_t i = 0; i < roots->n && r == 0; i++)
                r = print_tree(ctl, &roots->roots[i]);
        return r;
}
