#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl why, word by word: each decision that there is, in the order of time, and who asked for what.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
printf '[Resource:bus]\n' >>"$dir/env/takt.conf"

# plain NAME KEYS [DURATION]: a job that sleeps
plain() {
        printf '[Job]\nType=sleep\n%b[Sleep]\nDuration=%s\n' "$2" "${3:-0}" | job "$1"
}
plain hand ''
plain long '' 1h
plain two '[Schedule]\nOnCalendar=*:*:0/1\nOnCalendar=2020-01-01\nMissed=all\nOverlap=queue\n'
plain tick '[Schedule]\nEvery=100ms\n'
plain queued '[Schedule]\nOverlap=queue\n' 1h
plain replaced '[Schedule]\nOverlap=replace\n' 1h
plain holder 'Use=bus\n' 1h
plain wanting 'Use=bus\n'
plain unwilling 'Condition=@.params.n > 3\nParameter=n:int=1\n'
plain listener '[Schedule]\nOn=hand.succeeded\n'
plain spread '[Schedule]\nEvery=300ms\nAccuracySec=100ms\nRandomizedDelaySec=50ms\n'
plain once '[Schedule]\nEvery=1h\nCount=1\n'
plain until "[Schedule]\\nEvery=50ms\\nUntil=$(date -u -d '+2 seconds' '+%F %T') UTC\\n"
plain held '[Schedule]\nEvery=200ms\n' 1h
plain excluded '[Schedule]\nOnCalendar=2020-01-01\nOnCalendar=2099-01-01\nExclude=2099-01-01\n'
plain owing '[Schedule]\nOnCalendar=*:*:0/1\nMissed=all\nRandomizedDelaySec=300d\n'
plain both '[Schedule]\nAt=2020-01-01\nOn=hand.failed\n'
plain startup '[Schedule]\nOnStartup=0\n'
printf '[Job]\nType=group\n[Group]\nRun=hand\n' | job team
printf '[Job]\nType=exec\nRetries=2\nRetryDelaySec=1ms\n[Exec]\nCommand=/bin/sh -c "exit 3"\n' | job failing
printf '[Job]\nType=exec\n[Exec]\nComand=true\n' | job broken
start_taktd

# in_order JOB [ARG…]: every decision has a time, none comes before the one that is listed before it
in_order() {
        taktctl why --json -n 1000 "$@" | python3 -c 'import json, sys
times = [d["time"] for d in json.load(sys.stdin)["decisions"]]
assert times and all(times) and times == sorted(times), times' || fail "why $1 is in no order: $(taktctl why "$@")"
}

# shown WHAT PATTERN JOB [ARG…]
shown() {
        local what=$1 pattern=$2
        shift 2
        like "$what" "$pattern" "$(taktctl why "$@" 2>&1)"
        in_order "$@"
}

# decision WHAT EXPRESSION JOB [ARG…]: of the first decision d with this word
decision() {
        local what=$1 expression=$2
        shift 2
        taktctl why --json "$@" | python3 -c 'import json, sys
d = [d for d in json.load(sys.stdin)["decisions"] if d["what"] == sys.argv[1]][0]
print(eval(sys.argv[2]))' "$what" "$expression"
}
me="by $(id -un) (uid $(id -u), pid "

# --- who ---
taktctl watch --json --event=paused,resumed,running,cancelled hand long >"$dir/watched" &
helper $!
eventually "the watch" test -s "$dir/watched"
hand=$(taktctl run hand)
long=$(taktctl run long)
taktctl -q cancel "$long"
eventually "it was cancelled" has_run 'r["state"] == "cancelled"' long
taktctl -q pause hand
taktctl -q resume hand
taktctl -q pause hand
shown "by hand" "*$hand  due *started by hand, $me*$hand  started *at once*$hand  succeeded *took*" hand
like "status of a pause" "*State: paused since ????-??-?? ??:??:?? $me*" "$(taktctl status hand)"
shown "a pause" "*paused *its schedule was held back, $me*resumed *its schedule went on, $me*paused *held back, $me*paused *let it go on with: taktctl resume hand" hand
shown "a cancel" "*$long  cancelled *on request, $me*" long
is "who paused it" "$(id -u) True" "$(decision paused 'd["by"]["uid"], d["by"]["pid"] > 1' hand | tr -d '(),')"
is "who began it" "$(id -u) True" "$(runs 'rs[0]["startedBy"]["uid"], rs[0]["startedBy"]["pid"] > 1' hand | tr -d '(),')"
is "who cancelled it" "$(id -u) True" "$(runs 'rs[0]["cancelledBy"]["uid"], rs[0]["cancelledBy"]["pid"] > 1' long | tr -d '(),')"
like "its error" "cancelled on request by uid $(id -u) (pid *)" "$(runs 'rs[0]["error"]["message"]' long)"
watched() {
        python3 - "$dir/watched" <<'END'
import json, sys
got = [(e["event"], "by" in e) for e in map(json.loads, open(sys.argv[1])) if e["event"] not in ("present", "live")]
assert got == [("running", True), ("running", True), ("cancelled", True), ("paused", True), ("resumed", True), ("paused", True)], got
END
}
eventually "events say who" watched
eventually "the log says who" grep -q "hand: paused by uid $(id -u) (pid [0-9]*)$" "$log"
taktctl -q resume hand

