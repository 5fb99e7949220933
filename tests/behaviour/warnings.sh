#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is legal and surely not meant is a warning with its place: of verify, of the start, of a reload, in status and why.
# The job is loaded all the same.
# shellcheck disable=SC2016
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
jobs=$dir/env/jobs

plain() {
        printf '[Job]\nType=sleep\n%b[Sleep]\nDuration=0\n' "${2:-}" | job "$1"
}
# runs_command NAME COMMAND [LINES]
runs_command() {
        printf '[Job]\nType=exec\n[Exec]\nCommand=%s\n%b' "$2" "${3:-}" | job "$1"
}
# group NAME MEMBER…
group() {
        local name=$1
        shift
        { printf '[Job]\nType=group\n[Group]\n'; printf 'Run=%s\n' "$@"; } | job "$name"
}

plain backup
plain download
runs_command dev@ 'echo %i'
printf '[Job]\nType=sleep\nInstances=1..3 x\n' | job named@
runs_command linked@ 'echo hello' 'Nice=%i\n'
ln -s linked@.job "$jobs/linked@3.job"
mkdir -p "$dir/env/bin"
printf '#!/bin/sh\n' >"$dir/env/bin/tool"
chmod +x "$dir/env/bin/tool"
echo text >"$dir/env/bin/plain"

# --- what must not be warned of ---
plain fine1 '[Schedule]\nOn=backup.failed|succeeded\nOn=back*.ended\nOn=dev@7.failed\nOn=dev@[1-3]*.failed\nOn=linked@3.failed\nOn=named@x.failed\nOn=named@2.failed\nAt=2099-01-01\n'
group fine2 download dev@9 linked@3 fine1
runs_command fine3 tool
runs_command fine4 bin/tool 'StartMethod=pool\n'
runs_command fine5 '${env:HOME}/nothing'
runs_command fine6 nothing 'EnvironmentFile=-none\n'
runs_command fine7 nothing 'Environment=PATH=${env:PATH}:/somewhere\n'
runs_command fine8 tool2 "Environment=PATH=$dir/tools\\n"
mkdir "$dir/tools"
cp "$dir/env/bin/tool" "$dir/tools/tool2"
runs_command fine9 'true ${credential:none:-x} ${env:NONE:-y}' "WorkingDirectory=$dir/tools\\n"
status=0
taktctl verify "$dir/env" >"$dir/out" 2>"$dir/err" || status=$?
is "exit status of verify" 0 "$status"
is "warnings of what is there" "" "$(cat "$dir/err")"
like "every file is well" "*fine9.job: ok*" "$(cat "$dir/out")"

