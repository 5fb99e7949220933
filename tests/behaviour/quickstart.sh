#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/quickstart as a newcomer runs it, but for the packages and the build: each demo job succeeds,
# Ctrl-C ends it and all its processes, and a second time the user's edits are kept.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
unset TAKT_ENV
dir=$(mktemp -d)
taktd=''
trap 'kill -9 $taktd 2>/dev/null || true; rm -rf "$dir"' EXIT
fail() {
        echo "$*"
        cat "$dir/out"
        exit 1
}

# In a session of its own, so that SIGINT to its group is what Ctrl-C does.
start() {
        setsid "$TAKT_SRCDIR/contrib/quickstart" --no-install --programs "$TAKT_BUILDDIR" "$dir/env" >"$dir/out" 2>&1 </dev/null &
        taktd=$!
}

# wait_for PATTERN: a line of the events.
wait_for() {
        for _ in $(seq 300); do
                grep -qE "$1" "$dir/out" && return 0
                kill -0 $taktd 2>/dev/null || fail "taktd ended before: $1"
                sleep 0.1
        done
        fail "waited in vain for: $1"
}

# The processes of which PID is an ancestor.
descendants() {
        local child
        for child in $(ps -o pid= --ppid "$1"); do
                echo "$child"
                descendants "$child"
        done
}

interrupt() {
        local children status=0 child
        children=$(descendants $taktd)
        [ -n "$children" ] || fail "taktd has no helper"
        kill -INT -- -$taktd
        wait $taktd || status=$?
        [ $status -eq 0 ] || fail "exit status $status"
        for child in $children; do
                for _ in $(seq 100); do
                        kill -0 "$child" 2>/dev/null || continue 2
                        sleep 0.1
                done
                fail "process $child is left: $(ps -o args= -p "$child")"
        done
        [ ! -e "$dir/env/run/takt.sock" ] || fail "the control socket is left"
}

start
for job in blink countdown load healthz; do
        wait_for "$job .* succeeded"
done
wait_for 'healthz .*succeeded.*"status":"ok"'
wait_for 'load .*succeeded.*"load":[0-9.]+,"freeMegabytes":[0-9]+'
"$TAKT_BUILDDIR/taktctl" --env "$dir/env" run --wait hello -- --name Ada | grep -qx 'Hello, Ada!' || fail "hello does not greet"
interrupt

sed -i 's/^Message=.*/Message=Edited/' "$dir/env/jobs/blink.job"
rm "$dir/env/jobs/countdown.job"
start
wait_for 'blink .* progress +Edited'
interrupt
[ ! -e "$dir/env/jobs/countdown.job" ] || fail "a job that the user removed is back"
if grep -rIlF "$dir" "$dir/env"; then fail "these files hold an absolute path"; fi
