#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Schedules that go on over a stop and a SIGKILL of the daemon: no time runs twice, none is lost, and what
# passed meanwhile is told of or caught up on.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment

# Each time as a line of a file, whatever becomes of the daemon.
job all <<END
[Job]
Type=exec
[Schedule]
OnCalendar=*:*:0/1
Missed=all
Overlap=queue
[Exec]
Command=/bin/sh -c 'echo \$\$TAKT_SCHEDULED >>$dir/all'
END
job tick <<'END'
[Job]
Type=sleep
[Schedule]
Every=1500ms
[Sleep]
Duration=0
END
job thrice <<'END'
[Job]
Type=sleep
[Schedule]
Every=10ms
Count=3
[Sleep]
Duration=0
END
job anew <<'END'
[Job]
Type=sleep
[Schedule]
Every=1h
Resume=no
[Sleep]
Duration=0
END
# Daily jobs whose time was two minutes ago.
for key in Persistent=yes Persistent=no; do
        job "backup-${key#*=}" <<END
[Job]
Type=sleep
[Schedule]
OnCalendar=*-*-* $(date -d '-2 minutes' +%H:%M):00
$key
[Sleep]
Duration=0
END
done

# stopped_for SECONDS: as if the daemon, which is not there, had been stopped that much earlier
stopped_for() {
        python3 - "$dir/env/state/schedule-times" "$1" <<'END'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    data = f.read()
    # Behind a page, slots of 64 bytes: the name's hash, the schedule's, three times of the boot clock, one of the wall clock.
    for slot in range(4096, len(data), 64):
        name, = struct.unpack_from("=Q", data, slot)
        last, = struct.unpack_from("=Q", data, slot + 40)
        if name and last:
            f.seek(slot + 40)
            f.write(struct.pack("=Q", last - int(sys.argv[2]) * 1000000))
END
}

has_lines() {
        [ "$(wc -l <"$dir/all")" -ge "$1" ]
}

# gaps: how many seconds between the first and the last line are not in the file, and how many are there twice
gaps() {
        python3 - "$dir/all" <<'END'
import sys, datetime
times = [int(datetime.datetime.fromisoformat(line.strip().replace("Z", "+00:00")).timestamp()) for line in open(sys.argv[1])]
print(max(times) - min(times) + 1 - len(set(times)), len(times) - len(set(times)))
END
}

none_missing_or_double() {
        [ "$(gaps)" = "0 0" ]
}

# few_missing: no more than runs that were lost
few_missing() {
        local lost missing double
        lost=$(runs 'sum(r["state"] == "lost" for r in rs)' all)
        read -r missing double < <(gaps)
        [ "$missing" -le "$lost" ] && [ "$double" = 0 ]
}

# Where in its period tick is due, in ms
phase() {
        runs 'int(__import__("datetime").datetime.fromisoformat(rs[0]["scheduled"].replace("Z", "+00:00")).timestamp() * 1000) % 1500' tick
}

# let_pass SECONDS of the wall clock
let_pass() {
        local end=$(($(date +%s) + $1))
        until [ "$(date +%s)" -ge $end ]; do sleep 0.1; done
}

start_taktd
eventually "times of all" has_lines 2
eventually "the end of a schedule" grep -q 'thrice: finished: never due again: it has had as many runs as Count= allows' "$log"
eventually "a tick" has_run 'r["state"] == "succeeded"' tick
before=$(phase)
stop_taktd
n=$(wc -l <"$dir/all")
let_pass 4
start_taktd
eventually "what was missed is caught up on" has_lines $((n + 4))
has_run 'r["trigger"] == "catch-up"' all || fail "no run has the trigger catch-up: $(taktctl runs all)"
eventually "no time is missing or double after a stop" none_missing_or_double
has_run 'r["state"] == "missed" and r["error"]["kind"] == "stopped" and r["details"]["occurrences"] >= 1' tick ||
        fail "nothing is said of ticks that passed: $(taktctl runs --json tick)"
eventually "a tick again" has_run 'r["state"] == "succeeded"' tick
after=$(phase)
python3 -c 'import sys; d = abs(int(sys.argv[1]) - int(sys.argv[2])); sys.exit(min(d, 1500 - d) > 200)' "$before" "$after" ||
        fail "the grid of tick has moved from $before to $after ms"
is "runs of thrice" 0 "$(runs 'len(rs)' thrice)"
is "runs of anew" 1 "$(runs 'len(rs)' anew)"

# As the kernel would; a run that was under way is lost, all others are not.
eventually "more times of all" has_lines $((n + 6))
kill_taktd
n=$(wc -l <"$dir/all")
let_pass 3
start_taktd
eventually "what was missed is caught up on after a SIGKILL" has_lines $((n + 3))
eventually "no time is double after a SIGKILL, and none missing but of runs that were lost" few_missing

# A time that passed an hour into a stop of some hours: systemd's Persistent= makes up for it, once.
stop_taktd
rm "$dir/env/jobs/all.job"
stopped_for 3600
start_taktd
eventually "a backup is made up for" has_run 'r["trigger"] == "catch-up" and r["state"] == "succeeded"' backup-yes
eventually "a backup is missed" has_run 'r["state"] == "missed" and r["error"]["kind"] == "stopped"' backup-no
is "runs of backup-yes" 1 "$(runs 'len(rs)' backup-yes)"
is "runs of backup-no" 1 "$(runs 'len(rs)' backup-no)"
check_end
