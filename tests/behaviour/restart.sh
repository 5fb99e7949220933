#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands outlive a crash of taktd where a service manager keeps the connection with their helper: here a
# small program does. systemd-restart.sh is the same with the real one.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
mkfifo "$dir/commands"
: >"$dir/log"

# manager WORD: what it answers
manager() {
        rm -f "$dir/answer"
        echo "$1" >"$dir/commands"
        eventually "the manager's answer to $1" test -s "$dir/answer" || exit 1
        answer=$(cat "$dir/answer")
}

store_start() {
        manager start
        taktd_pid=$answer
        eventually "the daemon answers" answers || { cat "$log"; exit 1; }
}

# crash: taktd is killed and started again
crash() {
        kill -KILL "$taktd_pid"
        manager wait
        store_start
}

# of RUN EXPRESSION: of its Run object r
of() {
        runs "[$2 for r in rs if r['run'] == $1][0]"
}

log=$dir/log
python3 "$TAKT_SRCDIR/tests/behaviour/descriptor-store.py" "$dir/notify" "$dir/commands" "$dir/answer" \
        taktd --log-target console >>"$log" 2>&1 &
helper $!

job lines <<'J'
[Job]
Type=exec
[Exec]
Output=lines
Command=/bin/sh -c 'echo one; until test -e "$1"; do sleep 0.05; done; echo two; until test -e "$2"; do sleep 0.05; done; echo three' sh ${env:TAKT_TEST_DIR}/go1 ${env:TAKT_TEST_DIR}/go2
J
job status <<'J'
[Job]
Type=exec
Parameter=text:string=none
[Exec]
Command=/bin/sh -c 'echo "$1"; echo "last words" >&2; while test -e "$2"; do sleep 0.05; done; exit 7' sh ${text} ${env:TAKT_TEST_DIR}/hold
J
job large <<'J'
[Job]
Type=exec
[Exec]
MaxBytes=200000
Command=/bin/sh -c 'head -c 150000 /dev/zero | tr "\\0" x; until test -e "$1"; do sleep 0.05; done; head -c 100000 /dev/zero | tr "\\0" y' sh ${env:TAKT_TEST_DIR}/go2
J
job short <<'J'
[Job]
Type=exec
TimeoutSec=2s
[Exec]
Command=/bin/sleep 1000
J
job stubborn <<'J'
[Job]
Type=exec
Retries=3
RetryDelaySec=1ms
TimeoutSec=1s
[Exec]
KillAfterSec=1min
Command=/bin/sh -c 'trap "" TERM; echo begin >>"$1"; while test -e "$2"; do sleep 0.05; done' sh ${env:TAKT_TEST_DIR}/stubborn ${env:TAKT_TEST_DIR}/hold
J
job gone <<'J'
[Job]
Type=exec
[Exec]
Command=/bin/sh -c 'echo $$$$ >"$1"; exec sleep 1000' sh ${env:TAKT_TEST_DIR}/gone.pid
J
job nap <<'J'
[Job]
Type=sleep
Retries=1
[Sleep]
Duration=1000s
J
export TAKT_TEST_DIR=$dir
sed -i "s|\${env:TAKT_TEST_DIR}|$dir|g" "$dir"/env/jobs/*.job
touch "$dir/hold"
store_start

lines=$(taktctl run lines)
status=$(taktctl run status -p 'text=some text')
large=$(taktctl run large)
gone_run=$(taktctl run gone)
nap=$(taktctl run nap)
eventually "the start" has_run "r['run'] == $lines and r['started']"
started=$(of "$lines" "r['started']")
eventually "the command that will have no job" test -s "$dir/gone.pid"
gone_pid=$(cat "$dir/gone.pid")
rm "$dir/env/jobs/gone.job"

crash
eventually "the runs go on" grep -q "3 runs of the daemon before go on" "$log"
has_run "r['run'] == $lines and r['state'] == 'running'" || fail "run $lines does not go on: $(runs '[(r["run"], r["state"]) for r in rs]')"
eventually "the command without a job is ended" gone "$gone_pid"
grep -q "Run $gone_run of gone, a job that is no more, was lost" "$log" || fail "nothing is said of the run without a job"
eventually "what can't go on is lost" has_run "r['run'] == $nap and r['state'] == 'lost'"
eventually "and tried again" has_run "r['job'] == 'nap' and r['state'] == 'running'"
manager count
is "connections that are kept" 2 "$answer"

# Ends while the daemon is away, and is told of all the same.
touch "$dir/go1"
kill -KILL "$taktd_pid"
manager wait
taktd_pid=
rm "$dir/hold"
touch "$dir/go2"
store_start
for run in $lines $status $large; do
        eventually "the end of run $run" has_run "r['run'] == $run and r['finished']"
done
is "lines" "(['one', 'two', 'three'], 'succeeded', 1)" "$(of "$lines" "(r['result'], r['state'], r['attempts'])")"
is "its start" "$started" "$(of "$lines" "r['started']")"
is "status" "('failed', 'exit-status', {'text': 'some text'})" "$(of "$status" "(r['state'], r['error']['kind'], r['params'])")"
is "large" "(True, 50000)" "$(of "$large" "(r['result'] == 'x' * 150000 + 'y' * 50000, r['details']['droppedBytes'])")"

# Timeouts and cancellation hold across it.
rm "$dir/go1"
short=$(taktctl run short)
lines=$(taktctl run lines)
crash
eventually "the timeout" has_run "r['run'] == $short and r['state'] == 'timeout'"

# One that was cancelled is so still where its time passes while it is being ended, and is not tried again.
touch "$dir/hold"
stubborn=$(taktctl run stubborn)
eventually "it has begun" test -s "$dir/stubborn"
taktctl -q cancel "$stubborn"
sleep 1 # until its time has passed
crash
rm "$dir/hold"
eventually "the end of what was cancelled" has_run "r['run'] == $stubborn and r['state'] == 'cancelled'"
is "its executions" begin "$(cat "$dir/stubborn")"

touch "$dir/go1"
eventually "the last of its lines" has_run "r['run'] == $lines and r['state'] == 'succeeded'"
# The old helpers go when what they had is over.
one_is_kept() {
        manager count
        [ "$answer" = 1 ]
}
eventually "only the connection with the new helper is kept" one_is_kept

# A helper that hangs is given up in a bounded time.
rm -f "$dir/go1" "$dir/go2"
lines=$(taktctl run lines)
old=
for pid in $(children_of "$taktd_pid"); do
        [ "$(cat "/proc/$pid/comm")" = takt-spawn ] && old=$pid
done
kill -STOP "$old"
crash
eventually "its run is lost" has_run "r['run'] == $lines and r['state'] == 'lost'"
grep -q "can't be taken over" "$log" || fail "nothing is said of a helper that hangs"
kill -CONT "$old"
eventually "it ends then" gone "$old"

# Without the store all ends.
lines=$(taktctl run lines)
for pid in $(children_of "$taktd_pid"); do
        [ "$(cat "/proc/$pid/comm")" = takt-spawn ] && old=$pid
done
manager drop
kill -KILL "$taktd_pid"
manager wait
eventually "the helper ends with the last connection" gone "$old"
store_start
eventually "its run is lost" has_run "r['run'] == $lines and r['state'] == 'lost'"

# What can't go on is ended before anything else begins: it is of a group, and deaf. At its end it prints more than a
# pipe holds.
cat >"$dir/deaf.sh" <<'END'
trap 'head -c 200000 /dev/zero; echo term >>"$1"' TERM
echo "begin $$" >>"$1"
while :; do sleep 0.02; echo "alive $$" >>"$1"; done
END
job deaf <<J
[Job]
Type=exec
[Exec]
Command=/bin/sh $dir/deaf.sh $dir/deaf
KillAfterSec=1s
J
job around <<'J'
[Job]
Type=group
Retries=1
[Group]
Run=deaf
J
taktctl -q reload
begins() {
        [ -e "$dir/deaf" ] && [ "$(grep -c begin "$dir/deaf")" -ge "$1" ]
}
lines=$(taktctl run lines)
around=$(taktctl run around)
eventually "the member" begins 1
eventually "the lines" has_run "r['run'] == $lines and r['details']"
kill -KILL "$taktd_pid"
manager wait
manager start
taktd_pid=$answer
eventually "what the daemon waits for" grep -q "still ends the commands of an earlier daemon" "$log"
# What ends in that time is known, too.
touch "$dir/go1" "$dir/go2"
eventually "the member of the next daemon's group" begins 2
has_run "r['run'] == $around and r['state'] == 'lost'" || fail "the group is not lost"
one_after_the_other() {
        python3 - "$dir/deaf" <<'END' || fail "$1 runs beside the one of the daemon before: $(tail -3 "$dir/deaf")"
import sys
now = None
for line in open(sys.argv[1]):
    word, *pid = line.split()
    now = pid if word == "begin" else now
    assert word == "term" or pid == now, line
END
}
one_after_the_other "the member"
eventually "what had no need to be ended" has_run "r['run'] == $lines and r['state'] == 'succeeded'"
rm "$dir/go1" "$dir/go2"
taktctl -q cancel around
eventually "the group ends" has_run "r['job'] == 'around' and r['state'] == 'cancelled'"

# So is what goes by other rules by now, be it the kind of its job or what is done around it, within the time that
# takt-spawn gives to all that it ends: KillAfterSec= may say more.
changing() {
        job changing <<J
[Job]
Type=exec
$1
[Exec]
Command=/bin/sh $dir/deaf.sh $dir/deaf
KillAfterSec=$2
J
}
changes() {
        rm "$dir/deaf"
        changing Retries=1 "${4-1s}"
        taktctl -q reload
        changing=$(taktctl run changing)
        eventually "the first of $2" begins 1
        kill -KILL "$taktd_pid"
        manager wait
        sed -i "$1" "$dir/env/jobs/changing.job"
        store_start
        eventually "the first is lost" has_run "r['run'] == $changing and r['state'] == 'lost'"
        is "commands that were asked to end" 1 "$(grep -c term "$dir/deaf")"
        grep -q "changing: run $changing can't go on: $3" "$log" || fail "it is not said why $2 can't go on"
}
changes 's/^Retries=1/&\nEnter=\/bin\/true/' "a job with Enter=" "the job has Use=, Enter= or Exit= now"
eventually "the next" begins 2
one_after_the_other "the job with Enter="
taktctl -q cancel changing
eventually "the next ends" has_run "r['job'] == 'changing' and r['state'] == 'cancelled'"
changes 's/^KillAfterSec=.*/KillAfterSec=1s\nStartMethod=pool/' "a command of a pool" "the job begins its commands in another way now" 1h
eventually "the next" begins 2
one_after_the_other "the command of the pool"
taktctl -q cancel changing
eventually "the next ends" has_run "r['job'] == 'changing' and r['state'] == 'cancelled'"
changes 's/^Type=.*/Type=sleep/; /^\[Exec/,$d' "a sleep" "the job is of another kind now"
eventually "the sleep in its place" has_run "r['job'] == 'changing' and r['run'] > $changing and r['state'] == 'succeeded'"
is "commands begun" 1 "$(grep -c begin "$dir/deaf")"

