#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files that can't be read, or not soon: a FIFO that nobody writes to stands for a network file system that has hung.
# The daemon keeps serving, other runs go on, and who waits can be ended.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
mkfifo "$dir/env/hung" "$dir/env/slow"
echo 'A=1' >"$dir/env/quick"

# reader NAME FILE [JOB-LINE]: a job that prints A as its file has it
reader() {
        printf '[Job]\nType=exec\n%b[Exec]\nCommand=/bin/sh -c "echo $$A"\nOutput=text\nEnvironmentFile=%s\n' "${3:-}" "$2" | job "$1"
}
reader hung hung
reader timely hung 'TimeoutSec=300ms\n'
reader slow slow
reader quick quick
reader missing none
reader optional -none
printf '[Job]\nType=exec\n[Schedule]\nOverlap=parallel\nMaxParallel=100\n[Exec]\nCommand=/bin/true\nEnvironmentFile=hung\n' | job many
printf '[Job]\nType=exec\n[Exec]\nStartMethod=pool\nProtocol=lines\nCommand=/bin/sh -c "while read -r l; do echo $$A; done"\nEnvironmentFile=slow\nOutput=text\n' | job pooled
printf '[Job]\nType=worker\n[Worker]\nCommand=/bin/sh -c "while read -r l; do echo $$A; done"\nEnvironmentFile=slow\n' | job coroutine
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/true\nEnvironmentFile=quick\nEnvironmentFile=/etc\n' | job directory
printf '\377\376=1\n' >"$dir/env/latin"
reader latin latin
head -c 300000 /dev/zero | tr '\0' '#' >"$dir/env/large"
reader large large
# What the daemon opens itself is refused where it is no regular file, and waits for nobody.
mkdir "$dir/credentials"
mkfifo "$dir/credentials/pass" "$dir/env/schemas/fifo.json" "$dir/env/jobs/fifo.job" "$dir/env/names"
export CREDENTIALS_DIRECTORY=$dir/credentials
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/echo ${credential:pass}\n' | job credential
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/true\n[Result]\nSchema=fifo.json\n' | job schema
printf '[Job]\nType=exec\nInstances=%s\n[Exec]\nCommand=/bin/true\n' "$dir/env/names" | job several@
printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/echo 5\n[Publish]\nFile=%s\n' "$dir/published" | job publisher
mkfifo "$dir/published"
start_taktd

error_of() {
        run_job 'r["state"], r["error"]["kind"], r["error"]["message"]' "$1"
}
like "a job, a schema and names that are FIFOs" '*env/jobs/fifo.job: not a regular file*schema.job*fifo.json: not a regular file*env/names can?t be read: not a regular file*' "$(taktctl reload 2>&1 | LC_ALL=C sort | tr '\n' ' ')"
like "a credential that is one" "('failed', *" "$(error_of credential)"
is "one in the place of what is published is replaced" "succeeded 5" "$(run_job 'r["state"]' publisher) $(timeout 10 cat "$dir/published" | tr -d '"\\n')"
is "a file that is there" 1 "$(run_job 'r["result"].strip()' quick)"
is "one that may be missing" "" "$(run_job 'r["result"].strip()' optional)"
is "one that is missing" "('failed', 'exec', \"EnvironmentFile=none can't be read: No such file or directory\")" "$(error_of missing)"
is "a directory" "('failed', 'exec', \"EnvironmentFile=/etc can't be read: Is a directory\")" "$(error_of directory)"
is "one that is no UTF-8" "('failed', 'exec', \"EnvironmentFile=latin can't be read: it is no UTF-8\")" "$(error_of latin)"
is "one that is too large" "('failed', 'exec', \"EnvironmentFile=large can't be read: File too large\")" "$(error_of large)"

# --- one that hangs: a timeout and a cancel end it, and its reader ---
is "a timeout" "('timeout', 'timeout')" "$(run_job 'r["state"], r["error"]["kind"]' timely)"
run=$(taktctl run hung)
is "it waits" running "$(runs 'rs[0]["state"]' hung)"
is "the daemon serves" 1 "$(run_job 'r["result"].strip()' quick)"
taktctl -q cancel "$run"
taktctl -q wait "$run" 2>"$dir/out" || :
is "a cancel" "('cancelled', 'cancelled')" "$(runs 'rs[0]["state"], rs[0]["error"]["kind"]' hung)"

# --- its reader is killed in the middle ---
# Until one is hit that has the file in work: a process that is only just started is replaced, and nobody notices.
kill_readers() {
        local spawn pid
        for spawn in $(children_of "$taktd_pid"); do
                for pid in $(children_of "$spawn"); do
                        if grep -q '^takt-worker' "/proc/$pid/comm" 2>/dev/null; then kill -KILL "$pid" 2>/dev/null || :; fi
                done
        done
        [ "$(runs 'rs[0]["state"]' hung)" = failed ]
}
taktctl -q run hung >"$dir/out"
eventually "its reader is killed" kill_readers || :
is "a reader that is killed" "('exec', \"EnvironmentFile=hung can't be read: takt-worker died of it\")" \
        "$(runs 'rs[0]["error"]["kind"], rs[0]["error"]["message"]' hung)"
is "and the next one goes on" 1 "$(run_job 'r["result"].strip()' quick)"

# --- one that answers late; each start method waits for it ---
for name in slow pooled coroutine; do
        run=$(taktctl run $name)
        if [ $name = coroutine ]; then
                taktctl send coroutine 0
                taktctl send --close coroutine
        fi
        is "$name waits" running "$(runs 'rs[0]["state"]' $name)"
        timeout 60 sh -c 'echo A=7 >"$1"' sh "$dir/env/slow"
        taktctl -q wait "$run" || :
        is "$name goes on" 7 "$(runs 'str(rs[0]["result"]).strip()' $name)"
done

# --- many that hang: other work is not behind them, and all end with the daemon ---
for _ in $(seq 40); do taktctl -q run many >"$dir/out"; done
printf '[Job]\nType=exec\n[Exec]\nCommand=echo 2\nOutput=json\n[Result]\nFilter=. + 1\n' | job filtered
taktctl -q reload 2>"$dir/out" || :
is "a filter does not wait for files" 3 "$(run_job 'r["result"]' filtered)"
taktctl -q cancel many
is "nor does the next file, then" 1 "$(run_job 'r["result"].strip()' quick)"
taktctl -q run many >"$dir/out"
check_end
