#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktd as a process, with servers of its own. usage: bench-daemon.sh [NAME…], see bench-daemon.py.
set -u
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
. "$TAKT_SRCDIR/tests/behaviour/nginx.sh"

dir=$(mktemp -d)
pids=
cleanup() {
        for pid in $pids; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
        rm -rf "$dir"
}
trap cleanup EXIT
mkdir "$dir/root"
cat >"$dir/root/index.json" <<'JSON'
{"id": 1, "name": "bulbasaur", "height": 7, "weight": 69, "is_default": true, "main": {"temp": 21.5, "ok": true},
 "types": [{"slot": 1, "type": {"name": "grass"}}, {"slot": 2, "type": {"name": "poison"}}], "abilities": ["overgrow", null]}
JSON
start_nginx "$dir/nginx" "$dir/root" || exit 1
pids=$NGINX_PID
python3 "$TAKT_SRCDIR/tests/behaviour/odd-server.py" "$dir/port" &
pids="$pids $!"
for i in $(seq 200); do [ -e "$dir/port" ] && break; sleep 0.05; done

python3 "$TAKT_SRCDIR/tests/bench/bench-daemon.py" "http://127.0.0.1:$NGINX_PORT/index.json" \
        "http://127.0.0.1:$(cat "$dir/port")" "$@"
