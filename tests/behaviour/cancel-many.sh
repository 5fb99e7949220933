#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tens of thousands of runs that are cancelled by one call: all of them end, whether the answer has room for them or not.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
n=50000
settings <<SETTINGS
[Daemon]
MaxRuns=100
MaxQueued=$n
SETTINGS
job many@ <<JOB
[Job]
Type=sleep
Instances=1..$n
[Schedule]
OnStartup=0
[Sleep]
Duration=1h
JOB
job one <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=1h'

# Whether RUNNING and QUEUED runs are under way
under_way() {
        is_now=$(field '"%d %d" % (r["runs"].get("running", 0), r["runs"].get("queued", 0))' taktctl info --json)
        [ "$is_now" = "$1 $2" ]
}
start_taktd
eventually "a run of each" under_way 100 $((n - 100)) || echo "$is_now"
one=$(taktctl run one)
taktctl --json cancel 'many@*' >"$dir/cancelled"
is "runs that were cancelled" "$n cancelled" \
        "$(python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(len({x["run"] for x in r}), *{x["state"] for x in r})' "$dir/cancelled")"
eventually "the other run has its turn" under_way 1 0 || echo "$is_now"
is "the other run" running "$(runs 'rs[0]["state"]' one)"
stop_taktd

start_taktd
eventually "a run of each, again" under_way 100 $((n - 100)) || echo "$is_now"
like "an answer that is one" "*io.takt.Runs.TooManyRuns*" "$(python3 - "$dir/env/run/takt.sock" <<'PY'
import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
client = socket.socket(socket.AF_UNIX)
client.connect(os.path.basename(sys.argv[1]))
client.sendall(b'{"method":"io.takt.Runs.Cancel","parameters":{"jobs":["many@*"]}}\0')
reply = b""
while not reply.endswith(b"\0"):
    reply += client.recv(1 << 20) or sys.exit("closed")
print(reply[:200])
PY
)"
eventually "nothing is left" under_way 0 0 || echo "$is_now"
gone=$((one + n * 10))
like "a run that is not there" "*no run $gone is known*" "$(taktctl cancel $gone 2>&1 || :)"
check_end
