#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One daemon an environment, and no job beside what an earlier daemon left: the next one waits until takt-spawn has
# ended the commands of the one that died.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment

# It notes its begin and, by whoever ends it, its end; TERM does not end it.
cat >"$dir/work.py" <<'END'
import os, signal, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
signal.signal(signal.SIGTERM, lambda *_: os.write(log, b"term %d\n" % os.getpid()))
os.write(log, b"begin %d\n" % os.getpid())
while True:
    time.sleep(0.02)
    os.write(log, b"alive %d\n" % os.getpid())
END
job busy <<END
[Job]
Type=exec
Retries=1
[Schedule]
Every=200ms
Overlap=skip
[Exec]
Command=/usr/bin/python3 $dir/work.py $dir/work
KillAfterSec=1h
END
job idle <<'END'
[Job]
Type=sleep
[Sleep]
Duration=0
END

# begins N: so many have begun
begins() {
        [ -e "$dir/work" ] && [ "$(grep -c begin "$dir/work")" -ge "$1" ]
}

# never_two: from the begin of each on, no other writes
never_two() {
        python3 - "$dir/work" <<'END' || fail "two at a time: $(tail -5 "$dir/work")"
import sys
now = None
for line in open(sys.argv[1]):
    word, pid = line.split()
    if word == "begin":
        now = pid
    assert pid == now, line
END
}

# ended PID: also where nobody has reaped it
ended() {
        [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]
}

start_raw() {
        log=$dir/raw-$1.log
        taktd --log-target console >"$log" 2>&1 &
        taktd_pid=$!
}

# --- a second daemon goes, whatever is left of run/ ---
start_taktd
eventually "the command begins" begins 1
for what in "" run; do
        [ -z "$what" ] || rm -rf "${dir:?}/env/$what"/*
        status=0
        timeout 20 taktd --log-target console >"$dir/second" 2>&1 || status=$?
        is "exit status of a second daemon (${what:-as it is})" 1 "$status"
        like "its words (${what:-as it is})" "*Another taktd serves this environment*" "$(cat "$dir/second")"
done
is "commands that have begun" 1 "$(grep -c begin "$dir/work")"

# --- killed: the next one waits for the helper of that, which waits for the command ---
kill_taktd
start_raw 1
eventually "the daemon says what it waits for" grep -q "takt-spawn (pid [0-9]*) still ends the commands of an earlier daemon" "$log"
helper=$(sed -n 's/.*takt-spawn (pid \([0-9]*\)) still.*/\1/p' "$log")
is "who is waited for" takt-spawn "$(cat "/proc/$helper/comm" 2>/dev/null || echo gone)"
# A client waits, and is served then; what it asks for has not begun before.
run=$(taktctl run idle) || fail "a run asked for meanwhile is refused"
eventually "the run that was asked for" has_run "r['run'] == ${run:-0} and r['state'] == 'succeeded'"
ended "$helper" || fail "jobs begin beside takt-spawn (pid $helper)"
eventually "the job begins again" begins 2
never_two
is "what is said of the wait" 1 "$(grep -c "still ends the commands" "$log")"
eventually "the lost run" has_run "r['job'] == 'busy' and r['state'] == 'lost'"

# --- killed twice: what was under way is told by the daemon that begins; a stop ends the wait ---
lost=$(runs "[r['run'] for r in rs if r['state'] == 'running'][0]" busy)
kill_taktd
start_raw 2
eventually "the second daemon waits" grep -q "still ends the commands" "$log"
helper=$(sed -n 's/.*takt-spawn (pid \([0-9]*\)) still.*/\1/p' "$log")
kill -HUP "$taktd_pid"
kill -TERM "$taktd_pid"
status=0
wait "$taktd_pid" || status=$?
taktd_pid=
is "exit status of a daemon that waited" 0 "$status"
ended "$helper" && fail "the stop did not end the wait"
look_for_sanitizers
n=$(grep -c begin "$dir/work")
start_raw 3
eventually "the third daemon waits" grep -q "still ends the commands" "$log"
kill -HUP "$taktd_pid"
eventually "the job begins once more" begins $((n + 1))
never_two
eventually "run $lost, which was under way as two daemons were killed at once, is told of" has_run "r['run'] == $lost and (r['error'] or {}).get('kind') == 'poison'"
eventually "the reload that was asked for meanwhile" grep -q "Reloaded:" "$log"

# --- whatever became of state/ and run/ meanwhile, nobody begins beside them ---

# spoil WHAT: what was there under a daemon
spoil() {
        local env=${dir:?}/env
        case $1 in
        removed) rm -rf "$env/state" ;;
        made-anew) rm -rf "$env/state" && mkdir -m 700 "$env/state" ;;
        moved) mv "$env/state" "$env/away" ;;
        copied) mv "$env/state" "$env/away" && cp -a "$env/away" "$env/state" ;;
        both) rm -rf "$env/state" "$env/run" ;;
        run) rm -rf "$env/run" && mkdir "$env/run" ;;
        esac
}
for what in removed made-anew moved copied both run; do
        n=$(grep -c begin "$dir/work")
        spoil "$what"
        status=0
        timeout 20 taktd --log-target console >"$dir/second" 2>&1 || status=$?
        is "exit status of a second daemon ($what)" 1 "$status"
        like "its words ($what)" "*Another taktd serves this environment*" "$(cat "$dir/second")"
        is "commands that have begun ($what)" "$n" "$(grep -c begin "$dir/work")"
        # What the second one has made is gone again as well.
        spoil "$what" 2>/dev/null || :
        kill_taktd
        start_raw "4-$what"
        eventually "the daemon waits ($what)" grep -q "takt-spawn (pid [0-9]*) still ends the commands" "$log"
        helper=$(sed -n 's/.*takt-spawn (pid \([0-9]*\)) still.*/\1/p' "$log")
        is "who is waited for ($what)" takt-spawn "$(cat "/proc/$helper/comm" 2>/dev/null || echo gone)"
        # It is enough to end the command that the daemon waits for.
        kill -KILL "$(sed -n 's/begin //p' "$dir/work" | tail -1)"
        eventually "the job begins again ($what)" begins $((n + 1))
        ended "$helper" || fail "jobs begin beside takt-spawn (pid $helper, $what)"
        never_two
        rm -rf "${dir:?}/env/away"
done

# --- a stop leaves nobody to be waited for ---
cat >"$dir/env/takt.conf" <<'END'
[Daemon]
StopTimeoutSec=30s
END
sed -i 's/^KillAfterSec=.*/KillAfterSec=200ms/' "$dir/env/jobs/busy.job"
taktctl -q reload
kill -KILL "$(sed -n 's/begin //p' "$dir/work" | tail -1)"
eventually "commands that can be ended" begins $((n + 2))
stop_taktd
start_taktd
grep -q "still ends the commands" "$log" && fail "a clean stop leaves a helper: $(cat "$log")"
check_end
