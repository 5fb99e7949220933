#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What commands leave behind: it is ended and that is told, or it is waited for (ExitType=cgroup), or it goes on
# (KillMode=process), also where the daemon stops, crashes or starts again.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
mkfifo "$dir/commands"
: >"$dir/log"

# hold NAME: a line of shell that notes its pid and goes on until the test lets it
hold() {
        echo "sh -c 'echo \$\$\$\$ >>$dir/$1.pid; until test -e $dir/$1.go; do sleep 0.02; done; echo $1 >>$dir/done'"
}
# exec_job NAME KEYS SCRIPT
exec_job() {
        cat >"$dir/$1.sh"  <<<"$(sed 's/\$\$/$/g' <<<"$3")"
        job "$1" <<<$'[Job]\nType=exec\n'"${4:-}"$'[Exec]\nCommand=/bin/sh '"$dir/$1.sh"$'\n'"$2"
}
pids_of() {
        eventually "$2 processes of $1 have begun" has_lines "$dir/$1.pid" "$2" >&2
        cat "$dir/$1.pid"
}
has_lines() {
        [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}
all_gone() {
        local pid
        for pid in "$@"; do
                ended "$pid" || return 1
        done
}
# ended PID: also where nobody has reaped it
ended() {
        [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]
}
is_running() {
        has_run "r['run'] == $1 and r['state'] == 'running'"
}
main_of() {
        eventually "run $1 has a process" has_run "r['run'] == $1 and r['details']" >&2
        runs "[r['details']['pid'] for r in rs if r['run'] == $1][0]"
}

# Started by a small program that keeps the connection with takt-spawn, as systemd does.
manager() {
        rm -f "$dir/answer"
        echo "$1" >"$dir/commands"
        eventually "the manager's answer to $1" test -s "$dir/answer" || exit 1
        answer=$(cat "$dir/answer")
}
store_start() {
        manager start
        taktd_pid=$answer
        eventually "the daemon answers" answers || { cat "$log"; exit 1; }
}
crash() {
        kill -KILL "$taktd_pid"
        manager wait
        store_start
}
log=$dir/log
python3 "$TAKT_SRCDIR/tests/behaviour/descriptor-store.py" "$dir/notify" "$dir/commands" "$dir/answer" \
        taktd --log-target console >>"$log" 2>&1 &
helper $!

wait_for() { # NAME N: a line of shell that waits for N notes of it
        echo "until [ -e $dir/$1.pid ] && [ \$(wc -l <$dir/$1.pid) -ge $2 ]; do sleep 0.02; done"
}
exec_job clean "" "exit 0"
exec_job left "" "$(hold left) >/dev/null 2>&1 &
(setsid $(hold left) >/dev/null 2>&1 &)
$(wait_for left 2)"
exec_job waits ExitType=cgroup "(setsid $(hold waits) >/dev/null 2>&1 &)
($(hold waits); echo late) &
echo now; exit 3"
exec_job late $'ExitType=cgroup\nKillAfterSec=200ms' "(trap '' TERM; $(hold late)) &
(setsid $(hold late) >/dev/null 2>&1 &)
$(wait_for late 2)" $'TimeoutSec=1s\n'
exec_job cancelled $'ExitType=cgroup\nKillAfterSec=1h' "$(hold cancelled) &"
exec_job goes-on KillMode=process "$(hold goes-on) >/dev/null 2>&1 &
(setsid $(hold goes-on) >/dev/null 2>&1 &)
$(wait_for goes-on 2)"
exec_job both $'ExitType=cgroup\nKillMode=process' "$(hold both) >/dev/null 2>&1 &
$(wait_for both 1)"
job member <<'J'
[Job]
Type=group
[Group]
Run=waits
J
cat >"$dir/worker.sh" <<END
(setsid $(hold worker | sed 's/\$\$/$/g') >/dev/null 2>&1 &)
$(wait_for worker 1)
echo 1
END
job worker <<J
[Job]
Type=worker
[Worker]
ExitType=cgroup
Command=/bin/sh $dir/worker.sh
J

# Becomes another process in another session all the time, which no signal but SIGKILL ends. Who reads the FIFO that it was
# started with sees the end of the last one.
cat >"$dir/fork.py" <<'END'
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.write(9, b"%d\n" % os.getpid())
while os.fork() == 0:
    os.setsid()
    time.sleep(float(sys.argv[1]))
os._exit(0)
END
# Its first thread has ended, and it looks as if it had itself.
cat >"$dir/headless.py" <<'END'
import ctypes, os, signal, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
def go_on():
    while "Z" not in open("/proc/self/stat").read().rsplit(")", 1)[1][:3]:
        time.sleep(0.01)
    os.write(9, b"headless\n")
    while True:
        time.sleep(1)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).pthread_exit(None)
