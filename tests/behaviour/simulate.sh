#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl simulate: what the scheduler would do with job files, with no daemon and with one's history.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
from=(--from 2026-11-22 --timezone UTC)

job steady <<'JOB'
[Job]
Type=exec
[Exec]
Command=/bin/false
[Schedule]
Every=10min
[Publish]
File=published.json
JOB
job night <<'JOB'
[Job]
Type=sleep
[Schedule]
TimeZone=UTC
OnCalendar=02:30
JOB
job spread <<'JOB'
[Job]
Type=sleep
[Schedule]
TimeZone=UTC
OnCalendar=hourly
RandomizedDelaySec=10min
JOB
job fast <<'JOB'
[Job]
Type=sleep
[Schedule]
Every=1ms
JOB

# it EXPRESSION ARG…: of the object v that is printed
it() {
        local expression=$1 found
        shift
        found=$(taktctl simulate --json "${from[@]}" "$@" | python3 -c 'import json, sys
v = json.load(sys.stdin)
jobs = {j["job"]: j for j in v["jobs"]}
print(eval(sys.argv[1]))' "$expression")
        is "$expression of simulate $*" True "$found"
}
most='max(b["most"] for b in v["histogram"])'
# Both are due at 02:30.
it 'v["complete"] and v["runs"] == 144 + 1 and v["skipped"] == 0 and '"$most"' == 2' steady night
it 'jobs["steady"]["first"] == "2026-11-22T00:00:00.000000Z" and jobs["steady"]["last"] == "2026-11-22T23:50:00.000000Z"' steady
it 'v["runs"] == 72 and v["skipped"] == 72' steady --duration 15min
it "$most"' == 2 and v["peaks"][0]["jobs"] == {"night": 1, "steady": 1}' steady night --duration night=10min
it 'sum(b["begun"] for b in v["histogram"]) == v["runs"] == 6' steady --until +1h
# A run that is under way all along piles up where it began nothing.
it 'all(b["most"] == 1 for b in v["histogram"])' steady --duration 9min --until +1h
it 'v["until"] == "2026-11-23T00:00:00.000000Z"' night
# What starts what, and what is left out.
job after <<'JOB'
[Job]
Type=sleep
[Schedule]
On=steady.succeeded
JOB
job alarm <<'JOB'
[Job]
Type=sleep
[Schedule]
On=steady.failed
JOB
job group <<'JOB'
[Job]
Type=group
[Schedule]
Every=30min
[Group]
Run=night
Run=spread
JOB
it 'jobs["after"]["runs"] == 6 and jobs["alarm"]["runs"] == 0 and v["byEvents"] == 6' steady after alarm --until +1h
it 'v["leftOut"] == {"groupRuns": 2, "groups": 1, "jobsWithOtherEvents": 1, "jobsWithoutDuration": 2}' steady alarm group --until +1h
it 'v["leftOut"]["jobsWithoutDuration"] == 0' steady --duration 1min --until +1h
like "what is left out" "*6 of these runs were started by events of others*members of 2 runs of 1 group.*by On= of 1 job.*No duration is known of 3 jobs*" \
        "$(taktctl simulate "${from[@]}" steady after alarm group --until +1h)"
like "what started it" "*run *after (On=steady.succeeded)*" "$(taktctl simulate "${from[@]}" --list steady after --until +10min)"
rm "$dir"/env/jobs/{after,alarm,group}.job
[ ! -e "$dir/env/published.json" ] || fail 'a simulation published a result'

# Equal seeds, equal traces.
traces=()
for seed in 1 1 2; do
        traces+=("$(taktctl simulate --list --json "${from[@]}" --seed $seed spread)")
done
is 'the same seed' "${traces[0]}" "${traces[1]}"
[ "${traces[0]}" != "${traces[2]}" ] || fail 'another seed gives the same delays'
is 'one object a line' 23 "$(wc -l <<<"${traces[0]}")"
like 'what a line is' '{"time":"2026-11-22T01:0*","job":"spread","what":"run","scheduled":"2026-11-22T01:00:00.000000Z","event":null}' \
        "$(head -n 1 <<<"${traces[0]}")"

# For people: fitted, and of characters that the terminal has.
output=$(taktctl simulate "${from[@]}" steady night)
like 'a report' '*2 jobs, 145 runs, 0 skipped, 0 missed*BEGUN*2026-11-22 02:00:00 *█*PEAK*JOB *night *1 *0 *steady *144 *' "$output"
is 'lines that are too long' '' "$(grep █ <<<"$output" | grep -E '^.{81}' || :)"
like 'bars of ASCII' '*######*' "$(LC_ALL=C taktctl simulate "${from[@]}" steady)"
like 'skips in a list' '*skipped *steady: run * was still under way (Overlap=skip)*' \
        "$(taktctl simulate "${from[@]}" --list --duration 15min steady)"

# Files that are being edited, with no environment's jobs.
sed s/10min/1h/ "$dir/env/jobs/steady.job" >"$dir/steady.job"
it 'v["runs"] == 24 and list(jobs) == ["steady"]' "$dir/steady.job"
it 'jobs["steady"]["runs"] == 24 and jobs["night"]["runs"] == 1' "$dir/steady.job" night

# exits STATUS PATTERN ARG…: what it says on standard error is like it
exits() {
        local expected=$1 pattern=$2 status=0 output
        shift 2
        output=$(taktctl simulate "$@" 2>&1 >"$dir/out") || status=$?
        is "exit status of simulate $*" "$expected" $status
        like "simulate $*" "$pattern" "$output"
}
exits 2 '*--until must be a time after --from*' --from 2026-11-22 --until 2026-11-21
exits 2 '*--until:*' --until whenever
exits 2 '*--seed wants a number*' --seed x
exits 2 '*--duration 5 parsecs:*' --duration '5 parsecs' night
exits 3 '*no job nobody *' nobody
exits 3 '*there is no job nobody *' --duration nobody=5s night
exits 2 '*No such file*' ./nothing.job
# Caps: what was done until then is printed.
exits 1 '*--timeout is up; simulated up to *only*' --timeout 50ms --until +100d fast
like 'a part' '*fast *' "$(cat "$dir/out")"
taktctl simulate --until +1000d fast >"$dir/out" 2>"$dir/err" &
pid=$!
helper $pid
comm() {
        [ "$(cat /proc/$pid/comm)" = takt-simulate ] && grep -qE '^SigCgt:.*[2367abef]$' /proc/$pid/status
}
eventually 'it can be interrupted' comm
kill -INT $pid
status=0
wait $pid || status=$?
is 'exit status of an interrupted simulation' 1 $status
like 'an interrupted simulation' '*interrupted; simulated up to*' "$(cat "$dir/err")"
like 'its report' '*fast *' "$(cat "$dir/out")"
rm "$dir/env/jobs/fast.job"
echo '[Job' | job broken
exits 1 '*broken.job:1*' --from 2026-11-22
like 'the others' '*night *' "$(cat "$dir/out")"
rm "$dir/env/jobs/broken.job"

# A daemon's history says how long runs take.
job took <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=50ms
[Schedule]
OnCalendar=hourly
JOB
start_taktd
taktctl run --wait took
it '50000 <= jobs["took"]["durationUsec"] < 60000000' took
it 'jobs["took"]["durationUsec"] == 7000000' took --duration 7s
check_end
