#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench-varlink beside varlink-go's server, where Go and its sources are installed.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || :; rm -rf "$dir"' EXIT
sources=/usr/share/gocode

if ! command -v go >/dev/null; then
        echo "calls/s of varlink-go: not measured; it takes the package golang-go"
elif [ ! -d "$sources/src/github.com/varlink/go/varlink" ]; then
        echo "calls/s of varlink-go: not measured; it takes the package golang-github-varlink-go-dev"
elif ! GO111MODULE=off GOPATH=$sources GOCACHE=$dir/cache go build -o "$dir/varlink-go" \
        "$TAKT_SRCDIR/tests/bench/varlink-go.go" 2>"$dir/log"; then
        echo "calls/s of varlink-go: not measured; its server can't be built: $(head -c 300 "$dir/log")"
else
        "$dir/varlink-go" "$dir/socket" &
        pid=$!
        for _ in $(seq 200); do
                [ ! -S "$dir/socket" ] || break
                sleep 0.05
        done
        export TAKT_BENCH_VARLINK_GO=$dir/socket
fi
"$TAKT_BUILDDIR/tests/bench/bench-varlink"