# --- what kept a run from starting ---
first=$(taktctl run queued)
second=$(taktctl run queued)
shown "it waits" "*$second  due *by hand*$second  queued *waited for run $first of the job to end (Overlap=)*$second  queued *it waits for its turn*" queued
taktctl -q cancel "$first"
eventually "the second began" has_run 'r["state"] == "running"' queued
shown "it had waited" "*$second  started *after it had waited for *$second  running *under way for *" queued
first=$(taktctl run replaced)
second=$(taktctl run replaced)
eventually "it was replaced" has_run 'r["state"] == "cancelled"' replaced
shown "replaced" "*$first  cancelled *replaced by a newer run of the job*" replaced
first=$(taktctl run holder)
second=$(taktctl run wanting)
shown "a resource" "*$second  queued *waited for the resource bus, which run $first had (Use=)*" wanting
is "in its record" bus "$(runs 'rs[0]["heldByResource"]' wanting)"
taktctl -q cancel "$first"
eventually "the resource is free" has_run 'r["state"] == "succeeded"' wanting
shown "a resource that was waited for" "*waited for the resource bus, which run $first had (Use=)*started *after it had waited for *succeeded *" wanting
taktctl run unwilling >"$dir/out" 2>&1 || :
shown "a condition" '*skipped *started by hand, by *, but its condition does not hold: @.params.n > 3*' unwilling
first=$(taktctl run long)
taktctl run long >"$dir/out" 2>&1 || :
shown "by hand, and no overlap" "*skipped *started by hand, by *, but run $first was still under way (Overlap=skip)*" long
taktctl -q cancel "$first"

# --- what started it ---
eventually "the listener ran" has_run 'r["trigger"] == "event"' listener
shown "an event" "*due *started by an event of run $hand (On=hand.succeeded)*" listener
team=$(taktctl run --wait --json team | python3 -c 'import json, sys; print(json.load(sys.stdin)["run"])')
shown "a member" "*due *started as a member of the group's run $team*" hand
shown "a group" "*$team  due *by hand*$team  succeeded*" team

# --- retries ---
taktctl run failing --wait >"$dir/out" 2>&1 || :
shown "retries" '*retried *attempt 1 failed and is repeated (Retries=): exit-status: *retried *attempt 2 failed *failed *exit-status: *' failing
is "in the record" "[1, 2]" "$(runs '[a["attempt"] for a in rs[0]["failedAttempts"]]' failing)"

# --- delays on purpose ---
jittered() {
        has_run 'r["jitterUsec"] > 0 and r["slackUsec"] > 0' spread
}
eventually "a run that was put off" jittered
run=$(runs '[r["run"] for r in rs if r["jitterUsec"] > 0 and r["slackUsec"] > 0][0]' spread)
shown "jittered and coalesced" '*due *due by Every=300ms*started *put off by *(RandomizedDelaySec=); put off by *to begin with others (AccuracySec=); * after that*' \
        spread --run "$run"

# --- no time any more: said so everywhere ---
finished() {
        [ "$(taktctl list --json "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])')" = finished ]
}
for name in once until excluded; do
        eventually "$name comes to its end" finished $name
        case $name in
        once) reason='it has had as many runs as Count= allows' ;;
        until) reason='nothing is due after the time in Until=' ;;
        excluded) reason='Exclude= leaves nothing of what is to come' ;;
        esac
        shown "$name: why" "*finished *never due again: $reason*" $name
        like "$name: next" "*never again: $reason*" "$(taktctl next $name)"
        like "$name: status" "*never due again: $reason*" "$(taktctl status $name)"
        like "$name: list" '*finished*' "$(taktctl list $name)"
done

# One that events start, or the next daemon, has not ended with its times.
eventually "startup has run" has_run 'r["state"] == "succeeded"' startup
reason='all its times have passed; events still start it (On=)'
for name in both startup; do
        shown "$name: why" "*next *$reason" $name
        like "$name: next" "*- *$reason" "$(taktctl -q next $name)"
        like "$name: status" "*State: idle*Next: $reason*" "$(taktctl status $name)"
        like "$name: list" "*$name *idle *- *" "$(taktctl -q list $name)"
        like "$name: nowhere else" 0 "$({ taktctl why $name; taktctl next $name; taktctl status $name; } | grep -cE 'never|finished')"
        reason='OnStartup= is due again when the daemon is started the next time'
