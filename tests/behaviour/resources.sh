#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Resources that runs hold, and commands around runs: order, waiting, and that what was entered is left whatever happens.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
trace=$dir/trace
settings <<END
[Daemon]

[Resource:bus]
Enter=/bin/sh -c "echo enter bus \$\$TAKT_RUN >>$trace"
Exit=/bin/sh -c "while [ -e $dir/hold ]; do : >$dir/held; sleep 0.01; done; echo exit bus \$\$TAKT_RUN \$\$TAKT_STATE >>$trace"

[Resource:adapter]
Enter=/bin/sh -c "echo enter adapter >>$trace"
Exit=/bin/sh -c "echo exit adapter \$\$TAKT_STATE >>$trace"

[Resource:slow]
WaitSec=100ms

[Resource:broken]
Enter=/bin/sh -c "echo no bus >&2; exit 3"
Exit=/bin/sh -c "echo exit broken >>$trace"

[Resource:leaky]
Exit=/bin/false

[Resource:plain]

[Resource:three]
Capacity=3
END
# guarded NAME USE… : a job that writes its begin and end into the trace
guarded() {
        local name=$1 use
        shift
        {
                echo "[Job]"
                echo "Type=exec"
                for use in "$@"; do echo "$use"; done
                echo "[Schedule]"
                echo "Overlap=parallel"
                echo "[Exec]"
                cat
        } | job "$name"
}
guarded read Use=bus Use=adapter "Enter=/bin/sh -c \"echo enter job >>$trace\"" "Exit=/bin/sh -c \"echo exit job \$\$TAKT_STATE >>$trace\"" <<END
Command=/bin/sh -c "echo begin >>$trace; sleep 0.05; echo end >>$trace"
END
guarded fails Use=bus Retries=1 RetryDelaySec=10ms <<END
Command=/bin/sh -c "echo try >>$trace; exit 1"
END
guarded hangs Use=bus "TimeoutSec=100ms" <<END
Command=/bin/sleep 1000
END
guarded sleeps Use=bus <<END
Command=/bin/sh -c "touch $dir/sleeping; exec sleep 1000"
END
guarded keeps Use=slow <<END
Command=/bin/sleep 1000
END
guarded enters Use=adapter Use=broken <<END
Command=/bin/sh -c "echo never >>$trace"
END
guarded stuck "Enter=/bin/sleep 1000" "Exit=/bin/sh -c \"echo exit stuck >>$trace\"" <<END
Command=/bin/sh -c "echo never >>$trace"
END
guarded leaks Use=leaky <<END
Command=/bin/true
END
guarded three Use=three <<END
Command=/bin/sleep 1000
END
guarded again Use=adapter Use=bus Retries=1 "Enter=/bin/true" "Exit=/bin/sh -c \"echo exit job \$\$TAKT_STATE >>$trace\"" <<END
Command=/bin/sh -c "echo begin >>$trace; exec sleep 1000"
END
guarded part Use=bus "Enter=/bin/sh -c \"echo entering >>$trace; exec sleep 1000\"" "Exit=/bin/sh -c \"echo exit part >>$trace\"" <<END
Command=/bin/true
END
job together <<END
[Job]
Type=group
[Group]
Mode=gather
Run=sleeps
END
guarded unknown Use=nothing <<END
Command=/bin/true
END
job both <<END
[Job]
Type=group
Use=slow
[Group]
Run=keeps
END
start_taktd
traced() {
        tr '\n' ',' <"$trace"
        : >"$trace"
}
like "a resource that is not there" "*unknown.job:3:5: *no resource nothing*" "$(grep nothing "$log")"

message=$(taktctl verify "$dir/env/jobs/unknown.job" 2>&1) && fail "verify takes a resource that is not there"
like "what verify says of it" "*unknown.job:3:5: *no resource nothing*" "$message"
taktctl -q verify "$dir/env/jobs/read.job" || fail "verify refuses resources that are there"
cp "$dir/env/jobs/unknown.job" "$dir/stray.job"
like "a job of no environment" "*Use= was not looked at, as $dir/../takt.conf is not there*" "$(taktctl verify "$dir/stray.job" 2>&1)"