# --- what is ---
expected=$dir/expected
: >"$expected"
# bad NAME PLACE MESSAGE: what was just made is warned of so
bad() {
        echo "$jobs/$1.job:$2: warning: $3" >>"$expected"
}
plain on1 '[Schedule]\nOn=bakcup.failed\n'
bad on1 4:4 'On=: there is no job bakcup; did you mean backup?'
plain on2 '[Schedule]\nOn=\\\n  nosuch*.failed\n'
bad on2 5:3 'On=: no job matches nosuch*'
plain on3 '[Schedule]\nOn=dev@.failed\n'
bad on3 4:4 'On=: dev@ is a template, which does not run itself; say dev@*'
plain on4 '[Schedule]\nOn=backup.stale|fresh\nOn=backup.retrying\nOn=backup.changed\nOn=backup.missed\nOn=on4.failed|stale\n'
bad on4 4:4 "On=: backup never has the event stale|fresh, as its kind, with the keys that it has, tells none"
bad on4 5:4 'On=: backup never has the event retrying, as it has no Retries='
bad on4 6:4 'On=: backup never has the event changed, as it has no Output='
bad on4 7:4 'On=: backup never has the event missed, as it has no schedule'
plain on5 '[Schedule]\nOn=dve@7.failed\nOn=linked@4.failed\nOn=named@22.failed\nOn=naemd@x.failed\n'
bad on5 4:4 'On=: there is no job dve@7; did you mean dev@7?'
bad on5 5:4 'On=: there is no job linked@4; did you mean linked@3?'
bad on5 6:4 'On=: there is no job named@22'
bad on5 7:4 'On=: there is no job naemd@x; did you mean named@x?'
group run1 download downlod
bad run1 5:5 'Run=: there is no job downlod; did you mean download?'
group run2 dev@
bad run2 4:5 'Run=: dev@ is a template, which does not run itself; say dev@X for its instance X'
runs_command program1 echoo
bad program1 4:9 'Command=: there is no program echoo on PATH; did you mean echo?'
runs_command program2 bin/tol
bad program2 4:9 'Command=: there is no program bin/tol; did you mean bin/tool?'
runs_command program3 "$dir/env/bin/plain x" 'StartMethod=pool\n'
bad program3 4:9 "Command=: $dir/env/bin/plain is not executable"
runs_command program4 /usr/bin
bad program4 4:9 'Command=: /usr/bin is a directory'
runs_command program5 tool "Environment=PATH=$dir/tools\\n"
bad program5 4:9 'Command=: there is no program tool on PATH; did you mean tool2?'
runs_command program6 ./tool2 "WorkingDirectory=$dir/tolls\\n"
bad program6 4:9 'Command=: there is no program ./tool2'
bad program6 5:18 "WorkingDirectory=: there is no directory $dir/tolls; did you mean $dir/tools?"
runs_command program7 /nonexistent/program 'StartMethod=unit\nUser=rooot\n'
bad program7 4:9 'Command=: there is no program /nonexistent/program'
bad program7 6:6 'User=: there is no user rooot; did you mean root?'
printf '[Job]\nType=worker\n[Worker]\nCommand=/nonexistent/worker\nEnvironmentFile=tools.env\n' | job worker
bad worker 4:9 'Command=: there is no program /nonexistent/worker'
bad worker 5:17 'EnvironmentFile=: there is no file tools.env'
plain around 'Enter=/nonexistent/enter\nExit=zqxwvkjy ${env:HOME}\n'
bad around 3:7 'Enter=: there is no program /nonexistent/enter'
bad around 4:6 'Exit=: there is no program zqxwvkjy on PATH'
printf '[Job]\nType=blink\n[Blink]\nLed=nosuch::led\n' | job led
bad led 4:5 'Led=: there is no LED nosuch::led'
printf '[Job]\nType=sensor\n[Sensor]\nDriver=file\nPath=/nonexistent/temp\n' | job sensor
bad sensor 5:6 'Path=: there is no file /nonexistent/temp'
printf '[Job]\nType=http\n[Http]\nUrl=https://localhost:1/\nCaFile=/nonexistent/ca.pem\n' | job http
bad http 5:8 'CaFile=: there is no file /nonexistent/ca.pem'
plain past1 '[Schedule]\nAt=2020-01-01 10:00\nAt=2099-01-01\nAt=2021-01-01\n'
bad past1 4:4 'At=: this time has gone by'
bad past1 6:4 'At=: this time has gone by'
plain past2 '[Schedule]\nOnCalendar=2020-01-01\n'
bad past2 4:12 'OnCalendar=: every time in this schedule has passed'
plain past3 '[Schedule]\nEvery=1h\nUntil=2020-01-01\n'
bad past3 5:7 'Until=: the time in Until= has passed'
plain idle '[Schedule]\nCount=3\nOn=backup.failed\n'
bad idle 4:7 'Count=: does nothing, as no key of [Schedule] says at which times the job runs'
plain idle2 '[Schedule]\nOn=backup.failed\nMaxParallel=2\nOverlap=parallel\n'
mkdir "$jobs/idle2.job.d"
printf '[Schedule]\nOverlap=queue\nRandomizedDelaySec=1s\n' >"$jobs/idle2.job.d/x.conf"
bad idle2 5:13 "MaxParallel=: does nothing, as Overlap= is not parallel (Overlap= is set in $jobs/idle2.job.d/x.conf:2)"
bad idle2 3:20 'RandomizedDelaySec=: does nothing, as no key of [Schedule] says at which times the job runs'
sed -i 's|idle2.job:3:20|idle2.job.d/x.conf:3:20|' "$expected"
runs_command member 'echo ${event:reslut}' '[Schedule]\nOn=backup.failed\n'
bad member 4:14 'Command=: ${event:reslut}: events have no member reslut; did you mean result?'
printf '[Job]\nType=sleep\n[Publish]\nFile=nowhere/file.json\n[Sleep]\nDuration=0\n' | job publish
bad publish 4:6 'File=: there is no directory nowhere'
printf '[Resource:bus]\nEnter=/nonexistent/bus\n' >>"$dir/env/takt.conf"
conf_line=$(grep -n '^Enter=' "$dir/env/takt.conf" | cut -d: -f1)
echo "$dir/env/takt.conf:$conf_line:7: warning: Enter=: there is no program /nonexistent/bus" >>"$expected"
# What its own text shows.
printf '[Job]\nType=sleep\nParameter=city:string\nParameter=n:int=3\n[Schedule]\nAt=2099-01-01\n[Sleep]\nDuration=0\n' | job params1
bad params1 3:11 'Parameter=: city has no default, so each run that [Schedule] starts fails; say city:string=DEFAULT'
printf '[Job]\nType=sleep\nParameter=event:json\nParameter=x:json\n[Schedule]\nOn=backup.failed\n[Sleep]\nDuration=0\n' | job params2
bad params2 4:11 'Parameter=: x has no default, so each run that [Schedule] starts fails; say x:json=DEFAULT'
plain twice '[Schedule]\nOn=backup.failed\nOn=download.failed|timeout\nTimeoutSec=1\nOn=backup.lost|failed\nOn=backup.lost\n'
sed -i '/^TimeoutSec/d; s/^Type=sleep/&\nTimeoutSec=1/' "$jobs/twice.job"
sed -i 's/^\[Job\]/&\nRetries=0/' "$jobs/download.job"
sed -i 's/^Type=sleep/&\nTimeoutSec=5/' "$jobs/download.job"
bad twice 7:4 'On=: backup.lost|failed stands in an earlier On= already, and starts one run only'
bad twice 8:4 'On=: backup.lost stands in an earlier On= already, and starts one run only'
printf '[Job]\nType=sleep\nRetries=2\nRetryDelaySec=10min\n[Sleep]\nDuration=0\n' | job delays1
bad delays1 4:15 'RetryDelaySec=: it is more than RetryMaxDelaySec=, and so is cut to 5min'
condition() {
        printf '[Job]\nType=exec\nParameter=city:string=x\nCondition=%s\n[Result]\nOutput=total: $.total\n[Exec]\nCommand=true\n' "$2" | job "$1"
}
condition condition1 '@.params.ctiy == "a"'
bad condition1 4:20 'Condition=: the job has no Parameter= ctiy; did you mean city?'
condition condition2 '@.event.sttae == "@.nothing" && @.lst.x'
bad condition2 4:19 'Condition=: events have no member sttae; did you mean state?'
bad condition2 4:45 'Condition=: a condition is asked about trigger, params, event and last, and there is no lst; did you mean last?'
condition condition3 '@.last.totl > 3 || @.trigger == "manual"'
bad condition3 4:18 'Condition=: the job has no Output= totl; did you mean total?'
condition condition4 '@.params.city == "x" && @.last.total > 1 && @.event.state == "failed" && @.event.data[?@.other == 1] && @.params.event.job'
printf '[Job]\nType=sleep\nParameter=city:string\nParameter=days:int(1..5)=1\n[Sleep]\nDuration=0\n' | job weather
group arguments1 'weather --ctiy=Kyiv' 'weather Kyiv 7' 'weather' 'weather Kyiv 2 3' 'weather --city Kyiv --days=2'
bad arguments1 4:5 'Run=: weather has no parameter ctiy; did you mean city?'
bad arguments1 5:5 'Run=: weather: parameter '"'days': '7'"' is not a whole number from 1 to 5'
bad arguments1 6:5 'Run=: weather: parameter '"'city'"' is missing'
bad arguments1 7:5 'Run=: weather: surplus argument '"'3'"': the job takes 2'
printf '[Job]\nType=group\n[Group]\nFor=a b\nRun=weather --ctiy=${item}\nRun=weather --city=${item}\nRun=weather ${item}\n' | job arguments2
bad arguments2 5:5 'Run=: weather has no parameter ctiy; did you mean city?'
# A time that went by goes on being past where what is missed is caught up on.
plain past4 '[Schedule]\nAt=2020-01-01 10:00\nPersistent=yes\n'
bad past4 4:4 'At=: this time has gone by; it is caught up on where an earlier daemon missed it (Missed=)'
plain past5 '[Schedule]\nOnCalendar=2020-01-01\nMissed=all\n'
bad past5 4:12 'OnCalendar=: every time in this schedule has passed; it is caught up on where an earlier daemon missed it (Missed=)'
# Files that were surely meant to be read; what editors and packages leave is theirs.
for name in oops.jobs oops.JOB oops.job.txt; do
        echo '[Job]' >"$jobs/$name"
        echo "$jobs/$name: warning: it is not read, as the name of a job's file ends with .job" >>"$expected"