done

# --- files ---
shown "refused at load" '*refused *broken.job:4:1: *; so it is not loaded' broken
is "once" 1 "$(taktctl why broken | grep -c refused)"
plain hand '' 1s
taktctl -q reload 2>/dev/null || :
shown "changed by a reload" '*reloaded *its definition had changed*' hand
printf '[Job]\nType=slep\n' | job hand
taktctl -q reload 2>/dev/null || :
shown "refused by a reload" '*refused *hand.job:2:6: *; what was loaded before goes on*' hand
printf '[Job]\nType=exec\n[Exec]\nCommand=true\n' | job broken
taktctl -q reload 2>/dev/null || :
like "what was refused, and then loaded" '*refused *broken.job:4:1: *Command=?*next *' "$(taktctl why broken)"
rm "$dir/env/jobs/hand.job"
taktctl -q reload 2>/dev/null || :
shown "removed by a reload" '*removed *its file was gone when jobs were loaded' hand

# --- missed, by a daemon that was held up and by one that was stopped ---
eventually "it runs" has_run 'r["state"] == "succeeded"' two
kill -STOP "$taktd_pid"
sleep 0.5
kill -CONT "$taktd_pid"
eventually "ticks were missed" has_run 'r["state"] == "missed"' tick
missed=$(runs '[r["run"] for r in rs if r["state"] == "missed"][0]' tick)
shown "missed by a late wake" '*missed *due by Every=100ms, but * passed unseen: the machine slept or the daemon was held up, noticed * after *' \
        tick --run "$missed"
stop_taktd
end=$(($(date +%s) + 3))
until [ "$(date +%s)" -ge $end ]; do sleep 0.1; done
start_taktd
eventually "it is caught up on" has_run 'r["trigger"] == "catch-up" and r["state"] == "succeeded"' two
caught=$(runs '[r["run"] for r in rs if r["trigger"] == "catch-up"][0]' two)
shown "caught up on" "*due *due by OnCalendar=\*:\*:0/1, missed at its time and caught up on * later (Missed=)*started *when the job's turn to catch up came*" \
        two --run "$caught"
is "its cause" 'OnCalendar=*:*:0/1' "$(runs '[r["cause"] for r in rs if r["trigger"] == "catch-up"][0]' two)"
like "what waits to be caught up on: list" "*owing *waiting *, [1-9]* missed *" "$(taktctl list owing)"
like "what waits to be caught up on: status" "*Missed: [1-9]* time* to be caught up on (Missed=)*" "$(taktctl status owing)"
like "what waits to be caught up on: next" "*owing *[1-9]* missed time* to be caught up on (Missed=)*" "$(taktctl next owing)"
shown "what waits to be caught up on: why" "*catch-up *[1-9one]* time* to be caught up on*(Missed=)*" owing
is "what waits to be caught up on: by JSON" True "$(field '0 < r[0]["catchUps"] <= 100 and r[0]["catchUpNext"] > "2026"' taktctl list --json owing)"
is "what does not" None "$(field 'r[0].get("catchUps")' taktctl list --json hand tick)"
eventually "it was missed" has_run 'r["state"] == "missed" and r["error"]["kind"] == "stopped"' tick
missed=$(runs '[r["run"] for r in rs if r["state"] == "missed" and r["error"]["kind"] == "stopped"][0]' tick)
shown "missed by a stopped daemon" '*missed *due by Every=100ms, but * passed while the daemon was stopped, noticed * after *' tick --run "$missed"
eventually "it is under way" has_run 'r["state"] == "running"' held
plain again 'Retries=1\n' 1h
taktctl -q reload 2>/dev/null || :
by_hand=$(taktctl run again)
eventually "so is one by hand" has_run 'r["state"] == "running"' again
kill_taktd
start_taktd
eventually "its run is lost" has_run 'r["state"] == "lost"' held
lost=$(runs '[r["run"] for r in rs if r["state"] == "lost"][0]' held)
shown "lost" "*$lost *due *due by Every=200ms*$lost *started *[0-9]*ms after its time*$lost *lost *" held --run "$lost"
in_order two
in_order tick
# What came of a run comes behind what it came of, and what takes its place behind its end.
eventually "it has another one in its place" has_run 'r["state"] == "running"' again
instead=$(runs '[r["run"] for r in rs if r["state"] == "running"][0]' again)
is "a crash, in the order of what happened" \
        "$by_hand due,$by_hand started,None daemon-started,$by_hand lost,$instead due,$instead repeated,$instead started,$instead running" \
        "$(field '",".join("%s %s" % (d.get("run"), d["what"]) for d in r["decisions"] if d["what"] != "next")' taktctl why --json again)"
shown "what takes the place of a lost run" "*$instead  started *in place of that run*" again
in_order again
in_order held
check_end
