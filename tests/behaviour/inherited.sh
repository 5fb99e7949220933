#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What had taktd for a parent without being started by it, as it was there before the exec of taktd or lost its own parent:
# it is let be while it lives, and does not stay as a zombie. The first process of a container gets all that there is so.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
log=$dir/log
cat >"$dir/many.sh" <<'S'
for i in $(seq 150); do
        setsid sh -c 'echo $$ >>"$1"; exec sleep 1000' sh "$1" &
done
exec sleep 1000
S
job many <<<$'[Job]\nType=exec\n[Exec]\nCommand=/bin/sh '"$dir/many.sh $dir/many"

cat >"$dir/begin" <<'S'
#!/bin/sh
dir=$1
true &
sh -c 'until test -e "$1"; do sleep 0.05; done' sh "$dir/go" &
echo $! >"$dir/child"
# Its parent ends, and so it comes to the one that is taktd by then.
sh -c 'sh -c "until test -e \"\$1\"; do sleep 0.05; done" sh "$1/go" & echo $! >"$1/orphan"; until test -e "$1/left"; do sleep 0.05; done' sh "$dir" &
echo $! >"$dir/parent"
exec taktd --log-target console
S
chmod +x "$dir/begin"
"$dir/begin" "$dir" >"$log" 2>&1 &
taktd_pid=$!
helper $taktd_pid
eventually "the daemon answers" answers || { cat "$log"; exit 1; }

parent_of() {
        awk '/^PPid:/ { print $2 }' "/proc/$1/status"
}
no_zombies() {
        local pid
        for pid in $(children_of "$taktd_pid"); do
                ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null || return 1
        done
}
eventually "what ended before taktd was there is reaped" no_zombies || :
touch "$dir/left"
is_ours() {
        [ "$(parent_of "$(cat "$dir/orphan")")" = "$taktd_pid" ]
}
eventually "the orphan comes to taktd" is_ours || :
eventually "its parent is reaped" gone "$(cat "$dir/parent")" || :
taktctl status >"$dir/out"
for name in child orphan; do
        gone "$(cat "$dir/$name")" && fail "the $name was ended"
done
touch "$dir/go"
for name in child orphan; do
        eventually "the $name is reaped" gone "$(cat "$dir/$name")" || :
done

# What a dead takt-spawn left comes here, too: all of it is ended, and more than one turn of the loop takes. It has not
# outlived its command, which ended with takt-spawn, and is not counted as strays.
taktctl -q run many >"$dir/out"
have_begun() {
        [ -e "$dir/many" ] && [ "$(wc -l <"$dir/many")" = 150 ]
}
eventually "150 processes have begun" have_begun || :
spawn_pid=
for pid in $(children_of "$taktd_pid"); do
        [ "$(cat "/proc/$pid/comm")" = takt-spawn ] && spawn_pid=$pid
done
kill -KILL "$spawn_pid"
none_of_them() {
        local pid
        while read -r pid; do
                gone "$pid" || return 1
        done <"$dir/many"
}
eventually "all of them are ended" none_of_them || :
strays() {
        taktctl --json info | python3 -c 'import json, sys; print(json.load(sys.stdin)["commands"]["strays"])'
}
is "strays" 0 "$(strays)"
eventually "all of them are reaped" no_zombies || :
stop_taktd
check_end
