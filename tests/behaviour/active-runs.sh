#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon that is killed: what was under way ends as lost in the next one, is repeated where Retries=
# says so, and leaves no process behind. A clean stop leaves nothing to be lost.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export PATH="$TAKT_BUILDDIR:$PATH"
unset TAKT_ENV
dir=$(mktemp -d)
daemon=''
cleanup() {
        if [ -n "$daemon" ]; then
                kill -KILL "$daemon" 2>/dev/null || :
                wait "$daemon" 2>/dev/null || :
        fi
        rm -rf "$dir"
}
trap cleanup EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}
env=$dir/lab
takt() {
        timeout 20 taktctl --env "$env" "$@"
}
start() {
        taktd --env "$env" 2>>"$dir/log" &
        daemon=$!
        for _ in $(seq 100); do
                if takt -q ping >/dev/null 2>&1; then return; fi
                kill -0 $daemon 2>/dev/null || break
                sleep 0.1
        done
        cat "$dir/log"
        exit 1
}

# until_true WHAT COMMAND…
until_true() {
        local what=$1
        shift
        for _ in $(seq 100); do
                if "$@" >/dev/null 2>&1; then return; fi
                sleep 0.1
        done
        fail "$what did not come"
}
state_of() {
        takt --json runs "$1" | grep -o '"state":"[a-z]*"' | cut -d'"' -f4 | paste -sd' '
}

takt_job() {
        printf '%s\n' "[Job]" "${@:2}" >"$env/jobs/$1.job"
}
taktctl -q env create "$env"
takt_job once Type=exec "[Exec]" "Command=/bin/sh -c 'echo \$\$\$\$ >>$dir/once.pid; exec sleep 1000'"
takt_job again Type=exec Retries=1 "Parameter=text:string=none" "[Exec]" \
        "Command=/bin/sh -c 'echo \"\$1\" >>$dir/again; exec sleep 1000' sh \${text}"
takt_job queue Type=sleep "[Schedule]" Overlap=queue "[Sleep]" Duration=1000s
takt_job many Type=sleep "[Schedule]" Overlap=parallel "[Sleep]" Duration=1000s

start
once=$(takt run once)
again=$(takt run again -p "text=hello world")
takt -q run queue >/dev/null
queued=$(takt run queue)
# More than fit into the first table.
for _ in $(seq 70); do takt -q run many >/dev/null; done
until_true "the commands" test -s "$dir/again" -a -s "$dir/once.pid"
kill -KILL $daemon
wait $daemon 2>/dev/null || :
start
[ "$(state_of once)" = lost ] || fail "after a SIGKILL, once: $(state_of once)"
[ "$(takt --json runs once | grep -o '"run":[0-9]*')" = "\"run\":$once" ] || fail "the lost run has another id"
[ "$(takt --json runs -n 100 many | grep -o '"state":"lost"' | wc -l)" = 70 ] || fail "of 70 runs, $(takt --json runs -n 100 many | grep -o '"state":"lost"' | wc -l) are lost"
# The first one is lost, and so the second one begins, which had only waited: it is the same run.
case $(state_of queue) in
"running lost" | "lost running") ;;
*) fail "after a SIGKILL, queue: $(state_of queue)" ;;
esac
takt --json runs queue | grep -qE "\"run\":$queued,.*\"state\":\"running\"" || fail "run $queued has not begun: $(takt --json runs queue)"
case $(takt why $queued) in
*"waited with an earlier daemon"*) ;;
*) fail "why does not tell that it waited: $(takt why $queued)" ;;
esac
until_true "the repeated run" sh -c "[ \$(wc -l <'$dir/again') -eq 2 ]"
[ "$(sort -u "$dir/again")" = "hello world" ] || fail "it was repeated with other parameters: $(cat "$dir/again")"
case $(state_of again) in
"running lost" | "lost running") ;;
*) fail "after a SIGKILL, again: $(state_of again) (run $again)" ;;
esac
[ "$(grep -c "many\[[0-9]*\]: lost" "$dir/log")" = 20 ] || fail "a burst of messages is not folded"
grep -q "once\[$once\]: lost" "$dir/log" || fail "the log does not tell of the lost run"
read -r pid <"$dir/once.pid"
until_true "the end of the command" sh -c "! kill -0 $pid"

