#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# StartMethod=unit where there is no systemd to ask, and what its keys refuse; systemd-exec-unit.sh has one.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$dir/no-bus" DBUS_SESSION_BUS_ADDRESS="unix:path=$dir/no-bus"

# refused SAID LINES: verify says so
refused() {
        printf '[Job]\nType=exec\n[Exec]\nCommand=/bin/true\n%s\n' "$2" >"$dir/refused.job"
        like "verify of $2" "*$1*" "$(taktctl verify "$dir/refused.job" 2>&1 || :)"
}
refused "belongs to StartMethod=unit" User=nobody
refused "belongs to StartMethod=unit" Property=PrivateTmp=yes
refused "belongs to StartMethod=pool" $'StartMethod=unit\nProcesses=2'
refused "'ExecStart' is not among the properties that are passed on: AmbientCapabilities, BindPaths," $'StartMethod=unit\nProperty=ExecStart=/bin/true'
refused "say PrivateTmp=VALUE, which is yes or no" $'StartMethod=unit\nProperty=PrivateTmp=perhaps'
refused "say MemoryMax=VALUE, which is a size such as 512M" $'StartMethod=unit\nMemoryMax=lots'
refused "say CPUQuota=VALUE, which is a share of a processor" $'StartMethod=unit\nCPUQuota=50'
refused "say CapabilityBoundingSet=VALUE" $'StartMethod=unit\nProperty=CapabilityBoundingSet=CAP_FLY'
refused "say BindPaths=VALUE, which is SOURCE:DESTINATION" $'StartMethod=unit\nProperty=BindPaths=relative:/x'

job unit <<<$'[Job]\nType=exec\n[Exec]\nStartMethod=unit\nCommand=/bin/true\nUser=nobody'
start_taktd
is "a run where there is no bus" no-bus "$(run_job 'r["error"]["kind"]' unit)"
like "what it says" "StartMethod=unit needs a bus, and there is none to connect to (* bus: No such file or directory)" \
        "$(run_job 'r["error"]["message"]' unit)"

# A bus that accepts and never speaks, and one that hangs up.
python3 - "$dir/no-bus" "$dir/ready" <<'PY' &
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
open(sys.argv[2], "w").close()
kept = []
while True:
    connection, _ = listener.accept()
    kept.append(connection)
    if len(kept) == 1:
        connection.recv(1)
        connection.close()
PY
helper $!
eventually "the bus that is none" test -e "$dir/ready"
is "a run on a bus that hangs up" no-bus "$(run_job 'r["error"]["kind"]' unit)"
run=$(taktctl run unit)
taktctl -q ping || fail "the daemon waits for the bus"
is "the run on a bus that never speaks" "$run running" "$(runs '"%s %s" % (rs[0]["run"], rs[0]["state"])' unit)"
stop_taktd
check_end
