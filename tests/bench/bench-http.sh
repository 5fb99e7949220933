#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# GETs a second of a small document from an nginx of its own, beside bare curl and aiohttp.
set -u
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
. "$TAKT_SRCDIR/tests/behaviour/nginx.sh"

dir=$(mktemp -d)
trap 'kill "$NGINX_PID" 2>/dev/null; wait "$NGINX_PID" 2>/dev/null; rm -rf "$dir"' EXIT
mkdir "$dir/root"
echo '{"name": "bulbasaur", "id": 1, "main": {"temp": 21.5, "ok": true}}' >"$dir/root/index.json"
start_nginx "$dir/nginx" "$dir/root" || exit 1
url=http://127.0.0.1:$NGINX_PORT/index.json

{
        "$TAKT_BUILDDIR/tests/bench/bench-http" "$url" || exit 1
        /usr/bin/python3 "$TAKT_SRCDIR/tests/bench/aiohttp-get.py" "$url" 64 ||
                echo "aiohttp: not installed (python3-aiohttp)" >&2
} | awk '
        BEGIN { print "GETs of a small document from nginx on loopback, 64 at a time" }
        { rate[$1] = $2; cpu[$1] = $3; printf "  %-14s %8d /s  %7.1f us of CPU each\n", $1, $2, $3 }
        END {
                best = rate["multi-socket"] > rate["multi-poll"] ? "multi-socket" : "multi-poll"
                printf "  takt is %.2f of bare curl (%s)", rate["takt"] / rate[best], best
                printf ", %.2f by CPU", cpu[best] / cpu["takt"]
                if (rate["aiohttp"])
                        printf "; %.1f times aiohttp", rate["takt"] / rate["aiohttp"]
                print ""
        }'
