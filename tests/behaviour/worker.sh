#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Type=worker under a real daemon: what it yields, what is sent to it, and how it misbehaves.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
# Doubles numbers; an object with "throw" raises; the end of input returns.
cat >"$dir/env/bin/double" <<'END'
#!/usr/bin/env python3
import json, os, signal, sys
def say(value):
    print(json.dumps(value), flush=True)
signal.signal(signal.SIGUSR1, lambda *_: say({"signal": "USR1"}))
say({"n": 0, "pid": os.getpid()})
for line in sys.stdin:
    value = json.loads(line)
    if isinstance(value, dict) and "throw" in value:
        if value["throw"] == "fatal":
            sys.exit("fatal error")
        say({"caught": value["throw"], "n": -1})
    elif value == "flood":
        sys.stdout.write("".join('{"n":%d}\n' % i for i in range(100000)))
        sys.stdout.flush()
    elif value == "garbage":
        print("garbage\n" * 200, end="", flush=True)
    elif value == "long":
        say({"n": 0, "text": "x" * 5000})
        say({"n": 7})
    elif value == "half":
        sys.stdout.write('{"n":')
        sys.stdout.flush()
        os._exit(0)
    elif value == "nothing":
        print("no value", flush=True)
    elif value == "end":
        sys.exit(0)
    else:
        say({"n": 2 * value, "pid": os.getpid()})
END
chmod +x "$dir/env/bin/double"
# worker NAME [KEYS [JOB]]
worker() {
        printf '[Job]\nType=worker\n%b[Worker]\nCommand=double\n%b' "${3:-}" "${2:-}" | job "$1"
}
worker gen '[Result]\nOutput=n: $.n\n[Publish]\nFile=gen.json\n'
worker brave '' 'Retries=1\nRetryDelaySec=1ms\n'
worker short 'MaxBytes=1000\n'
worker changing 'MaxRequests=2\n'
worker idle 'IdleSec=100ms\n'
worker silent 'StaleSec=100ms\n'
worker missing
printf '[Job]\nType=worker\n[Worker]\nCommand=/nonexistent\n' | job missing
printf '[Job]\nType=worker\n[Worker]\nCommand=/bin/sleep 1000\nMaxUnsent=100K\n' | job deaf
printf '[Job]\nType=sleep\n[Sleep]\nDuration=1h\n' | job sleeper
start_taktd
state_of() {
        [ "$(runs 'rs[0]["state"]' "$1")" = "$2" ]
}
# details NAME EXPRESSION: of the newest run's details d
details() {
        runs "(lambda d: $2)(rs[0]['details'] or {})" "$1"
}
has() {
        [ "$(details "$1" "$2")" = True ]
}
# started NAME: a run of it, once it has yielded its first value
started() {
        taktctl run "$1" >"$dir/out"
        eventually "$1 yields" has "$1" "d.get('values', 0) >= 1" || :
}

# --- send, yield, throw, signal, close ---
is "no run to send to" 3 "$(taktctl send gen 1 2>"$dir/out"; echo $?)"
started gen
is "an answer" '{"n":42,"pid"' "$(taktctl send --wait gen 21 | cut -d: -f1,2 | sed 's/ //g' | tr -d '\n' | head -c 13)"
taktctl send gen 1 2 3
eventually "all values come" has gen "d['values'] == 5 and d['sent'] == 4" || :
is "the value so far" 6 "$(taktctl result --json gen | python3 -c 'import json, sys; print(json.load(sys.stdin)["n"])')"
is "the published value" 6 "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["n"])' "$dir/env/gen.json")"
is "an error that is caught" '{"caught":"oops","n":-1}' "$(taktctl send --wait --throw oops gen)"
# Not unsent bytes, but what the event holds: the worker may miss an output that this value lacks.
worker_pid=$(details gen "d['pid']")
# Who waits learns why nothing comes.
# refused WHAT PATTERN ARG…: send --wait ends with 1, and says so
refused() {
        local what=$1 pattern=$2 status=0
        shift 2
        timeout 60 taktctl send --wait "$@" >"$dir/out" 2>&1 || status=$?
        is "$what: status" 1 $status
        like "$what" "$pattern" "$(cat "$dir/out")"
}
refused "nothing in time" '*1 not JSON*has yielded nothing for 3s' --timeout 3s gen '"nothing"'
is "--timeout without --wait" 2 "$(taktctl send --timeout 1s gen 1 2>"$dir/out"; echo $?)"
taktctl send --signal USR1 gen
eventually "a value without an output counts for nothing" has gen "d['lost'] == 1" || :
like "a signal that is none" '*signal*' "$(taktctl send --signal NONE gen 2>&1)"
is "a run without input" 1 "$(taktctl run sleeper >"$dir/out"; taktctl send sleeper 1 2>"$dir/out"; echo $?)"
taktctl send --close gen
taktctl wait gen >"$dir/out" 2>&1 || :
is "the end" "('succeeded', -1, {'n': -1})" "$(runs 'rs[0]["state"], rs[0]["result"]["n"], rs[0]["outputs"]' gen)"
eventually "its process is gone" gone "$worker_pid" || :

