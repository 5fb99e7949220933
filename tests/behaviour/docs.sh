#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manuals and README.md say what is so: each job in them is one that takt takes, the commands of the
# tutorials do what is shown, and mandoc has nothing to say about the pages.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export PATH="$TAKT_BUILDDIR:$PATH"
unset TAKT_ENV
dir=$(mktemp -d)
taktd=''
watching=''
trap 'kill $taktd $watching 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}
pages=("$TAKT_SRCDIR"/man/*.[1-8] "$TAKT_BUILDDIR"/man/*.5)

# Each literal block of a page becomes a file PAGE.NN.job, PAGE.NN.conf or PAGE.NN.console; the name of a job, or of
# settings, is the path that the text gave last, in the first line of PAGE.NN.name.
python3 - "$dir" "$TAKT_SRCDIR/README.md" "${pages[@]}" <<'PYTHON'
import os, re, sys
out = sys.argv[1]
for page in sys.argv[2:]:
    base, n, block, name = os.path.basename(page), 0, None, 'example.job'
    for line in open(page, encoding='utf-8'):
        begins, ends = line.startswith(('.Bd -literal', '```')), line.startswith(('.Ed', '```'))
        if block is None and begins:
            block = []
        elif block is not None and ends:
            n += 1
            text = ''.join(block)
            kind = 'job' if '[Job]\n' in text else 'console' if text.startswith('$ ') else None
            kind = kind or ('conf' if name.endswith('.conf') and text.startswith('[') else None)
            if kind:
                stem = os.path.join(out, '%s.%02d' % (base, n))
                open(stem + '.' + kind, 'w').write(text)
                open(stem + '.name', 'w').write(name)
            block = None
        elif block is not None:
            block.append(re.sub(r'^\\&', '', line.replace(r'\e', '\\')) if not base.endswith('.md') else line)
        else:
            found = re.search(r'[\w/-]+\.job\b|[\w/-]+/[\w./-]+\.conf\b', line)
            name = found.group(0) if found else name
PYTHON

n=0
for job in "$dir"/*.job; do
        mkdir -p "$dir/verify"
        file=$dir/verify/example.job
        # Instances= is a template's; the names are in the environment, which holds the directory of the jobs.
        grep -q '^Instances=' "$job" && file=$dir/verify/example@.job
        echo kitchen >"$dir/rooms"
        cp "$job" "$file"
        taktctl verify "$file" || fail "the job above, of ${job##*/}, is refused"
        n=$((n + 1))
done
[ $n -ge 8 ] || fail "there are $n jobs only in the manuals"

# takt.job(5) has each kind of error that a run may end with, and no other.
python3 - "$TAKT_SRCDIR" <<'PYTHON' || failed=1
import glob, re, sys
root = sys.argv[1]
source = {f: open(f, encoding='utf-8').read() for f in glob.glob(root + '/src/*/*.[ch]')}
told = r'\b(?:run_fail|run_set_error|set_failure|drop_pending|abort_transfer)\(\s*[\w>&-]+,\s*"([a-z-]+)"'
used = {}
for file, text in source.items():
    found = re.findall(told, text) + re.findall(r'\bkind = "([a-z-]+)"', text)
    found += re.findall(r'\b(?:record_refused|record_occurrence|refuse)\([^;"]*RUN_[A-Z]+,[^;"]*"([a-z-]+)"', text)
    for table in re.findall(r'\bstop_kinds\[\w*\] = \{(.*?)\};', text, re.S):
        found += re.findall(r'"([a-z-]+)"', table)
    for table in re.findall(r'\} kinds\[\] = \{(.*?)\};', text, re.S):
        found += re.findall(r', "([a-z-]+)"', table)
    used.update({kind: file for kind in found})
page = open(root + '/man/takt.job.5.in', encoding='utf-8').read()
part = page[page.index('.Sh ERROR KINDS'):]
part = part[:part.index('.El')]
documented = {kind for line in re.findall(r'^\.It Cm (.*)$', part, re.M) for kind in line.split(' , ')}
said = set(re.findall(r'"([a-z-]+)"', ''.join(source.values())))
problems = ['%s: takt.job(5) lacks the error %s' % (used[kind][len(root) + 1:], kind) for kind in set(used) - documented]
problems += ['takt.job(5) has the error %s, which nothing uses' % kind for kind in documented - said]
problems += ['only %d kinds of error found; has a function got another name?' % len(used)] if len(used) < 35 else []
print(*sorted(problems), sep='\n', end='\n' if problems else '')
sys.exit(len(problems) > 0)
PYTHON