done
for name in oops.job~ '#oops.job#' .oops.job oops.job.orig oops.job.bak oops.job.dpkg-dist README notes.txt; do
        echo '[Job]' >"$jobs/$name"
done
LC_ALL=C sort -o "$expected" "$expected"
n=$(wc -l <"$expected")

# same WHAT FILE: it has these warnings and nothing else
same() {
        LC_ALL=C sort "$2" | diff "$expected" - >"$dir/diff" || fail "$1: $(cat "$dir/diff")"
}
status=0
taktctl verify "$dir/env" >"$dir/out" 2>"$dir/err" || status=$?
is "exit status of verify with warnings" 0 "$status"
same "verify" "$dir/err"
like "a file with one" "*/past3.job: ok, with 1 warning
*" "$(cat "$dir/out")"
like "a file with two" "*/past1.job: ok, with 2 warnings
*" "$(cat "$dir/out")"
like "a file with none" "*/fine1.job: ok
*" "$(cat "$dir/out")"
status=0
taktctl verify --strict "$jobs/past3.job" >"$dir/out" 2>&1 || status=$?
is "exit status of verify --strict" 1 "$status"
taktctl verify --strict "$jobs/fine1.job" "$jobs/fine2.job" "$jobs/linked@.job" >"$dir/out" 2>&1 || fail "verify --strict refuses: $(cat "$dir/out")"
is "one file of an environment" "$jobs/on1.job:4:4: warning: On=: there is no job bakcup; did you mean backup?" \
        "$(taktctl verify -q "$jobs/on1.job" 2>&1)"
