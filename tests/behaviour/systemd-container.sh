#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units in a systemd that was really booted; see container.sh.
# shellcheck source=tests/behaviour/container.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/container.sh"
boot volatile

# The sanitizers look for leaks with ptrace(2), which the sandbox does not have.
inside mkdir -p /run/systemd/system/taktd.service.d /run/systemd/system/taktd@.service.d
for unit in taktd taktd@; do
        inside sh -c "printf '[Service]\nWatchdogSec=2s\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
                >/run/systemd/system/$unit.service.d/test.conf"
done
inside systemctl daemon-reload
# As packages do once they are installed.
inside sh -c 'mkdir -p /var/lib/systemd/catalog && journalctl --update-catalog'

inside getent passwd takt >/dev/null || fail "there is no user takt"
job hello $'[Job]\nType=exec\nLogSuccess=info\n[Exec]\nCommand=/bin/sh -c \'echo "\\"$NOTIFY_SOCKET$LISTEN_FDS$WATCHDOG_USEC$(id -un)\\""\''
job broken $'[Job]\nType=exec\n[Exec]\nCommand=/bin/false'
job long $'[Job]\nType=exec\n[Exec]\nCommand=/bin/sleep 1000'

# --- the first call starts the daemon ---

inside systemctl start taktd.socket || fail "taktd.socket can't be started"
if inside systemctl is-active -q taktd.service; then fail "the daemon runs before it was called"; fi
inside taktctl -q --system ping || fail "the first call is not answered"
until_true "the daemon's readiness" inside systemctl is-active taktd.service || exit 1
[ "$(property StatusText)" = "3 jobs" ] ||
        fail "the status is \"$(property StatusText)\""
[ "$(inside stat -c '%U %a' /run/takt/takt.sock)" = "takt 666" ] || fail "the socket is $(inside stat -c '%U %a' /run/takt/takt.sock)"

# A command sees none of what systemd told the daemon, and runs as its user.
found=$(inside taktctl --system --json run --wait hello | grep -o '"result":"[^"]*"' || :)
[ "$found" = '"result":"takt"' ] || fail "a run gives $found"
if inside taktctl --system run --wait broken >/dev/null 2>&1; then fail "a run that fails does not fail"; fi
broken=$(inside taktctl --system --json runs broken | grep -o '"run":[0-9]*' | head -n 1 | cut -d: -f2)

# --- journal ---

until_true "the failure in the journal" inside sh -c \
        'journalctl --no-pager -u taktd TAKT_JOB=broken -o json | grep -q "\"TAKT_STATE\":\"failed\""'
fields=$(inside journalctl --no-pager -u taktd TAKT_JOB=broken -o json)
for field in '"MESSAGE_ID":"8088f22634cc4796a4a7ca8018dd5bde"' '"TAKT_ENV":"system"' '"TAKT_KIND":"exec"' "\"TAKT_RUN\":\"$broken\"" '"PRIORITY":"4"'; do
        grep -q "$field" <<<"$fields" || fail "the journal has no $field"
done

inside journalctl --no-pager -x -u taktd TAKT_JOB=broken | grep -q "Subject: A run of job broken failed" ||
        fail "the catalog does not explain the failure"

found=$(inside taktctl --system logs broken)
case $found in
*"broken[$broken]: failed: exit status 1"*) ;;
*) fail "taktctl logs prints $found" ;;
esac
found=$(inside taktctl --system logs --json -n 1 broken)
case $found in
*"\"job\":\"broken\",\"run\":$broken,\"kind\":\"exec\",\"state\":\"failed\""*"\"message\":\"broken[$broken]: failed: exit status 1\""*) ;;
*) fail "taktctl logs --json prints $found" ;;
esac
[ -z "$(inside taktctl --system logs -q --since 2100-01-01 broken)" ] || fail "taktctl logs knows the future"
# What comes is printed as it comes.
timeout 20 nsenter -t "$leader" -m -p -u -i -n -C taktctl --system logs -f -n 1 broken >"$dir/follow" 2>&1 &
follow=$!
until_true "the last failure in what is followed" grep -q "broken\\[$broken\\]: failed" "$dir/follow"
again=$(inside taktctl --system run broken)
until_true "the next one" grep -q "broken\\[$again\\]: failed" "$dir/follow"
kill "$follow" 2>/dev/null || :
wait "$follow" 2>/dev/null || :

