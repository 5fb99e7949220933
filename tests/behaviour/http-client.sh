#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The HTTP client against nginx and against a server that misbehaves.
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
echo '{"answer": 42}' >"$dir/root/index.json"
start_nginx "$dir/nginx" "$dir/root" tls || exit 1
pids="$pids $NGINX_PID"

python3 "$TAKT_SRCDIR/tests/behaviour/odd-server.py" "$dir/port" &
pids="$pids $!"
for i in $(seq 200); do [ -e "$dir/port" ] && break; sleep 0.05; done

unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
TAKT_TEST_NGINX=http://127.0.0.1:$NGINX_PORT
TAKT_TEST_TLS_PORT=$NGINX_TLS_PORT
TAKT_TEST_CA=$dir/nginx/cert.pem
TAKT_TEST_SOCKET=$dir/nginx/nginx.sock
TAKT_TEST_ODD=http://127.0.0.1:$(cat "$dir/port")
TAKT_TEST_CLOSED=http://127.0.0.1:$(free_port)
export TAKT_TEST_NGINX TAKT_TEST_TLS_PORT TAKT_TEST_CA TAKT_TEST_SOCKET TAKT_TEST_ODD TAKT_TEST_CLOSED
"$TAKT_BUILDDIR/tests/behaviour/http-client"