# The daemon may die while it waits for that. What it has ended is not gone on with, whatever the job says by then, and
# nothing that was left is forgotten.
rm "$dir/deaf"
changing Retries=1 1h
taktctl -q reload
changing=$(taktctl run changing)
eventually "the first" begins 1
nap=$(taktctl run nap)
kill -KILL "$taktd_pid"
manager wait
changing "Retries=1
Enter=/bin/true" 1h
waits=$(grep -c "still ends the commands of an earlier daemon" "$log")
manager start
taktd_pid=$answer
one_more_waits() {
        [ "$(grep -c "still ends the commands of an earlier daemon" "$log")" -gt "$waits" ]
}
eventually "the daemon waits" one_more_waits
kill -KILL "$taktd_pid"
manager wait
changing Retries=1 1s
store_start
for run in "$changing" "$nap"; do
        has_run "r['run'] == $run and r['state'] == 'lost'" || fail "run $run is not lost"
done
eventually "the next" begins 2
one_after_the_other "what was ended"
taktctl -q cancel changing
eventually "the next ends" has_run "r['job'] == 'changing' and r['run'] > $changing and r['state'] == 'cancelled'"

# Of a run's attempts only the last one goes on. The exit of the first is kept beside it, in a place of its own.
cat >"$dir/flip.sh" <<'END'
echo "$$" >>"$1/flips"
if [ "$(wc -l <"$1/flips")" = 1 ]; then
        until [ -e "$1/other" ]; do sleep 0.02; done
        exit 1