: >"$trace"
is "a run" succeeded "$(run_job "r['state']" read)"
run=$(runs "rs[0]['run']")
is "entered in order, left in reverse" \
        "enter adapter,enter bus $run,enter job,begin,end,exit job succeeded,exit bus $run succeeded,exit adapter succeeded," "$(traced)"

is "a failure" "('failed', 2)" "$(run_job "(r['state'], r['attempts'])" fails)"
run=$(runs "rs[0]['run']")
is "held through retries, left after a failure" "enter bus $run,try,try,exit bus $run failed," "$(traced)"
is "a timeout" timeout "$(run_job "r['state']" hangs)"
run=$(runs "rs[0]['run']")
is "left after a timeout" "enter bus $run,exit bus $run timeout," "$(traced)"

# Two at a time never overlap, and come in their order.
a=$(taktctl run read) b=$(taktctl run read) c=$(taktctl run read)
taktctl -q wait "$a" "$b" "$c" || fail "not all of three succeeded"
is "no two overlap" "$(for i in "$a" "$b" "$c"; do
        echo -n "enter adapter,enter bus $i,enter job,begin,end,exit job succeeded,exit bus $i succeeded,exit adapter succeeded,"
done)" "$(traced)"

# Cancelled while it holds, and while it waits.
a=$(taktctl run sleeps)
entered() { grep -q "enter bus $1" "$trace"; }
eventually "it has the bus" entered "$a"
b=$(taktctl run sleeps)
is "who waits" "queued $a" "$(taktctl --json info | python3 -c 'import json, sys
bus = [r for r in json.load(sys.stdin)["resources"] if r["name"] == "bus"][0]
print("queued" if bus["waiting"] == 1 and bus["inUse"] == 1 else bus, bus["holder"])')"
taktctl -q cancel "$b"
is "the one that waited" cancelled "$(runs "[r['state'] for r in rs if r['run'] == $b][0]")"
taktctl -q cancel "$a"
taktctl -q wait "$a" 2>"$dir/err" || :
is "left after a cancel" "enter bus $a,exit bus $a cancelled," "$(traced)"

# Time limits on waiting.
a=$(taktctl run keeps)
is "waited too long" "('timeout', 'resource')" "$(run_job "(r['state'], r['error']['kind'])" keeps)"
taktctl -q cancel "$a"

# A group that holds what its member wants would wait for it, and it for the group.
is "a group and its member" "failed resource" "$(run_job "r['state']" both >/dev/null; runs "[r['state'] + ' ' + r['error']['kind'] for r in rs if r['job'] == 'keeps'][0]")"

# What can't be entered.
is "a broken entrance" "('failed', 'enter', 'Enter= of broken: exit status 3: no bus')" \
        "$(run_job "(r['state'], r['error']['kind'], r['error']['message'])" enters)"
is "only what was entered is left" "enter adapter,exit adapter failed," "$(traced)"
a=$(taktctl run stuck)
under_way() { has_run "r['run'] == $a and r['state'] == 'running'"; }
eventually "it is entering" under_way
taktctl -q cancel "$a"
taktctl -q wait "$a" 2>"$dir/err" || :
is "cancelled while entering" cancelled "$(runs "[r['state'] for r in rs if r['run'] == $a][0]")"
is "not left, as it was not entered" "" "$(traced)"
is "a failing exit" "('failed', 'exit')" "$(run_job "(r['state'], r['error']['kind'])" leaks)"

