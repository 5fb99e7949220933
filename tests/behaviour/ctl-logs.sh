#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl logs: which entries of a journal it prints, and how. The journal is made by systemd-journal-remote.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH" TZ=UTC
dir=$(mktemp -d)
pid= fake=
trap 'for p in $pid $fake; do kill "$p" 2>/dev/null || :; done; rm -rf "$dir"' EXIT
failed=0

# expect STATUS PATTERN ARG…: taktctl logs ARG… exits so, and all that it prints is like the pattern
expect() {
        local status=$1 pattern=$2 found=0 output
        shift 2
        output=$(taktctl logs --timezone UTC "$@" 2>&1) || found=$?
        # shellcheck disable=SC2254
        case $found:$output in
        $status:$pattern) ;;
        *)
                echo "taktctl logs $*: exit status $found, prints $output"
                failed=1
                ;;
        esac
}

taktctl -q env create "$dir/plant"
export TAKT_ENV=$dir/plant TAKT_JOURNAL=$dir/journal
mkdir "$TAKT_JOURNAL"
expect 1 'taktctl: *no journal*' room
expect 2 'taktctl: --since: *' --since yesteryear room
expect 2 'taktctl: too few arguments*'

remote=
for path in /lib/systemd/systemd-journal-remote /usr/lib/systemd/systemd-journal-remote; do
        [ ! -x "$path" ] || remote=$path
done
if [ -z "$remote" ]; then
        echo "systemd-journal-remote is not installed"
        [ $failed = 0 ] || exit 1
        exit 77
fi

# entry NUMBER ENV JOB MESSAGE: that many seconds after 2026-11-22 10:00
entry() {
        printf '__REALTIME_TIMESTAMP=%s000000\n__MONOTONIC_TIMESTAMP=%s000000\n' $((1795341600 + $1)) "$1"
        printf '_BOOT_ID=1dbf1e3c6d0f4a5f8a9e1b2c3d4e5f60\nPRIORITY=%s\nMESSAGE=%s\n' "$((3 + $1 % 4))" "$4"
        printf 'TAKT_ENV=%s\nTAKT_JOB=%s\nTAKT_RUN=%s\nTAKT_STATE=failed\n\n' "$2" "$3" "$1"
}
{
        entry 1 plant room 'room[1]: failed: one'
        entry 2 plant room-2 'room-2[2]: failed: two'
        entry 3 other room 'room[3]: failed: of another'
        # One that stands for several.
        printf '__REALTIME_TIMESTAMP=%s000000\n__MONOTONIC_TIMESTAMP=3500000\n' $((1795341600 + 3))
        printf '_BOOT_ID=1dbf1e3c6d0f4a5f8a9e1b2c3d4e5f60\nPRIORITY=4\nMESSAGE=dev@: failed: 9 more\nTAKT_ENV=plant\n'
        printf 'TAKT_JOB=%s\n' dev@ dev@1 dev@150 dev@2
        echo
        entry 4 plant room 'room[4]: failed: four'
        entry 5 plant hall $'hall[5]: failed: \e[2J five'
} >"$dir/export"
"$remote" -o "$TAKT_JOURNAL/test.journal" "$dir/export" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }

one='2026-11-22 10:00:01.000 room\[1\]: failed: one'
two='2026-11-22 10:00:02.000 room-2\[2\]: failed: two'
four='2026-11-22 10:00:04.000 room\[4\]: failed: four'
five='2026-11-22 10:00:05.000 hall\[5\]: failed: \\x1b\[2J five'
nl=$'\n'
expect 0 "$one$nl$four" room
expect 0 "$one$nl$two$nl$four" 'room*'
expect 0 "$one$nl$two$nl$four$nl$five" room room-2 hall
expect 0 "$four" -n 1 'room*'
expect 0 "$two$nl$four" -n 2 'room*'
expect 0 "$four" --since '2026-11-22 10:00:02' room
expect 0 "$two$nl$four" --since '2026-11-22 10:00:02' 'r*'
expect 0 "$four" --since '2026-11-22 10:00:02' -n 5 room
more='2026-11-22 10:00:03.000 dev@: failed: 9 more'
expect 0 "$more" dev@150
expect 0 "$more" 'dev@15*'
expect 0 "$more$nl$five" hall 'dev@*0'
expect 0 "taktctl: the journal has nothing of this" 'dev@3*'
expect 0 '{"time":"2026-11-22T10:00:03.000000Z","jobs":\["dev@","dev@1","dev@150","dev@2"\],"priority":4,"message":*}' --json dev@2
expect 0 'taktctl: the journal has nothing of this' none
expect 0 '' -q none
expect 0 '{"time":"2026-11-22T10:00:04.000000Z","job":"room","run":4,"state":"failed","priority":3,"message":"room\[4\]: failed: four"}' \
        --json -n 1 room

# What comes is printed as it comes.
taktctl logs --timezone UTC -f -n 1 'room*' >"$dir/follow" &
pid=$!
wait_for() {
        for _ in $(seq 200); do
                ! grep -q "$1" "$dir/follow" || return 0
                sleep 0.05
        done
        echo "logs -f does not print $1: $(cat "$dir/follow")"
        failed=1
}
wait_for four
entry 6 plant room-3 'room-3[6]: failed: six' >"$dir/export"
"$remote" -o "$TAKT_JOURNAL/later.journal" "$dir/export" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
wait_for six

# status of a job shows the last lines of it, and is whole without a journal, too
cat >"$dir/answers" <<'ANSWERS'
{"io.takt.Jobs.List": [{"parameters": {"jobs": [{"job": "room", "kind": "exec", "state": "idle"}]}}],
 "io.takt.Runs.List": [{"parameters": {"runs": []}}]}
ANSWERS
python3 "$TAKT_SRCDIR/tests/behaviour/fake-daemon.py" "$dir/plant/run/takt.sock" "$dir/answers" &
fake=$!
for _ in $(seq 200); do
        ! taktctl -q list >"$dir/log" 2>&1 || break
        sleep 0.05
done
# status PATTERN ARG…
status() {
        local pattern=$1 output
        shift
        output=$(taktctl status --timezone UTC "$@" 2>&1) || { echo "taktctl status $*: exit status $?"; failed=1; }
        # shellcheck disable=SC2254
        case $output in
        $pattern) ;;
        *)
                echo "taktctl status $* prints $output"
                failed=1
                ;;
        esac
}
head=$'\u25cf room\n      Kind: exec\n     State: idle'
status "$head$nl$nl$one$nl$four" room
status "$head$nl$nl$four" -n 1 room
status "$head" -n 0 room
mkdir "$dir/nothing"
TAKT_JOURNAL=$dir/nothing status "$head" room

# Names that the daemon does not know may be those of jobs that are gone, which the journal knows.
kill $fake
wait $fake 2>/dev/null || :
rm "$dir/plant/run/takt.sock"
cat >"$dir/answers" <<'ANSWERS'
{"io.takt.Jobs.List": [{"parameters": {"jobs": [{"job": "kitchen"}]}}],
 "io.takt.Runs.List": [{"parameters": {"runs": [], "unknown": ["hall", "kitchne", "none"]}}]}
ANSWERS
python3 "$TAKT_SRCDIR/tests/behaviour/fake-daemon.py" "$dir/plant/run/takt.sock" "$dir/answers" &
fake=$!
for _ in $(seq 200); do
        ! taktctl -q list >"$dir/log" 2>&1 || break
        sleep 0.05
done
missing='taktctl: no job kitchne; did you mean kitchen[?]'$nl'taktctl: no job none; see: *'
expect 3 "$one$nl$four$nl$five$nl$missing" room hall kitchne none
expect 3 "$missing" kitchne none
grep -q '"jobs": \["kitchne", "none"\], "limit": 1' "$dir/answers.calls" || { echo "logs asks $(cat "$dir/answers.calls")"; failed=1; }
exit $failed
