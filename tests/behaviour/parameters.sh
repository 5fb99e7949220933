#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Parameters of a run: by position, by name, by Varlink; what is refused, how it is explained, and what
# becomes of odd ones on their way into a command, a URL and JSON.
. "$(dirname "$0")/lib.sh"

new_environment
job greet <<'JOB'
[Job]
Type=exec
Parameter=message:string(1..2000000) What to say
Parameter=times:int(1..5)=1 How often
Parameter=mode:choice(loud|quiet)=quiet
Parameter=polite:bool=no
Parameter=pause:duration(0..1h)=1s
Parameter=wait:string=never Is named like an option of taktctl

[Exec]
Command=printf '%s\n' ${message} ${times} ${mode} ${polite} ${pause} ${wait}
Output=lines
JOB
job plain <<'JOB'
[Job]
Type=countdown
JOB
job echo <<'JOB'
[Job]
Type=exec
Parameter=text:string

[Exec]
Command=cat
InputJson={"text": ${text}}
Output=json
JOB
start_taktd

# refused STATUS WORDS ARG…: taktctl run ARG… exits so and says so
refused() {
        local status=$1 words=$2 found=0
        shift 2
        taktctl run "$@" >"$dir/out" 2>"$dir/err" || found=$?
        is "exit status of run $*" "$status" "$found"
        like "run $*" "$words" "$(cat "$dir/err")"
}

is "by position" "['Hello', '5', 'loud', 'true', '0.5', 'never']" "$(run_job "r['result']" greet Hello 5 loud yes 500ms)"
is "by name" "['Hello', '5', 'quiet', 'true', '1', 'never']" \
        "$(run_job "r['result']" greet --times 5 --message Hello --polite)"
is "both, and =" "['Hello', '2', 'loud', 'false', '1', 'never']" "$(run_job "r['result']" greet --times=2 --mode=loud Hello)"
is "named like an option" "['a', '1', 'quiet', 'false', '1', 'me']" "$(run_job "r['result']" greet a -- --wait me)"
is "as -p" "['a', '1', 'quiet', 'false', '1', 'me']" "$(run_job "r['result']" -p wait=me greet a)"
is "types as JSON" "{'message': 'a', 'times': 3, 'mode': 'quiet', 'polite': False, 'pause': 1, 'wait': 'never'}" \
        "$(run_job "r['params']" greet a 3)"

usage='Usage: taktctl run greet MESSAGE \[TIMES\] \[MODE\] \[POLITE\] \[PAUSE\] \[WAIT\]'
refused 2 "taktctl: greet: *message*
$usage
*--times int(1..5)*How often (default: 1)*" greet
refused 2 "*times*1*5*$usage*" greet a 6
refused 2 "*polite*$usage*" greet a 1 loud maybe
refused 2 "*mode*loud*quiet*" greet a 1 shout
refused 2 "*colour*$usage*" greet a --colour red
refused 2 "*surplus*$usage*" greet a 1 loud yes 1s x surplus
refused 2 "*twice*" greet --message a --message b
refused 2 "*no*parameter*" plain x
refused 3 "*no job nothing*" nothing --help
like "usage" "$usage
*" "$(taktctl run greet --help)"
like "usage of a job without parameters" "Usage: taktctl run plain
*no parameters*" "$(taktctl run plain --help)"
is "usage as JSON" "['message', 'times', 'mode', 'polite', 'pause', 'wait'] ['loud', 'quiet']" \
        "$(taktctl --json run greet --help | python3 -c 'import json, sys
v = json.load(sys.stdin)
print([p["name"] for p in v], v[2]["choices"])')"
like "help of the verb" "taktctl \[OPTION…\] run *" "$(taktctl run --help)"

# What shells, URLs and JSON would take for more than text stays one argument.
odd='$(id) `id` ; rm -rf * "q" '\''s'\'' \ % & ? # ${x} é'
is "metacharacters in a command" "$odd" "$(run_job "r['result'][0]" greet "$odd")"
is "metacharacters in JSON" "$odd" "$(run_job "r['result']['text']" echo "$odd")"
is "line breaks" "$(printf 'a\nb')" "$(run_job "r['result']['text']" echo "$(printf 'a\nb')")"
refused 2 "*UTF-8*" echo "$(printf '\377')"

# A megabyte: too long for one word of a command line, not for Varlink.
python3 - "$TAKT_ENV/run/takt.sock" >"$dir/megabyte" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
call = {"method": "io.takt.Runs.Start", "parameters": {"job": "echo", "params": {"text": "m" * 1000000}}, "more": True}
s.sendall(json.dumps(call).encode() + b"\0")
data = b""
while True:
    data += s.recv(1 << 20)
    *whole, data = data.split(b"\0")
    for reply in map(json.loads, whole):
        if not reply.get("continues"):
            run = reply["parameters"]["run"]
            print(run["state"], len(run["result"]["text"]))
            sys.exit()
PY
is "a megabyte" "succeeded 1000000" "$(cat "$dir/megabyte")"

# Completion of a job's parameters and of their values.
. "$TAKT_SRCDIR/completions/taktctl.bash"
compopt() { :; }
complete_bash() {
        COMP_WORDS=(taktctl "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _taktctl
        echo "${COMPREPLY[*]}"
}
is "completion of names" "--message --mode" "$(complete_bash run greet --m)"
is "completion of a choice" "loud quiet" "$(complete_bash run greet --mode '')"
is "completion of a bool" "yes no" "$(complete_bash run greet --polite '')"
is "completion of jobs" "greet" "$(complete_bash run gr)"

check_end
