#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What taktctl makes of answers: tables, JSON, messages and exit statuses, with canned answers in the place of a
# daemon, among them those that a daemon hardly ever gives.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH" TZ=UTC
unset TAKT_COLORS NO_COLOR
dir=$(mktemp -d)
pid=
cleanup() {
        [ -z "$pid" ] || { kill "$pid"; wait "$pid" || :; } 2>/dev/null
        rm -rf "$dir"
}
trap cleanup EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}
taktctl -q env create "$dir/env"
export TAKT_ENV=$dir/env

# answers JSON: starts the daemon with these
answers() {
        if [ -n "$pid" ]; then
                { kill "$pid"; wait "$pid" || :; } 2>/dev/null
        fi
        rm -f "$dir/env/run/takt.sock"
        echo "$1" >"$dir/answers"
        python3 "$TAKT_SRCDIR/tests/behaviour/fake-daemon.py" "$dir/env/run/takt.sock" "$dir/answers" &
        pid=$!
        for _ in $(seq 200); do
                [ -S "$dir/env/run/takt.sock" ] && python3 -c 'import socket, os, sys
os.chdir(sys.argv[1])
socket.socket(socket.AF_UNIX).connect("takt.sock")' "$dir/env/run" 2>/dev/null && return
                sleep 0.05
        done
        fail "the fake daemon does not start"
}

# expect STATUS OUTPUT ERRORS ARG…: taktctl ARG… exits so and prints so, as far as the patterns say
expect() {
        local status=$1 output=$2 errors=$3 found=0
        shift 3
        taktctl "$@" >"$dir/out" 2>"$dir/err" || found=$?
        [ "$found" = "$status" ] || fail "taktctl $*: exit status $found, not $status: $(cat "$dir/err")"
        # shellcheck disable=SC2254
        case $(cat "$dir/out") in
        $output) ;;
        *) fail "taktctl $*: prints $(cat "$dir/out")" ;;
        esac
        # shellcheck disable=SC2254
        case $(cat "$dir/err") in
        $errors) ;;
        *) fail "taktctl $*: complains $(cat "$dir/err")" ;;
        esac
}

# is_json FILTER: what was printed last is JSON of which this Python expression is true
is_json() {
        python3 -c 'import json, sys; v = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' \
                "$dir/out" "$1" || fail "not $1: $(cat "$dir/out")"
}

job='"job": "room", "kind": "http", "state": "running", "description": "In \u001b[2J it", "files": ["/x/room.job"],
     "schedule": ["Every=1s"], "next": "2100-01-01T00:00:00.000000Z", "running": 1, "queued": 0,
     "last": {"run": 7, "state": "failed", "finished": "2020-11-22T10:00:00.250000Z", "durationUsec": 21000,
              "error": {"kind": "http-status", "message": "404"}}, "runs": {"succeeded": 5, "failed": 0}'
run='"run": 17, "job": "room", "params": {}, "trigger": "schedule", "started": "2020-11-22T10:00:00.250000Z",
     "latenessUsec": 180, "durationUsec": 21000, "attempts": 1, "outputs": {}'

