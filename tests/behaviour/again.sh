#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run --again: a run with the parameters of an earlier one, but for those that are given; and what is said where the job
# does not take them any more.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
# define LINES: the job, with these as its parameters
define() {
        printf '[Job]\nType=exec\n%s\n[Exec]\nCommand=/bin/echo ${city} ${n} ${at} ${options} ${pause}\n' "$1" | job city
        taktctl -q reload
}
parameters='Parameter=city:string
Parameter=n:int(1..5)=2
Parameter=at:time=now
Parameter=options:json=null
Parameter=pause:duration=1min'
job many@ <<<$'[Job]\nType=exec\nParameter=span:duration\n[Schedule]\nOverlap=parallel\n[Exec]\nCommand=/bin/sleep ${span}'
start_taktd
define "$parameters"

# refuses STATUS PATTERN ARG…: taktctl run exits so, and complains so
refuses() {
        local status=$1 pattern=$2 found=0
        shift 2
        taktctl run "$@" >"$dir/out" 2>"$dir/err" || found=$?
        is "exit status of run $*" "$status" $found
        like "run $*" "$pattern" "$(cat "$dir/err")"
        is "what run $* prints" "" "$(cat "$dir/out")"
}

first=$(run_job 'r["run"]' city 'New York' 3 --options '{"a": 5}')
result=$(taktctl result "$first")
like "the first run" 'New York 3 20*Z {"a":5} 60' "$result"
is "the same again, at the same time" "$result" "$(taktctl run --wait --again "$first")"
is "what it tells" "$first manual $first" \
        "$(runs 'str(rs[0]["againOf"]) + " " + rs[0]["trigger"] + " %d" % rs[1]["run"]' city)"
is "of the first" None "$(runs 'rs[1].get("againOf")' city)"
like "why" "*started by hand, by *, as run $first was*" "$(taktctl why city)"
like "the list" "*manual $first *" "$(taktctl runs city)"
like "by name" 'Oslo 3 20*Z {"a":5} 60' "$(taktctl run --again --wait "$first" --city Oslo)"
like "by position" 'Oslo 3 20*Z {"a":5} 60' "$(taktctl run --again --wait "$first" Oslo)"
like "by -p" 'New York 4 20*Z null 60' "$(taktctl run --wait "$first" --again -p n=4 -p options=null)"
like "of one that was run again" 'New York 4 20*Z null 60' "$(taktctl run --wait --again $((first + 4)))"
like "as JSON" "*\"againOf\":$first,*" "$(taktctl --json run --again "$first")"
like "its parameters" "Usage: taktctl run --again $first \[CITY] \[N] *--city string *(default: as in that run)*" "$(taktctl run --again "$first" --help)"
like "those of the job" "Usage: taktctl run city CITY \[N] *" "$(taktctl run city --help)"
like "help says both" '*run JOB|RUN \[ARG…]*RUN is*for --again: *' "$(taktctl run --help)"

refuses 3 '*no run 4711 is known; *' --again 4711
refuses 2 '*--again wants the id of a run, not "city"*' --again city
refuses 2 "*city: parameter 'n': '9' is not *Usage: *" --again "$first" --n 9
refuses 2 "*city: surplus argument 'f'*" --again "$first" a 1 now '{}' 1s f

# While it is under way, and of an instance that is made for its runs alone.
under_way=$(taktctl run many@x 1h)
second=$(taktctl run --again "$under_way")
is "both are under way" "[('many@x', 3600), ('many@x', 3600)]" \
        "$(runs '[(r["job"], r["params"]["span"]) for r in rs if r["state"] == "running"]' many@x)"

