#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl status shows the processes under a run, each way of starting them, and how many there are at most.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment

cat >"$dir/env/bin/family" <<'END'
#!/usr/bin/env python3
# One child with one of its own, one that left it behind, and one more.
import signal, subprocess
subprocess.Popen(["sh", "-c", "sleep 3001; :"])
subprocess.Popen(["sh", "-c", "sleep 3002 & exit"]).wait()
subprocess.Popen(["sleep", "3003"])
signal.pause()
END
cat >"$dir/env/bin/crowd" <<'END'
#!/bin/sh
for i in $(seq 99); do sleep 3004 & done
wait
END
cat >"$dir/env/bin/words" <<'END'
#!/usr/bin/env python3
import signal
signal.pause()
END
chmod +x "$dir/env/bin/"*
printf '[Job]\nType=exec\n[Exec]\nCommand=family\n' | job spawned
printf '[Job]\nType=exec\n[Exec]\nStartMethod=pool\nProcesses=1\nCommand=family\nInputJson=1\n' | job pooled
printf '[Job]\nType=worker\n[Worker]\nCommand=family\n' | job coroutine
printf '[Job]\nType=exec\n[Exec]\nCommand=crowd\n' | job crowd
printf '[Job]\nType=exec\n[Exec]\nCommand=words "\\x1b[31mred" "%s"\n' "$(printf 'x%.0s' $(seq 300))" | job words
printf '[Job]\nType=group\n[Group]\nRun=spawned\n' | job group
printf '[Job]\nType=sleep\n[Sleep]\nDuration=1h\n' | job sleeper
start_taktd

tree() {
        taktctl --no-pager status -n 0 "$1" | sed -n '/^Processes of run/,$p' | sed 1d
}
# has_family JOB: whose tree is the four processes, each at its place
has_family() {
        tree "$1" | sed -E 's/[0-9]+ (python3|sh|sleep)/PID \1/;s/python3 .*family/family/' >"$dir/tree"
        diff - "$dir/tree" <<'END'
├─PID family
│ ├─PID sh -c sleep 3001; :
│ │ └─PID sleep 3001
│ └─PID sleep 3003
└─PID sleep 3002
END
}
for name in spawned pooled coroutine; do
        run=$(taktctl run $name)
        eventually "the processes of $name" has_family $name || cat "$dir/eventually"
        eventually "$name is named" grep -q "^Processes of run $run\$" <(taktctl --no-pager status -n 0 $name) || :
        taktctl -q cancel "$run"
        taktctl -q wait "$run" || :
done
taktctl -q run group >"$dir/out"
eventually "the processes of a member" has_family group || cat "$dir/eventually"

run=$(taktctl run crowd)
crowd_is_there() {
        [ "$(tree crowd | wc -l)" = 65 ] && tree crowd | tail -n 1 | grep -qx '└─36 more'
}
eventually "no more than 64 are shown" crowd_is_there || tree crowd
taktctl -q cancel "$run"

taktctl -q run words >"$dir/out"
cut_at_width() {
        COLUMNS=60 TERM=xterm python3 -c 'import pty, sys; sys.exit(pty.spawn(["taktctl"] + sys.argv[1:]))' --no-pager status -n 0 words |
                python3 -c 'import re, sys
lines = [re.sub("\x1b.*?m", "", line.rstrip("\r\n")) for line in sys.stdin]
sys.exit(not any(len(line) == 60 and line.startswith("└─") and "xxx" not in line[60:] for line in lines))'
}
eventually "lines are cut at the terminal's width" cut_at_width || :
like "control characters" '*\\x1b?31mred*' "$(tree words)"

# Nothing is shown of what has ended or has no process; --json is the daemon's answer as it is.
taktctl -q run sleeper >"$dir/out"
is "a run without a process" "" "$(tree sleeper)"
is "JSON" True "$(taktctl --json status words | python3 -c 'import json, sys; print("processes" not in json.load(sys.stdin)[0])')"
taktctl -q cancel words sleeper
taktctl -q wait words sleeper 2>"$dir/out" || :
is "what has ended" "" "$(tree words)"
check_end