answers "{
  \"io.takt.Jobs.List\": [{\"parameters\": {\"jobs\": [{$job}]}, \"continues\": true},
                          {\"parameters\": {\"jobs\": [{\"job\": \"other\", \"state\": \"new to you\"}]}}],
  \"io.takt.Jobs.Next\": [{\"parameters\": {\"times\": [\"2100-01-01T00:00:00.000000Z\"]}}],
  \"io.takt.Jobs.Cat\": [{\"parameters\": {\"files\": [{\"job\": \"room\", \"path\": \"/x/room.job\", \"text\": \"[Job]\\nType=http\"}]}}],
  \"io.takt.Jobs.Pause\": [{\"parameters\": {\"jobs\": [\"room\"]}}],
  \"io.takt.Jobs.Resume\": [{\"parameters\": {\"jobs\": []}}],
  \"io.takt.Runs.List\": [{\"parameters\": {\"runs\": [{$run, \"state\": \"succeeded\", \"result\": {\"t\": 21.5}}]}}],
  \"io.takt.Runs.Get\": [{\"parameters\": {\"run\": {$run, \"state\": \"failed\", \"result\": \"text\",
       \"error\": {\"kind\": \"exit-status\", \"message\": \"exit 3\\nagain\"}}}}],
  \"io.takt.Runs.GetLast\": [{\"parameters\": {\"run\": {$run, \"state\": \"succeeded\", \"result\": [1, \"zwei\"]}}}],
  \"io.takt.Runs.Cancel\": [{\"parameters\": {\"runs\": [{$run, \"state\": \"running\"}]}}],
  \"io.takt.Runs.Start\": [{\"parameters\": {\"run\": {$run, \"state\": \"queued\"}}, \"continues\": true},
                           {\"parameters\": {\"run\": {$run, \"state\": \"succeeded\", \"result\": 10}}}],
  \"io.takt.Runs.Wait\": [{\"parameters\": {\"runs\": [{$run, \"state\": \"succeeded\"}]}, \"continues\": true},
                          {\"parameters\": {\"runs\": [{$run, \"state\": \"timeout\"}]}}],
  \"io.takt.Runs.Watch\": [{\"parameters\": {\"event\": {\"seq\": 1, \"time\": \"2020-11-22T10:00:00.250000Z\",
         \"event\": \"present\", \"job\": \"room\", \"state\": \"waiting\"}}, \"continues\": true},
       {\"parameters\": {\"event\": {\"seq\": 1, \"time\": \"2020-11-22T10:00:00.250000Z\", \"event\": \"live\"}}, \"continues\": true},
       {\"parameters\": {\"event\": {\"seq\": 2, \"time\": \"2020-11-22T10:00:00.250000Z\",
         \"event\": \"failed\", \"job\": \"room\", \"run\": 17, \"message\": \"no\\nroom\"}}, \"continues\": true},
       {\"parameters\": {\"event\": {\"seq\": 9, \"time\": \"2020-11-22T10:00:00.250000Z\", \"event\": \"overflow\", \"lost\": 3}}}],
  \"io.takt.Manager.Reload\": [{\"parameters\": {\"added\": 1, \"changed\": 2, \"removed\": 3, \"unchanged\": 4,
       \"problems\": [{\"file\": \"x.job\", \"line\": 3, \"column\": 5, \"message\": \"no such key\"}]}}],
  \"io.takt.Manager.Info\": [{\"parameters\": {\"version\": \"1\", \"pid\": 5, \"environment\": {\"name\": \"e\", \"path\": \"/e\"},
       \"started\": \"2020-11-22T10:00:00.250000Z\", \"jobs\": {\"waiting\": 2}, \"loop\": {\"busyUsec\": 1500}}}],
  \"io.takt.Manager.Ping\": [{}]
}"

expect 0 "The daemon answered in *." "" ping
expect 0 "" "" ping -q
expect 0 "*busyUsec: 1.5ms*" "" info
expect 0 "*environment e*State: degraded; the last run of 1 job failed*2 waiting*Under way:*RUN *17 *Failed:*JOB *room *failed *http-status: 404" "" status
expect 0 "JOB*room *running *failed * ago *In ?x1b?2J it*other *new to you*2 jobs." "" list
expect 0 "room*" "" list -q --state running
expect 0 "room
other" "" list --names
expect 0 "*" "" --json list
is_json 'len(v) == 2 and v[0]["description"] == "In \x1b[2J it"'
expect 0 "*● room - In ?x1b?2J it*/x/room.job*Every=1s*2100-01-01*failed * took 21ms (run 7)*http-status: 404*5 succeeded*RUN *17 *" "" status room
expect 0 "*job=room*runs={\"succeeded\":5,\"failed\":0}*job=other*" "" show '*'
expect 0 "# /x/room.job
\[Job]
Type=http" "" cat room
expect 0 "*Fri 2100-01-01 00:00:00 UTC *in * room*" "" next
expect 0 "*Fri 2100-01-01 01:00:00 CET *" "" next --timezone Europe/Berlin
expect 0 "*" "" next --json
is_json 'v[1] == {"job": "other", "times": ["2100-01-01T00:00:00.000000Z"]}'
expect 0 "room is paused." "" pause room
expect 0 "No job matches." "" resume 'x*'
expect 0 "RUN*17  room  succeeded  schedule  2020-11-22 10:00:00  180us  21ms  {\"t\":21.5}*1 run." "" runs
expect 0 "*" "" runs --json
is_json 'v[0]["run"] == 17'
expect 1 "text" "*run 17 of room: failed (exit-status): exit 3?nagain" result 17
expect 0 '\[1,"zwei"]' "" result room
expect 0 "Run 17 of room is asked to end." "" cancel 17 room
expect 0 "17" "" run room
grep -q '"parameters": {"job": "room"}}$' "$dir/answers.calls" || fail "run asks $(cat "$dir/answers.calls")"
expect 0 "10" "" run --wait room -p a=1 5 -- --city Berlin
grep -q '"params": {"a": "1"}, "args": \["5", "--city", "Berlin"\]' "$dir/answers.calls" || fail "run asks $(cat "$dir/answers.calls")"
expect 0 "*" "" run --wait --json room
is_json 'v["result"] == 10 and v["state"] == "succeeded"'
expect 2 "" "*NAME=VALUE*" run room -p nothing
expect 1 "Run 17 of room: succeeded." "*timeout" wait 17 18
grep -q '"runs": \[17, 18\]' "$dir/answers.calls" || fail "wait asks $(cat "$dir/answers.calls")"
expect 1 "*" "" wait --json room --timeout 3s
is_json 'len(v) == 2'
expect 4 "10:00:00.25*present*room waiting
10:00:00.25*failed*room run 17: no?nroom
10:00:00.25*overflow*3 events were lost*" "*ended the stream*" watch
expect 4 '{"seq":1*
{"seq":1*
{"seq":2*
{"seq":9*' "*" watch --json -e failed
expect 1 "Jobs: 1 added, 2 changed, 3 removed, 4 unchanged." "x.job:3:5: no such key" reload
expect 1 "*" "" --json reload
is_json 'v["removed"] == 3'
expect 0 "*" "" --json info
is_json 'v["pid"] == 5'

# on a terminal: cut to its width, in colour, through the pager; for others none of it
cat >"$dir/pager" <<'PAGER'
#!/bin/sh
echo paged
cat
PAGER
chmod +x "$dir/pager"
# on_terminal ARG…: prints what taktctl shows on a terminal of 50 columns
on_terminal() {
        COLUMNS=50 TERM=xterm python3 -c 'import pty, sys; sys.exit(pty.spawn(["taktctl"] + sys.argv[1:]))' "$@" |
                tr -d '\r'
}
unset PAGER TAKT_PAGER SUDO_UID
case $(TAKT_PAGER=$dir/pager on_terminal list) in
paged*'[1mJOB'*'[1;32mrunning'*) ;;
*) fail "on a terminal: $(TAKT_PAGER=$dir/pager on_terminal list)" ;;
esac
case $(TAKT_PAGER=$dir/pager NO_COLOR=1 on_terminal list --no-pager) in
JOB*) ;;
*) fail "without a pager: $(TAKT_PAGER=$dir/pager NO_COLOR=1 on_terminal list --no-pager)" ;;
esac
case $(PAGER=cat NO_COLOR=1 on_terminal runs -q) in
'17  room  succeeded  sc…'*) ;;
*) fail "with cat for a pager: $(PAGER=cat NO_COLOR=1 on_terminal runs -q)" ;;
esac
case $(PAGER='' NO_COLOR=1 on_terminal list -q | grep room) in
room*…) ;;
*) fail "not cut to the width: $(PAGER='' NO_COLOR=1 on_terminal list -q)" ;;
esac

