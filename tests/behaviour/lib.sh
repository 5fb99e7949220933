# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by scripts that test a real taktd: an environment of its own in $dir/env, a daemon on it, and what to ask.
# A script calls check_end last; until then failures are counted, not fatal.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH" TZ=UTC
unset TAKT_COLORS TAKT_ENV
dir=$(mktemp -d)
taktd_pid=
failed=0
helpers=()
n_logs=0

fail() {
        echo "FAIL: $*"
        failed=1
}

# is WHAT EXPECTED FOUND
is() {
        [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

# like WHAT PATTERN FOUND
like() {
        # shellcheck disable=SC2254
        case $3 in
        $2) ;;
        *) fail "$1: expected something like '$2', found '$3'" ;;
        esac
}

# eventually WHAT COMMAND…: waits, as long as a loaded machine may take, until it succeeds
eventually() {
        local what=$1 i
        shift
        for i in $(seq 600); do
                "$@" >"$dir/eventually" 2>&1 && return 0
                sleep 0.05
        done
        fail "$what: never came true: $* $(head -c 300 "$dir/eventually")"
        return 1
}

gone() {
        ! kill -0 "$1" 2>/dev/null
}

# helper PID: a process of the test's own that is ended with it
helper() {
        helpers+=("$1")
}

cleanup() {
        local pid
        for pid in ${taktd_pid:+"$taktd_pid"} ${helpers[@]+"${helpers[@]}"}; do
                kill -KILL "$pid" 2>/dev/null || :
                wait "$pid" 2>/dev/null || :
        done
        rm -rf "$dir"
}
trap cleanup EXIT

new_environment() {
        taktctl -q env create "$dir/env"
        export TAKT_ENV=$dir/env
}

# job NAME: makes the job file of what is read
job() {
        cat >"$dir/env/jobs/$1.job.new"
        mv "$dir/env/jobs/$1.job.new" "$dir/env/jobs/$1.job"
}

# settings: makes takt.conf of what is read
settings() {
        cat >"$dir/env/takt.conf"
}

# start_taktd [ARG…]: in the background, until it answers; its words are in $log
start_taktd() {
        n_logs=$((n_logs + 1))
        log=$dir/taktd-$n_logs.log
        taktd --log-target console "$@" >"$log" 2>&1 &
        taktd_pid=$!
        eventually "the daemon answers" answers || { cat "$log"; exit 1; }
}

answers() {
        gone "$taktd_pid" || taktctl ping
}

# The pids of taktd's helpers: children of PID
children_of() {
        cat /proc/"$1"/task/*/children 2>/dev/null || :
}

# stop_taktd: by TERM; it ends well and leaves nobody behind
stop_taktd() {
        local children status=0 pid
        children=$(children_of "$taktd_pid")
        kill -TERM "$taktd_pid"
        wait "$taktd_pid" || status=$?
        is "exit status of taktd" 0 "$status"
        [ "$status" = 0 ] || tail -40 "$log"
        for pid in $children; do
                eventually "helper $pid is gone" gone "$pid" || :
        done
        taktd_pid=
        look_for_sanitizers
}

# kill_taktd: as the kernel would, out of memory
kill_taktd() {
        kill -KILL "$taktd_pid"
        wait "$taktd_pid" 2>/dev/null || :
        taktd_pid=
}

look_for_sanitizers() {
        if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion' "$log"; then
                fail "taktd: $(grep -nE -A12 'Sanitizer|runtime error|Assertion' "$log" | head -40)"
        fi
}

# run_of EXPRESSION RUN|ARG…: what the Python expression makes of the Run object r that taktctl prints
field() {
        local expression=$1
        shift
        "$@" 2>/dev/null | python3 -c 'import json, sys
r = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$expression"
}

# run_job EXPRESSION JOB [ARG…]: runs it to its end, and says so much of the Run object r
run_job() {
        local expression=$1
        shift
        field "$expression" taktctl run --wait --json "$@"
}

# runs EXPRESSION [ARG…]: of the list rs of Run objects, the newest first
runs() {
        local expression=$1
        shift
        taktctl runs --json -n 1000 "$@" | python3 -c 'import json, sys
rs = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$expression"
}

# has_run EXPRESSION [ARG…]: some run r is so
has_run() {
        local expression=$1
        shift
        is_true=$(runs "any($expression for r in rs)" "$@") && [ "$is_true" = True ]
}

check_end() {
        [ -z "$taktd_pid" ] || stop_taktd
        [ $failed = 0 ] || exit 1
}