# --- reload ---

job second $'[Job]\nType=sleep\n[Sleep]\nDuration=1ms'
inside systemctl reload taktd || fail "a good reload fails"
[ "$(property StatusText)" = "4 jobs" ] || fail "a reload changes nothing"
job second $'[Job]\nTyp=sleep'
if inside systemctl reload taktd 2>/dev/null; then fail "a bad reload does not fail"; fi
[ "$(property ActiveState):$(property StatusText)" = "active:4 jobs; some files were refused" ] ||
        fail "after a bad reload it is $(property ActiveState):$(property StatusText)"
inside taktctl --system -q run --wait second >/dev/null || fail "the old definition is lost by a bad reload"
job second $'[Job]\nType=sleep\n[Sleep]\nDuration=1ms'
inside sh -c 'echo "[Dæmon" >/etc/takt/takt.conf'
if inside systemctl reload taktd 2>/dev/null; then fail "a reload with a bad takt.conf does not fail"; fi
[ "$(property StatusText)" = "4 jobs; the last reload failed" ] ||
        fail "the status is \"$(property StatusText)\""
inside rm /etc/takt/takt.conf
inside systemctl reload taktd || fail "the reload after that fails"

# --- restart, with a command under way ---

long=$(inside taktctl --system run long) || fail "a run can't be started"
until_true "the command" inside pgrep -x sleep
before=$(property MainPID)
inside systemctl restart taktd || fail "the daemon can't be restarted"
[ "$(property MainPID)" != "$before" ] || fail "it is still the same process"
inside taktctl -q --system ping || fail "no answer after a restart"
# More of this is in systemd-restart.sh.
inside pgrep -x sleep >/dev/null || fail "the command did not outlive the restart"
inside taktctl --system -q cancel "$long" || fail "it can't be cancelled afterwards"
until_true "the end of the command" inside sh -c '! pgrep -x sleep'

# --- watchdog ---

before=$(property MainPID)
inside kill -STOP "$before"
until_true "the restart by the watchdog" inside sh -c \
        "[ \"\$(systemctl show -P MainPID taktd)\" != $before ] && systemctl is-active -q taktd"
inside journalctl --no-pager -u taktd | grep -qi "watchdog timeout" || fail "nothing is said of the watchdog"
[ "$(property NRestarts)" = 1 ] || fail "restarts: $(property NRestarts)"
inside taktctl -q --system ping || fail "no answer after the watchdog"

# --- stop ---

inside systemctl stop taktd.service 2>/dev/null || fail "the daemon can't be stopped"
[ "$(property ActiveState):$(property Result)" = inactive:success ] ||
        fail "it ended as $(property ActiveState):$(property Result)"
inside test -S /run/takt/takt.sock || fail "the socket is gone with the daemon"
inside taktctl -q --system ping || fail "the socket does not start the daemon again"

# --- a second environment ---

inside taktctl -q env create /srv/lab
inside chown -R takt: /srv/lab/state /srv/lab/run
inside sh -c 'cat >/srv/lab/jobs/lab.job' <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=1ms'
inside systemctl start taktd@srv-lab.service || fail "taktd@srv-lab can't be started"
inside taktctl --env /srv/lab -q run --wait lab >/dev/null || fail "a job of the second environment does not run"
inside systemctl reload taktd@srv-lab.service || fail "the second environment can't be reloaded"
[ "$(property StatusText taktd@srv-lab)" = "1 jobs" ] || fail "its status is not told"
inside systemctl stop taktd@srv-lab.socket taktd@srv-lab.service || fail "the second environment can't be stopped"

check_journal
exit $failed