# refusals
error() {
        answers "{\"io.takt.Manager.Ping\": [{\"error\": \"$1\", \"parameters\": $2}]}"
}
error io.takt.Jobs.NoSuchJob '{"job": "a\\nb"}'
expect 3 "" 'taktctl: no job a?nb; see: taktctl list or, where it has a file or had runs, taktctl why a?nb' ping
error org.varlink.service.PermissionDenied '{}'
expect 5 "" "*not permitted*" ping
error com.example.Odd '{"a": 1}'
expect 1 "" '*com.example.Odd {"a":1}' ping
error io.takt.Manager.ReloadFailed '{"problems": [{"file": "takt.conf", "line": 1, "column": 2, "message": "m"}]}'
expect 1 "" "takt.conf:1:2: m
*nothing was reloaded" ping
expect 1 "" "*knows no io.takt.Jobs.List*" list
answers '{"io.takt.Manager.Ping": ["close"], "io.takt.Manager.Info": ["garbage"],
          "io.takt.Runs.Start": [{"parameters": {"run": {"run": 1, "state": "running"}}, "continues": true}, "close"]}'
expect 4 "" "*closed the connection" ping
expect 1 "" "*not to be understood" info
expect 4 "" "*has gone*" run --wait room

# ^C while waiting: asks for the end of the run, as soon as its id is known, then leaves it
wait_for() {
        for _ in $(seq 200); do
                grep -q "$1" "$2" && return
                sleep 0.05
        done
        fail "no $1 in $2"
}
# interrupted: ends "run --wait" in the background by a second ^C
interrupted() {
        kill -INT $client
        found=0
        wait $client || found=$?
        [ $found = 1 ] || fail "a second ^C: exit status $found"
}
answers '{"io.takt.Runs.Start": ["hold",
                {"parameters": {"run": {"run": 7, "job": "room", "state": "running"}}, "continues": true}],
          "io.takt.Runs.Cancel": [{"parameters": {"runs": []}}]}'
taktctl run --wait room >"$dir/out" 2>"$dir/err" &
client=$!
wait_for Start "$dir/answers.calls"
# A shell's background job ignores SIGINT from its start, so that this is a test of its being taken all the same.
kill -INT $client
wait_for Cancelling "$dir/err"
touch "$dir/answers.go"
wait_for '"io.takt.Runs.Cancel", "parameters": {"runs": \[7\]}' "$dir/answers.calls"
interrupted
wait_for "taktctl wait 7" "$dir/err"

rm "$dir/answers.go"
taktctl run --wait room >"$dir/out" 2>"$dir/err" &
client=$!
for _ in $(seq 200); do
        [ "$(grep -c Start "$dir/answers.calls")" = 1 ] || break
        sleep 0.05
done
kill -INT $client
wait_for Cancelling "$dir/err"
interrupted
wait_for "has not answered yet" "$dir/err"
exit $failed
