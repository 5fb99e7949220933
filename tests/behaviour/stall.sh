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
        grep -E 'The loop was held up for [0-9].* \(.*ms blocked or stopped\) by .*: busy@' "$log"
}
eventually "a stall is logged with its job" held_up || cat "$log"
is "stalls and the longest" "True True" "$(taktctl --json info | python3 -c 'import json, sys
loop = json.load(sys.stdin)["loop"]
print(loop["stalls"] > 0, loop["maxStallUsec"] >= 50000)')"
is "what they were" True "$(taktctl --json info | python3 -c 'import json, sys
loop = json.load(sys.stdin)["loop"]
print(loop["stallBlockedUsec"] >= 50000)')"

# Where others have the processor, that is told, and no job is blamed for it.
spin() {
        taskset -cp "$1" "$BASHPID" >/dev/null
        while :; do :; done
}
told_of_waiting() {
        grep -E 'The loop was held up for [0-9].* \((.*, )?[0-9].* waiting for a processor\)($|; )' "$log"
}
if command -v taskset >/dev/null; then
        cpu=$(taskset -cp "$taktd_pid" | grep -oE '[0-9]+$')
        taskset -acp "$cpu" "$taktd_pid" >/dev/null
        renice -n 19 -p "$taktd_pid" >/dev/null
        for i in 1 2; do
                spin "$cpu" &
                helper $!
        done
        eventually "waiting is told of" told_of_waiting || grep 'held up' "$log"
        for pid in "${helpers[@]}"; do
                kill -KILL "$pid"
                wait "$pid" 2>/dev/null || :
        done
        helpers=()
        # Who is named had a stall of its own, or the greater part.
        blame=$(grep 'The loop was held up' "$log" | python3 -c 'import re, sys
units = {"ms": 1, "s": 1000, "min": 60000}
def ms(text):
    return sum(float(n) * units[u] for n, u in re.findall(r"([0-9.]+)(ms|s|min)\b", text))
for line in sys.stdin:
    parts, rest = re.search(r"\(([^)]*)\)(.*)", line).groups()
    waiting = sum(ms(p) for p in parts.split(", ") if "waiting" in p)
    own = sum(ms(p) for p in parts.split(", ") if "waiting" not in p)
    # What is below a millisecond is not in the text.
    if rest.startswith(" by ") != (own >= 50 or own >= waiting) and abs(own - 50) > 2 and abs(own - waiting) > 2:
        print(line, end="")')
        is "stalls that blame the wrong thing" "" "$blame"
fi
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