# walk PAGE: does what the page says, in its order.
walk() {
        local block
        mkdir "$dir/walk"
        cd "$dir/walk"
        for block in "$dir/$1".*.{job,conf,console}; do
                [ ! -e "$block" ] || echo "${block##*/}"
        done | sort >"$dir/blocks"
        while read -r block; do
                case $block in
                *.job | *.conf)
                        mkdir -p "$(dirname "$(cat "$dir/${block%.*}.name")")"
                        cp "$dir/$block" "$(cat "$dir/${block%.*}.name")"
                        ;;
                *) walk_console "$1" "$dir/$block" || break ;;
                esac
        done <"$dir/blocks"
        end_watching "$1"
        if [ -n "$taktd" ]; then
                kill $taktd
                wait $taktd || fail "$1: taktd: exit status $?"
                taktd=''
        fi
        # shellcheck disable=SC1091
        if [ -n "${TAKT_ENV-}" ]; then deactivate; fi
        cd "$dir"
        rm -rf "$dir/walk"
}

# prints_something FILE
prints_something() {
        for _ in $(seq 600); do
                [ ! -s "$1" ] || return 0
                sleep 0.05
        done
        return 1
}

# end_watching PAGE: what runs until it is told to end has printed something by now
end_watching() {
        local command status=0
        [ -n "$watching" ] || return 0
        command=$(cat "$dir/watching-command")
        prints_something "$dir/watched" || fail "$1: $command prints nothing"
        kill $watching || fail "$1: $command has ended: $(cat "$dir/watched")"
        wait $watching || status=$?
        watching=''
        # taktd ends well when it is asked to; others are killed by the signal.
        case $command,$status in
        taktd*,0 | taktctl*,143) ;;
        *) fail "$1: $command: exit status $status" ;;
        esac
}

# watch COMMAND: begins one that runs until it is told to end
watch() {
        echo "$1" >"$dir/watching-command"
        : >"$dir/watched"
        eval "exec $1" >"$dir/watched" 2>"$dir/watched-errors" &
        watching=$!
}

# walk_console PAGE BLOCK: a command each line that begins with "$ ", what it prints in the lines below, if shown.
walk_console() {
        local line command='' shown=''
        while IFS= read -r line; do
                case $line in
                '$ '*)
                        do_command "$1" "$command" "$shown" || return 1
                        command=${line#??} shown=''
                        ;;
                *) shown+=$line$'\n' ;;
                esac
        done <"$2"
        do_command "$1" "$command" "$shown"
}

do_command() {
        local status=0
        case $2 in
        '') return 0 ;;
        'taktd &')
                taktd >"$dir/taktd" 2>&1 &
                taktd=$!
                for _ in $(seq 200); do
                        taktctl ping >"$dir/ping" 2>&1 && return 0
                        sleep 0.05
                done
                fail "$1: taktd does not answer"
                return 1
                ;;
        taktd*--watch)
                watch "$2"
                end_watching "$1"
                return 0
                ;;
        'taktctl watch '*' &')
                watch "${2% &}"
                return 0
                ;;
        esac
        # In this shell, for what sets variables.
        eval "$2" >"$dir/printed" 2>&1 || status=$?
        if [ $status -ne 0 ]; then
                fail "$1: $2: exit status $status: $(cat "$dir/printed")"
                return 1
        fi
        [ -z "$3" ] || [ "$3" = "$(cat "$dir/printed")"$'\n' ] || fail "$1: $2 prints: $(cat "$dir/printed")"
}

walk README.md
walk takt.7
walk takt-run.1
walk takt.conf.5
walk taktctl.1
walk taktd.8

if command -v mandoc >/dev/null; then
        mandoc -Tlint -Wwarning "${pages[@]}" || failed=1
elif [ $failed -eq 0 ]; then
        echo "mandoc is not installed"
        exit 77
fi
exit $failed
