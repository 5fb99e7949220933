#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# On=: runs that events of other jobs start; what they are given, fan-in and fan-out, loops, floods, reloads.
. "$TAKT_SRCDIR/tests/behaviour/lib.sh"
new_environment
job sensor <<'JOB'
[Job]
Type=exec
Parameter=value:int=1
[Schedule]
Overlap=parallel
[Exec]
Command=printf '{"temp": %s}' ${value}
Output=json
[Result]
Output=temp: $.temp
JOB
job fails <<'JOB'
[Job]
Type=exec
[Exec]
Command=sh -c 'exit 3'
JOB
# One file a run, named by the job.
job handler <<'JOB'
[Job]
Type=exec
[Schedule]
On=sensor.succeeded
On=fails.failed
Overlap=queue
[Exec]
Command=printf '%s %s %s\n' ${event:job} ${event:event} ${event:outputs.temp:-none}
Output=text
JOB
job onchange <<'JOB'
[Job]
Type=exec
Parameter=event:json
[Schedule]
On=sensor.changed
Overlap=queue
[Exec]
Command=cat
Input=${event}
Output=json
[Result]
Output=temp: $.outputs.temp
Output=run: $.run
JOB
job any <<'JOB'
[Job]
Type=sleep
[Schedule]
On=fail*.failed|timeout
[Sleep]
Duration=0
JOB
job ping <<'JOB'
[Job]
Type=sleep
[Schedule]
On=pong.succeeded
[Sleep]
Duration=0
JOB
job pong <<'JOB'
[Job]
Type=sleep
[Schedule]
On=ping.succeeded
[Sleep]
Duration=0
JOB
job needs <<'JOB'
[Job]
Type=sleep
Parameter=required:string
[Schedule]
On=fails.ended
JOB
job count <<'JOB'
[Job]
Type=countdown
[Countdown]
From=5
Step=10ms
JOB
job step <<'JOB'
[Job]
Type=exec
[Schedule]
On=count.progress
Overlap=queue
[Exec]
Command=echo ${event:data.left}
Output=text
JOB
start_taktd

ended() {
        [ "$(runs 'sum(r["finished"] is not None for r in rs)' "$1")" -ge "$2" ]
}

sensor=$(run_job 'r["run"]' sensor)
eventually "the handler ran" ended handler 1
is "what the handler was given" "sensor succeeded 1" "$(runs 'rs[0]["result"]' handler)"
is "why the handler ran" "event $sensor On=sensor.succeeded" "$(runs 'rs[0]["trigger"] + " " + str(rs[0]["causeRun"]) + " " + rs[0]["cause"]' handler)"
eventually "the first value is a change" ended onchange 1
is "the event as a parameter" "$sensor" "$(runs 'rs[0]["outputs"]["run"]' onchange)"

# Same outputs are no change; others are.
taktctl -q run --wait sensor >/dev/null
taktctl -q run --wait sensor 2 >/dev/null
eventually "three successes" ended handler 3
eventually "two changes" ended onchange 2
is "changes" "[2, 1]" "$(runs '[r["outputs"]["temp"] for r in rs]' onchange)"

# Fan-in, fan-out, patterns, a parameter that nobody gives.
taktctl -q run --wait fails >/dev/null 2>&1 || :
eventually "the handler of both" ended handler 4
is "what it was given" "fails failed none" "$(runs 'rs[0]["result"]' handler)"
eventually "the pattern" ended any 1
eventually "the one that can't" ended needs 1
is "a missing parameter" "failed bad-parameter" "$(runs 'rs[0]["state"] + " " + rs[0]["error"]["kind"]' needs)"

# A loop is cut with an error.
taktctl -q run ping >/dev/null
eventually "the loop is cut" has_run 'r["state"] == "failed" and r["error"]["kind"] == "trigger-loop"' ping pong
is "runs of the loop" "17 1" "$(runs 'str(sum(r["state"] == "succeeded" for r in rs)) + " " + str(sum(r["state"] == "failed" for r in rs))' ping pong)"

# Data of a progress event, in order.
taktctl -q run --wait count >/dev/null
eventually "all steps" ended step 5
is "steps" "['5', '4', '3', '2', '1']" "$(runs '[r["result"] for r in reversed(rs)]' step)"

