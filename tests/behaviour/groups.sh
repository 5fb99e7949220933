#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Groups of jobs: gather, chains, task groups, from files and by taktctl gather; cycles; cancellation downwards.
. "$TAKT_SRCDIR/tests/behaviour/lib.sh"
# waited EXPRESSION [ARG…]: what it makes of each Run r that wait tells of
waited() {
        local expression=$1
        shift
        taktctl --json wait "$@" 2>/dev/null | python3 -c 'import json, sys
print([eval(sys.argv[1]) for r in json.load(sys.stdin)])' "$expression"
}

# varlink_runs PARAMETERS: the parents of what io.takt.Runs.List says
varlink_runs() {
        python3 -c 'import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(json.dumps({"method": "io.takt.Runs.List", "parameters": json.loads(sys.argv[2])}).encode() + b"\0")
data = b""
while not data.endswith(b"\0"):
    data += s.recv(1 << 16)
print(*[r.get("parent") for r in json.loads(data[:-1])["parameters"]["runs"]])' "$TAKT_ENV/run/takt.sock" "$1"
}

new_environment
job countdown <<'JOB'
[Job]
Type=countdown
Parameter=name:string
Parameter=from:int(0..100)
[Countdown]
Name=${name}
From=${from}
Step=50ms
JOB
job upper <<'JOB'
[Job]
Type=exec
Parameter=input:json
[Exec]
Command=tr a-z A-Z
Input=${input}
Output=text
JOB
job twice <<'JOB'
[Job]
Type=exec
Parameter=word:string
[Exec]
Command=printf %s%s ${word} ${word}
Output=text
JOB
job nap <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=1h
JOB
job echo@ <<'JOB'
[Job]
Type=exec
[Exec]
Command=printf %s %i
Output=text
JOB
job both <<'JOB'
[Job]
Type=group
[Group]
Run=countdown A 4
Run=countdown --name B --from=3
[Result]
Output=first: $[0]
JOB
job chains <<'JOB'
[Job]
Type=group
Parameter=words:json
[Group]
Mode=chain
For=${words}
Run=upper
Run=twice ${input}
JOB
job naps <<'JOB'
[Job]
Type=group
[Group]
Run=nap
Run=both
Run=nap
JOB
start_taktd

is "gather" "['done!', 'done!'] done! succeeded" "$(run_job 'str(r["result"]) + " " + r["outputs"]["first"] + " " + r["state"]' both)"
is "members of the group" 2 "$(runs 'sum(r.get("parent") == 1 and r["trigger"] == "group" for r in rs)')"
is "chains" "['AA', 'KYIVKYIV', '77']" "$(run_job 'r["result"]' chains '["a", "kyiv", 7]')"
is "no chains" "[]" "$(run_job 'r["result"]' chains '[]')"

# Ad hoc.
is "gather" '["done!","done!"]' "$(taktctl gather 'countdown A 4' 'countdown B 3')"
is "instances by item" '["a","b"]' "$(taktctl gather --for 'a b' 'echo@${item}')"
is "a chain" XX "$(taktctl gather --mode chain 'twice x' upper)"
status=0
message=$(taktctl gather 'countdown A' 'countdown B 3' 2>&1) || status=$?
is "exit status of a failed gather" 1 $status
like "message of a failed gather" "*member-failed*1 of 2 members failed; the first: countdown: bad-parameter: *from*" "$message"
is "kept errors" "bad-parameter" "$(field 'r["result"][0]["error"]["kind"]' taktctl --json gather --errors keep 'countdown A' 'countdown B 3')"
is "what is no such job" "no-such-job" "$(field 'r["details"]["errors"][0]["error"]["kind"]' taktctl --json gather nosuch)"
status=0
message=$(taktctl gather --mode taskgroup --errors keep nap 2>&1) || status=$?
is "exit status of what is no group" 2 $status
like "message of what is no group" "*a taskgroup ends with its first failure*" "$message"
status=0
taktctl gather --mode race nap >/dev/null 2>&1 || status=$?
is "exit status of a wrong mode" 2 $status
is "a task group" "1 member-failed" "$(field 'str(len(r["details"]["errors"])) + " " + r["error"]["kind"]' taktctl --json gather --mode taskgroup nap nap nosuch)"
is "a timeout for the whole" timeout "$(field 'r["state"]' taktctl --json gather --timeout 200ms nap nap)"

