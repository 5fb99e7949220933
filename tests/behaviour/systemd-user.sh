#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The user unit under a user's own manager, in a container that was really booted; see container.sh.
# shellcheck source=tests/behaviour/container.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/container.sh"
boot writable

inside systemctl is-active -q dbus.socket || skip "there is no D-Bus here, which user managers need"
inside useradd -m takt-tester || fail "no user can be made"
uid=$(inside id -u takt-tester)
inside loginctl enable-linger takt-tester || skip "users can't have managers here"
inside systemctl start "user@$uid.service" || skip "no user manager could be started here"
# as_user COMMAND…
as_user() {
        inside setpriv --reuid="$uid" --regid="$uid" --init-groups --reset-env env "PATH=$PATH" "HOME=/home/takt-tester" \
                "XDG_RUNTIME_DIR=/run/user/$uid" "$@"
}
user_property() {
        as_user systemctl --user show -P "$1" taktd
}

as_user mkdir -p /home/takt-tester/.config/takt/jobs
as_user sh -c 'cat >$HOME/.config/takt/jobs/whoami.job' <<<$'[Job]\nType=exec\n[Exec]\nCommand=/usr/bin/id -un'
# The sanitizers look for leaks with ptrace(2), and die where they may not.
as_user mkdir -p "/run/user/$uid/systemd/user/taktd.service.d"
as_user sh -c "printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' >/run/user/$uid/systemd/user/taktd.service.d/test.conf"
as_user systemctl --user daemon-reload

as_user systemctl --user enable --now taktd.socket 2>/dev/null || fail "the user's socket can't be enabled"
as_user taktctl -q --user ping || fail "the first call is not answered"
until_true "the readiness of the user's daemon" as_user systemctl --user is-active taktd.service || exit 1
[ "$(user_property StatusText)" = "1 jobs" ] || fail "the status is \"$(user_property StatusText)\""
found=$(as_user taktctl --user --json run --wait whoami | grep -o '"result":"[^"]*"' || :)
[ "$found" = '"result":"takt-tester"' ] || fail "a run of the user gives $found"
# A unit of the user's own manager, by the user's bus.
as_user sh -c 'cat >$HOME/.config/takt/jobs/second-unit.job' <<<$'[Job]\nType=exec\n[Exec]\nStartMethod=unit\nCommand=/bin/sh -c "id -un; cat /proc/self/cgroup"\nNice=1'
as_user sh -c 'cat >$HOME/.config/takt/jobs/long-unit.job' <<<$'[Job]\nType=exec\n[Exec]\nStartMethod=unit\nCommand=/bin/sleep 1000'
as_user systemctl --user reload taktd || fail "the user's daemon can't be reloaded"
found=$(as_user taktctl --user --json run --wait second-unit || :)
case $found in
*'takt-tester'*"user@$uid.service/"*'takt-second-unit-'*'"state":"succeeded"'* | *'"state":"succeeded"'*'takt-tester'*"user@$uid.service/"*'takt-second-unit-'*) ;;
*) fail "a unit on the user's bus gives $found" ;;
esac
run=$(as_user taktctl --user run long-unit)
until_true "the user's unit" as_user systemctl --user is-active "takt-long-unit-$run.service"
as_user taktctl -q --user cancel "$run"
until_true "its end" as_user sh -c "taktctl --user --json runs long-unit | grep -q '\"state\":\"cancelled\"'"
as_user sh -c 'rm $HOME/.config/takt/jobs/*-unit.job'
as_user sh -c 'cat >$HOME/.config/takt/jobs/second.job' <<<$'[Job]\nType=sleep\n[Sleep]\nDuration=1ms'
as_user systemctl --user reload taktd || fail "the user's daemon can't be reloaded"
[ "$(user_property StatusText)" = "2 jobs" ] || fail "after a reload the status is \"$(user_property StatusText)\""
before=$(user_property MainPID)
as_user systemctl --user restart taktd || fail "the user's daemon can't be restarted"
[ "$(user_property MainPID)" != "$before" ] || fail "it is still the same process"
as_user taktctl --user -q run --wait second >/dev/null || fail "a job does not run after the restart"
as_user systemctl --user stop taktd.service 2>/dev/null || fail "the user's daemon can't be stopped"
[ "$(user_property ActiveState):$(user_property Result)" = inactive:success ] ||
        fail "it ended as $(user_property ActiveState):$(user_property Result)"
as_user taktctl -q --user ping || fail "the user's socket does not start the daemon again"
check_journal
exit $failed