END
# escape NAME COMMAND: a line of shell that runs it with the FIFO
escape() {
        [ -p "$dir/$1.alive" ] || mkfifo "$dir/$1.alive"
        echo "$2 9>$dir/$1.alive >/dev/null 2>&1"
}
exec_job forks "" "$(escape forks "/usr/bin/python3 $dir/fork.py 0.3")"
exec_job forks-fast "" "$(escape forks-fast "/usr/bin/python3 $dir/fork.py 0")"
exec_job forks-bare "" "$(escape forks-bare "env -i /usr/bin/python3 $dir/fork.py 0.3")"
exec_job forks-waits ExitType=cgroup "$(escape forks-waits "/usr/bin/python3 $dir/fork.py 0.3")" $'TimeoutSec=1s\n'
exec_job headless "" "$(escape headless "/usr/bin/python3 $dir/headless.py") &
until [ -e $dir/headless.go ]; do sleep 0.02; done"
exec_job stuck $'ExitType=cgroup\nKillAfterSec=200ms' "setsid sh -c 'trap \"\" TERM; echo \$\$\$\$ >>$dir/stuck.pid; while :; do sleep 1; done' >/dev/null 2>&1 &
$(wait_for stuck 1)"

# --- what can't be ---
# refused SAID LINES
refused() {
        printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/cat\n%s\n' "$2" >"$dir/refused.job"
        like "verify of $2" "*$1*" "$(taktctl verify "$dir/refused.job" 2>&1 || :)"
}
refused "belongs to StartMethod=spawn or unit" $'StartMethod=pool\nExitType=cgroup'
refused "belongs to StartMethod=spawn or unit" $'StartMethod=pool\nKillMode=process'
refused "control-group, mixed or process" KillMode=none
refused "main or cgroup" ExitType=group

store_start

# --- ended, and told ---
is "what ends alone" "('succeeded', False)" "$(run_job 'r["state"], "leftProcesses" in r["details"]' clean)"
grep -q "outlived" "$log" && fail "something is said of a command that left nothing"
is "what was left" "('succeeded', 2)" "$(run_job 'r["state"], min(r["details"]["leftProcesses"], 2)' left)"
# shellcheck disable=SC2046
eventually "what was left is gone" all_gone $(pids_of left 2)
is "what was left, again" "succeeded" "$(run_job 'r["state"]' left)"
is "how often that is logged" 1 "$(grep -c "processes outlived the command and are ended" "$log")"
like "why" "*other processes were still there when its command had ended*" "$(taktctl why left)"

# --- who never stays the same process dies all the same ---
# ends NAME: its FIFO has been opened, and then closed by the last of it
ends() {
        timeout 60 cat "$dir/$1.alive" >"$dir/alive"
}
for job in forks forks-fast forks-bare; do
        taktctl -q run $job >/dev/null
        ends $job || fail "$job goes on for ever"
        [ -s "$dir/alive" ] || fail "$job has done nothing"
        eventually "the end of $job" has_run "r['job'] == '$job' and r['state'] == 'succeeded'"
done
taktctl -q run forks-waits >/dev/null
ends forks-waits || fail "forks-waits goes on for ever"
eventually "the end of forks-waits" has_run "r['job'] == 'forks-waits' and r['state'] == 'timeout'"
(
        taktctl -q run headless >/dev/null
        exec 8<"$dir/headless.alive"
        read -r _ <&8
        touch "$dir/headless.go"
        timeout 60 cat <&8
) || fail "who has lost its first thread goes on for ever"

# --- who can't be killed is not waited for, and that is said ---
run=$(taktctl run stuck)
pid=$(pids_of stuck 1)
# Whoever is traced so can't end before its tracer lets it.
python3 - "$pid" "$dir/traced" <<'END' &
import ctypes, sys, time
libc = ctypes.CDLL(None)
PTRACE_SEIZE, PTRACE_O_TRACEEXIT = 0x4206, 0x40
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
open(sys.argv[2], "w").write(str(libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), 0, PTRACE_O_TRACEEXIT)))
time.sleep(600)
END
tracer=$!
helper "$tracer"
eventually "somebody traces it" test -s "$dir/traced"
if [ "$(cat "$dir/traced")" = 0 ]; then
        eventually "its main process ends" ended "$(main_of "$run")"
        taktctl -q cancel "$run"
        eventually "the run is cancelled" has_run "r['run'] == $run and r['state'] == 'cancelled'"
        grep -q "takt-spawn: what TAKT_RUN=$run left is still there 10 s after SIGKILL (processes: 1)" "$log" ||
                fail "nothing is said of what can't be killed: $(tail -5 "$log")"
        kill -0 "$pid" || fail "it could be killed"
