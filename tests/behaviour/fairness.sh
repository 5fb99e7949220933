#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fair turns: more due jobs than the machine can run, a worker that never stops to yield, a large group. Nothing here
# looks at how long a thing takes, but at what else was done before it.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
settings <<END
[Daemon]
KeepRuns=20000
KeepRunsTotal=25000
MaxRuns=100000
END
# Due again before all of them can have run.
job 'due@' <<END
[Job]
Type=sleep
Instances=1..2000
[Schedule]
Every=5ms
[Sleep]
Duration=0
END
job tick <<END
[Job]
Type=sleep
[Schedule]
Every=100ms
[Sleep]
Duration=0
END
job flood <<END
[Job]
Type=worker
[Worker]
Command=/usr/bin/yes '{"n":1}'
END
job drowned <<END
[Job]
Type=sleep
[Schedule]
On=flood.yield
Overlap=parallel
[Sleep]
Duration=0
END
job quiet <<END
[Job]
Type=sleep
[Sleep]
Duration=0
END
job follower <<END
[Job]
Type=sleep
[Schedule]
On=quiet.succeeded
[Sleep]
Duration=0
END
job many <<END
[Job]
Type=group
[Group]
For=1..10000
Run=member
END
job member <<END
[Job]
Type=sleep
[Sleep]
Duration=0
END
start_taktd

# count JOB: runs of it that ended well
count() {
        taktctl --json list "$1" | python3 -c 'import json, sys
print(sum(j["runs"].get("succeeded", 0) for j in json.load(sys.stdin)))'
}
# reached JOB N
reached() {
        [ "$(count "$1")" -ge "$2" ]
}

# Calls are answered, and all jobs get their turns, while something is due at every moment.
eventually "many have run" reached 'due@*' 8000
before=$(count tick)
for i in $(seq 20); do taktctl -q ping || fail "ping $i is not answered"; done
eventually "the job of 100 ms goes on" reached tick $((before + 5))
is "a run by hand" succeeded "$(run_job "r['state']" quiet)"
# Nobody had a second turn while another waited for one, and a turn is a run. The list is made on the way, so that who
# stands further down may have had more.
taktctl --json list 'due@*' >"$dir/jobs"
python3 - "$dir/jobs" <<'END' || fail "some jobs starve"
import json, sys
counts = [j["runs"].get("succeeded", 0) for j in json.load(open(sys.argv[1])) if j["state"] != "template"]
print("runs a job:", min(counts), "to", max(counts))
assert len(counts) == 2000 and min(counts) > 0
most = 0
for count in counts:
    most = max(most, count)
    assert count >= most - 2, (count, most)
END
sed -i 's/^Every=5ms/Every=1h/' "$dir/env/jobs/due@.job"
taktctl -q reload || fail "no reload under load"

# between JOB FROM TO: the most runs of JOB that began between two times of a run, whose fields these expressions of r are
most_between() {
        taktctl runs --json -n 25000 >"$dir/runs"
        python3 - "$dir/runs" "$@" <<'END'
import bisect, json, sys
runs = json.load(open(sys.argv[1]))
other, job, begin, end = sys.argv[2:]
begins = sorted(r["started"] for r in runs if r["job"] == other and r["started"])
of = {r["run"]: r for r in runs}
most = n = 0
for r in runs:
    if r["job"] == job and r["state"] == "succeeded" and eval(begin):
        n += 1
        most = max(most, bisect.bisect_left(begins, eval(end)) - bisect.bisect_right(begins, eval(begin)))
print(most if n > 0 else "none")
END
}
# at_most N WHAT FOUND
at_most() {
        echo "$2: $3"
        [ "$3" != none ] && [ "$3" -le "$1" ] || fail "$2: $3, more than $1"
}

# A flood of events: who has few gets the next turn, whatever waits for another.
flood=$(taktctl run flood)
eventually "it floods" reached drowned 1000
for i in $(seq 10); do taktctl -q run --wait quiet || fail "run $i of quiet"; done
eventually "all were followed" reached follower 11
before=$(count tick)
eventually "the job of 100 ms goes on" reached tick $((before + 3))
taktctl -q cancel "$flood"
# One turn takes 128 events; the worker's pipe and the timers have theirs as well.
at_most 512 "runs of the flood before a follower's" \
        "$(most_between drowned follower "of.get(r.get('causeRun'), {}).get('finished')" "r['started']")"

# A large group: at most some turns of it come before what is due.
group=$(taktctl run many)
for i in $(seq 5); do taktctl -q ping || fail "ping $i is not answered"; done
taktctl -q wait "$group" || fail "the group failed"
is "all members" 10000 "$(count member)"
at_most 1024 "members before a job that was due" "$(most_between member tick "r['scheduled']" "r['started']")"
check_end
