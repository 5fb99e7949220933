#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Everything that a command can do wrong, each with the state that its run must end with; afterwards no process, zombie
# or descriptor is left. FAULT_BYTES is how much a flood writes: make torture says 10G.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
flood=${FAULT_BYTES:-50M}
mark=takt-fault-$$
# exec_job NAME COMMAND [KEYS]
exec_job() {
        printf '[Job]\nType=exec\nTimeoutSec=5min\n[Exec]\nCommand=%s\nLimit=CORE=0\nEnvironment=FAULT=%s\n%b' "$2" "$mark" "${3:-}" | job "$1"
}
# outcome JOB: state, kind of error and its message
outcome() {
        run_job '" ".join(filter(None, [r["state"]] + ([r["error"]["kind"], r["error"]["message"]] if r["error"] else [])))' "$1"
}
descriptors() {
        find "/proc/$1/fd" -mindepth 1 | wc -l
}
# The processes that have the mark of this test in their environment, but for the test's own.
left() {
        grep -lzs "^FAULT=$mark" /proc/[0-9]*/environ | cut -d/ -f3
}
none_left() {
        [ -z "$(left)" ]
}
some_left() {
        [ -n "$(left)" ]
}

exec_job missing "$dir/no-such-program"
printf 'x' >"$dir/plain"
exec_job not-executable "$dir/plain"
printf '#!/no/such/interpreter\n' >"$dir/orphaned"
chmod +x "$dir/orphaned"
exec_job no-interpreter "$dir/orphaned"
exec_job directory "$dir"
exec_job nowhere /bin/true "WorkingDirectory=$dir/nowhere\n"
exec_job status-127 '/bin/sh -c "no-such-program 2>/dev/null; exit 127"'
exec_job flood "/usr/bin/head -c $flood /dev/zero" 'MaxBytes=1K\n'
exec_job closed '/bin/sh -c "exec 0<&- 1>&- 2>&-; exit 3"'
exec_job stdin '/bin/sh -c "cat | wc -c"'
exec_job deaf "/bin/sh -c \"trap '' TERM; while :; do sleep 1; done\"" 'KillAfterSec=100ms\n'
exec_job stopped '/bin/sh -c "kill -STOP $$$$; sleep 1000"' 'KillAfterSec=100ms\n'
exec_job daemon '/bin/sh -c "setsid sleep 1000 >/dev/null 2>&1 & exit 0"'
# In a session of its own, behind a second fork, with an environment that says nothing of where it comes from.
exec_job hider "/bin/sh -c \"(setsid env -i /bin/sleep 1000.$$ >/dev/null 2>&1 &) & exit 0\""
exec_job holder '/bin/sh -c "sleep 1000 & echo over"'
exec_job forks '/bin/sh -c "i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i + 1)); done; echo $i"'
exec_job chatter '/bin/sh -c "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i + 1)); done"'
for signal in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU XFSZ VTALRM PROF SYS; do
        exec_job "signal-$signal" "/bin/sh -c \"kill -$signal \$\$\$\$\""
done
mkdir "$dir/cores"
# Over the limit that all have: the last one counts.
exec_job dumps '/bin/sh -c "kill -ABRT $$$$"' "WorkingDirectory=$dir/cores\nLimit=CORE=16M\n"
start_taktd
run_job 'r["state"]' missing >"$dir/out"
spawn_pid=$(children_of "$taktd_pid" | awk '{ print $1 }')
before="$(descriptors "$taktd_pid") $(descriptors "$spawn_pid")"

like "a missing program" "failed exec */no-such-program can't be executed: No such file or directory" "$(outcome missing)"
like "one that may not be executed" "failed exec */plain can't be executed: Permission denied" "$(outcome not-executable)"
like "one without its interpreter" "failed exec */orphaned can't be executed: No such file or directory" "$(outcome no-interpreter)"
like "a directory" "failed exec *can't be executed: Permission denied" "$(outcome directory)"
like "a missing directory" "failed exec chdir: No such file or directory" "$(outcome nowhere)"
is "exit status 127" "failed exit-status exit status 127" "$(outcome status-127)"
for signal in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU XFSZ VTALRM PROF SYS; do
        like "SIG$signal" "failed signal killed by SIG$signal*" "$(outcome "signal-$signal")"