fi
until [ -e "$1/go1" ]; do sleep 0.02; done
END
job flip <<J
[Job]
Type=exec
Retries=3
RetryDelaySec=1s
[Exec]
Command=/bin/sh $dir/flip.sh $dir
J
cat >"$dir/other.sh" <<'END'
echo >"$1/other"
while kill -0 "$(head -1 "$1/flips")" 2>/dev/null; do sleep 0.02; done
END
job other <<J
[Job]
Type=exec
[Exec]
Command=/bin/sh $dir/other.sh $dir
J
taktctl -q reload
flips() {
        [ -e "$dir/flips" ] && [ "$(wc -l <"$dir/flips")" = "$1" ]
}
flip=$(taktctl run flip)
eventually "the first attempt" flips 1
taktctl run other >/dev/null # ends once the first attempt has
eventually "the second attempt" flips 2
crash
touch "$dir/go1"
eventually "the end of the second attempt" has_run "r['run'] == $flip and r['state'] == 'succeeded' and r['attempts'] == 2"
flips 2 || fail "there were $(wc -l <"$dir/flips") attempts"
rm "$dir/go1"

# The helper dies while the daemon waits: what was to go on ends with all its processes, before it is begun again.
cat >"$dir/parent.sh" <<'END'
sleep 1000 &
echo $! >>"$1/children"
wait
END
job parent <<J
[Job]
Type=exec
Retries=1
[Exec]
Command=/bin/sh $dir/parent.sh $dir
J
changing Retries=0 1h
taktctl -q reload
rm "$dir/deaf"
parent=$(taktctl run parent)
taktctl run changing >/dev/null
children() {
        [ -e "$dir/children" ] && [ "$(wc -l <"$dir/children")" = "$1" ]
}
eventually "the parent's child" children 1
eventually "the deaf one" begins 1
for pid in $(children_of "$taktd_pid"); do
        [ "$(cat "/proc/$pid/comm")" = takt-spawn ] && old=$pid
done
kill -KILL "$taktd_pid"
manager wait
rm "$dir/env/jobs/changing.job"
waits=$(grep -c "still ends the commands of an earlier daemon" "$log")
manager start
taktd_pid=$answer
eventually "the daemon waits" one_more_waits
kill -KILL "$old"
eventually "the parent begins again" children 2
eventually "its first child has ended" gone "$(head -1 "$dir/children")"
taktctl -q cancel parent
has_run "r['run'] == $parent and r['state'] == 'lost'" || fail "the parent is not lost"

# A stop ends all, also what an earlier daemon had.
lines=$(taktctl run lines)
crash
has_run "r['run'] == $lines and r['state'] == 'running'" || fail "run $lines does not go on"
kill -TERM "$taktd_pid"
manager wait
is "exit status of taktd" 0 "$answer"
taktd_pid=
none_is_kept() {
        manager count
        [ "$answer" = 0 ]
}
eventually "no connection is left" none_is_kept
grep -q "lines\[$lines\]: cancelled" "$log" || fail "the stop does not cancel run $lines"
echo quit >"$dir/commands"
look_for_sanitizers
check_end
