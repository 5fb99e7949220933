#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# StartMethod=pool under a real daemon: processes that are kept, and what becomes of runs when these misbehave.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
cat >"$dir/env/bin/worker" <<'END'
#!/usr/bin/env python3
import json, os, sys, time
def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()
for line in sys.stdin:
    call = json.loads(line)
    p = call["params"]
    good = json.dumps({"id": call["id"], "result": {"pid": os.getpid(), "job": call["job"], "n": p.get("n")}}) + "\n"
    how = p.get("how", "")
    if how == "twice":
        say(good + good)
    elif how == "late":
        time.sleep(3600)
    elif how == "wrong-id":
        say(json.dumps({"id": call["id"] + 1, "result": 1}) + "\n")
    elif how == "garbage":
        say("this is not JSON\n")
    elif how == "both":
        say(json.dumps({"id": call["id"], "result": 1, "error": "x"}) + "\n")
    elif how == "half":
        say(good[:10])
        os._exit(0)
    elif how == "die":
        os.kill(os.getpid(), 9)
    elif how == "large":
        say(json.dumps({"id": call["id"], "result": "x" * 2000000}) + "\n")
    elif how == "error":
        say(json.dumps({"id": call["id"], "error": "no such thing"}) + "\n")
    elif how == "kind":
        say(json.dumps({"id": call["id"], "error": {"kind": "out-of-paper", "message": "tray 2"}}) + "\n")
    elif how == "noise":
        for i in range(100):
            print("noise", i, file=sys.stderr)
        sys.stderr.flush()
        say(good)
    elif how == "hold":
        while not os.path.exists("go"):
            time.sleep(0.01)
        say(good)
    else:
        say(good)
END
chmod +x "$dir/env/bin/worker"
# pool NAME [SCHEDULE [EXEC]]
pool() {
        printf '[Job]\nType=exec\nParameter=how:string=\nParameter=n:int=0\n%b[Schedule]\n%b[Exec]\nCommand=worker\nStartMethod=pool\n%b' \
                "${4:-}" "${2:-}" "${3:-}" | job "$1"
}
pool one
pool crowd 'Overlap=parallel\n' 'Processes=2\nMaxQueued=3\nMaxRequests=1000\n'
pool recycled '' 'MaxRequests=2\n'
pool hasty '' '' 'TimeoutSec=300ms\n'
printf '[Job]\nType=exec\nParameter=n:int=0\n[Exec]\nCommand=worker\nStartMethod=pool\nProcesses=3\n[Result]\nOutput=pid: $.pid\n' >"$dir/env/jobs/shared@.job"
ln -s shared@.job "$dir/env/jobs/shared@a.job"
ln -s shared@.job "$dir/env/jobs/shared@b.job"
printf '[Job]\nType=exec\nParameter=word:string\n[Exec]\nCommand=/usr/bin/sed -u s/a/b/g\nStartMethod=pool\nProtocol=lines\nInput=${word}\n' | job lines
printf '[Job]\nType=exec\n[Exec]\nCommand=/nonexistent/worker\nStartMethod=pool\n' | job missing
start_taktd

# --- one process serves run after run ---
first=$(run_job 'r["result"]["pid"]' one)
is "the same process" "($first, 2, 'one')" "$(run_job 'r["result"]["pid"], r["result"]["n"], r["result"]["job"]' one -p n=2)"
is "details" "$first" "$(run_job 'r["details"]["pid"]' one)"
is "instances share a pool" "$(run_job 'r["outputs"]["pid"]' shared@a)" "$(run_job 'r["outputs"]["pid"]' shared@b)"
is "lines" "bbnbnb" "$(run_job 'r["result"]' lines abnana)"
is "a missing program" "('failed', 'exec')" "$(run_job 'r["state"], r["error"]["kind"]' missing)"

# --- what no process may do ---
for how in twice wrong-id garbage both half die large; do
        before=$(run_job 'r["result"]["pid"]' one)
        found=$(run_job '(r["state"], (r["error"] or {}).get("kind"))' one -p how=$how)
        case $how in
        twice) expected="('succeeded', None)" ;;
        half | die) expected="('failed', 'pool-died')" ;;
        large) expected="('failed', 'too-large')" ;;
        *) expected="('failed', 'pool-answer')" ;;
        esac
        is "$how" "$expected" "$found"
        # The second answer may come after the next call was written; that one fails then, and is the last to.
        after=$(run_job '(r["result"] or {}).get("pid")' one)
        [ "$after" != None ] || after=$(run_job 'r["result"]["pid"]' one)
        [ "$before" != "$after" ] || fail "$how: process $before was kept"
        eventually "$how: process $before is gone" gone "$before" || :
