#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units in a systemd that was really booted: a container of the machine's own /usr with what
# `make install` installs bound into it. Needs root, systemd-nspawn and the right to make namespaces;
# says so and counts as skipped where one is missing.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
skip() {
        echo "SKIP: $*"
        exit 77
}
[ "$(id -u)" -eq 0 ] || skip "only root can boot a container"
for tool in systemd-nspawn nsenter; do
        command -v $tool >/dev/null || skip "there is no $tool"
done
prefix=$(sed -n 's/^prefix = //p' "$TAKT_BUILDDIR/Makefile")
case $prefix in
/usr | /) skip "what is installed in $prefix can't be bound over the machine's own" ;;
esac

dir=$(mktemp -d)
machine=takt-test-$$
nspawn='' leader=''
failed=0
cleanup() {
        local _
        if [ -n "$leader" ]; then kill -s SIGRTMIN+4 "$leader" 2>/dev/null || :; fi
        if [ -n "$nspawn" ]; then
                for _ in $(seq 50); do
                        kill -0 "$nspawn" 2>/dev/null || break
                        sleep 0.1
                done
                [ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || :
                kill "$nspawn" 2>/dev/null || :
                wait "$nspawn" 2>/dev/null || :
        fi
        rm -rf "$dir"
}
trap cleanup EXIT
fail() {
        echo "FAIL: $*"
        failed=1
}

# child_of PID NAME
child_of() {
        local pid
        for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null || :); do
                [ "$(cat "/proc/$pid/comm" 2>/dev/null || :)" = "$2" ] && echo "$pid" && return
        done
        return 1
}

# inside COMMAND…: runs it in the container
inside() {
        timeout 20 nsenter -t "$leader" -m -p -u -i -n -C "$@"
}

# property NAME [UNIT]
property() {
        inside systemctl show -P "$1" "${2:-taktd}"
}

# until_true WHAT COMMAND…: for up to 10 s
until_true() {
        local what=$1 _
        shift
        for _ in $(seq 100); do
                if "$@" >/dev/null 2>&1; then return 0; fi
                sleep 0.1
        done
        fail "$what did not come"
        inside journalctl -b --no-pager -n 30 -u 'taktd*' || :
        return 1
}

# --- boot ---

make -s -C "$TAKT_BUILDDIR" MAKEFLAGS= install DESTDIR="$dir/stage" >"$dir/install.log" 2>&1 || {
        cat "$dir/install.log"
        exit 1
}
mkdir "$dir/share"
chmod 755 "$dir" "$dir/share"
binds=(--bind-ro="$dir/stage$prefix:$prefix" --bind="$dir/share:/mnt")
# Where systemd looks for units of those two prefixes only.
[ "$prefix" = /usr/local ] || binds+=(--bind-ro="$dir/stage$prefix/lib:/usr/local/lib")
systemd-nspawn -q -D / --volatile=yes --boot -M "$machine" --register=no --keep-unit --link-journal=no --console=pipe \
        --private-network "${binds[@]}" -- systemd.firstboot=no systemd.unit=basic.target \
        </dev/null >"$dir/console.log" 2>&1 &
nspawn=$!
for _ in $(seq 100); do
        kill -0 "$nspawn" 2>/dev/null || break
        stub=$(child_of "$nspawn" systemd-nspawn || :)
        leader=$(child_of "${stub:-$nspawn}" systemd || :)
        if [ -n "$leader" ] && inside systemctl is-active -q basic.target 2>/dev/null; then break; fi
        sleep 0.1
done
if [ -z "$leader" ] || ! inside systemctl is-active -q basic.target; then
        tail -5 "$dir/console.log"
        skip "no container could be booted here"
fi

export PATH="$prefix/bin:$prefix/sbin:$PATH"
# The sanitizers look for leaks with ptrace(2), which the sandbox does not have.
inside mkdir -p /run/systemd/system/taktd.service.d /run/systemd/system/taktd@.service.d
for unit in taktd taktd@; do
        inside sh -c "printf '[Service]\nWatchdogSec=2s\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
                >/run/systemd/system/$unit.service.d/test.conf"
done
inside systemctl daemon-reload
# As packages do once they are installed.
inside sh -c 'mkdir -p /var/lib/systemd/catalog && journalctl --update-catalog'

# job NAME LINES: a job of the system's environment
job() {
        inside sh -c "cat >/etc/takt/jobs/$1.job" <<<"$2"
}
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

# --- journal ---

until_true "the failure in the journal" inside sh -c \
        'journalctl --no-pager -u taktd TAKT_JOB=broken -o json | grep -q "\"TAKT_STATE\":\"failed\""'
fields=$(inside journalctl --no-pager -u taktd TAKT_JOB=broken -o json)
for field in '"MESSAGE_ID":"8088f22634cc4796a4a7ca8018dd5bde"' '"TAKT_ENV":"system"' '"TAKT_KIND":"exec"' '"TAKT_RUN":"2"' '"PRIORITY":"4"'; do
        grep -q "$field" <<<"$fields" || fail "the journal has no $field"
done

inside journalctl --no-pager -x -u taktd TAKT_JOB=broken | grep -q "Subject: A run of job broken failed" ||
        fail "the catalog does not explain the failure"

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

inside taktctl --system -q run long >/dev/null || fail "a run can't be started"
until_true "the command" inside pgrep -x sleep
before=$(property MainPID)
inside systemctl restart taktd || fail "the daemon can't be restarted"
[ "$(property MainPID)" != "$before" ] || fail "it is still the same process"
inside taktctl -q --system ping || fail "no answer after a restart"
if inside pgrep -x sleep >/dev/null; then fail "a command outlived the restart"; fi

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

if inside journalctl --no-pager -u 'taktd*' | grep -E 'AddressSanitizer|runtime error'; then fail "a sanitizer complains"; fi
[ $failed -eq 0 ] || inside journalctl --no-pager -u 'taktd*' -n 60 || :
exit $failed
