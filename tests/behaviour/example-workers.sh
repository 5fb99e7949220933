#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The workers of contrib/workers do what their job files say.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
workers=$TAKT_SRCDIR/contrib/workers
${CC:-cc} -Wall -Wextra -Werror -O2 -o "$dir/env/bin/primes" "$workers/primes.c"
cp "$workers/fetch.py" "$workers/tally.sh" "$dir/env/bin"
chmod +x "$dir"/env/bin/*
cp "$workers"/*.job "$dir/env/jobs"
start_taktd
is "primes" 168 "$(run_job 'r["result"]' primes 1000)"
is "asyncio" "[0.02, 0.01]" "$(run_job 'r["result"]' fetch '[0.02, 0.01]')"
is "an exception" "('failed', 'python')" "$(run_job 'r["state"], r["error"]["kind"]' fetch '["x"]')"
taktctl run tally >"$dir/out"
yields() {
        [ "$(runs 'rs[0]["result"]' tally)" = "$1" ]
}
eventually "the tally begins" yields 0 || :
is "a sum" 5 "$(taktctl send --wait tally 5)"
is "the next sum" 12 "$(taktctl send --wait tally 7)"
is "an error" 0 "$(taktctl send --wait --throw reset tally)"
taktctl send --close tally
taktctl wait tally >"$dir/out" 2>&1 || :
is "its end" "('succeeded', 0)" "$(runs 'rs[0]["state"], rs[0]["result"]' tally)"
check_end
