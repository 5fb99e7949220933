#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What taktd refuses in takt.conf, taktctl verify refuses as well, with the same words and the same place; all of a file at once.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
conf=$dir/env/takt.conf

# refused TEXT LINE:COLUMN… : the file TEXT has these problems, in this order
refused() {
        local text=$1 status=0 said
        shift
        printf '%b' "$text" >"$conf"
        said=$(taktctl verify "$conf" 2>&1) || status=$?
        is "exit status of verify for $text" 1 "$status"
        is "places in $text" "$*" "$(sed -n "s,^$conf:\([0-9]*:[0-9]*\): .*,\1,p" <<<"$said" | tr '\n' ' ' | sed 's/ $//')"
        status=0
        timeout 60 taktd --log-target console >"$dir/daemon" 2>&1 || status=$?
        is "exit status of taktd for $text" 1 "$status"
        is "what taktd says of $text" "$said" "$(sed 's/^<[0-9]>//' "$dir/daemon" | grep -F "$conf:")"
}

for address in 0.0.0.0:80 192.168.1.1:80 '[::]:80' example.org:80 8080; do
        refused "[Daemon]\nListen=$address\n" 2:8
done
refused '[Daemon]\nListen=::1:80\n' 2:8
refused '[Daemon]\nListen=localhost:65536\n' 2:18
refused '[Daemon]\nListen=/run/\n' 2:13
refused '[Daemon]\nListen=run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n' 2:12
refused '[Daemon]\nMaxRuns=0\nListen=*:80\nControlGroup=no-such-group-here\n[Demon]\nx=1\n[Resource:a]\nCapacity=0\nWait=1\n[Resource:b]\nEnter=\n[Resource:c/d]\nCapacity=0\n[Resource:e]\nCapacity=x\nExit=echo ${x}\n' \
        2:9 3:8 4:14 5:1 8:10 9:1 12:1 15:10 16:11
refused '[Daemon\nMaxRuns=0\n[Resource:a]\nCapacity=0\nnothing\n' 1:1 4:10 5:1

# A reload tells the same, and what was in force stays.
printf '[Daemon]\nMaxRuns=7\nListen=run/status\n[Resource:a]\n' >"$conf"
start_taktd
printf '[Daemon]\nMaxRuns=8\nListen=0.0.0.0:80\n[Resource:a]\nCapacity=0\n' >"$conf"
status=0
taktctl reload >"$dir/out" 2>&1 || status=$?
is "exit status of reload" 1 "$status"
like "both problems of a reload" "*$conf:3:8: Listen=: only loopback*$conf:5:10: Capacity=:*" "$(cat "$dir/out")"
like "what was in force" '*MaxRuns: 7*' "$(taktctl info)"
stop_taktd
check_end
