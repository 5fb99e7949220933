#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A reload compares definitions job by job: what is unchanged keeps its phase, runs and history; what is broken keeps
# its old definition and says where.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
job tick <<'END'
[Job]
Type=sleep
[Schedule]
Every=1h
[Sleep]
Duration=0
END
job long <<'END'
[Job]
Type=sleep
[Sleep]
Duration=1h
END
job changes <<'END'
[Job]
Type=sleep
Description=old
[Sleep]
Duration=0
END
job goes <<'END'
[Job]
Type=sleep
END
start_taktd
next() {
        field 'r[0]["next"] if isinstance(r, list) else r["next"]' taktctl list --json tick
}
has_ticked() {
        has_run 'r["state"] == "succeeded"' tick
}
eventually "the first tick" has_ticked || :
due=$(next)
long=$(field 'r["run"]' taktctl run --json long) || long=$(runs 'rs[0]["run"]' long)

# reload PATTERN STATUS: says so
reload() {
        local status=0
        taktctl reload >"$dir/out" 2>&1 || status=$?
        like "reload" "$1" "$(cat "$dir/out")"
        is "exit status of reload" "$2" "$status"
}

reload "*0 added, 0 changed, 0 removed, 4 unchanged*" 0
is "phase of an unchanged job" "$due" "$(next)"

job new <<'END'
[Job]
Type=sleep
[Sleep]
Duration=0
END
job changes <<'END'
[Job]
Type=countdown
[Countdown]
From=0
END
rm "$dir/env/jobs/goes.job"
reload "*1 added, 1 changed, 1 removed, 2 unchanged*" 0
is "the changed job" "done!" "$(run_job 'r["result"]' changes)"
is "the new job" succeeded "$(run_job 'r["state"]' new)"
status=0
taktctl run goes >"$dir/out" 2>&1 || status=$?
is "exit status of run of a removed job" 3 "$status"
is "a run under way" running "$(runs "[r['state'] for r in rs if r['run'] == $long][0]" long)"
is "history of an unchanged job" True "$(runs 'len(rs) == 1 and rs[0]["state"] == "succeeded"' tick)"

# --- a drop-in is a change ---
mkdir "$dir/env/jobs/new.job.d"
printf '[Job]\nDescription=more\n' >"$dir/env/jobs/new.job.d/a.conf"
reload "*0 added, 1 changed, 0 removed, 3 unchanged*" 0

# --- broken files ---
printf '[Job]\nType=sleep\nTimeoutSec=5 parsecs\n[Sleep]\nDuration=0\n' >"$dir/env/jobs/changes.job"
reload "*changes.job:3:*TimeoutSec=*" 1
is "a broken job's old definition" "done!" "$(run_job 'r["result"]' changes)"
printf 'not UTF-8 \377\n' >"$dir/env/jobs/latin.job"
: >"$dir/env/jobs/empty.job"
head -c 1100000 /dev/zero | tr '\0' '#' >"$dir/env/jobs/large.job"
ln -s /nonexistent/file "$dir/env/jobs/dangling.job"
mkdir "$dir/env/jobs/directory.job"
mkfifo "$dir/env/jobs/fifo.job"
reload "*latin.job:1:11: not valid UTF-8*" 1
like "the daemon's state" "*State: degraded; * files are refused, see: taktctl verify*" "$(taktctl status)"
is "broken files" 6 "$(field 'r["refusedFiles"]' taktctl info --json)"
like "a large file" "*large.job: larger than 1048576 bytes*" "$(cat "$dir/out")"
like "an empty file" "*empty.job: *no Type=*" "$(cat "$dir/out")"
like "a directory" "*directory.job: can't be read: Is a directory*" "$(cat "$dir/out")"
like "a FIFO" "*fifo.job: not a regular file*" "$(cat "$dir/out")"
is "another job" succeeded "$(run_job 'r["state"]' new)"
rm -r "$dir"/env/jobs/{latin,empty,large,dangling,directory,fifo}.job

# --- a broken takt.conf changes nothing ---
job changes <<'END'
[Job]
Type=countdown
[Countdown]
From=0
END
job another <<'END'
[Job]
Type=sleep
END
cp "$dir/env/takt.conf" "$dir/takt.conf"
printf '[Daemon]\nMaxRuns=none\n' >"$dir/env/takt.conf"
reload "*takt.conf:2:9: MaxRuns=: 'none' is no whole number*" 1
status=0
taktctl run another >"$dir/out" 2>&1 || status=$?
is "exit status of run of a job that is not loaded" 3 "$status"
cp "$dir/takt.conf" "$dir/env/takt.conf"
reload "*1 added*" 0

# --- settings: what is said counts at once, also for who comes to the control socket or asks for a status page ---
printf '[Daemon]\nMaxRuns=77\nMaxConnections=9\nHttpMaxConnections=5\nListen=%s\n' "$dir/status" >"$dir/env/takt.conf"
reload "*0 added, 0 changed*" 0
is "limits in force" "(77, 9, 5)" "$(field '(r["limits"]["MaxRuns"], r["limits"]["MaxConnections"], r["limits"]["HttpMaxConnections"])' taktctl info --json)"
# connections N: how many of N connections at once are served
connections() {
        python3 - "$dir/env/run" "$1" <<'PYTHON'
import os, socket, sys
os.chdir(sys.argv[1])
served, kept = 0, []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.connect("takt.sock")
    kept.append(s)
    try:
        s.sendall(b'{"method":"io.takt.Manager.Ping"}\0')
        served += s.recv(4096) != b""
    except OSError:
        pass
print(served)
PYTHON
}
is "connections under the new cap" 9 "$(connections 12)"
[ -S "$dir/status" ] || fail "the status pages are not served after a reload"
cp "$dir/takt.conf" "$dir/env/takt.conf"
unserved() {
        [ "$(connections 2)" = 2 ] && taktctl reload
}
eventually "a reload with the settings of old" unserved || :
[ ! -S "$dir/status" ] || fail "the status pages go on after a reload"
is "connections under the cap of old" 12 "$(connections 12)"

# --- a directory that can't be read: for root that is one that is none ---
mv "$dir/env/jobs" "$dir/env/away"
: >"$dir/env/jobs"
reload "*jobs*can't be read*" 1
is "a job whose directory is gone" succeeded "$(run_job 'r["state"]' new)"
rm "$dir/env/jobs"
mv "$dir/env/away" "$dir/env/jobs"

# --- by signal, and under way while it is asked for again ---
rm "$dir/env/jobs/another.job"
kill -HUP "$taktd_pid"
is_gone() {
        ! taktctl show another
}
eventually "a reload by SIGHUP" is_gone || :
is "phase of an unchanged job, after all" "$due" "$(next)"
is "the run under way, after all" running "$(runs "[r['state'] for r in rs if r['run'] == $long][0]" long)"
check_end