# A paused job skips its events, a resumed one has them again; a changed one listens as it says now.
taktctl -q pause any
taktctl -q run --wait fails >/dev/null 2>&1 || :
eventually "the event of a paused job" has_run 'r["state"] == "skipped" and r["error"]["kind"] == "paused"' any
taktctl -q resume any
printf '[Job]\nType=sleep\n[Schedule]\nOn=sensor.ended\n[Sleep]\nDuration=0\n' | job any
taktctl -q reload
taktctl -q run --wait fails >/dev/null 2>&1 || :
taktctl -q run --wait sensor 9 >/dev/null
eventually "its new event" has_run 'r.get("cause") == "On=sensor.ended"' any
is "events of the old definition" 2 "$(runs 'sum(r["params"].get("event", {"job": "fails"})["job"] == "fails" for r in rs)' any)"
like "the schedule" "*On=sensor.ended*" "$(taktctl status any)"

# Events go on across reloads: none is lost while the jobs are read again and again.
before=$(runs 'len(rs)' handler)
for i in $(seq 20); do
        taktctl -q run sensor "$i" >/dev/null
        printf '# %s\n[Job]\nType=sleep\n' "$i" | job other
        taktctl -q reload
done
eventually "all of them" ended handler $((before + 20))

# Alerts that come together all run, one after the other, and one that fails itself is not told of that.
for i in 1 2 3; do
        printf '[Job]\nType=exec\n[Exec]\nCommand=sh -c "exit 3"\n' | job "bad$i"
done
job alert <<JOB
[Job]
Type=exec
[Schedule]
On=*.failed
[Exec]
Command=sh -c 'until [ -e $dir/go ]; do sleep 0.05; done; exit 1'
JOB
taktctl -q reload
for i in 1 2 3; do
        taktctl -q run --wait "bad$i" >/dev/null 2>&1 || :
done
stands() {
        [ "$(taktctl status --json alert | python3 -c 'import json, sys
j = json.load(sys.stdin)[0]
print(j["running"], j["queued"])')" = "$1" ]
}
eventually "one alert runs and two wait" stands "1 2"
like "what becomes of its runs" "*(1 running, 2 queued)*Overlap*skip; queue for events*" "$(taktctl status alert)"
is "the same in the answer" "['skip', 'queue']" "$(taktctl status --json alert | python3 -c 'import json, sys
j = json.load(sys.stdin)[0]
print([j["overlap"], j["eventOverlap"]])')"
like "why the last one waits" "*queued *waited for run * of the job to end (Overlap=)*" "$(taktctl why alert)"
touch "$dir/go"
eventually "three alerts" ended alert 3
# What an alert's own failure would have started was there before this.
before=$(runs 'len(rs)' handler)
taktctl -q run --wait sensor >/dev/null
eventually "an event after them" ended handler $((before + 1))
is "runs of the alert" 3 "$(runs 'len(rs)' alert)"

# More events than runs may wait do so before they become runs.
job burst <<'JOB'
[Job]
Type=countdown
[Countdown]
From=150
Step=1ms
JOB
job slow <<JOB
[Job]
Type=exec
[Schedule]
On=burst.progress
[Exec]
Command=sh -c 'until [ -e $dir/go-on ]; do sleep 0.05; done'
JOB
taktctl -q reload
taktctl -q run --wait burst >/dev/null
load_is() {
        taktctl status slow | grep -q "$1"
}
eventually "all of its events wait" load_is '(1 running, 100 queued, 49 events waiting)'
like "what waits for the job" "*queued *49 events wait, each to start a run (On=)*" "$(taktctl why slow)"
touch "$dir/go-on"
slow_has_had() {
        [ "$(taktctl status --json slow | python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["runs"]["succeeded"])')" = "$1" ]
}
eventually "a run for each event" slow_has_had 150

for text in 'On=x' 'On=x.never' 'On=a/b.failed' 'On=.failed'; do
        printf '[Job]\nType=sleep\n[Schedule]\n%s\n' "$text" | job bad
        taktctl verify "$dir/env/jobs/bad.job" 2>/dev/null && fail "$text is accepted"
done
check_end