fi
kill -KILL "$tracer"
wait "$tracer" 2>/dev/null || :
eventually "it ends" ended "$pid"

# --- waited for ---
run=$(taktctl run waits)
pids_of waits 2 >"$dir/waits"
eventually "its main process ends" ended "$(main_of "$run")"
# Both are seen to be there after that, and after a run that began later has come to its end.
run_job 'r["state"]' clean >"$dir/out"
is_running "$run" || fail "the run does not wait: $(runs 'rs[:2]')"
touch "$dir/waits.go"
eventually "the end" has_run "r['run'] == $run and r['state'] == 'failed'"
is "its end" "('exit status 3', 3)" "$(runs "[(r['error']['message'], r['details']['exitStatus']) for r in rs if r['run'] == $run][0]")"
is "what was left to itself" 2 "$(grep -c waits "$dir/done")"
rm "$dir/waits.go" "$dir/waits.pid"
is "a timeout" timeout "$(run_job 'r["state"]' late)"
# shellcheck disable=SC2046
all_gone $(pids_of late 2) || fail "a run has timed out, and processes of it are left"
run=$(taktctl run cancelled)
pids_of cancelled 1 >"$dir/cancelled"
eventually "the main process of another" ended "$(main_of "$run")"
taktctl -q cancel "$run"
eventually "the cancel" has_run "r['run'] == $run and r['state'] == 'cancelled'"
# shellcheck disable=SC2046
all_gone $(cat "$dir/cancelled") || fail "a run was cancelled, and a process of it is left"

# --- of a group, and a worker ---
run=$(taktctl run member)
pids_of waits 2 >"$dir/waits"
is_running "$run" || fail "the group is over, and its member is not"
touch "$dir/waits.go"
eventually "the group's end" has_run "r['run'] == $run and r['state'] == 'failed'"
rm "$dir/waits.go" "$dir/waits.pid"
run=$(taktctl run worker)
pids_of worker 1 >"$dir/worker"
eventually "the worker's own end" ended "$(main_of "$run")"
run_job 'r["state"]' clean >"$dir/out"
is_running "$run" || fail "the worker does not wait"
touch "$dir/worker.go"
eventually "the worker" has_run "r['run'] == $run and r['state'] == 'succeeded'"

# --- let be ---
is "what goes on" "('succeeded', True)" "$(run_job 'r["state"], r["details"]["leftProcesses"] >= 2' goes-on)"
both=$(taktctl run both)
eventually "the main process of both" ended "$(main_of "$both")"
taktctl -q cancel "$both"
eventually "both is cancelled" has_run "r['run'] == $both and r['state'] == 'cancelled'"
# The look for strays that ends these has come to the others too.
rm "$dir/left.pid"
run_job 'r["state"]' left >"$dir/out"
# shellcheck disable=SC2046
eventually "strays are gone" all_gone $(pids_of left 2)

# --- a crash: both words are kept ---
run=$(taktctl run waits)
pids_of waits 2 >"$dir/waits"
eventually "its main process ends" ended "$(main_of "$run")"
crash
eventually "it goes on" is_running "$run"
touch "$dir/waits.go"
eventually "its end after a crash" has_run "r['run'] == $run and r['state'] == 'failed'"
is "its error after a crash" "exit status 3" "$(runs "[r['error']['message'] for r in rs if r['run'] == $run][0]")"
manager count
is "connections that are kept" 1 "$answer"

# --- a stop ---
kill -TERM "$taktd_pid"
manager wait
taktd_pid=
touch "$dir/goes-on.go" "$dir/both.go"
who_ended() {
        [ "$(grep -E 'goes-on|both' "$dir/done" | sort | paste -sd' ')" = "both goes-on goes-on" ]
}
eventually "what went on comes to its end" who_ended
look_for_sanitizers
[ $failed = 0 ] || { tail -30 "$log"; exit 1; }
