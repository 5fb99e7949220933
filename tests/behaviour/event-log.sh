#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two hundred instances that fail each second: the log is not flooded, and each of them is in it by its name.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
n=200
job dev@ <<JOB
[Job]
Type=sleep
Instances=1..$n
TimeoutSec=10ms

[Schedule]
Every=1s

[Sleep]
Duration=1h
JOB
start_taktd
# Who is named: at the beginning of a line of its own, or in one that stands for several.
named() {
        is_named=$(grep timeout "$log" | grep -oE 'dev@[0-9]+' | sort -u | wc -l)
        [ "$is_named" = $n ]
}
eventually "every instance is named" named || echo "only $is_named of $n are"
like "what stands for several" "*dev@: timeout: … * more like this, of dev@*" "$(grep 'more like' "$log")"
# Of what happened meanwhile, so many runs at least:
ended=$(field 'r["runs"]["timeout"]' taktctl info --json)
lines=$(wc -l <"$log")
[ $((lines * 4)) -lt "$ended" ] || fail "$lines lines for $ended runs that timed out"
check_end
