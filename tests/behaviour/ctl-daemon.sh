#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every verb of taktctl against a real daemon: what it does, what it prints as JSON, how it exits.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH" TAKT_LIBEXECDIR="$TAKT_BUILDDIR"
dir=$(mktemp -d)
chmod 755 "$dir"
pids=
cleanup() {
        for pid in $pids; do { kill "$pid"; wait "$pid"; } 2>/dev/null || :; done
        rm -rf "$dir"
}
trap cleanup EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}

# expect STATUS OUTPUT ARG…: taktctl ARG… exits so and prints what matches the pattern
expect() {
        local status=$1 output=$2 found=0
        shift 2
        taktctl "$@" >"$dir/out" 2>"$dir/err" || found=$?
        [ "$found" = "$status" ] || fail "taktctl $*: exit status $found, not $status: $(cat "$dir/out" "$dir/err")"
        # shellcheck disable=SC2254
        case $(cat "$dir/out") in
        $output) ;;
        *) fail "taktctl $*: prints $(cat "$dir/out")" ;;
        esac
}

# is_json EXPRESSION: what was printed last is JSON of which this Python expression is true
is_json() {
        python3 -c 'import json, sys; v = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' \
                "$dir/out" "$1" || fail "not $1: $(cat "$dir/out")"
}

# says PATTERN: and complained so
says() {
        # shellcheck disable=SC2254
        case $(cat "$dir/err") in
        $1) ;;
        *) fail "complains: $(cat "$dir/err")" ;;
        esac
}

# wait_for FILE PATTERN: until the file has a line like this
wait_for() {
        for _ in $(seq 400); do
                grep -qE -- "$2" "$1" 2>/dev/null && return
                sleep 0.05
        done
        fail "no $2 in $1: $(cat "$1")"
}

taktctl -q env create "$dir/env"
export TAKT_ENV=$dir/env
jobs=$TAKT_ENV/jobs

# job NAME: its file, from standard input
job() {
        cat >"$jobs/$1.job"
}
job count <<'JOB'
[Job]
Type=countdown
Description=From three
[Countdown]
From=3
Step=1ms
JOB
mkdir "$jobs/count.job.d"
printf '[Job]\nDescription=From two\n[Countdown]\nFrom=2\n' >"$jobs/count.job.d/two.conf"
job forever <<'JOB'
[Job]
Type=sleep
[Schedule]
Overlap=queue
[Sleep]
Duration=1h
JOB
job nightly <<'JOB'
[Job]
Type=sleep
[Schedule]
OnCalendar=*-*-* 03:00:00 UTC
JOB
job fails <<'JOB'
[Job]
Type=exec
[Exec]
Command=/bin/sh -c "exit 3"
JOB
job greet <<'JOB'
[Job]
Type=exec
Parameter=name:string
Parameter=times:int(1..9)=1
[Exec]
Command=/bin/echo '{"name": "${name}", "times": ${times}}'
Output=json
[Result]
Output=who: $.name
JOB

expect 4 '' ping
says "*no daemon for this environment; start it with: taktd --env $TAKT_ENV"
taktd 2>"$dir/log" &
daemon=$!
pids=$daemon
for _ in $(seq 400); do
        taktctl -q ping 2>/dev/null && break
        kill -0 $daemon 2>/dev/null || { cat "$dir/log"; exit 1; }
        sleep 0.05
done

# --- the daemon ---
expect 0 'The daemon answered in *.' ping
expect 0 '*' info --json
is_json "v['pid'] == $daemon and v['environment'] == {'name': 'env', 'path': '$TAKT_ENV'} and v['jobs']['waiting'] == 1"
expect 0 "*pid: $daemon*MaxRuns: *" info
expect 0 "*environment env*$TAKT_ENV*1 waiting*" status

