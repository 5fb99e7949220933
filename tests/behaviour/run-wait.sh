#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who waits for a run is told of its end: run --wait, wait, and many waiters for one run.
set -eu
dir=$(mktemp -d)
taktctl=$TAKT_BUILDDIR/taktctl
unset TAKT_ENV
"$taktctl" env create "$dir/env" >/dev/null
printf '[Job]\nType=blink\n[Blink]\nDuration=500ms\nRate=10\n' >"$dir/env/jobs/blink.job"
printf '[Job]\nType=sleep\n[Sleep]\nDuration=1s\n' >"$dir/env/jobs/nap.job"
"$TAKT_BUILDDIR/taktd" --env "$dir/env" 2>"$dir/log" &
daemon=$!
trap 'kill $daemon 2>/dev/null || true; wait $daemon || true; rm -rf "$dir"' EXIT
export TAKT_ENV=$dir/env
for _ in $(seq 100); do "$taktctl" ping >/dev/null 2>&1 && break; read -rt 0.1 <> <(:) || true; done

result=$(timeout 60 "$taktctl" run --wait blink)
[ "$result" = 5 ] || { echo "run --wait printed '$result', not 5"; exit 1; }

# Ten clients wait for one run; all of them get its end.
timeout 60 "$taktctl" run nap >/dev/null
waiters=()
for _ in $(seq 10); do
        timeout 60 "$taktctl" wait nap >/dev/null &
        waiters+=($!)
done
for pid in "${waiters[@]}"; do wait "$pid" || { echo "a waiter failed"; exit 1; }; done

# A daemon that is told to stop answers who waits before it goes.
timeout 60 "$taktctl" --json run --wait nap >"$dir/out" &
waiter=$!
for _ in $(seq 100); do
        timeout 60 "$taktctl" --json runs nap --state running | grep -q running && break
        read -rt 0.1 <> <(:) || true
done
kill $daemon
wait $waiter && { echo "a cancelled run counted as success"; exit 1; }
grep -q '"state":"cancelled"' "$dir/out" || { echo "the waiter was not told: $(cat "$dir/out")"; exit 1; }
echo ok