done
is "no core dump" "failed signal killed by SIGABRT" "$(outcome signal-ABRT)"
# Where cores are files, and may be: a pipe's program has its own mind.
if [ "$(ulimit -Hc)" = 0 ] || grep -q '[|/]' /proc/sys/kernel/core_pattern; then
        echo "skipped: core dumps, which this machine writes to no file here"
else
        is "a core dump" "failed signal killed by SIGABRT, core dumped" "$(outcome dumps)"
        is "its mark" True "$(runs 'rs[0]["details"]["core"]' dumps)"
        [ -n "$(ls "$dir/cores")" ] || fail "there is no core"
fi
is "closed descriptors" "failed exit-status exit status 3" "$(outcome closed)"
is "an empty input" 0 "$(run_job 'r["result"].strip()' stdin)"
like "a flood" "succeeded 1024 [1-9]*" "$(run_job 'r["state"] + " " + str(len(r["result"])) + " " + str(r["details"]["droppedBytes"])' flood)"
is "a background process that holds the pipe" over "$(run_job 'r["result"].strip()' holder)"
is "a daemon" succeeded "$(outcome daemon)"
is "one that hides" succeeded "$(outcome hider)"
none_hides() {
        ! grep -qzsx "1000.$$" /proc/[0-9]*/cmdline
}
eventually "what hides is ended" none_hides || :
is "many forks" 200 "$(run_job 'r["result"].strip()' forks)"
for name in deaf stopped; do
        taktctl run "$name" >"$dir/out"
        eventually "$name runs" some_left || :
        taktctl -q cancel "$name" >"$dir/out" 2>&1 || :
        taktctl wait "$name" >"$dir/out" 2>&1 || :
        is "$name" cancelled "$(runs 'rs[0]["state"]' "$name")"
done
eventually "all processes are gone" none_left || :
run_job 'r["state"]' chatter >"$dir/out"
lines=$(grep -c 'chatter\[' "$log")
[ "$lines" -lt 500 ] || fail "a command that chatters has $lines lines in the log"
grep -q 'more lines on standard error' "$log" || fail "nothing is said of the lines that were left out"
zombies() {
        awk '/^State:.*Z/ { n++ } END { exit n > 0 }' /proc/"$taktd_pid"/task/*/children 2>/dev/null
        for pid in $(children_of "$spawn_pid") $(children_of "$taktd_pid"); do
                ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null || return 1
        done
}
eventually "no zombies" zombies || :
same_descriptors() {
        is_now="$(descriptors "$taktd_pid") $(descriptors "$spawn_pid")"
        [ "$is_now" = "$before" ]
}
# takt-worker ends when nobody has needed it for a while, and is there again.
run_job 'r["state"]' missing >"$dir/out"
eventually "no descriptors are left over (before: $before)" same_descriptors || echo "now: $is_now"

# --- takt-spawn and taktd are killed in the middle of it ---
for name in deaf forks holder stopped; do
        taktctl run "$name" >"$dir/out"
done
eventually "processes" some_left || :
kill -KILL "$spawn_pid"
eventually "all is gone with takt-spawn" none_left || :
answered() {
        has_run 'r["job"] == "deaf" and r["error"] and r["error"]["kind"] == "helper-died"' deaf
}
eventually "the runs of a dead takt-spawn" answered || :
is "a run after that" "failed exit-status exit status 127" "$(outcome status-127)"
taktctl run deaf >"$dir/out"
kill_taktd
eventually "all is gone with taktd" none_left || :
start_taktd
is "the run of a dead taktd" lost "$(runs 'rs[0]["state"]' deaf)"
check_end
