#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl next and why: each time with its trigger and what shifts it, each decision with its reason.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment

job gap <<'JOB'
[Job]
Type=sleep
[Schedule]
TimeZone=Europe/Berlin
OnCalendar=*-03-28 02:30
Until=2027-12-01
JOB
job fold <<'JOB'
[Job]
Type=sleep
[Schedule]
TimeZone=Europe/Berlin
OnCalendar=2027-10-31 02:30
JOB
job excluded <<'JOB'
[Job]
Type=sleep
[Schedule]
TimeZone=UTC
OnCalendar=2027-01-0* 00:00
OnCalendar=2027-01-01,02,03 00:00
Exclude=2027-01-02
JOB
sed -i '/0\*/d' "$dir/env/jobs/excluded.job"
job counted <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=0
[Schedule]
Every=1h
Count=1
JOB
job spread <<'JOB'
[Job]
Type=sleep
[Schedule]
OnCalendar=2027-06-01 UTC
OnCalendar=2027-06-02 UTC
RandomizedDelaySec=1h
JOB
# Its time comes in a moment, and is put off by days or months.
soon=$(date -d '+2 seconds' '+%F %T')
job later <<JOB
[Job]
Type=sleep
[Schedule]
At=$soon UTC
RandomizedDelaySec=365d
JOB
job fixed <<'JOB'
[Job]
Type=sleep
[Schedule]
OnCalendar=daily
TimeZone=UTC
RandomizedDelaySec=12h
FixedRandomDelay=yes
JOB
job slow <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=1h
[Schedule]
Every=1s
JOB
job after <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=1h
[Schedule]
After=5s
JOB
job hand <<'JOB'
[Job]
Type=sleep
[Sleep]
Duration=0
JOB
job off <<'JOB'
[Job]
Type=sleep
Enabled=no
[Schedule]
OnCalendar=2027-06-01 UTC
JOB
job failing <<'JOB'
[Job]
Type=exec
Retries=1
RetryDelaySec=1ms
[Exec]
Command=/bin/false
JOB

# Without a daemon, both say so.
for verb in next why; do
        status=0
        output=$(taktctl $verb hand 2>&1) || status=$?
        is "status of $verb without a daemon" 4 $status
        like "$verb without a daemon" '*no daemon*' "$output"
done
start_taktd

# shown WHAT PATTERN COMMAND…: what it prints is like it
shown() {
        local what=$1 pattern=$2
        shift 2
        like "$what" "$pattern" "$("$@" 2>&1)"
}
shown 'a gap' '*2027-03-28 03:00:00 CEST*gap *OnCalendar=\*-03-28 02:30*right after the gap (DstGap=)*' \
        taktctl next --timezone Europe/Berlin gap
shown 'its end' '*never again after that: nothing is due after*' taktctl next -n 3 gap
shown 'a fold' '*02:30:00 CEST*comes twice by a change of the clock: the first (DstFold=)*all its times have passed*' \
        taktctl next --timezone Europe/Berlin fold
shown 'Exclude=' '*2027-01-01*2027-01-03*1 before it excluded (Exclude=)*' taktctl next excluded
shown 'Count=' '*never again: it has had as many runs as Count=*' taktctl next counted
shown 'jitter' '*put off by up to 1h (RandomizedDelaySec=)*' taktctl next spread
# Nothing waits for what is past: next, list, status and their answers tell when the run begins.
has_come() {
        [ "$(date +%s)" -gt "$(date -d "$soon" +%s)" ]
}
eventually 'its scheduled time has come' has_come
shown 'a list of what is put off' '*later *waiting *in *' taktctl list later
shown 'next' '*in *later *At=*put off by *(RandomizedDelaySec=)*' taktctl next later
shown 'status' "*Next*; in *, put off by *" taktctl status later
is 'what is told of the times' 'True True True' "$(
        { taktctl list --json later; taktctl next --json later; } | python3 -c 'import datetime, json, sys
decoder, text = json.JSONDecoder(), sys.stdin.read()
jobs, n = decoder.raw_decode(text)
times = json.loads(text[n:])
def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
job, o = jobs[0], times[0]["occurrences"][0]
put_off = datetime.timedelta(microseconds=o["jitterUsec"] + o["slackUsec"])
print(job["next"] == o["begins"] == times[0]["times"][0], job["nextScheduled"] == o["scheduled"],
      at(o["begins"]) == at(o["scheduled"]) + put_off and "beginsLatest" not in o)')"
shown 'a range in status' '*Next*, put off by *, or up to 1h later*' taktctl status spread
is 'a range in next' 'True' "$(taktctl next --json spread | python3 -c 'import json, sys
first, second = json.load(sys.stdin)[0]["occurrences"]
print(first["decided"] and not second["decided"] and second["begins"] == second["scheduled"] == "2027-06-02T00:00:00.000000Z"
      and second["beginsLatest"] == "2027-06-02T01:00:00.000000Z")')"