# --- jobs ---
expect 0 $'count\nfails\nforever\ngreet\nnightly' list --names
expect 0 'JOB *count *idle*From two*nightly *waiting *in *5 jobs.' list
expect 0 'nightly *' list -q -s waiting
expect 0 '*' list --json 'co*' 'ni*'
is_json '[j["job"] for j in v] == ["count", "nightly"] and v[0]["description"] == "From two" and len(v[0]["files"]) == 2'
expect 0 '*' list 'x*' --json
is_json 'v == []'
expect 3 '' list nobody
says '*no job nobody; see: taktctl list or, where it has a file or had runs, taktctl why nobody'
expect 3 '' show cuont
says 'taktctl: no job cuont; did you mean count[?]'
expect 3 '' next ightly
says '*no job ightly; did you mean nightly[?]'
expect 0 '*job=count*kind=countdown*' show count
expect 3 '' show nobody
expect 0 "# $jobs/count.job*From=3*# $jobs/count.job.d/two.conf*From=2" cat count
expect 0 '*' next nightly --json -n 3
is_json 'len(v[0]["times"]) == 3 and all(t.endswith("T03:00:00.000000Z") for t in v[0]["times"])'
expect 0 'NEXT *03:00:00 UTC *in *nightly *OnCalendar=*' next nightly -n 1 --timezone UTC
expect 0 '*nightly*-*' next
expect 3 '' next nobody
expect 0 'nightly is paused.' pause nightly
expect 0 'nightly' list --names --state paused
expect 0 '*"nightly"*' resume --json 'n*'
expect 0 '' list --names --state paused
expect 3 '' pause nobody
expect 0 'No job matches.' pause 'x*'

# --- runs ---
expect 0 'done!' run --wait count
expect 0 'done!' result count
expect 0 '"done!"' result --json count
expect 0 '*' run --wait --json count
is_json 'v["state"] == "succeeded" and v["result"] == "done!" and v["trigger"] == "manual" and v["attempts"] == 1 and v["params"] == {}'
is_json 'sorted(v) == sorted("run job params trigger state scheduled started finished latenessUsec jitterUsec slackUsec durationUsec "
        "attempts result outputs details error startedBy".split())'
expect 0 '{"name":"Ann","times":1}' run --wait greet Ann
expect 0 '{"name":"Bo b","times":3}' run --wait greet -p times=3 -- --name 'Bo b'
expect 0 '*' runs --json -n 1 greet
is_json 'v[0]["outputs"] == {"who": "Bo b"} and v[0]["params"] == {"name": "Bo b", "times": 3}'
expect 2 '' run greet
says '*greet: *name*'
expect 2 '' run greet Ann 10
expect 1 '' run --wait fails
says '*run [0-9]* of fails: failed (exit-status): *'
expect 0 'JOB *fails *idle *failed *1 job.' list --failed
expect 0 '*' list --failed --json
is_json '[j["job"] for j in v] == ["fails"]'
expect 0 '' list --failed --names count greet
expect 0 '' list --failed --names --state waiting
expect 2 '' runs --failed
says '*runs takes no option --failed*'
expect 3 '' run nobody
expect 3 '' run gret
says '*no job gret; did you mean greet[?]'
expect 3 '' run --wait forver
says '*no job forver; did you mean forever[?]'
expect 3 '' result forever
says '*no run of forever has succeeded so far*'
expect 3 '' result 999999
expect 1 '' result "$(taktctl runs --json -n 1 fails | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["run"])')"

first=$(taktctl run forever)
second=$(taktctl run forever)
[ "$first" -lt "$second" ] || fail "run ids do not rise: $first, $second"
expect 0 '*' runs forever --json
is_json "[(r['run'], r['state']) for r in v] == [($second, 'queued'), ($first, 'running')]"
expect 0 "RUN *$first *forever *running *manual *1 run." runs --state running
expect 0 '*forever*running (1 running, 1 queued)*queued *' status forever
expect 1 '' result "$first"
says '*has not ended; wait for it with: taktctl wait*'
expect 1 '' wait "$first" forever --timeout 10ms
says "*still under way after that time: *$first*"
expect 0 "Run $second of forever *" cancel "$second"
expect 1 '' wait "$second"
says "*run $second of forever: cancelled*"
expect 0 "Run $first of forever *" cancel forever
expect 1 '*' wait "$first" "$second" --json
is_json "{r['run']: r['state'] for r in v} == {$first: 'cancelled', $second: 'cancelled'}"
expect 0 "Run $first of forever has ended: cancelled." cancel "$first"
expect 0 'There is no run to cancel.' cancel forever
expect 3 '' cancel 999999
expect 3 '' wait nobody

# ^C cancels the run that is waited for. A background job ignores SIGINT, which taktctl takes all the same.
taktctl run --wait --json forever >"$dir/waiting" 2>/dev/null &
client=$!
for _ in $(seq 400); do
        case $(taktctl runs --json -s running forever) in *'"state":"running"'*) break ;; esac
        sleep 0.05
done
kill -INT $client
status=0
wait $client || status=$?
[ $status = 1 ] || fail "^C: exit status $status"
grep -q '"state":"cancelled"' "$dir/waiting" || fail "^C: $(cat "$dir/waiting")"

