#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many who wait for one run: some give up, some vanish, all others are told of its end, and the run does
# not mind. Storms of cancellation leave nothing behind.
. "$TAKT_SRCDIR/tests/behaviour/lib.sh"
new_environment
# Half of the descriptors are for clients: see taktd(8).
ulimit -n "$(ulimit -Hn)"
waiters=$(($(ulimit -n) / 2 - 100))
[ $waiters -lt 10000 ] || waiters=10000
settings <<CONF
[Daemon]
MaxConnections=$((waiters + 50))
MaxConnectionsPerUser=$((waiters + 50))
CONF
job nap <<'JOB'
[Job]
Type=sleep
[Schedule]
Overlap=parallel
[Sleep]
Duration=1h
JOB
job naps <<'JOB'
[Job]
Type=group
[Schedule]
Overlap=parallel
[Group]
For=1..50
Run=nap
JOB
start_taktd

run=$(taktctl run nap)
coproc WAITERS { python3 "$TAKT_SRCDIR/tests/behaviour/futures.py" "$dir/env/run/takt.sock" "$run" $waiters; }
helper "$WAITERS_PID"
exec {waiters_in}<&"${WAITERS[0]}"
read -r line <&"$waiters_in"
is "all wait" ready "$line"
is "the run after some gave up" running "$(runs 'rs[0]["state"]' nap)"
echo >&"${WAITERS[1]}"
read -r line <&"$waiters_in"
is "some vanish" closed "$line"
is "the run after some vanished" running "$(runs 'rs[0]["state"]' nap)"
taktctl -q cancel "$run"
read -r line <&"$waiters_in"
expected=$(python3 -c "
n = $waiters
gave_up = sum(i % 10 == 1 for i in range(n))
rest = sum(i % 4 != 0 and i % 10 != 1 for i in range(n))
print('{\"TimedOut\": %d, \"cancelled\": %d}' % (gave_up, rest))")
is "what the others were told" "$expected" "$line"
is "who comes after the end" cancelled "$(taktctl --json wait "$run" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])')"

# Storms: groups, their members and all of them are cancelled at once, several times each.
for i in $(seq 20); do taktctl -q run naps >/dev/null; done
storm=()
for i in $(seq 10); do
        taktctl -q cancel naps nap &
        storm+=($!)
        taktctl -q cancel nap naps &
        storm+=($!)
done
for pid in "${storm[@]}"; do wait "$pid" || fail "a cancel failed"; done
eventually "nothing is left" eval '[ "$(runs "len(rs)" --state running --state queued)" = 0 ]'
is "how the groups ended" "['cancelled', 'failed']" "$(runs 'sorted({r["state"] for r in rs} | {"cancelled", "failed"})' naps)"
check_end
