#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Several names, some of which are not there: what can be done is done, each of the others has a line of its own on
# standard error, and the exit status is 3. Any client of Varlink gets as much.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
for name in long other; do
        job $name <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=1h'
done
job short <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=0'
start_taktd

# gives STATUS PATTERN ARG…: taktctl exits so and prints so; standard error is in $dir/err
gives() {
        local status=$1 pattern=$2 found=0
        shift 2
        taktctl "$@" >"$dir/out" 2>"$dir/err" || found=$?
        is "exit status of taktctl $*" "$status" $found
        like "taktctl $*" "$pattern" "$(cat "$dir/out")"
}
# misses WORD…: what was called last told of each of these, once, and of nothing else
misses() {
        local word
        for word; do
                is "lines about $word" 1 "$(grep -cE "no (job|run) ${word}([;, ]|$)" "$dir/err" || :)"
        done
        is "lines of complaint" $# "$(wc -l <"$dir/err")"
}
# is_json EXPRESSION: what was printed last is JSON of which this is true
is_json() {
        python3 -c 'import json, sys; v = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' \
                "$dir/out" "$1" || fail "not $1: $(cat "$dir/out")"
}

long=$(taktctl run long)
short=$(taktctl run short)
huge=123456789012345678901234567890

gives 3 '*long *short *2 jobs.' list long nosuch short none
misses none nosuch
gives 3 '*' --json list long nosuch short none nosuch
misses none nosuch
is_json '[j["job"] for j in v] == ["long", "short"]'
gives 3 '*short *1 job.' list nosuch 's*'
misses nosuch
gives 0 '*short *1 job.' list 's*' 'x*'
misses
gives 3 '' list nosuch none
misses none nosuch
gives 3 '*job=long*' show long nosuch
misses nosuch
gives 3 '*' --json show nosuch long
is_json '[j["job"] for j in v] == ["long"]'
gives 3 '*# *short.job*' cat short nosuch
misses nosuch
gives 3 '*● short*Runs: 1 succeeded*' status -n 0 short nosuch
misses nosuch
gives 3 '*' --json status short nosuch
is_json '[j["job"] for j in v] == ["short"]'
gives 3 '*short*' next short nosuch none
misses none nosuch
gives 3 '*' --json next short nosuch
is_json '[j["job"] for j in v] == ["short"]'
gives 3 '*1 run.' runs short nosuch
misses nosuch
gives 3 '*' --json runs short nosuch
is_json "[r['run'] for r in v] == [$short]"
gives 3 'short is paused.' pause nosuch short
misses nosuch
gives 3 '\["short"\]' --json resume short nosuch
misses nosuch
gives 3 '' pause nosuch none
misses none nosuch

# Who takes one name takes no pattern, not even one that matches.
for call in why result run "send -q"; do
        for pattern in 's*' 'shor?' '[s]hort' 'x*'; do
                # shellcheck disable=SC2086
                gives 2 '' $call "$pattern"
                like "$call $pattern" "*takes *no pattern*" "$(cat "$dir/err")"
        done
done
# A pattern that matches nothing is no error of any verb, and hides none of another.
for verb in list status show cat next runs wait cancel pause resume simulate; do
        gives 0 '*' $verb 'x*' 'y?'
        misses
        gives 0 '*' --json $verb 'x*'
        misses
        gives 3 '*' -q $verb 'x*' nosuch
        misses nosuch
done
for verb in pause resume show cat next 'status -n 0'; do
        # shellcheck disable=SC2086
        gives 0 'No job matches.' $verb 'x*'
done
gives 0 'There is no run to cancel.' cancel 'x*'
gives 0 'There is no run to wait for.' wait 'x*'
gives 0 '' -q resume 'x*'
taktctl watch 'x*' >"$dir/watched" 2>"$dir/complaints" &
watcher=$!
helper $watcher
# Each reload adds or removes one, until the watcher is there to see it.
comes() {
        if [ -e "$dir/env/jobs/xenon.job" ]; then rm "$dir/env/jobs/xenon.job"; else cp "$dir/env/jobs/short.job" "$dir/env/jobs/xenon.job"; fi
        taktctl -q reload
        grep -q xenon "$dir/watched"
}
eventually "who watches a pattern sees what comes" comes
rm -f "$dir/env/jobs/xenon.job"
taktctl -q reload
is "complaints about a pattern" "" "$(cat "$dir/complaints")"

# Names that nearly are one's are told that; a name that is close to nothing is not.
gives 3 '*short *1 job.' list short lnog nosuch
like "the job that was meant" '*no job lnog; did you mean long[?]*' "$(cat "$dir/err")"
misses lnog nosuch