# --- watching ---
taktctl watch --json >"$dir/watch.json" 2>/dev/null &
pids="$pids $!"
taktctl watch count -e succeeded -e progress >"$dir/watch" 2>/dev/null &
pids="$pids $!"
wait_for "$dir/watch.json" '"event":"live"'
wait_for "$dir/watch" ' present '
taktctl -q run --wait count >/dev/null
taktctl -q pause nightly >/dev/null
taktctl -q resume nightly >/dev/null
wait_for "$dir/watch.json" '"event":"resumed"'
python3 - "$dir/watch.json" <<'PYTHON' || fail "the events are not as expected: $(cat "$dir/watch.json")"
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
names = [e["event"] for e in events]
live = names.index("live")
assert sorted(e["job"] for e in events[:live]) == ["count", "fails", "forever", "greet", "nightly"], names
assert all(n == "present" for n in names[:live])
of_count = [e for e in events[live:] if e.get("job") == "count"]
assert [e["event"] for e in of_count if e["event"] not in ("queued", "progress")] == ["running", "succeeded"], of_count
assert sum(e["event"] == "progress" for e in of_count) == 2
assert len({e["run"] for e in of_count}) == 1
assert of_count[-1]["data"]["state"] == "succeeded"
assert [e["event"] for e in events if e.get("job") == "nightly"] == ["present", "paused", "resumed"]
seqs = [e["seq"] for e in events[live + 1:]]
assert seqs == sorted(set(seqs)), seqs
PYTHON
wait_for "$dir/watch" ' succeeded .*count run [0-9]+'
[ "$(grep -c progress "$dir/watch")" = 2 ] || fail "watch -e: $(cat "$dir/watch")"

# --- files ---
expect 0 "$jobs/count.job: ok" verify "$jobs/count.job"
expect 0 '' verify -q "$jobs/count.job" "$TAKT_ENV/takt.conf"
printf '[Job]\nType=sleep\nDescripton=x\n' >"$jobs/broken.job"
expect 1 '' verify "$jobs/broken.job"
says "$jobs/broken.job:3:1: *Descripton*Description*"
expect 1 '*' verify --json "$jobs/broken.job" "$jobs/count.job"
is_json "len(v) == 1 and v[0]['file'].endswith('broken.job') and v[0]['line'] == 3 and v[0]['column'] == 1"
expect 1 "$TAKT_ENV/takt.conf: ok*$jobs/count.job: ok*" verify
says "$jobs/broken.job:3:1: *Descripton*Description*"
expect 1 "$jobs/count.job: ok*" verify "$jobs"
expect 2 '' verify "$jobs/none.job"
says "*none.job: No such file or directory*"

expect 1 'Jobs: 0 added, 0 changed, 0 removed, 5 unchanged; 1 file refused.' reload
says "$jobs/broken.job:3:1: *"
expect 0 '*5 jobs.*1 file is refused, see: taktctl verify' list
printf '[Job]\nType=sleep\nDescription=x\n' >"$jobs/broken.job"
rm "$jobs/fails.job"
sed -i 's/03:00/04:00/' "$jobs/nightly.job"
expect 0 'Jobs: 1 added, 1 changed, 1 removed, 3 unchanged.' reload
expect 0 '*04:00:00 UTC*' next nightly --timezone UTC
printf 'no section\n' >"$jobs/nightly.job"
expect 1 '*' reload --json
is_json "v['unchanged'] >= 3 and v['problems'][0]['job'] == 'nightly' and v['problems'][0]['line'] == 1"
expect 0 '*04:00:00 UTC*' next nightly --timezone UTC
cp "$TAKT_ENV/takt.conf" "$dir/takt.conf"
echo '[Nothing]' >>"$TAKT_ENV/takt.conf"
echo 'A=1' >>"$TAKT_ENV/takt.conf"
expect 1 '' reload
says '*takt.conf:*nothing was reloaded'
cp "$dir/takt.conf" "$TAKT_ENV/takt.conf"

# --- who may ---
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
        status=0
        setpriv --reuid=65534 --regid=65534 --clear-groups env "PATH=$PATH" taktctl pause nightly \
                >"$dir/out" 2>"$dir/err" || status=$?
        case $status in
        5) says '*not permitted*' ;;
        126 | 127) ;; # the build tree is not for others to read
        *) fail "somebody else pauses a job: exit status $status: $(cat "$dir/err")" ;;
        esac
fi

# --- the end ---
kill $daemon
wait $daemon || fail "taktd exits with $?: $(cat "$dir/log")"
expect 4 '' ping
exit $failed
