#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands outlive a restart and a crash of taktd, and nothing outlives a stop, under a systemd that was really
# booted; see container.sh.
# shellcheck source=tests/behaviour/container.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/container.sh"
boot volatile

inside mkdir -p /run/systemd/system/taktd.service.d
# The sanitizers look for leaks with ptrace(2), which the sandbox does not have. The watchdog is not what is tried here.
inside sh -c "printf '[Service]\nWatchdogSec=10min\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
        >/run/systemd/system/taktd.service.d/test.conf"
inside systemctl daemon-reload
inside mkdir -p /etc/takt/jobs
# Lines, until a file is there; the temporary file shows that /tmp is the same from first to last.
job lines $'[Job]\nType=exec\nTimeoutSec=5min\n[Exec]\nOutput=lines\nCommand=/bin/sh -c \'file=$$(mktemp) && echo one && until test -e /mnt/go1; do sleep 0.05; done; echo two; until test -e /mnt/go2; do sleep 0.05; done; echo kept >$$file && cat $$file\''
job hang $'[Job]\nType=exec\n[Schedule]\nOverlap=parallel\n[Exec]\nKillAfterSec=1s\nCommand=/bin/sh -c \'trap "" TERM; setsid sleep 1000 & sleep 1001; sleep 1002\''
job temporary $'[Job]\nType=exec\n[Exec]\nCommand=/bin/mktemp'
job nap $'[Job]\nType=sleep\nRetries=1\n[Sleep]\nDuration=1000s'
inside systemctl start taktd.socket taktd.service || { fail "the daemon can't be started"; inside journalctl --no-pager -n 30; exit 1; }

# of RUN EXPRESSION: of its Run object r
of() {
        inside taktctl --system --json runs -n 1000 | python3 -c 'import json, sys
for r in json.load(sys.stdin):
        if r["run"] == int(sys.argv[1]):
                print(eval(sys.argv[2]))' "$1" "$2"
}
is_so() {
        [ "$(of "$1" "$2")" = True ]
}
# What reads files and looks for programs at a load goes by itself, after a while.
processes() {
        inside pgrep -u takt -l | grep -v takt-worker || :
}

# --- restart ---

lines=$(inside taktctl --system run lines)
nap=$(inside taktctl --system run nap)
until_true "the start" is_so "$lines" 'r["started"] is not None'
started=$(of "$lines" 'r["started"]')
before=$(property MainPID)
inside systemctl restart taktd || fail "the daemon can't be restarted"
[ "$(property MainPID)" != "$before" ] || fail "it is still the same process"
is_so "$lines" 'r["state"] == "running"' || fail "the run does not go on: $(of "$lines" 'r["state"]')"
is_so "$nap" 'r["state"] == "lost"' || fail "what can't go on is $(of "$nap" 'r["state"]')"
inside taktctl --system -q run --wait temporary >/dev/null || fail "after a restart there is no /tmp"
touch "$dir/share/go1"

# --- crash ---

until_true "the end of another run" inside taktctl --system -q run --wait temporary
before=$(property MainPID)
inside kill -KILL "$before"
until_true "the restart after a crash" inside sh -c \
        "[ \"\$(systemctl show -P MainPID taktd)\" != $before ] && systemctl is-active -q taktd"
is_so "$lines" 'r["state"] == "running"' || fail "after a crash the run does not go on: $(of "$lines" 'r["state"]')"
touch "$dir/share/go2"
until_true "the end of the run" is_so "$lines" 'r["finished"] is not None'
found=$(of "$lines" '(r["state"], r["result"], r["attempts"])')
[ "$found" = "('succeeded', ['one', 'two', 'kept'], 1)" ] || fail "over a restart and a crash the run ended as $found"
[ "$(of "$lines" 'r["started"]')" = "$started" ] || fail "it has another start"
# The helpers of the daemons before went with it.
one_helper() {
        [ "$(processes | wc -l)" = 2 ]
}
until_true "the end of helpers that have nothing to do" one_helper

# --- a helper that hangs ---

rm "$dir/share/go1" "$dir/share/go2"
lines=$(inside taktctl --system run lines)
until_true "the start" is_so "$lines" 'r["started"] is not None'
stopped=$(inside pgrep -x takt-spawn)
inside kill -STOP "$stopped"
inside systemctl restart taktd || fail "the daemon can't be restarted while its helper hangs"
inside journalctl --no-pager -u taktd | grep -q "takt-spawn (pid $stopped) hangs" || fail "nothing is said of the helper that hangs"
if inside kill -0 "$stopped" 2>/dev/null; then fail "it is still there"; fi
until_true "the end of what it had" one_helper

# --- stop ---

for _ in 1 2 3; do inside taktctl --system -q run hang >/dev/null || fail "a run can't be started"; done
until_true "the command" inside pgrep -f 'sleep 1001'
inside systemctl restart taktd || fail "the daemon can't be restarted"
inside pgrep -f 'sleep 1001' >/dev/null || fail "the command did not outlive the restart"
inside systemctl stop taktd.socket taktd.service || fail "the daemon can't be stopped"
[ "$(property ActiveState):$(property Result)" = inactive:success ] ||
        fail "it ended as $(property ActiveState):$(property Result)"
nobody_left() {
        [ -z "$(processes)" ]
}
until_true "the end of all processes" nobody_left

# A daemon that dies in its stop leaves nobody either.
inside systemctl start taktd.service
inside taktctl --system -q run hang >/dev/null || fail "a run can't be started"
until_true "the command" inside pgrep -f 'sleep 1001'
before=$(property MainPID)
inside systemctl stop --no-block taktd.socket taktd.service
inside kill -KILL "$before"
until_true "the end of the unit" inside sh -c '! systemctl is-active -q taktd && ! systemctl list-jobs --no-legend | grep -q taktd'
until_true "the end of all processes after a stop that failed" nobody_left
inside systemctl reset-failed taktd.service 2>/dev/null || :
check_journal
exit "$failed"