done
like "it is said what an answer is" '*is one line such as {"id":N,"result":*"error":*' "$(run_job 'r["error"]["message"]' one -p how=garbage)"
is "an error" "('failed', 'worker-error', 'no such thing')" "$(run_job 'r["state"], r["error"]["kind"], r["error"]["message"]' one -p how=error)"
is "an error with its kind" "('out-of-paper', 'tray 2')" "$(run_job 'r["error"]["kind"], r["error"]["message"]' one -p how=kind)"
is "noise" succeeded "$(run_job 'r["state"]' one -p how=noise)"
[ "$(grep -c 'noise' "$log")" -le 20 ] || fail "more than ten lines a second were logged: $(grep -c noise "$log")"
like "what was not logged is counted" '*more lines on standard error*' "$(grep 'more lines' "$log")"

# --- a timeout ends that process alone ---
before=$(run_job 'r["result"]["pid"]' hasty)
is "timeout" "('timeout', 'timeout')" "$(run_job 'r["state"], r["error"]["kind"]' hasty -p how=late)"
eventually "the process that hung is gone" gone "$before" || :
is "another took its place" succeeded "$(run_job 'r["state"]' hasty)"

# --- recycling ---
pids=$(for _ in 1 2 3 4 5; do run_job 'r["result"]["pid"]' recycled; done | uniq | wc -l)
is "processes for five runs of MaxRequests=2" 3 "$pids"

# --- two work, three wait, the next one is told so ---
for _ in 1 2 3 4 5; do taktctl run crowd -p how=hold >"$dir/out"; done
is "pool full" "('failed', 'pool-full')" "$(run_job 'r["state"], r["error"]["kind"]' crowd)"
taktctl cancel "$(runs 'rs[1]["run"]' crowd)" >"$dir/out" 2>&1
touch "$dir/env/go"
taktctl wait --timeout 60 crowd >"$dir/out" 2>&1 || :
is "those that waited" "(4, 1, 1)" "$(runs 'tuple(sum(r["state"] == s for r in rs) for s in ("succeeded", "cancelled", "failed"))' crowd)"

# --- reload: an unchanged job keeps its processes, a changed one gets others ---
kept=$(run_job 'r["result"]["pid"]' one)
changed=$(run_job 'r["result"]["pid"]' hasty)
pool hasty '' 'Environment=A=B\n'
taktctl reload >"$dir/out"
is "an unchanged job's process" "$kept" "$(run_job 'r["result"]["pid"]' one)"
eventually "a changed job's process is gone" gone "$changed" || :
is "a changed job runs" succeeded "$(run_job 'r["state"]' hasty)"
rm "$dir/env/jobs/one.job"
taktctl reload >"$dir/out"
eventually "a removed job's process is gone" gone "$kept" || :

# --- what is told of it ---
pool_info() {
        taktctl info --json | python3 -c 'import json, sys
pools = {p["name"]: p for p in json.load(sys.stdin)["pools"]}
print(eval(sys.argv[1], {"p": pools, "sum": sum}))' "$1"
}
is "info" "(2, 4, True)" "$(pool_info 'p["crowd"]["started"], p["crowd"]["answers"], p["recycled"]["recycled"] >= 2')"

# --- killed from outside ---
before=$(run_job 'r["result"]["pid"]' hasty)
kill -KILL "$before"
again() {
        [ "$(run_job 'r["state"]' hasty)" = succeeded ]
}
eventually "a process that was killed is replaced" again || :

# --- files that can't mean what they say ---
refused() {
        taktctl verify "$1" >"$dir/out" 2>&1 && fail "$1 was taken"
        like "$1" "$2" "$(cat "$dir/out")"
}
mkdir "$dir/bad"
printf '[Job]\nType=exec\nParameter=a:string=x\n[Exec]\nCommand=worker ${a}\nStartMethod=pool\n' >"$dir/bad/varies.job"
refused "$dir/bad/varies.job" "*:5:*differs from run to run*"
printf '[Job]\nType=exec\n[Exec]\nCommand=worker\nStartMethod=pool\nProcesses=4\n' >"$dir/bad/useless.job"
refused "$dir/bad/useless.job" "*:6:*Overlap=parallel*"
printf '[Job]\nType=exec\n[Exec]\nCommand=worker\nIdleSec=4\n' >"$dir/bad/foreign.job"
refused "$dir/bad/foreign.job" "*:5:*belongs to StartMethod=pool*"
check_end