# Cancellation goes down, and is told apart from failure and timeout.
id=$(taktctl run naps)
eventually "all have begun" has_run 'r["job"] == "nap" and r.get("parent") == '"$id"
taktctl -q cancel "$id"
is "state of the group" "[('cancelled', 'cancelled')]" "$(waited '(r["state"], r["error"]["kind"])' "$id")"
is "what is left under way" 0 "$(runs 'len(rs)' --state running)"
is "why members ended" "['group']" "$(runs 'sorted({r["error"]["kind"] for r in rs if r.get("parent") == '"$id"' and r["state"] == "cancelled"})')"

# ^C of gather.
taktctl --json gather nap nap >"$dir/gather" 2>/dev/null &
pid=$!
eventually "the naps have begun" has_run 'r["job"] == "gather" and r["state"] == "running"'
kill -INT $pid
wait $pid && fail "an interrupted gather counts as success"
is "state of an interrupted gather" cancelled "$(field 'r["state"]' cat "$dir/gather")"

# wait --any.
long=$(taktctl run nap)
short=$(taktctl run countdown A 2)
is "the first to end" "[$short]" "$(waited 'r["run"]' --any "$long" "$short")"
is "again, after its end" "[$short]" "$(waited 'r["run"]' --any "$long" "$short")"
status=0
taktctl wait --timeout 50ms "$long" 2>/dev/null || status=$?
is "exit status of a wait that timed out" 1 $status
is "the run that was waited for" running "$(runs 'next(r["state"] for r in rs if r["run"] == '"$long"')')"
taktctl -q cancel "$long"

# Cycles are refused with place and path, in daemon and verify; others load.
printf '[Job]\nType=group\n[Group]\nRun=countdown A 1\nRun=b\n' | job a
printf '[Job]\nType=group\n[Group]\nRun=c\n' | job b
printf '[Job]\nType=group\n[Group]\n# here\nRun=a\n' | job c
printf '[Job]\nType=group\n[Group]\nRun=a\n' | job d
status=0
message=$(taktctl reload 2>&1) || status=$?
is "exit status of a reload with a cycle" 1 $status
like "the cycle" "*a.job:5:5: the group would run itself: a → b → c → a*c.job:5:5: the group would run itself: c → a → b → c*" "$message"
is "those that are loaded" d "$(taktctl list --names | grep -x '[abcd]')"
status=0
message=$(taktctl verify "$dir"/env/jobs/[abcd].job 2>&1) || status=$?
is "exit status of verify" 1 $status
like "verify" "*b.job:4:5: the group would run itself: b → c → a → b*" "$message"
printf '[Job]\nType=group\n[Group]\nRun=countdown A 1\n' | job c
taktctl -q reload
is "once it is broken" '["done!",[["done!"]]]' "$(taktctl run --wait a | tr -d ' 
')"

# A member that is removed while its group waits for it.
printf '[Job]\nType=sleep\n[Schedule]\nOverlap=queue\n[Sleep]\nDuration=200ms\n' | job turn
printf '[Job]\nType=group\n[Group]\nErrors=keep\nRun=turn\nRun=turn\nRun=turn\n' | job turns
taktctl -q reload
id=$(taktctl run turns)
rm "$dir/env/jobs/turn.job"
taktctl -q reload
is "removed members" "[('succeeded', ['removed', 'removed'])]" "$(waited '(r["state"], [x["error"]["kind"] for x in r["result"] if x])' "$id")"
# A crash: the group is lost, and tried again as a whole.
printf '[Job]\nType=group\nRetries=1\n[Group]\nRun=nap\nRun=nap\n' | job again
taktctl -q reload
id=$(taktctl run again)
eventually "both naps" has_run 'r.get("parent") == '"$id"' and r["state"] == "running"' nap
kill_taktd
start_taktd
is "the group" "lost" "$(runs 'next(r["state"] for r in rs if r["run"] == '"$id"')')"
eventually "all of it again" has_run 'r["trigger"] == "group" and r["state"] == "running"' nap
is "naps under way" "2 0" "$(runs 'str(sum(r["state"] == "running" for r in rs)) + " " + str(sum(r["state"] == "lost" for r in rs))' nap)"
taktctl -q cancel again
# Members are shown under their group.
run=$(field "r['run']" taktctl run --wait --json both)
rows() {
        sed -n "s/^ *[0-9]*  \([^ ]*\)  *succeeded .*/\1/p" | head -n 3 | tr '\n' ' '
}
is "runs as a tree" "both ├─countdown └─countdown " "$(taktctl runs | rows)"
is "status as a tree" "both ├─countdown └─countdown " "$(taktctl status both -n 0 | rows)"
is "members alone" "$run $run" "$(varlink_runs "{\"parent\": $run}")"

check_end
