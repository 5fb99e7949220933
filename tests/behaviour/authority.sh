#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may do what over the control socket: clients of other users and groups, and what the log says of
# those that are refused. Needs root, to be others.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
[ "$(id -u)" -eq 0 ] || { echo "SKIP: only root can be other users"; exit 77; }
command -v setpriv >/dev/null || { echo "SKIP: there is no setpriv"; exit 77; }
unset TAKT_ENV
dir=$(mktemp -d)
daemon=''
cleanup() {
        if [ -n "$daemon" ]; then
                kill "$daemon" 2>/dev/null || :
                wait "$daemon" 2>/dev/null || :
        fi
        rm -rf "$dir"
}
trap cleanup EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}

# The build tree may be closed to others: they use copies.
chmod 755 "$dir"
mkdir "$dir/bin"
cp "$TAKT_BUILDDIR"/takt{ctl,d,-spawn,-worker} "$dir/bin"
env=$dir/lab
"$TAKT_BUILDDIR/taktctl" -q env create "$env"
printf '[Job]\nType=sleep\n[Sleep]\nDuration=1ms\n' >"$env/jobs/nap.job"
# Ids that nobody has: the daemon's user and group, the groups that control and read, a stranger.
owner=50010 control=50020 reader=50030 stranger=50040
chown -R $owner:$owner "$env"

# settings LINE…: of takt.conf
settings() {
        { echo '[Daemon]' && printf '%s\n' "$@"; } >"$env/takt.conf"
}

# client UID GID GROUPS ARGS…: the exit status of taktctl as that user
client() {
        local uid=$1 gid=$2 groups=$3 status=0
        shift 3
        case $groups in
        -) groups=(--clear-groups) ;;
        *) groups=(--groups "$groups") ;;
        esac
        setpriv --reuid "$uid" --regid "$gid" "${groups[@]}" "$dir/bin/taktctl" --env "$env" "$@" \
                >"$dir/out" 2>&1 </dev/null || status=$?
        echo $status
}

# expect WHO READS RUNS UID GID GROUPS: exit statuses of list and run
expect() {
        local who=$1 reads=$2 runs=$3 found
        shift 3
        found=$(client "$@" list)
        [ "$found" = "$reads" ] || fail "$who: list ends with $found, not $reads: $(cat "$dir/out")"
        found=$(client "$@" run nap)
        [ "$found" = "$runs" ] || fail "$who: run ends with $found, not $runs: $(cat "$dir/out")"
}

setpriv --reuid $owner --regid $owner --clear-groups "$dir/bin/taktd" --env "$env" 2>"$dir/log" &
daemon=$!
for _ in $(seq 100); do
        [ "$(client 0 0 - ping)" = 0 ] && break
        kill -0 $daemon 2>/dev/null || break
        sleep 0.1
done
[ "$(client 0 0 - ping)" = 0 ] || { cat "$dir/log" "$dir/out"; exit 1; }

expect "root" 0 0 0 0 -
expect "the daemon's user" 0 0 $owner $stranger -
expect "the socket's group" 0 0 $stranger $owner -
expect "the socket's group beside another" 0 0 $stranger $stranger $control,$owner
expect "a stranger" 5 5 $stranger $stranger -
# Each refusal is a call, and of all of them one is logged.
found=$(grep -c "uid $stranger\|user $stranger\|$stranger" "$dir/log" || :)
[ "$found" = 1 ] || fail "$found lines tell of the stranger: $(cat "$dir/log")"

settings "ControlGroup=$control" "ReadGroup=$reader"
[ "$(client $owner $owner - reload)" = 0 ] || fail "the settings are refused: $(cat "$dir/out")"
expect "the daemon's user, with settings" 0 0 $owner $stranger -
expect "the control group" 0 0 $stranger $control -
expect "the read group" 0 5 $stranger $stranger $reader
expect "both groups" 0 0 $stranger $reader $control
expect "the socket's group, which was replaced" 5 5 $stranger $owner -
expect "a stranger, with settings" 5 5 $stranger $stranger -

settings "ReadGroup=*"
[ "$(client 0 0 - reload)" = 0 ] || fail "ReadGroup=* is refused: $(cat "$dir/out")"
expect "a stranger, where everybody may read" 0 5 $stranger $stranger -

for bad in ControlGroup=no-such-group ControlGroup=\* ReadGroup=4294967295 ReadGroup=-1; do
        settings "$bad"
        [ "$(client 0 0 - reload)" = 1 ] || fail "$bad is not refused"
        grep -q "takt.conf:2:" "$dir/out" || fail "$bad: $(cat "$dir/out")"
done
expect "a stranger, after bad settings" 0 5 $stranger $stranger -
exit $failed
