#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Server and client against each other, and each against an implementation that shares no line with them.
set -u
: "${TAKT_BUILDDIR:?}"
programs=$TAKT_BUILDDIR/tests/varlink
status=0

dir=$(mktemp -d)
pids=
cleanup() {
        for pid in $pids; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
        rm -rf "$dir"
}
trap cleanup EXIT

check() {
        local what=$1
        shift
        if "$@" >"$dir/log" 2>&1; then
                echo "ok: $what"
        else
                echo "FAILED: $what"
                cat "$dir/log"
                status=1
        fi
}

# The other client exits with 0 whatever happens; what it prints counts.
other_client() {
        timeout 20 varlink-go-certification --varlink="unix:$dir/ours" --client | tee /dev/stderr | grep -qx "End: 'true'"
}

mkfifo "$dir/ready"
"$programs/certification-server" "$dir/ours" >"$dir/ready" &
server=$!
pids="$pids $server"
read -r line <"$dir/ready" && [ "$line" = ready ] || { echo "FAILED: no server"; exit 1; }

check "our client, our server" "$programs/certification-client" "$dir/ours"
if command -v varlink-go-certification >/dev/null; then
        check "varlink-go's client, our server" other_client
        varlink-go-certification --varlink="unix:$dir/theirs" >"$dir/theirs.log" 2>&1 &
        pids="$pids $!"
        check "our client, varlink-go's server" "$programs/certification-client" "$dir/theirs"
else
        echo "skipped: there is no varlink-go-certification (Debian: varlink-go)"
        skipped=1
fi
kill "$server"
wait "$server" || { echo "FAILED: exit of our server"; status=1; }
pids=${pids# $server}
[ $status -eq 0 ] && [ -n "${skipped-}" ] && exit 77
exit $status
