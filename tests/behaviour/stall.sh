#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What holds up the loop is found out: logged with its job, counted, and shown.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
# A schema that looks at every one of many values many times takes far longer than a step may.
python3 -c 'import json
print(json.dumps({"allOf": [{"items": {"type": "integer", "minimum": -i}} for i in range(200)]}))' >"$dir/env/schemas/patient.json"
job large <<JOB
[Job]
Type=exec

[Exec]
Command=python3 -c "print([0] * 80000)"
Output=json

[Result]
Schema=schemas/patient.json
JOB
start_taktd
taktctl -q run large >/dev/null
logged() {
        grep -E 'The loop was held up for [0-9].* by (a result to decode|the end of a run): large' "$log"
}
eventually "a stall is logged with its job" logged
is "stalls and the longest" "True True" "$(taktctl --json info | python3 -c 'import json, sys
loop = json.load(sys.stdin)["loop"]
print(loop["stalls"] > 0, loop["maxStallUsec"] >= 50000)')"
# JSON is decoded elsewhere.
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
taktctl -q reload
is "a large result that is JSON" "succeeded {'first': 0}" \
        "$(field "r['state'] + ' ' + str(r['outputs'])" taktctl run --wait --json json)"
if grep 'The loop was held up .* by a result to decode: json' "$log"; then
        fail "it was decoded on the loop"
fi
check_end