# Shells know these ids: of all runs, and of those that can still be waited for.
complete_bash() {
        local COMP_WORDS=(taktctl "$@" '') COMP_CWORD=$(($# + 1)) COMPREPLY=()
        _taktctl || :
        echo " ${COMPREPLY[*]} "
}
complete_fish() {
        echo " $(HOME=/nonexistent fish -N -c "source $TAKT_SRCDIR/completions/taktctl.fish; complete -C 'taktctl $* '" 2>/dev/null |
                cut -f 1 | tr '\n' ' ') "
}
compopt() { :; }
. "$TAKT_SRCDIR/completions/taktctl.bash"
# completes COMMAND: the ids of both runs that are under way, and what has ended where the rest of the words say so
completes() {
        local shell=$1 with=$2 answer
        shift 2
        answer=$("complete_$shell" "$@")
        like "$shell: $*" "* $under_way *" "$answer"
        like "$shell: $*" "* $second *" "$answer"
        like "$shell: $*: whether all are there" "$with" "$([[ $answer = *" $first "* ]] && echo all)"
        [ "${*: -1}" = --again ] || [ "${*: -1}" = --run ] || like "$shell: $*: jobs" "* ${job:-city} *" "$answer"
        # A job without runs is none to wait for.
        [ -z "${job:-}" ] || [[ $answer != *" city "* ]] || fail "$shell: $*: a job without runs: $answer"
}
for shell in bash $(command -v fish >/dev/null && echo fish); do
        for words in "why" "result" "run --again" "why city --run"; do
                # shellcheck disable=SC2086
                completes "$shell" all $words
        done
        for words in wait cancel send; do
                job=many@x completes "$shell" "" $words
        done
done
for shell in bash $(command -v fish >/dev/null && echo fish); do
        taktctl -q pause city
        is "$shell: what resume is offered" " city " "$("complete_$shell" resume | sed 's/  */ /g')"
        [[ $("complete_$shell" pause) != *" city "* ]] || fail "$shell: pause is offered what is paused"
        [[ $("complete_$shell" run) != *"@ "* ]] || fail "$shell: run is offered a template"
        taktctl -q resume city
done
if command -v zsh >/dev/null; then
        cat >"$dir/complete.zsh" <<'ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($TAKT_SRCDIR/completions \$fpath); autoload -U compinit; compinit -u -d $1/dump; bindkey '^I' list-choices; COLUMNS=200; print READ''Y"
zpty -r shell answer '*READY*'
zpty -w -n shell "$2 "$'\t'
zpty -r shell answer "*$3*"
print -r -- $answer
ZSH
        for words in "wait" "why" "result" "run --again" "why city --run"; do
                timeout 60 zsh -f "$dir/complete.zsh" "$dir" "taktctl $words" "$under_way *many@x running" >"$dir/out" 2>&1 ||
                        fail "zsh: taktctl $words: $(cat "$dir/out")"
        done
fi
taktctl -q cancel "$under_way" "$second"
instance_is_gone() {
        is_gone=$(taktctl list --names)
        [ "$is_gone" = "city
many@" ]
}
eventually "the instance is gone" instance_is_gone
third=$(taktctl run --again "$second" --span 0)
is "it is made for another one" "many@x succeeded $second" \
        "$(taktctl wait -q "$third"; runs 'rs[0]["job"] + " " + rs[0]["state"] + " %d" % rs[0]["againOf"]' 'many@*')"

# What the job says now decides.
define "$(sed 's/1\.\.5)=2/4..5)=5/' <<<"$parameters")"
refuses 2 "*city: parameter 'n': '3' is not a whole number from 4 to 5; this is what the earlier run had*" --again "$first"
like "another value" 'New York 4 *' "$(taktctl run --wait --again "$first" --n 4)"
define "$parameters"$'\nParameter=zone:string=UTC\nParameter=key:string'
refuses 2 "*city: parameter 'key' is missing*Usage: taktctl run --again $first \[CITY] * \[ZONE] KEY*" --again "$first"
is "a new one that has a default" UTC "$(taktctl -q run --wait --again "$first" --key 1 >"$dir/out"; runs 'rs[0]["params"]["zone"]' city)"
sed -i '/Parameter=pause/d; s/ ${pause}//' "$dir/env/jobs/city.job"
taktctl -q reload
refuses 2 "*city: the earlier run had a parameter 'pause', which the job has no more*" --again "$first" --n 1
rm "$dir/env/jobs/city.job"
taktctl -q reload
refuses 3 "*that run was one of city, a job which is not there any more*" --again "$first"

python3 - "$dir/env/run" "$third" <<'PYTHON' || fail "the answers, see above"
import json, os, socket, sys

os.chdir(sys.argv[1])
third = int(sys.argv[2])
client = socket.socket(socket.AF_UNIX)
client.settimeout(60)
client.connect("takt.sock")


def start(**parameters):
    client.sendall(json.dumps({"method": "io.takt.Runs.Start", "parameters": parameters}).encode() + b"\0")
    data = b""
    while not data.endswith(b"\0"):
        data += client.recv(65536) or sys.exit("closed")
    return json.loads(data[:-1])


run = start(again=third)["parameters"]["run"]
assert run["job"] == "many@x" and run["params"] == {"span": 0} and run["againOf"] == third, run
run = start(again=third, job="many@x", params={"span": "1ms"})["parameters"]["run"]
assert run["params"] == {"span": 0.001}, run
assert start(again=third, job="many@y")["error"] == "org.varlink.service.InvalidParameter"
assert start()["error"] == "org.varlink.service.InvalidParameter"
assert start(again=0)["error"] == "io.takt.Runs.NoSuchRun"
answer = start(again=-1)
assert answer == {"error": "org.varlink.service.InvalidParameter", "parameters": {"parameter": "again"}}, answer
PYTHON
check_end
