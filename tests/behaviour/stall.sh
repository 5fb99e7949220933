#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What holds up the loop is found out: logged with its job, counted, and shown.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
# 40 MB of numbers take far longer to decode than a step may.
job large <<'JOB'
[Job]
Type=exec

[Exec]
Command=python3 -c "print([0] * 13000000)"
Output=json
MaxBytes=64M
JOB
start_taktd
is "the run" succeeded "$(field "r['state']" taktctl run --wait --json large)"
logged() {
        grep -E 'The loop was held up for [0-9].* by (a result to decode|the end of a run): large' "$log"
}
eventually "a stall is logged with its job" logged
is "stalls and the longest" "True True" "$(taktctl --json info | python3 -c 'import json, sys
loop = json.load(sys.stdin)["loop"]
print(loop["stalls"] > 0, loop["maxStallUsec"] >= 50000)')"
check_end