# Capacity, and a reload that changes it under way.
for i in 1 2 3 4 5; do taktctl run three >"$dir/out"; done
count() { taktctl --json info | python3 -c 'import json, sys
r = [r for r in json.load(sys.stdin)["resources"] if r["name"] == "three"]
print((r[0]["inUse"], r[0]["waiting"]) if r else None)'; }
is "three of five" "(3, 2)" "$(count)"
sed -i 's/^Capacity=3/Capacity=4/' "$TAKT_ENV/takt.conf"
taktctl -q reload 2>"$dir/err" || :
is "four of five" "(4, 1)" "$(count)"
sed -i '/^\[Resource:three\]/,$d' "$TAKT_ENV/takt.conf"
taktctl -q reload 2>"$dir/err" && fail "a reload that leaves a job without its resource succeeds"
like "says which" "*three.job:3:5: *no resource three*" "$(cat "$dir/err")"
is "who waited for it failed" True "$(runs "any(r['job'] == 'three' and r['state'] == 'failed' and r['error']['kind'] == 'resource' for r in rs)")"
is "who had it goes on" 4 "$(runs "sum(r['job'] == 'three' and r['state'] == 'running' for r in rs)")"
taktctl -q cancel three

# A stop of the daemon leaves as well.
a=$(taktctl run sleeps)
eventually "it has the bus" entered "$a"
stop_taktd
is "left at the stop" "enter bus $a,exit bus $a cancelled," "$(traced)"

in_trace() { grep -q "$1" "$trace"; }
lost() { has_run "r['run'] == $1 and r['state'] == 'lost'"; }

# One that does not wait for that leaves it to the next daemon, which does so once, and repeats no run.
being_left() {
        eventually "the bus is being left" test -e "$dir/held"
}
ends_at_once() {
        kill -TERM "$taktd_pid"
        wait "$taktd_pid" || fail "taktd failed"
        taktd_pid=
        look_for_sanitizers
        rm "$dir/held"
}
: >"$trace"
touch "$dir/hold"
start_taktd
a=$(taktctl run again)
eventually "all is entered" in_trace begin
kill -TERM "$taktd_pid"
being_left
ends_at_once
is "the bus was not left" "enter adapter,enter bus $a,begin,exit job cancelled," "$(traced)"
like "told so" "*1 run had no time for Exit=; the next start leaves what it entered*" "$(cat "$log")"
sed -i 's/^\[Daemon\]/[Daemon]\nStopTimeoutSec=1ms/' "$TAKT_ENV/takt.conf"
start_taktd
being_left
ends_at_once
is "nor by the second" "" "$(traced)"
sed -i '/^StopTimeoutSec/d' "$TAKT_ENV/takt.conf"
rm "$dir/hold"
start_taktd
eventually "it is lost" lost "$a"
is "left by the third, once" "exit bus $a lost,exit adapter lost," "$(traced)"
is "not tried again, as it was stopped" "[('again', 'lost')]" "$(runs "[(r['job'], r['state']) for r in rs]")"
stop_taktd

# After a crash the next daemon leaves what was entered, holds it until then, and does so once.
crash() {
        kill_taktd
        start_taktd
}
states() { runs "tuple([r['state'] for r in rs if r['run'] == i][0] for i in ($1))"; }
start_taktd
a=$(taktctl run again)
eventually "all is entered" in_trace begin
is "entered" "enter adapter,enter bus $a,begin," "$(traced)"
touch "$dir/hold"
crash
eventually "the bus is being left" test -e "$dir/held"
is "the job was left before" "exit job lost," "$(traced)"
b=$(taktctl run sleeps)
is "the next one waits for the bus" "('running', 'queued')" "$(states "$a, $b")"
# Once more in the midst of that: what was left stays left, and the rest is left by the third daemon.
crash
rm "$dir/hold"
eventually "it is lost" lost "$a"
eventually "the one that waited has its turn" in_trace "enter bus $b"
eventually "it begins, as the run that it was" has_run "r['run'] == $b and r['state'] == 'running'"
taktctl -q cancel "$b"
eventually "the lost one is tried again" in_trace begin
c=$(runs "[r['run'] for r in rs if r['job'] == 'again' and r['state'] == 'running'][0]")
is "left once, before it was taken again" \
        "exit bus $a lost,exit adapter lost,enter bus $b,exit bus $b cancelled,enter adapter,enter bus $c,begin," "$(traced)"
taktctl -q cancel "$c"
taktctl -q wait "$c" 2>"$dir/err" || :
: >"$trace"

# What was being entered is not left; a member of a group leaves what it entered.
a=$(taktctl run part)
eventually "it enters" in_trace entering
crash
eventually "it is lost" lost "$a"
is "only what was entered" "enter bus $a,entering,exit bus $a lost," "$(traced)"
rm -f "$dir/sleeping"
taktctl -q run together
eventually "the member has the bus" in_trace "enter bus"
member=$(runs "[r['run'] for r in rs if r['job'] == 'sleeps' and r['state'] == 'running'][0]")
eventually "the member sleeps" test -e "$dir/sleeping"
crash
eventually "the member is lost" lost "$member"
is "left by the member" "enter bus $member,exit bus $member lost," "$(traced)"
crash
is "and once" "" "$(traced)"

check_end