# --- an error that is not caught; a retry starts it again ---
started brave
refused "a run that is tried again" '*is tried again' --throw fatal brave
eventually "it was started again" has brave "d.get('values', 0) >= 1 and d['sent'] == 0" || :
is "attempts" 2 "$(runs 'rs[0]["attempts"]' brave)"
taktctl send --throw fatal brave
eventually "it has failed" state_of brave failed || :
is "its error" "('exit-status', 'exit status 1: fatal error')" "$(runs 'rs[0]["error"]["kind"], rs[0]["error"]["message"]' brave)"
is "a missing program" "('failed', 'exec')" "$(run_job 'r["state"], r["error"]["kind"]' missing)"

# --- misbehaviour is counted, and does no harm ---
started gen
taktctl send gen '"flood"'
eventually "the flood is over" has gen "d['values'] + d['lost'] == 100001 and d['lost'] > 90000" || :
eventually "the flood was told of" grep -q . "$log" || :
taktctl send gen '"garbage"'
eventually "garbage is counted or lost" has gen "d['garbage'] + d['lost'] + d['values'] == 100201" || :
[ "$(grep -c 'not JSON' "$log")" -le 30 ] || fail "garbage was logged $(grep -c 'not JSON' "$log") times"
taktctl send gen '"half"'
eventually "it ends" state_of gen succeeded || :
is "half a line" 1 "$(details gen "d['partial']")"
started short
taktctl send short '"long"'
eventually "what is too long is counted" has short "d['tooLong'] == 1 and d['values'] == 2" || :
taktctl cancel short >"$dir/out"
eventually "cancelled" state_of short cancelled || :

# --- MaxRequests=, IdleSec=, StaleSec= ---
started changing
taktctl send changing 1 2 3
eventually "two processes took three values" has changing "d['processes'] == 2 and d['values'] == 5" || :
refused "another process" '*has another process*' changing '"end"'
taktctl send --close changing
eventually "closed" state_of changing succeeded || :
is "idle" succeeded "$(run_job 'r["state"]' idle)"
taktctl watch --json silent >"$dir/watch" &
helper $!
started silent
eventually "silence is told" grep -q '"stale"' "$dir/watch" || :
taktctl send silent 4
eventually "and its end" grep -q '"fresh"' "$dir/watch" || :
taktctl send --close silent

# --- what is not read ---
taktctl run deaf >"$dir/out"
fill() {
        taktctl send deaf "\"$(head -c 60000 /dev/zero | tr '\0' x)\"" 2>"$dir/error" && return 1
        [ $? = 1 ]
}
eventually "the cap is reached" fill || :
like "its words" '*MaxUnsent=*' "$(cat "$dir/error")"
taktctl cancel deaf sleeper >"$dir/out"
eventually "the deaf one ends" state_of deaf cancelled || :

# --- the daemon ends, and the worker with it ---
started gen
worker_pid=$(details gen "d['pid']")
stop_taktd
gone "$worker_pid" || fail "a worker outlived taktd"
check_end
