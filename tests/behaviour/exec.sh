#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands under a real daemon: their output, ends and surroundings, and what becomes of them when takt-spawn or taktd
# is killed.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
# exec_job NAME COMMAND [KEYS]
exec_job() {
        printf '[Job]\nType=exec\n[Exec]\nCommand=%s\n%b' "$2" "${3:-}" | job "$1"
}
exec_job json "/bin/echo '{\"a\": [1, 2.5]}'" 'Output=json\n[Result]\nOutput=second: $.a[1]\n'
exec_job bad-json "/bin/echo '{\"a\": [1, '" 'Output=json\n'
exec_job lines '/usr/bin/printf "one\\ntwo\\npartial"' 'Output=lines\n'
exec_job number '/bin/echo 21.5' 'Output=number\n'
exec_job text '/bin/echo hello'
exec_job status '/bin/sh -c "echo out; echo because >&2; exit 7"'
exec_job allowed '/bin/sh -c "exit 7"' 'SuccessExitStatus=7\n'
exec_job signal '/bin/sh -c "kill -SEGV $$$$"' 'Limit=CORE=0\n'
exec_job missing /nonexistent/program
exec_job input /bin/cat 'Input=some words\n'
exec_job cap '/usr/bin/head -c 100000 /dev/zero' 'MaxBytes=1K\n'
exec_job environment '/bin/sh -c "echo $TAKT_JOB $TAKT_RUN $TAKT_ENV $PATH $SPECIAL"' 'Environment=SPECIAL=a b\n'
exec_job file '/bin/sh -c "echo $A-$B-$C-$HOME"' 'Environment=A=0\nEnvironment=B=b\nEnvironment=HOME=/h\nEnvironmentFile=vars\nEnvironmentFile=-/none\n'
printf '# comment\nA="1 2"\nC=x\\\ny\n' >"$dir/env/vars"
exec_job no-file /bin/true 'EnvironmentFile=none\n'
exec_job bad-file /bin/true 'EnvironmentFile=bad\n'
printf 'A=1\nexport B=2\n' >"$dir/env/bad"
exec_job own own-tool
printf '#!/bin/sh\necho own\n' >"$dir/env/bin/own-tool"
chmod +x "$dir/env/bin/own-tool"
exec_job group '/bin/sh -c "trap : TERM; sleep 3600 & echo $! >child.pid; echo $$$$ >parent.pid; while :; do wait; done"' 'KillAfterSec=300ms\n'
exec_job forever '/bin/sleep 3600'
printf '[Job]\nType=exec\n[Schedule]\nOverlap=parallel\n[Exec]\nCommand=/bin/sleep 3600\n' | job crowd
start_taktd

is "json" "({'a': [1, 2.5]}, {'second': 2.5})" "$(run_job 'r["result"], r["outputs"]' json)"
is "bad JSON" "('failed', 'bad-json')" "$(run_job 'r["state"], r["error"]["kind"]' bad-json)"
is "lines" "['one', 'two', 'partial']" "$(run_job 'r["result"]' lines)"
is "number" "21.5" "$(run_job 'r["result"]' number)"
like "text" "hello*" "$(run_job 'r["result"]' text)"
is "exit status" "('failed', 'exit-status', 'exit status 7: because')" "$(run_job 'r["state"], r["error"]["kind"], r["error"]["message"]' status)"
is "allowed exit status" succeeded "$(run_job 'r["state"]' allowed)"
is "signal" "('failed', 'signal', True)" "$(run_job 'r["state"], r["error"]["kind"], "SIGSEGV" in r["error"]["message"]' signal)"
is "missing program" "('failed', 'exec', True)" "$(run_job 'r["state"], r["error"]["kind"], "/nonexistent/program" in r["error"]["message"]' missing)"
is "input" "some words" "$(run_job 'r["result"]' input)"
is "cap" "('succeeded', 1024, 98976)" "$(run_job 'r["state"], len(r["result"]), r["details"]["droppedBytes"]' cap)"
is "environment" True "$(run_job 'r["result"].strip() == "environment %d '"$dir/env $dir/env/bin:"'" % r["run"] + r["result"].split(":", 1)[1].strip() and r["result"].strip().endswith(" a b")' environment)"
is "variables of a file" "1 2-b-xy-/h" "$(run_job 'r["result"].strip()' file)"
is "a file that is missing" "('exec', \"EnvironmentFile=none can't be read: No such file or directory\")" \
        "$(run_job 'r["error"]["kind"], r["error"]["message"]' no-file)"
is "a file that is none" "('exec', 'EnvironmentFile=bad: line 2 is no NAME=VALUE')" "$(run_job 'r["error"]["kind"], r["error"]["message"]' bad-file)"
is "a tool of the environment" own "$(run_job 'r["result"].strip()' own)"

# --- TERM is ignored: KILL to the whole group ---
taktctl run group >"$dir/out"
eventually "the group runs" test -s "$dir/env/parent.pid" || :
parent=$(cat "$dir/env/parent.pid") child=$(cat "$dir/env/child.pid")
taktctl cancel group >"$dir/out" 2>&1
taktctl wait group >"$dir/out" 2>&1 || :
eventually "the parent is gone" gone "$parent" || :
eventually "the child is gone" gone "$child" || :
is "state of the cancelled run" cancelled "$(runs 'rs[0]["state"]' group)"

# --- takt-spawn is killed under load ---
for _ in $(seq 20); do
        taktctl run crowd >"$dir/out"
done
all_run() {
        # shellcheck disable=SC2009
        commands=$(pgrep -s 0 -f '^/bin/sleep 3600' || pgrep -f '^/bin/sleep 3600') || return 1
        [ "$(runs 'sum(r["state"] == "running" and r["job"] == "crowd" for r in rs)')" = 20 ]
}
eventually "all run" all_run || :
spawn=
for pid in $(children_of "$taktd_pid"); do
        [ "$(cat "/proc/$pid/comm")" = takt-spawn ] && spawn=$pid
done
[ -n "$spawn" ] || fail "takt-spawn is no child of taktd"
mine=$(children_of "$spawn")
kill -KILL "$spawn"
all_failed() {
        [ "$(runs 'sum(r["state"] == "failed" and r["error"]["kind"] == "helper-died" for r in rs)' crowd)" = 20 ]
}
eventually "all fail as helper-died" all_failed || :
for pid in $mine; do
        eventually "command $pid of the helper that died is gone" gone "$pid" || :
done
works() {
        [ "$(run_job 'r["state"]' text)" = succeeded ]
}
eventually "commands run again" works || :
taktctl ping >"$dir/out" || fail "no answer after takt-spawn was killed"

# --- taktd is killed: nothing of its jobs remains, and ids go on ---
rm -f "$dir"/env/*.pid
taktctl run group >"$dir/out"
taktctl run forever >"$dir/out"
eventually "the group runs again" test -s "$dir/env/parent.pid" || :
parent=$(cat "$dir/env/parent.pid") child=$(cat "$dir/env/child.pid")
last=$(runs 'max(r["run"] for r in rs)')
orphans=
for spawn in $(children_of "$taktd_pid"); do
        orphans="$orphans $spawn $(children_of "$spawn")"
done
kill_taktd
for pid in $orphans "$parent" "$child"; do
        eventually "process $pid is gone after taktd was killed" gone "$pid" || :
done
start_taktd
first=$(run_job 'r["run"]' text)
[ "$first" -gt "$last" ] || fail "run id $first after a crash, $last was given before"
check_end