is 'a fixed delay is known ahead' '1 True' "$(taktctl next --json -n 5 fixed | python3 -c 'import json, sys
found = json.load(sys.stdin)[0]["occurrences"]
print(len({o["jitterUsec"] for o in found}), all(o["decided"] and o["jitterUsec"] > 0 for o in found))')"
shown 'Enabled=no' '*2027-06-01*disabled: it will not run*' taktctl next off
shown 'no trigger' '*it has no trigger of time*' taktctl next hand
shown 'all in one order' '*excluded*gap*off*fold*counted*' taktctl next counted excluded gap off fold -n 1
shown 'JSON' '*"job":"gap","times":\["2027-03-28T01:00:00*"occurrences":\[{*"trigger":"OnCalendar=\*-03-28 02:30"*"shift":"gap"*"end":{"reason":"until"*' \
        taktctl next -n 3 --json gap
status=0
taktctl next -n 2000 gap 2>/dev/null || status=$?
is 'more times than there may be' 2 $status

# --- why ---
run=$(taktctl run hand)
eventually 'it ended' has_run "r['state'] == 'succeeded'" hand
shown 'by hand' "*daemon-started*$run *due*started by hand, by * (uid $(id -u), pid *$run *started*at once*$run *succeeded*took*next*no trigger of time*" \
        taktctl why hand
shown 'Count= reached' '*due by Every=1h*started*after its time*never*Count=*' taktctl why counted
eventually 'a skip' has_run "r['state'] == 'skipped'" slow
skipped=$(runs '[r["run"] for r in rs if r["state"] == "skipped"][0]' slow)
running=$(runs '[r["run"] for r in rs if r["state"] == "running"][0]' slow)
shown 'overlap' "*due by Every=1s, but run $running was still under way (Overlap=skip); it had begun *is still under way" \
        taktctl why slow --run "$skipped"
manual=$(taktctl run slow 2>/dev/null || :)
shown 'who started what did not run' "*$manual *started by hand, by * (uid $(id -u), pid *), but run $running was still under way (Overlap=skip); it had begun *" \
        taktctl why slow --run "$manual"
is 'STARTED of what never started' - "$(taktctl -q runs slow -s skipped -n 1 | awk '{ print $5 }')"
shown 'under way' "*running*under way for*" taktctl why slow --run "$running"
shown 'what becomes of the next' '*next*due by Every=1s; skipped if the run under way lasts*' taktctl why slow
taktctl -q pause slow
shown 'paused' '*paused*taktctl resume slow*' taktctl why slow
shown 'pause in next' '*paused: it will not run before taktctl resume*' taktctl next slow
shown 'After=' '*running*next*After= counts from the end of a run that has not ended*' taktctl why after
taktctl run failing --wait >/dev/null 2>&1 || :
shown 'retries' '*retried*attempt 1 failed and is repeated (Retries=): exit-status:*failed*exit-status:*' taktctl why failing
shown 'disabled' '*disabled*by hand only (Enabled=no)*' taktctl why off
shown 'jitter' '*next*due by OnCalendar=2027-06-01 UTC; put off by *(RandomizedDelaySec=)*' taktctl why spread
taktctl -q cancel slow after
eventually 'cancelled' has_run "r['state'] == 'cancelled'" slow
shown 'cancelled' '*cancelled *on request, by *' taktctl why slow --run "$running"

# Files: changed, broken, never loaded, gone.
sed -i s/Every=1h/Every=2h/ "$dir/env/jobs/counted.job"
shown 'changed' '*changed*only after: taktctl reload*' taktctl why counted
echo Nonsense=1 >>"$dir/env/jobs/counted.job"
shown 'broken' '*refused*counted.job:*Nonsense*what was loaded before goes on*' taktctl why counted
echo '[Job' | job never
shown 'never loaded' '*refused*never.job:1*so it is not loaded*' taktctl why never
rm "$dir/env/jobs/hand.job"
taktctl -q reload >/dev/null 2>&1 || :
shown 'gone' "*$run *by hand*removed *its file was gone when jobs were loaded" taktctl why hand
status=0
taktctl why nobody 2>/dev/null || status=$?
is 'no such job' 3 $status
taktctl why gap --run "$run" 2>/dev/null || status=$?
is 'a run of another job' 3 $status
status=0
taktctl why gap --run nine 2>/dev/null || status=$?
is 'no run id' 2 $status
shown 'JSON' '{"job":"off","state":"disabled","decisions":\[*"what":"disabled"*' taktctl why --json off
check_end
