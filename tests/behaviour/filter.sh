#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Filter=: jq programs on results, in takt-worker; and what those do that never end, grow, pry or die.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

shopt -s extglob
new_environment

# filtered NAME PROGRAM [JOB-LINE [RESULT-LINE]]: a job whose result is the document below
filtered() {
        job "$1" <<JOB
[Job]
Type=exec
$(printf '%b' "${3-}")
[Exec]
Command=echo '{"items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}], "home": "x"}'
Output=json
[Result]
Filter=$2
$(printf '%b' "${4-}")
JOB
}

# run_of NAME: the result, or the kind and message of the error
run_of() {
        # shellcheck disable=SC2016
        field "json.dumps(r['result']) if r['state'] == 'succeeded' else r['state'] + ' ' + r['error']['kind'] + ': ' + r['error']['message']" \
                taktctl run --wait --json "$1"
}

# workers: the pids of takt-worker, but for the one that looked for the jobs' programs at the start
looker=
workers() {
        local spawn pid
        for spawn in $(children_of "$taktd_pid"); do
                for pid in $(children_of "$spawn"); do
                        [ "$pid" != "$looker" ] && grep -q '^takt-worker' "/proc/$pid/comm" 2>/dev/null && echo "$pid"
                done
        done
        return 0
}

filtered one '.items[1].name'
filtered several '.items[] | .n'
filtered none 'empty'
filtered outputs '{total: ([.items[].n] | add), home}' '' 'Output=total: $.total\nOutput=no?: $.items'
filtered missing '.home' '' 'Output=n: $.n'
filtered fails '.items + 1'
filtered broken '.items | }'
filtered environment '[env, $ENV | del(.ASAN_OPTIONS, .LSAN_OPTIONS, .UBSAN_OPTIONS) | length]'
filtered imports 'import "passwd" as $p {search: "/etc"}; $p'
filtered includes 'include "x"; .'
filtered inputs 'input'
filtered halts '"enough" | halt_error'
filtered endless 'def f: f; f' 'TimeoutSec=500ms'
filtered patient 'def f: f; f'
filtered grows '[range(infinite)]' 'TimeoutSec=3s'
filtered chatters 'range(infinite) | "a line of text that goes on and on and on"' 'TimeoutSec=5s'
job published <<JOB
[Job]
Type=exec
[Exec]
Command=echo '{"a": [1, 2]}'
Output=json
[Result]
Filter=.a | add
[Publish]
File=$dir/sum
JOB
job counted <<'JOB'
[Job]
Type=countdown
[Countdown]
From=1
Step=10ms
[Result]
Filter=ascii_upcase
Output=word: $
JOB

# Before anything runs.
is "a program that is none" "1 broken.job:8: syntax error" "$(
        taktctl verify "$dir/env/jobs/broken.job" 2>&1 | sed -n 's/.*\(broken.job:[0-9]*\):[0-9]*: Filter=: \(syntax error\).*/1 \1: \2/p')"
is "good ones are good" 0 "$(taktctl -q verify "$dir/env/jobs/one.job" "$dir/env/jobs/outputs.job" >/dev/null 2>&1; echo $?)"
printf '[Job]\nType=worker\n[Worker]\nCommand=cat\n[Result]\nFilter=.\n' >"$dir/values.job"
like "a worker's values are not filtered" "*values.job:6:*Filter=*not for a worker*" "$(taktctl verify "$dir/values.job" 2>&1)"

start_taktd
has_looked() {
        [ "$(field '[(p["name"], p["answers"]) for p in r["pools"]]' taktctl info --json)" = "[('takt-worker (files)', 1)]" ]
}
eventually "the look for programs, which is all that was asked" has_looked || :
looker=$(workers)
is "nobody asked for another" "" "$(workers)"
is "one value" '"b"' "$(run_of one)"
# The sanitizer takes more address space than there is: it counts what is resident itself.
expected=1073741824
if grep -q __asan_init "$TAKT_BUILDDIR/takt-worker"; then expected=unlimited; fi
is "its memory is limited" "$expected" "$(awk '/^Max address space/ { print $4 }' "/proc/$(workers)/limits")"
is "several" '[1, 2]' "$(run_of several)"
is "none" null "$(run_of none)"
is "outputs are those of what the filter gave" '{"total": 3, "no": null}' \
        "$(field "json.dumps(r['outputs'])" taktctl run --wait --json outputs)"
like "an output that is missing" 'failed output-missing: *' "$(run_of missing)"
like "a program that fails" 'failed filter: Filter=: array (*) and number (1) cannot be added' "$(run_of fails)"
like "a program that is none" 'failed filter: Filter=: syntax error*line 1' "$(run_of broken)"
is "the environment is empty" '[0, 0]' "$(run_of environment)"
like "no file is read" 'failed filter: Filter=: module not found: passwd*' "$(run_of imports)"
like "nor included" 'failed filter: Filter=: module not found: x*' "$(run_of includes)"
like "there is no other input" 'failed filter: *' "$(run_of inputs)"
is "a program that halts with an error" 'failed filter: Filter=: enough' "$(run_of halts)"
is "the published file is what the filter gave" "succeeded 3" "$(field "r['state']" taktctl run --wait --json published) $(cat "$dir/sum")"
is "the result of any kind" '"DONE!"' "$(run_of counted)"

# One that never ends is ended alone.
before=$(workers)
like "it ends by TimeoutSec=" "timeout timeout: no end within 500ms*" "$(run_of endless)"
eventually "its process is gone" gone "${before%% *}"
is "the next one goes on" '"b"' "$(run_of one)"

# So it is by a cancel, and nobody waits for it meanwhile.
id=$(taktctl run --json patient | python3 -c 'import json, sys; print(json.load(sys.stdin)["run"])')
is "others go on beside it" '"b"' "$(run_of one)"
busy() {
        local pid
        for pid in $(workers); do
                [ "$(awk '{ print $14 }' "/proc/$pid/stat")" -gt 5 ] && [ "$(awk '{ print $3 }' "/proc/$pid/stat")" = R ] && victim=$pid && return 0
        done
        return 1
}
eventually "it is at work" busy
taktctl -q cancel "$id"
is "it was cancelled" cancelled "$(field "r[0]['state']" taktctl wait --json "$id")"

# Killed in the middle.
id=$(taktctl run --json patient | python3 -c 'import json, sys; print(json.load(sys.stdin)["run"])')
eventually "the next is at work" busy
kill -KILL "$victim"
is "its run knows" "failed filter" "$(field "r[0]['state'] + ' ' + r[0]['error']['kind']" taktctl wait --json "$id")"
is "and the next one goes on" '"b"' "$(run_of one)"

# Memory without end, and text without end.
like "one that grows" "@(failed @(filter|memory)|timeout timeout): *" "$(run_of grows)" 2>/dev/null
like "one that says too much" "@(failed too-large|timeout timeout): *" "$(run_of chatters)"
is "the daemon is well" '"b"' "$(run_of one)"
stop_taktd
check_end