is "by JSON" "warning 4 4" "$(field '"%s %d %d" % (r[0]["severity"], r[0]["line"], r[0]["column"])' taktctl verify --json "$jobs/on1.job")"

# A file of no environment: nobody knows which jobs and programs there will be. A directory of jobs knows its own.
mkdir "$dir/stray"
cp "$jobs/on1.job" "$jobs/program1.job" "$jobs/program4.job" "$dir/stray"
is "stray files" "$dir/stray/program4.job:4:9: warning: Command=: /usr/bin is a directory" \
        "$(taktctl verify -q "$dir"/stray/*.job 2>&1)"
like "a directory" "*$dir/stray/on1.job:4:4: warning: On=: there is no job bakcup*" "$(taktctl verify -q "$dir/stray" 2>&1)"

# --- the daemon: all of it, and what only it can know ---
runs_command needs 'true ${env:TAKT_NONE} ${credential:none}' 'Environment=A=${credential:pas}\n'
bad needs 4:14 'Command=: the daemon has no environment variable TAKT_NONE'
bad needs 4:31 'Command=: there is no credential none'
bad needs 5:15 'Environment=: there is no credential pas; did you mean pass?'
LC_ALL=C sort -o "$expected" "$expected"
n=$((n + 3))
mkdir "$dir/credentials"
echo secret >"$dir/credentials/pass"
CREDENTIALS_DIRECTORY=$dir/credentials start_taktd --log-level warning
knows_all() {
        [ "$(field 'r["warnings"]' taktctl info --json)" = "$n" ]
}
eventually "the daemon knows of all" knows_all || :
grep -o '/[^ ]*: warning: .*' "$log" >"$dir/logged" || :
same "the log of the start" "$dir/logged"
is "a job that is warned of is loaded" idle "$(field 'r[0]["state"]' taktctl list --json on1)"

reload() {
        status=0
        taktctl reload >"$dir/out" 2>"$dir/err" || status=$?
        is "exit status of reload" 0 "$status"
}
reload
same "reload" "$dir/err"
like "reload counts them" "Warnings: $n.
Jobs: *unchanged." "$(cat "$dir/out")"
like "status" "*Warning: $jobs/on1.job:4:4: On=: there is no job bakcup; did you mean backup[?]*" "$(COLUMNS=500 taktctl status --lines=0 on1)"
like "why" "*warning *$jobs/on1.job:4:4: On=: there is no job bakcup; did you mean backup[?]*" "$(COLUMNS=500 taktctl why on1)"
# The name is found later than the key, and stands before it.
printf '[Job]\nType=sleep\n[Schedule]\nOn=nosuch.failed\nCount=3\nAlign=yes\n' | job ordered
taktctl -q reload 2>/dev/null
is "the order of warnings" "[4, 5, 6]" "$(field '[w["line"] for w in r[0]["warnings"]]' taktctl list --json ordered)"
is "that of why" "4 5 6 " "$(taktctl why --json ordered | grep -o 'ordered.job:[0-9]*' | cut -d: -f2 | tr '\n' ' ')"
rm "$jobs/ordered.job"
taktctl -q reload 2>/dev/null
like "why of a program" "*warning *there is no program echoo on PATH; did you mean echo[?]*" "$(COLUMNS=500 taktctl why program1)"
like "the overview" "*State: running; $n warnings, see: taktctl verify*" "$(taktctl status)"
is "the job in JSON" "4 4" "$(field '"%d %d" % (r[0]["warnings"][0]["line"], r[0]["warnings"][0]["column"])' taktctl list --json on1)"
is "one without" False "$(field '"warnings" in r[0]' taktctl list --json backup)"

