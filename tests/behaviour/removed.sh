#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A job whose file is gone while it has runs: they can be named, nothing new starts, and all of them count once the file
# is back.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
jobs=$dir/env/jobs
mkdir "$dir/aside"

aside() {
        local name
        for name; do mv "$jobs/$name.job" "$dir/aside/"; done
        taktctl -q reload
}
back() {
        local name
        for name; do mv "$dir/aside/$name.job" "$jobs/"; done
        taktctl -q reload
}
state_of() {
        field 'r[0]["state"] if isinstance(r, list) else r["state"]' taktctl list --json "$1"
}
status_of() {
        local status=0
        "$@" >"$dir/out" 2>&1 || status=$?
        echo $status
}

job alone <<'END'
[Job]
Type=exec
[Exec]
Command=sleep 1000
END
job listens <<'END'
[Job]
Type=worker
[Schedule]
After=10ms
[Worker]
Command=cat
END
job tries <<'END'
[Job]
Type=exec
Retries=1000
RetryDelaySec=1000s
[Exec]
Command=false
END
job dev@ <<'END'
[Job]
Type=exec
[Exec]
Command=sleep 1000
END
start_taktd
is_running() {
        has_run 'r["state"] == "running"' "$1"
}
is_retrying() {
        has_run 'r["state"] == "retrying"' "$1"
}
run=$(taktctl run alone)
instance=$(taktctl run dev@7)
taktctl -q run tries >/dev/null
for name in alone listens dev@7; do eventually "$name is under way" is_running "$name" || :; done
eventually "tries waits for its next attempt" is_retrying tries || :

# Four rounds of it, and there is one run still.
for _ in 1 2 3 4; do
        aside alone listens
        back alone listens
done
is "what Overlap=skip makes of a second run" 1 "$(status_of taktctl run --wait alone)"
is "runs of alone under way" 1 "$(runs 'sum(r["state"] == "running" for r in rs)' alone)"
is "runs of a worker under After=" 1 "$(runs 'len(rs)' listens)"

aside alone listens tries dev@
for name in alone listens dev@7; do is "state of $name" removed "$(state_of "$name")"; done
like "the list of removed jobs" "*alone*dev@7*listens*" "$(taktctl list -s removed | tr '\n' ' ')"
is "a removed job that has no run" 3 "$(status_of taktctl status tries)"
is "what waited for its next attempt" "cancelled removed" "$(runs 'rs[0]["state"] + " " + rs[0]["error"]["kind"]' tries)"
is "a new run of a removed job" 3 "$(status_of taktctl run alone)"
is "a new run of an instance without its template" 3 "$(status_of taktctl run dev@7)"
like "status of a removed job" "*removed*(1 running*" "$(taktctl status --lines 0 alone 2>&1 | tr '\n' ' ')"
like "why of a removed job" "*its file is gone; its runs under way go on*" "$(taktctl why alone | tr '\n' ' ')"
is "runs of a removed job" "$run" "$(runs '[r["run"] for r in rs if r["state"] == "running"][0]' alone)"
is "a value for a removed worker" 0 "$(status_of taktctl send listens '"hello"')"
taktctl -q wait --timeout 20 dev@7 >/dev/null &
waiter=$!
helper $waiter
is "a removed job is cancelled by name" 0 "$(status_of taktctl cancel alone dev@7 listens)"
is_gone() {
        [ "$(status_of taktctl status "$1")" = 3 ]
}
for name in alone listens dev@7; do
        eventually "$name is gone with its run" is_gone "$name" || :
done
wait $waiter || :
is "a run of a removed job, waited for by name" cancelled "$(runs "[r[\"state\"] for r in rs if r[\"run\"] == $instance][0]" dev@7)"

# A run keeps the definition that it began with, and says so.
back alone
run=$(taktctl run alone)
eventually "alone is under way" is_running alone || :
is "a run with the definition of its job" None "$(runs 'rs[0].get("olderDefinition")' alone)"
aside alone
back alone
is "a run of the same definition put back" None "$(runs 'rs[0].get("olderDefinition")' alone)"
job alone <<'END'
[Job]
Type=exec
Description=another
[Exec]
Command=sleep 1000
END
taktctl -q reload
is "a run of an older definition" True "$(runs 'rs[0].get("olderDefinition")' alone)"
like "its status" "*older definition*" "$(taktctl status --lines 0 alone | tr '\n' ' ')"
like "why" "*it began with an earlier definition of the job*" "$(taktctl why --run "$run" alone | tr '\n' ' ')"
check_end