gives 3 "Run $short of short: succeeded." wait nosuch 4711 "$short" $huge
misses nosuch 4711 $huge
gives 3 '*' --json wait "$short" 4711
misses 4711
is_json "[r['run'] for r in v] == [$short]"
gives 3 '' wait 4711 nosuch
misses 4711 nosuch
# Who waits for long is told at once.
taktctl wait 4711 "$long" nosuch >"$dir/waited" 2>"$dir/complaints" &
waiter=$!
helper $waiter
told() {
        grep -q 'no run 4711' "$dir/complaints" && grep -q 'no job nosuch' "$dir/complaints"
}
eventually "both are told of while it waits" told
gone $waiter && fail "it does not wait"

gives 3 "*Run $long of long *" cancel nosuch "$short" 4711 long $huge 4712
misses nosuch 4711 4712 $huge
like "what had ended" "*Run $short of short has ended*" "$(cat "$dir/out")"
status=0
wait $waiter || status=$?
is "exit status of who waited" 3 $status
like "how the run ended" "*run $long of long: cancelled*" "$(cat "$dir/complaints")"
gives 3 '' cancel 4711 4712 nosuch
misses 4711 4712 nosuch
gives 3 '' cancel $huge
misses $huge
other=$(taktctl run other)
gives 3 '*' --json cancel other nosuch
is_json "[r['run'] for r in v] == [$other]"

gives 3 '*' --json gather --errors keep short nosuch 'nosuch 3'
misses nosuch
is_json 'v["state"] == "succeeded" and v["details"]["failed"] == 2'

# A watcher sees what is there, and what comes under a name that was not.
taktctl watch long nosuch >"$dir/watched" 2>"$dir/complaints" &
helper $!
watched() {
        grep -q "$1" "$dir/watched"
}
eventually "the job that is there" watched 'present *long'
like "the one that is not" '*no job nosuch*' "$(cat "$dir/complaints")"
job nosuch <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=0'
taktctl -q reload
eventually "the job that came" watched 'added *nosuch'
rm "$dir/env/jobs/nosuch.job"
taktctl -q reload
gives 3 '' watch nosuch none
misses none nosuch

gives 3 '*1 jobs,*' simulate short nosuch
misses nosuch
gives 2 '*1 jobs,*' simulate short ./nothing.job
gives 3 '' simulate nosuch none
misses none nosuch
gives 2 '*short.job: ok' verify "$dir/nothing.job" "$dir/env/jobs/short.job"

# A template is no job to hold back or to cancel, and what its pattern stands for are its instances.
job room@ <<<$'[Job]\nType=sleep\nInstances=a b\n[Schedule]\nOnCalendar=daily'
job bare@ <<<$'[Job]\nType=sleep'
taktctl -q reload
for verb in pause resume cancel; do
        for name in room@ bare@ nosuch@; do
                gives 3 '' $verb $name
                like "$verb of $name" "*$name names no job: a template does not run itself*" "$(cat "$dir/err")"
        done
        gives 3 '*' $verb room@ short
        is "complaints of $verb about one of two" 1 "$(wc -l <"$dir/err")"
done
gives 0 $'room@a is paused.\nroom@b is paused.' pause 'room@*'
is "what is paused" "room@a room@b " "$(taktctl list --state paused --names | tr '\n' ' ')"
gives 0 'No job matches.' pause 'bare@*'
gives 0 $'room@a is going on.\nroom@b is going on.' resume 'room@*'
gives 3 '' list 4711
like "a number" '*no job 4711; a number is the id of a run, see: taktctl list, or taktctl runs' "$(cat "$dir/err")"

# What was removed is told apart from what never was.
taktctl -q run other >/dev/null
mv "$dir/env/jobs/other.job" "$dir/other.kept"
taktctl -q reload
for verb in run pause resume; do
        gives 3 '' $verb other
        like "$verb of a removed job" '*other was removed, only its runs under way go on; see: taktctl why other' "$(cat "$dir/err")"
done
mv "$dir/other.kept" "$dir/env/jobs/other.job"
taktctl -q reload

gives 2 '' verify short
is "verify of a job's name" "taktctl: there is no file short; to check a job, name its file, such as jobs/short.job" "$(cat "$dir/err")"

