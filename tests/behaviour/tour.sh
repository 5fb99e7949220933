#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The environment of contrib/environments/tour: its README says what each program prints, and here it has to. What
# the machine's load may stretch has only lower bounds, or those of a machine that hangs.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
. "$TAKT_SRCDIR/tests/behaviour/nginx.sh"
new_environment
cp -R "$TAKT_SRCDIR/contrib/environments/tour/." "$dir/env"
chmod -R u+w "$dir/env"
like "all jobs are good" "*countdowns.job: ok*" "$(taktctl verify "$dir"/env/jobs/*.job 2>&1)"
taktctl -q verify "$dir"/env/jobs/*.job || fail "a job is refused"
start_taktd

# --- what the README says ---

# Each "$ COMMAND" of a console block becomes COMMAND, NUL, what follows, NUL.
python3 - "$dir/env/README.md" >"$dir/examples" <<'PYTHON'
import re, sys
for block in re.findall(r"^```console\n(.*?)^```", open(sys.argv[1]).read(), re.M | re.S):
    for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, output = example.partition("\n")
        sys.stdout.write(command + "\0" + output.rstrip("\n") + "\0")
PYTHON
unnumbered() {
        sed -E 's/run [0-9]+ of/run N of/'
}
n=0
while IFS= read -r -d '' command && IFS= read -r -d '' expected; do
        found=$(bash -c "$command" 2>&1 </dev/null | unnumbered) || :
        is "$command" "$(unnumbered <<<"$expected")" "$found"
        n=$((n + 1))
done <"$dir/examples"
[ $n -ge 15 ] || fail "the README has only $n examples"
# Each job is in it.
for file in "$dir"/env/jobs/*.job; do
        name=$(basename "$file" .job)
        grep -qE "(^|[^-a-z0-9])$name([^-a-z0-9]|$)" "$dir/env/README.md" || fail "the README does not tell of $name"
done

# --- order and time ---

# seconds JOB: how long its newest run took
seconds() {
        runs 'rs[0]["durationUsec"] / 1e6' "$1"
}

# took JOB LEAST MOST
took() {
        python3 -c 'import sys; s, a, b = map(float, sys.argv[1:]); sys.exit(not a <= s < b)' "$(seconds "$1")" "$2" "$3" ||
                fail "$1 took $(seconds "$1") s, not from $2 to $3"
}

took countdowns 3 33
took blink-and-count 5 35
took naps-as-tasks 1 31
is "the naps overlapped" True "$(runs 'len(rs) == 2 and max(r["started"] for r in rs) < min(r["finished"] for r in rs)' nap)"
taktctl -q run --wait naps-awaited >/dev/null
took naps-awaited 2 32
is "the naps did not" True "$(runs 'rs[1]["finished"] <= rs[0]["started"]' nap)"
took executor 1 31
is "the calls overlapped" True "$(runs 'rs[0]["started"] < rs[1]["finished"]' blocking)"
is "chains do not wait for each other" True "$(runs 'max(r["started"] for r in rs) < min(r["finished"] for r in rs)' part1)"
# A step begins after the one before it, chain by chain.
is "steps follow each other" True "$(runs 'all(a["finished"] <= b["started"] for a in rs if a["job"] == "part1" for b in rs if b["job"] == "part2" and a["params"]["n"] == b["params"]["n"])' part1 part2)"

# The numbers of two countdowns come in turns.
taktctl watch --json countdown >"$dir/watched" 2>/dev/null &
helper $!
watching() {
        taktctl -q run --wait countdown ready 1 >/dev/null && grep -q '"progress"' "$dir/watched"
}
eventually "the watch" watching
taktctl -q run --wait countdowns >/dev/null
counted() {
        [ "$(grep -cE '"message":"(A|B): ' "$dir/watched")" = 5 ]
}
eventually "all numbers" counted
numbers=$(grep -oE '"message":"(A|B): [0-9]' "$dir/watched" | sed 's/.*"//; s/: //' | tr '\n' ' ')
like "interleaved" "A3 B2 *" "$numbers"
like "A in order" "*A3*A2*A1*" "$numbers"
like "B in order" "*B2*B1*" "$numbers"
like "B is through before A" "*B1*A1*" "$numbers"

# --- the queue: everything, in order, one at a time ---

consumed() {
        [ "$(runs 'len([r for r in rs if r["state"] == "succeeded"])' consumer)" = "$1" ]
}
eventually "the queue is empty" consumed 3
is "what was taken" "['got 1', 'got 2', 'got 3']" "$(runs '[r["result"] for r in reversed(rs)]' consumer)"
is "one at a time" True "$(runs 'all(a["finished"] <= b["started"] for b, a in zip(rs, rs[1:]))' consumer)"

# --- input ---

read_all() {
        taktctl next keys | grep -q 'never again'
}
eventually "the keys are read" read_all
# Each key, and nothing else, woke the handler.
handled() {
        [ "$(runs 'sum(r["result"] is not None for r in rs)' keys)" = "$(runs 'sum(r["state"] == "succeeded" for r in rs)' move)" ]
}
eventually "the keys are handled" handled
actions='{"up": "forward", "down": "back", "left": "turn left", "right": "turn right"}'
is "the actions" "$(runs "[$actions[r['result']] for r in rs if r['result'] and r['trigger'] != 'manual']" keys)" "$(runs '[r["result"] for r in rs]' move)"
is "keys that are none of its own" "$(runs 'sum(r["result"] not in (None, "left") for r in rs)' keys)" \
        "$(runs 'sum(r["state"] == "skipped" and r["error"]["kind"] == "condition" for r in rs)' leftwards)"
like "why" "*skipped*its condition does not hold*" "$(taktctl why leftwards)"
is "stay otherwise" stay "$("$dir/env/bin/move" nothing)"
lost() {
        [ "$(run_job 'r["details"]["lost"] > 0 and r["details"]["lateUsec"] > 0' keys)" = True ]
}
eventually "a late reader is told" lost

# --- requests ---

archive=
for d in "$TAKT_SRCDIR/../shared/data" "${TAKT_TEST_DATA:-/nonexistent}"; do
        [ -n "$archive" ] || [ ! -e "$d/pokeapi.tar.xz" ] || archive=$d/pokeapi.tar.xz
done
if [ -n "$archive" ] && PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
        mkdir "$dir/root"
        tar -xJf "$archive" -C "$dir/root"
        start_nginx "$dir/nginx" "$dir/root"
        helper "$NGINX_PID"
        for job in pokemon-awaited pokemon-at-once; do
                is "$job" True "$(run_job '(r["state"] == "succeeded" and len(r["result"]) == 5 and
                        r["outputs"]["names"] == [p["name"] for p in r["result"]] and
                        [r["outputs"]["first"]] + r["outputs"]["rest"] == r["outputs"]["names"] and
                        all(1 <= p["id"] <= 251 for p in r["result"]))' \
                        $job "http://127.0.0.1:$NGINX_PORT/pokeapi/api/v2")"
                like "its time is told" "*$job*succeeded*s*" "$(taktctl runs $job)"
        done
else
        echo "no pokeapi.tar.xz in \$TAKT_TEST_DATA, or no nginx: requests are left out"
fi
check_end