# A stop ends what is under way, and says so by itself.
kill -TERM $daemon
wait $daemon || fail "the stop fails"
grep -q "many: lost: … 50 more like this" "$dir/log" || fail "what was folded is not counted"
start
[ -z "$(takt --json runs | grep -o '"state":"lost"')" ] || fail "after a clean stop something is lost"

# A run that was retried has one note, and none once it has ended: neither is it told again, nor executed.
takt_job retried Type=exec Retries=1 RetryDelaySec=1ms "[Schedule]" Overlap=parallel "[Exec]" \
        "Command=/bin/sh -c 'echo \$TAKT_RUN >>$dir/retried; [ \$(grep -c \"^\$TAKT_RUN\$\" $dir/retried) = 2 ]'"
takt -q reload
for _ in $(seq 40); do takt -q run retried >/dev/null; done
until_true "the second attempts" sh -c "[ \$(wc -l <'$dir/retried') -ge 80 ]"
until_true "their ends" sh -c "! taktctl --env '$env' --json runs -n 100 retried | grep -qE '\"state\":\"(running|retrying|queued)\"'"
[ "$(sort "$dir/retried" | uniq -c | awk '$1 != 2' | wc -l)" = 0 ] || fail "attempts of each run: $(sort "$dir/retried" | uniq -c | head -3)"
kill -TERM $daemon
wait $daemon || fail "the stop after retries fails"
[ "$(stat -c %s "$env/state/active-runs")" -lt 70000 ] || fail "the notes take $(stat -c %s "$env/state/active-runs") bytes"
start
[ -z "$(takt --json runs | grep -o '"state":"lost"')" ] || fail "runs that were retried are told of as lost"
[ "$(wc -l <"$dir/retried")" = 80 ] || fail "after a clean stop, commands were executed again: $(wc -l <"$dir/retried")"

# A job that ends the daemon has its attempts over all lives, and is not tried a third time where it does so at once.
takt_job killer Type=exec Retries=5 RetryDelaySec=1ms "[Exec]" "Command=/bin/sh -c 'echo x >>$dir/killer; kill -KILL \$(cat $dir/daemon.pid)'"
takt -q reload
echo $daemon >"$dir/daemon.pid"
takt -q run killer >/dev/null || :
wait $daemon 2>/dev/null || :
rm "$dir/daemon.pid"
mkfifo "$dir/daemon.pid"
start
echo $daemon >"$dir/daemon.pid"
wait $daemon 2>/dev/null || :
start
until_true "the end of the run" sh -c "taktctl --env '$env' --json runs killer | grep -q poison"
[ "$(state_of killer)" = failed ] || fail "after it ended the daemon twice, killer: $(state_of killer)"
[ "$(wc -l <"$dir/killer")" = 2 ] || fail "killer ran $(wc -l <"$dir/killer") times"

# What is not such a file is left out, and told.
kill -TERM $daemon
wait $daemon || fail "the second stop fails"
head -c 9000 /dev/urandom >"$env/state/active-runs"
start
grep -q "active-runs is not readable" "$dir/log" || fail "nothing is said of a file of another format"
kill -TERM $daemon
wait $daemon || fail "the third stop fails"
# The right head, and nonsense after it.
{ printf 'takt active 5\n\0\0' && head -c 20000 /dev/urandom; } >"$env/state/active-runs"
start
takt -q ping >/dev/null || fail "nonsense ends the daemon"
kill -TERM $daemon
wait $daemon || fail "the last stop fails"
daemon=''
exit $failed