# --- what changes with other files, in jobs that do not change ---
# warnings_of JOB: their number
warnings_of() {
        field 'len(r[0].get("warnings", []))' taktctl list --json "$1"
}
is "a job whose neighbour is there" 0 "$(warnings_of fine2)"
rm "$jobs/download.job"
reload
like "a job that went" "*$jobs/fine2.job:4:5: warning: Run=: there is no job download*" "$(cat "$dir/err")"
is "it is known of who names it" 1 "$(warnings_of fine2)"
plain download
plain bakcup
mv "$dir/env/bin/tool" "$dir/env/bin/echoo"
reload
is "a job that came" 0 "$(warnings_of fine2)"
is "and another" 0 "$(warnings_of on1)"
is "a program that came" 0 "$(warnings_of program1)"
is "one that went" 1 "$(warnings_of fine3)"
is "a pool's that went" 1 "$(warnings_of fine4)"

# A comment is no change of the definition, but the place is another one.
sed -i '1i # a comment' "$jobs/fine3.job"
reload
like "a comment" "*0 added, 0 changed*" "$(cat "$dir/out")"
is "the place of an unchanged job" 5 "$(field 'r[0]["warnings"][0]["line"]' taktctl list --json fine3)"

# --- instances share what their template has ---
printf '[Job]\nType=exec\nInstances=1..3\n[Exec]\nCommand=nosuchprogram %%i\n' | job many@
reload
is "instances" "1 1" "$(warnings_of many@2) $(warnings_of many@)"
is "told once" 1 "$(grep -c nosuchprogram "$dir/err")"
reload
is "instances that did not change" "1 1" "$(warnings_of many@2) $(warnings_of many@)"

# --- a file that is broken has an error, and no warnings about what it said before ---
printf '[Job]\nType=exec\n[Exec]\nComand=x\n' | job program1
printf '[Job]\nType=exec\n[Exec]\nCommand=nothing\nComand=x\n' | job program2
taktctl reload >"$dir/out" 2>"$dir/err" && fail "a broken file is taken"
is "a broken file" 0 "$(warnings_of program2)"
is "problems are no warnings" "['error', 'error']" "$(field '[p["severity"] for p in r["problems"]]' taktctl reload --json)"
like "what the resource should be" "*Use=: there is no resource buss; did you mean bus[?]" \
        "$(printf '[Job]\nType=sleep\nUse=buss\n' | job uses; taktctl verify "$jobs/uses.job" 2>&1)"
rm "$jobs"/{uses,program1,program2}.job

# --- who looks hangs, as a dead file system would have it: neither the daemon nor the answer waits for ever ---
# lookers: the pids of takt-worker's processes
lookers() {
        local spawn pid
        for spawn in $(children_of "$taktd_pid"); do
                for pid in $(children_of "$spawn"); do
                        if grep -q '^takt-worker' "/proc/$pid/comm" 2>/dev/null; then echo "$pid"; fi
                done
        done
}
reload
for pid in $(lookers); do kill -STOP "$pid"; done
taktctl reload >"$dir/hung" 2>&1 &
pid=$!
helper $pid
is "the daemon serves meanwhile" succeeded "$(run_job 'r["state"]' backup)"
like "one reload at a time" "*another reload is under way*" "$(taktctl reload 2>&1 || :)"
status=0
wait $pid || status=$?
is "exit status of a reload that can't look" 0 "$status"
like "it says so" "*warning: not all programs, files and users that jobs name could be looked for*" "$(cat "$dir/hung")"
reload
like "the next one can" "*no program zqxwvkjy on PATH*" "$(cat "$dir/err")"

# Many are counted, some are kept.
{ printf '[Job]\nType=group\n[Group]\n'; for i in $(seq 300); do echo "Run=nosuch-$i"; done; } | job crowd
reload
is "those that a job keeps" 16 "$(warnings_of crowd)"
like "the others are counted" "*and * warnings more*" "$(tail -1 "$dir/err")"
check_end
