#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One job file in the foreground, without a daemon: results, exit statuses, arguments, #! lines, signals.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
cd "$dir"
# runs_as STATUS OUTPUT ARG…: takt-run ARG… exits and prints so
runs_as() {
        local status=$1 output=$2 found=0
        shift 2
        takt-run "$@" >out 2>err || found=$?
        is "exit status of takt-run $*" "$status" "$found"
        like "output of takt-run $*" "$output" "$(cat out)"
        ! grep -qE 'Sanitizer|runtime error|Assertion' err || fail "takt-run $*: $(cat err)"
}
printf '[Job]\nType=blink\n[Blink]\nMessage=Hello\nDuration=1s\nRate=3\n' >blink.job
printf '[Job]\nType=exec\nParameter=name:string\n[Exec]\nCommand=/bin/echo ${name}\n' >echo.job
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/false\n' >false.job
printf '[Job]\nType=exec\nKind=x\n' >broken.job
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/sh -c "echo $$$$ >%s/sleep.pid; exec sleep 3600"\n' "$dir" >sleep.job
runs_as 0 '3*' blink.job
runs_as 0 '*two words*' echo.job 'two words'
runs_as 1 '*' false.job
runs_as 2 '' broken.job
like "what is wrong" "*broken.job:3:1: *Kind=*" "$(cat err)"
runs_as 2 '' missing.job
runs_as 2 ''
runs_as 2 '' --no-such-option

(echo "#!$TAKT_BUILDDIR/takt-run"; cat blink.job) >script.job
chmod +x script.job
like "a script" '3*' "$(./script.job 2>err)"

# A subshell with SIGINT as a terminal's foreground job has it, which background jobs of scripts have not.
python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("takt-run", ["takt-run", "sleep.job"])' >out 2>err &
pid=$!
helper $pid
eventually "the command runs" test -s sleep.pid || :
kill -INT $pid
status=0
wait $pid || status=$?
[ $status != 0 ] || fail "takt-run succeeds on SIGINT"
eventually "the command is gone" gone "$(cat sleep.pid)" || :
! grep -qE 'Sanitizer|runtime error|Assertion' err || fail "$(cat err)"
check_end