# The job of a run is called otherwise by now.
gives 0 '*' run short
again=$(cat "$dir/out")
eventually "it ended" taktctl -q wait "$again"
mv "$dir/env/jobs/short.job" "$dir/env/jobs/brief.job"
taktctl -q reload
gives 3 '' run --again "$again"
is "a run of a job that was renamed" "taktctl: that run was one of short, a job which is not there any more; see: taktctl list" "$(cat "$dir/err")"
mv "$dir/env/jobs/brief.job" "$dir/env/jobs/short.job"
taktctl -q reload

# Who asks why is not told to ask so; nor is one who asks for the run of a job that has another one.
gives 3 '' why zzyzx
like "why of nothing" '*no job zzyzx, and neither a file nor a run of one; see: taktctl list' "$(cat "$dir/err")"
gives 3 '' why shrot
like "why of nearly a name" '*no job shrot; did you mean short[?]' "$(cat "$dir/err")"
gives 3 '' why short --run "$long"
like "why of another job's run" "*run $long is one of long, not of short" "$(cat "$dir/err")"
gives 0 "*$short *due *started by hand*$short *succeeded *" why "$short"
is "why of a run" "[$short]" "$(field 'sorted({d["run"] for d in r["decisions"]})' taktctl --json why "$short")"

python3 - "$dir/env/run" "$long" <<'PYTHON' || fail "the answers, see above"
import json, os, socket, sys

os.chdir(sys.argv[1])
LONG = int(sys.argv[2])
client = socket.socket(socket.AF_UNIX)
client.settimeout(60)
client.connect("takt.sock")
data = b""


def call(method, more=False, **parameters):
    """The replies to a call"""
    global data
    client.sendall(json.dumps({"method": method, "more": more, "parameters": parameters}).encode() + b"\0")
    replies = []
    while not replies or replies[-1].get("continues"):
        while b"\0" not in data:
            data += client.recv(65536) or sys.exit("closed")
        message, data = data.split(b"\0", 1)
        replies.append(json.loads(message))
    return replies


def whole(replies, key):
    """The lists of all replies, and the parameters of the last one"""
    return [x for r in replies for x in r["parameters"].get(key, [])], replies[-1]["parameters"]


for more in False, True:
    jobs, last = whole(call("io.takt.Jobs.List", more, jobs=["none", "short", "nosuch"]), "jobs")
    assert [j["job"] for j in jobs] == ["short"] and last["unknown"] == ["none", "nosuch"], last
    jobs, last = whole(call("io.takt.Jobs.List", more, jobs=["short", "x*"]), "jobs")
    assert [j["job"] for j in jobs] == ["short"] and "unknown" not in last, last
    jobs, last = whole(call("io.takt.Jobs.List", more, jobs=["none", "x*"]), "jobs")
    assert jobs == [] and last["unknown"] == ["none"], last
    jobs, last = whole(call("io.takt.Jobs.Pause", more, jobs=["none", "short"]), "jobs")
    assert jobs == ["short"] and last["unknown"] == ["none"], last
    jobs, last = whole(call("io.takt.Jobs.Resume", more, jobs=["none", "short"]), "jobs")
    assert jobs == ["short"] and last["unknown"] == ["none"], last
    runs, last = whole(call("io.takt.Runs.Cancel", more, runs=[LONG, 4711], jobs=["short", "none"]), "runs")
    assert [r["run"] for r in runs] == [LONG] and last["unknownRuns"] == [4711] and last["unknown"] == ["none"], last
    replies = call("io.takt.Runs.Wait", more, runs=[4711, LONG, 4712])
    runs, last = whole(replies, "runs")
    assert [r["run"] for r in runs] == [LONG] and replies[0]["parameters"]["unknownRuns"] == [4711, 4712], replies
    for method in "Jobs.List", "Jobs.Cat", "Jobs.Pause", "Jobs.Resume", "Runs.List", "Runs.Cancel":
        reply = call("io.takt." + method, more, jobs=["nosuch", "none", "none"])[-1]
        assert reply["error"] == "io.takt.Jobs.NoSuchJob", reply
        assert reply["parameters"] == {"job": "none", "unknown": ["none", "nosuch"]}, reply
    reply = call("io.takt.Runs.Cancel", more, runs=[4711, 4712], jobs=["none"])[-1]
    assert reply["error"] == "io.takt.Runs.NoSuchRun", reply
    assert reply["parameters"] == {"run": 4711, "unknown": ["none"], "unknownRuns": [4711, 4712]}, reply
    reply = call("io.takt.Runs.Wait", more, runs=[4711])[-1]
    assert reply["error"] == "io.takt.Runs.NoSuchRun" and reply["parameters"]["run"] == 4711, reply

