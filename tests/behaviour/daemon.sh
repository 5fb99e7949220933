#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktd as a process: one of an environment, its socket, its stop, its status pages, its run ids after a crash, its
# life without descriptors.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
. "$TAKT_SRCDIR/tests/behaviour/nginx.sh"
new_environment
mkdir -p "$dir/sys/class/leds/status"
echo 0 >"$dir/sys/class/leds/status/brightness"
echo 255 >"$dir/sys/class/leds/status/max_brightness"
# In this copy of sysfs what is written to the trigger is what is read from it.
echo 'none [heartbeat] timer' >"$dir/sys/class/leds/status/trigger"
led() {
        echo "$(cat "$dir/sys/class/leds/status/brightness") $(cat "$dir/sys/class/leds/status/trigger")"
}
led_is_lit() {
        [ "$(cat "$dir/sys/class/leds/status/brightness")" = 255 ]
}

port=$(free_port)
settings <<END
[Daemon]
SysfsRoot=$dir/sys
StopTimeoutSec=1s
Listen=127.0.0.1:$port
END
job hello <<'END'
[Job]
Type=blink
[Blink]
Message=Hello
Duration=5s
Rate=2
END
job light <<'END'
[Job]
Type=blink
[Blink]
Led=status
Duration=1h
Duty=1
END
job short <<'END'
[Job]
Type=blink
[Blink]
Led=status
Duration=200ms
Rate=10
END
job stubborn <<'END'
[Job]
Type=exec
[Exec]
Command=/bin/sh -c "trap '' TERM; echo $$$$ >stubborn.pid; while :; do sleep 0.1; done"
KillAfterSec=1h
END
job nap <<'END'
[Job]
Type=sleep
[Sleep]
Duration=0
END
start_taktd

# --- the first promise ---
run_job 'r["result"], r["state"]' hello >"$dir/hello" &
hello=$!

# --- LEDs are given back: at the end, on cancel, after a crash ---
is "state of short" succeeded "$(run_job 'r["state"]' short)"
is "the LED after a run" "0 heartbeat" "$(led)"
taktctl run light >"$dir/out"
eventually "the LED is lit" led_is_lit || :
like "trigger while it blinks" "none*" "$(cat "$dir/sys/class/leds/status/trigger")"
like "a second user of the LED" "LED status is in use by light" "$(run_job 'r["error"]["message"]' short)"
taktctl cancel light
taktctl wait light >"$dir/out" 2>&1 || :
is "the LED after cancel" "0 heartbeat" "$(led)"

# --- a second daemon of the same environment leaves everything alone ---
taktctl run light >"$dir/out"
eventually "the LED is lit again" led_is_lit || :
cp "$dir/env/state/next-run" "$dir/next-run"
if timeout 20 taktd --log-target console >"$dir/second" 2>&1; then
        fail "a second taktd serves the same environment"
fi
like "what the second one says" "*Another taktd serves this environment*" "$(cat "$dir/second")"
led_is_lit || fail "the second taktd has put the LED out"
cmp "$dir/next-run" "$dir/env/state/next-run" || fail "the second taktd has written run ids"
taktctl ping >"$dir/out" || fail "the second taktd has taken the socket away"

# --- status pages ---
get() {
        python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())' "http://127.0.0.1:$port$1"
}
get /healthz | python3 -c 'import json, sys; json.load(sys.stdin)' || fail "/healthz is no JSON"
get /metrics >"$dir/metrics"
python3 - "$dir/metrics" <<'END' || fail "/metrics: see above"
import re, sys
text = open(sys.argv[1]).read().rstrip("\n") + "\n"
lines = text.splitlines()
assert lines[-1] == "# EOF", lines[-1]
kinds, n = {}, 0
for line in lines[:-1]:
    if line.startswith("# "):
        what, name, rest = line[2:].split(" ", 2)
        assert what in ("TYPE", "HELP", "UNIT"), line
        if what == "TYPE":
            assert name not in kinds and rest in ("gauge", "counter", "info", "histogram", "summary"), line
            kinds[name] = rest
        continue
    m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\])*",?)*\})? (\S+)', line)
    assert m, line
    float(m[5])
    base = re.sub(r"_(total|info|bucket|sum|count)$", "", m[1])
    assert m[1] in kinds or base in kinds, line
    assert kinds.get(base) != "counter" or m[1].endswith("_total"), line
    n += 1
assert n > 5, n
assert 'takt_stall_seconds_total{part="waiting"} ' in text
END

wait $hello || fail "run --wait of hello"
is "Hello for 5 s at 2 a second" "(10, 'succeeded')" "$(cat "$dir/hello")"

# --- killed: the socket is stale, the LED lit, ids were given ---
last=$(runs 'max(r["run"] for r in rs)')
kill_taktd
[ -S "$dir/env/run/takt.sock" ] || fail "the socket should be stale now"
start_taktd
is "the LED after a crash and a start" "0 heartbeat" "$(led)"
first=$(run_job 'r["run"]' nap)
[ "$first" -gt "$last" ] || fail "run id $first after a crash, $last was given before"

# --- a stop does not wait for ever, and is a clean end; ids go on without a gap ---
taktctl run stubborn >"$dir/out"
eventually "stubborn runs" test -s "$dir/env/stubborn.pid" || :
stubborn=$(cat "$dir/env/stubborn.pid")
last=$(runs 'max(r["run"] for r in rs)')
stop_taktd
eventually "what ignores TERM is gone" gone "$stubborn" || :
[ ! -e "$dir/env/run/takt.sock" ] || fail "the socket is still there after the stop"
start_taktd
is "first run id after a clean stop" $((last + 1)) "$(run_job 'r["run"]' nap)"

# --- a second signal ends it at once ---
settings <<END
[Daemon]
StopTimeoutSec=1h
END
taktctl -q reload
rm -f "$dir/env/stubborn.pid"
taktctl run stubborn >"$dir/out"
eventually "stubborn runs" test -s "$dir/env/stubborn.pid" || :
kill -TERM "$taktd_pid"
eventually "the stop has begun" grep -q "Stopping on SIGTERM" "$log" || :
stop_taktd

# --- no descriptors left ---
job busy <<'END'
[Job]
Type=exec
[Schedule]
Overlap=parallel
[Exec]
Command=/bin/sleep 3600
END
(
        ulimit -n 64
        exec taktd --log-target console
) >"$dir/few.log" 2>&1 &
taktd_pid=$!
log=$dir/few.log
eventually "the daemon answers" answers || exit 1
for _ in $(seq 40); do
        timeout 20 taktctl run busy >"$dir/out" 2>&1 || :
done
has_failed() {
        has_run 'r["job"] == "busy" and r["state"] == "failed"'
}
eventually "runs that find no descriptor fail" has_failed || :
taktctl ping >"$dir/out" || fail "the daemon does not answer without descriptors"
timeout 20 taktctl cancel busy >"$dir/out" 2>&1 || :
can_run_again() {
        [ "$(run_job 'r["state"]' nap)" = succeeded ]
}
eventually "it works again" can_run_again || :
stop_taktd

check_end
