#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What holds up the loop is found out: logged with its job, counted, and shown.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
# The daemon has always something to do, so that it is in the middle of it when it is stopped.
job busy@ <<'JOB'
[Job]
Type=sleep
Instances=1..300

[Schedule]
Every=1ms

[Sleep]
Duration=0
JOB
start_taktd
held_up() {
        kill -STOP "$taktd_pid"
        sleep 0.1
        kill -CONT "$taktd_pid"
        taktctl -q ping
        grep -E 'The loop was held up for [0-9].* by .*: busy@' "$log"
}
eventually "a stall is logged with its job" held_up || cat "$log"
is "stalls and the longest" "True True" "$(taktctl --json info | python3 -c 'import json, sys
loop = json.load(sys.stdin)["loop"]
print(loop["stalls"] > 0, loop["maxStallUsec"] >= 50000)')"
stop_taktd
rm "$dir/env/jobs/busy@.job"

# A large result is decoded elsewhere.
job json <<'JOB'
[Job]
Type=exec

[Exec]
Command=python3 -c "print([0] * 13000000)"
Output=json
MaxBytes=64M

[Result]
Output=first: $[0]
JOB
start_taktd
is "a large result that is JSON" "succeeded {'first': 0}" \
        "$(field "r['state'] + ' ' + str(r['outputs'])" taktctl run --wait --json json)"
if grep 'The loop was held up .* by a result to decode: json' "$log"; then
        fail "it was decoded on the loop"
fi
check_end
