#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# StartMethod=unit with a systemd that was really booted; see container.sh.
# shellcheck source=tests/behaviour/container.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/container.sh"
boot volatile
inside systemctl is-active -q dbus.socket || skip "there is no D-Bus here"

inside mkdir -p /run/systemd/system/taktd.service.d
# The sanitizers look for leaks with ptrace(2), which the sandbox does not have.
inside sh -c 'printf "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n" >/run/systemd/system/taktd.service.d/test.conf'
inside systemctl daemon-reload

# unit NAME LINES: a job whose runs are units
unit() {
        job "$1" $'[Job]\nType=exec\n[Exec]\nStartMethod=unit\n'"$2"
}
# run_of EXPRESSION JOB: runs it to its end, and says so much of the Run object r
run_of() {
        { inside taktctl --system --json run --wait "$2" || :; } | python3 -c 'import json, sys
r = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$1"
}
# is WHAT EXPECTED FOUND
is() {
        [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}
units_left() {
        inside systemctl list-units --all --plain --no-legend 'takt-*.service'
}
no_units_left() {
        [ -z "$(units_left)" ]
}

unit who $'Command=id -un\nUser=nobody'
unit words $'Command=/bin/echo "a  b" $HOME %n *\nOutput=text'
unit json $'Command=/bin/cat\nInputJson={"a": [1, 2]}\nOutput=json'
unit place $'Command=/bin/sh -c "pwd; umask; ulimit -n; nice; echo $$X; echo $$PATH; cat /proc/self/cgroup"\nWorkingDirectory=/usr\nUMask=0027\nLimit=NOFILE=99\nNice=3\nEnvironment=X=1 2\nOutput=lines'
unit sandbox $'Command=/bin/sh -c "touch /usr/x; ls /home; echo $$(systemctl show -P MemoryMax -P TasksMax -P CPUQuotaPerSecUSec -P SystemCallFilter $$(sed -n \'s,^.*system.slice/,,p;\' /proc/self/cgroup | head -n 1) | head -c 200 | tr \'\\n\' \' \')"\nMemoryMax=64M\nTasksMax=20\nCPUQuota=50%\nProperty=ProtectSystem=strict\nProperty=PrivateTmp=yes\nProperty=CapabilityBoundingSet=CAP_CHOWN\nProperty=RestrictAddressFamilies=AF_UNIX\nProperty=BindReadOnlyPaths=/usr:/mnt\nProperty=ReadWritePaths=/run /tmp\nProperty=DeviceAllow=/dev/null rw\nProperty=TemporaryFileSystem=/media:size=1M\nProperty=RestrictNamespaces=yes\nProperty=OOMScoreAdjust=100'
unit fails $'Command=/bin/sh -c "echo why >&2; exit 7"'
unit seven $'Command=/bin/sh -c "exit 7"\nSuccessExitStatus=7'
unit signal $'Command=/bin/sh -c "kill -KILL $$$$"'
unit missing $'Command=/no/such/program'
unit nobody $'Command=/bin/true\nUser=no-such-user'
unit refused $'Command=/bin/true\nProperty=Slice=not a slice'
unit big $'Command=/usr/bin/head -c 3000000 /dev/zero\nMaxBytes=10\nOutput=text'
unit long $'Command=/bin/sh -c "trap \'\' TERM; sleep 1000 & sleep 1000; sleep 1000"\nKillAfterSec=500ms'
unit background $'Command=/bin/sh -c "setsid sleep 1000 & echo over"\nOutput=text'
unit waits $'Command=/bin/sh -c "(until test -e /run/go; do sleep 0.05; done; touch /run/late; echo late) & echo now; exit 3"\nExitType=cgroup\nSuccessExitStatus=3\nOutput=text'
unit dies $'Command=/bin/sh -c "(until test -e /run/go; do sleep 0.05; done; touch /run/late; echo late) & echo now; kill -KILL $$$$"\nExitType=cgroup\nOutput=text'
unit spares $'Command=/bin/sh -c "sleep 4321 >/dev/null 2>&1 & echo over"\nKillMode=process\nOutput=text'
job timeout $'[Job]\nType=exec\nTimeoutSec=500ms\n[Exec]\nStartMethod=unit\nCommand=/bin/sleep 1000'
unit secret $'Command=/bin/sh -c "echo it is $$PASSWORD >&2; echo $$PASSWORD"\nEnvironment=PASSWORD=${credential:pass}\nOutput=text'
unit at@ $'Command=/bin/echo %i\nOutput=text'

# --- a user without the right ---

inside systemctl start taktd.socket || fail "taktd.socket can't be started"
is "the error of a user that may not" "not-permitted" "$(run_of 'r["error"]["kind"]' who)"
run_of 'r["error"]["message"]' who | grep -q 'polkit has to allow org.freedesktop.systemd1.manage-units' || fail "nothing is said of polkit"
inside systemctl stop taktd.service taktd.socket 2>/dev/null

# --- root ---

inside sh -c 'printf "[Service]\nUser=root\nGroup=root\nEnvironment=ASAN_OPTIONS=detect_leaks=0\nSetCredential=pass:sesame-open\n" \
        >/run/systemd/system/taktd.service.d/test.conf; systemctl daemon-reload; chown -R root: /var/lib/takt /var/lib/private/takt 2>/dev/null; :'
inside systemctl start taktd.socket taktd.service || fail "taktd can't be started as root"
is "the user" '"nobody"' "$(inside taktctl --system --json run --wait who | grep -o '"result":"[^"]*"' | cut -d: -f2)"
is "the words" 'a  b $HOME %n *' "$(run_of 'r["result"]' words)"
is "the JSON" "{'a': [1, 2]}" "$(run_of 'r["result"]' json)"
is "where and how it runs" "/usr 0027 99 3 1 2 /var/lib/takt/bin" "$(run_of '" ".join(r["result"][:6]).split(":")[0]' place)"
is "its control group" True "$(run_of '"/takt-place-" + str(r["run"]) + ".service" in " ".join(r["result"])' place)"
is "the sandbox" "500ms 67108864 20 ~" "$(run_of 'r["result"]' sandbox)"
is "a failure" "failed exit-status exit status 7: why exit-code 7" \
        "$(run_of 'r["state"] + " " + r["error"]["kind"] + " " + r["error"]["message"] + " " + r["details"]["unitResult"] + " " + str(r["details"]["exitStatus"])' fails)"
is "a status that is none" succeeded "$(run_of 'r["state"]' seven)"
is "a signal" "signal killed by SIGKILL 9" "$(run_of 'r["error"]["kind"] + " " + r["error"]["message"] + " " + str(r["details"]["signal"])' signal)"
is "a missing program" "exec its program can't be executed (status 203)" "$(run_of 'r["error"]["kind"] + " " + r["error"]["message"].split(": ")[1]' missing)"
is "a missing user" "exec there is no such user, or it can't become it (status 217)" \
        "$(run_of 'r["error"]["kind"] + " " + r["error"]["message"].split(": ")[1]' nobody)"
is "what systemd refuses" "unit systemd refused the unit (system bus: Invalid unit name 'not a slice')" \
        "$(run_of 'r["error"]["kind"] + " " + r["error"]["message"].split(": ", 1)[1]' refused)"
is "a large output" "10 2999990" "$(run_of 'str(len(r["result"])) + " " + str(r["details"]["droppedBytes"])' big)"
is "what is left behind" "over" "$(run_of 'r["result"]' background)"
# Whichever systemd notices first, that the main process was executed or that it has ended.
for job in waits waits waits dies dies dies; do
        inside rm -f /run/go /run/late
        run=$(inside taktctl --system run $job)
        until_true "the end of its main process" inside sh -c \
                "[ \"\$(systemctl show -P ExecMainCode takt-$job-$run.service)\" != 0 ] || ! taktctl --system --json runs $job | grep -q running"
        state=$(inside taktctl --system --json runs $job | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])')
        inside touch /run/go
        [ $job = dies ] && expected="running, failed None signal" || expected="running, succeeded now late None"
        is "what $job waits for" "$expected" "$state, $(inside taktctl --system --json wait "$run" | python3 -c 'import json, sys
r = json.load(sys.stdin)[0]
print(r["state"], r["result"] and " ".join(r["result"].split()), r["error"] and r["error"]["kind"])')"
        inside test -e /run/late || fail "what $job left was ended"
done
is "what leaves a process" over "$(run_of 'r["result"]' spares)"
inside pkill -xf "sleep 4321" || fail "KillMode=process is not that of the unit"
until_true "the end of its unit" no_units_left
is "a timeout" "timeout" "$(run_of 'r["state"]' timeout)"
is "an instance" "x:y-z" "$(run_of 'r["result"]' at@x:y-z)"
is "an instance's unit" True "$(run_of 'r["details"]["unit"] == "takt-at\\x40x:y-z-%d.service" % r["run"]' at@x:y-z)"
is "a secret" True "$(run_of '"sesame" not in str(r)' secret)"
until_true "the line with the secret" inside sh -c 'journalctl --no-pager -u taktd TAKT_JOB=secret | grep -q "it is"'
if inside journalctl --no-pager | grep -q sesame; then fail "the journal has the secret"; fi

# --- one that takes more memory than it may ---

unit greedy $'Command=/bin/sh -c "exec head -c 500M /dev/zero | tail"\nMemoryMax=20M\nProperty=MemorySwapMax=0\nOutput=none'
inside systemctl reload taktd
if inside grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
        is "an unit out of memory" "failed oom-kill" "$(run_of 'r["state"] + " " + r["error"]["kind"]' greedy)"
else
        echo "skipped: a unit out of memory, as there is no memory controller of control groups here"
fi

# --- a tree that ignores TERM, cancelled ---

run=$(inside taktctl --system run long)
until_true "the unit" inside systemctl is-active "takt-long-$run.service"
until_true "its processes" inside sh -c "[ \"\$(pgrep -xc sleep)\" = 2 ]"
until_true "the tree under the run" inside sh -c "taktctl --system --no-pager status -n 0 long | grep -c '─[0-9]* sleep 1000' | grep -qx 2"
is "its heading" "Processes of run $run, unit takt-long-$run.service" \
        "$(inside taktctl --system --no-pager status -n 0 long | grep ^Processes)"
inside taktctl -q --system cancel "$run"
until_true "the end of the run" inside sh -c "taktctl --system --json runs long | grep -q '\"state\":\"cancelled\"'"
if inside pgrep -x sleep; then fail "a process of a cancelled unit is left"; fi
until_true "the end of all units" no_units_left

# --- the daemon dies ---

run=$(inside taktctl --system run long)
until_true "the unit" inside systemctl is-active "takt-long-$run.service"
inside kill -KILL "$(property MainPID)"
until_true "the end of the unit with the daemon" inside sh -c "! pgrep -x sleep"
until_true "the next daemon" inside taktctl -q --system ping
until_true "the lost run" inside sh -c "taktctl --system --json runs long | grep -q '\"state\":\"lost\"'"

# --- the journal has the unit's own messages with the run's fields ---

# journald asks the kernel about who said it, which may have gone by then: it is said until it was heard.
unit logs $'Command=/bin/sh -c "until test -e /run/heard; do logger -t said \'by the unit\'; sleep 0.1; done"'
inside systemctl reload taktd
run=$(inside taktctl --system run logs)
until_true "the unit's message" inside sh -c 'journalctl --no-pager TAKT_JOB=logs _SYSTEMD_UNIT=taktd.service + TAKT_JOB=logs | grep -q "by the unit"'
inside touch /run/heard
is "a run that logs" succeeded "$(inside taktctl --system --json wait "$run" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])')"

check_journal
exit $failed