for method, parameters in ("Get", {"run": 0}), ("Wait", {"runs": [0]}), ("Cancel", {"runs": [0]}), ("Send", {"run": 0}):
    reply = call("io.takt.Runs." + method, **parameters)[0]
    assert reply["error"] == "io.takt.Runs.NoSuchRun", reply
reply = call("io.takt.Jobs.Explain", job="short", run=0)[0]
assert reply["error"] == "io.takt.Runs.NoSuchRun", reply

# Of very many names, each is looked for; with those that are there, all that are not are told.
names = ["n%d" % i for i in range(50000)]
jobs, last = whole(call("io.takt.Jobs.List", True, jobs=names + ["short"]), "jobs")
assert len(jobs) == 1 and last["unknown"] == sorted(names), len(last.get("unknown", []))

reply = call("io.takt.Runs.Start", job="long")[0]
run = reply["parameters"]["run"]["run"]
reply = call("io.takt.Runs.Wait", runs=[run, 4711], timeoutUsec=0)[0]
assert reply["error"] == "io.takt.Runs.TimedOut", reply
assert reply["parameters"] == {"runs": [run], "unknownRuns": [4711]}, reply

# What can't be an id is refused, whoever takes one, and the answer names it.
for wrong in -1, -2**63, 2**63, 2**64, -2**64, 10**30, 1.5, "1", True, [1], {}:
    for method, parameter, parameters in (
            ("Runs.Get", "run", {"run": wrong}),
            ("Runs.Start", "again", {"again": wrong}),
            ("Runs.Send", "run", {"run": wrong}),
            ("Runs.List", "before", {"before": wrong}),
            ("Runs.List", "parent", {"parent": wrong}),
            ("Runs.Wait", "runs[1]", {"runs": [run, wrong]}),
            ("Runs.Cancel", "runs[0]", {"runs": [wrong, run]}),
            ("Jobs.Explain", "run", {"job": "short", "run": wrong})):
        reply = call("io.takt." + method, **parameters)[0]
        assert reply.get("error") == "org.varlink.service.InvalidParameter", (method, wrong, reply)
        assert reply["parameters"]["parameter"].split(".")[-1] == parameter, (method, wrong, reply)
reply = call("io.takt.Runs.Get", run=2**63 - 1)[0]
assert reply == {"error": "io.takt.Runs.NoSuchRun", "parameters": {"run": 2**63 - 1, "unknownRuns": [2**63 - 1]}}, reply
reply = call("io.takt.Runs.Get", run=run)[0]
assert reply["parameters"]["run"]["state"] == "running", reply

client.sendall(b'{"method":"io.takt.Runs.Watch","more":true,"parameters":{"jobs":["nosuch","short"],"events":["failed"]}}\0')
seen = []
while "live" not in seen:
    while b"\0" not in data:
        data += client.recv(65536) or sys.exit("closed")
    message, data = data.split(b"\0", 1)
    event = json.loads(message)["parameters"]["event"]
    seen.append(event["event"])
    assert event["event"] != "unknown" or event["job"] == "nosuch", event
assert seen == ["unknown", "present", "live"], seen
PYTHON

# A run that there was, and one that there never was.
job short <<<$'[Job]\nType=exec\n[Exec]\nCommand=false'
stop_taktd
start_taktd
forgotten="*no run $long any more: ended runs are kept until the daemon ends, and as many as KeepRuns= and KeepRunsTotal= allow*"
never='*no run 4711 is known; see: taktctl runs'
for call in "why" "why short --run" "result" "wait" "cancel" "run --again" "send -q"; do
        # shellcheck disable=SC2086
        gives 3 '' $call "$long" $([ "$call" = "send -q" ] && echo x)
        like "$call of a run that was" "$forgotten" "$(cat "$dir/err")"
        # shellcheck disable=SC2086
        gives 3 '' $call 4711 $([ "$call" = "send -q" ] && echo x)
        like "$call of a run that never was" "$never" "$(cat "$dir/err")"
done
gives 3 '' wait 4711 "$long" "$huge"
misses 4711 "$long any more:" "$huge"

# A job that is gone, whose runs are kept.
taktctl -q run --wait short 2>"$dir/err" && fail "it did not fail"
rm "$dir/env/jobs/short.job"
taktctl -q reload
gives 0 '*short *failed *1 run.' runs short
gives 3 '' result short
like "no result of a job that is gone" '*no run of short has succeeded so far, or none is kept; see: taktctl runs short' "$(cat "$dir/err")"
gives 3 '' status short
like "a job that is gone" '*no job short; *or had runs, taktctl why short' "$(cat "$dir/err")"
gives 0 '*failed *removed *' why short
check_end
