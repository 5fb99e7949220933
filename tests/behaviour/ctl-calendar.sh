#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl calendar: normal forms and next times in a zone, with no daemon.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH" TZ=UTC
failed=0

# expect STATUS PATTERN ARG…: taktctl calendar ARG… exits so, and what it prints is like the pattern
expect() {
        local status=$1 pattern=$2 found=0 output
        shift 2
        output=$(taktctl calendar "$@" 2>&1) || found=$?
        # shellcheck disable=SC2254
        case $found:$output in
        $status:$pattern) ;;
        *)
                echo "taktctl calendar $*: exit status $found, prints $output"
                failed=1
                ;;
        esac
}

from='2026-11-22 10:00'
expect 0 'Calendar expression: \*-\*-\* 00:00:00*Mon 2026-11-23 00:00:00 UTC*Tue*Wed*Thu*Fri 2026-11-27*' \
        --timezone UTC --from "$from" daily
expect 0 '*2026-11-23 00:00:00 CET*' --timezone Europe/Berlin --from "$from" -n 1 daily
expect 0 '*2026-11-22 23:00:00 UTC*' --timezone UTC --from "$from" -n 1 '00:00 Europe/Berlin'
expect 0 'Cron expression: 30 6 \* \* 1-5*Mon 2026-11-23 06:30:00 UTC*' --cron --timezone UTC --from "$from" -n 1 '30 6 * * mon-fri'
expect 0 '{"expression":"weekly","normalForm":"Mon \*-\*-\* 00:00:00","times":\["2026-11-23T00:00:00.000000Z","2026-11-30T00:00:00.000000Z"\]}' \
        --json --timezone UTC --from "$from" -n 2 weekly
# A time that a gap swallows comes after it, and what has been never comes again.
expect 0 '*2026-03-29 03:00:00 CEST*' --timezone Europe/Berlin --from 2026-03-29 -n 1 02:30
expect 0 '*never comes again.' --timezone UTC --from "$from" '2020-01-01'
expect 0 '{*"times":\[\]}' -j --timezone UTC --from "$from" '2020-01-01'
# The times follow one another: each is later than the one it is asked from.
expect 0 '*Tue 2026-11-24 00:00:00 UTC*' --timezone UTC --from 2026-11-23 -n 1 daily

expect 2 'taktctl: column *"dayly"*' dayly
expect 2 'taktctl: column *"61 \* \* \* \*"*' --cron '61 * * * *'
expect 2 'taktctl: --from: *' --from yesteryear daily
expect 2 'taktctl: too few arguments*'
expect 2 'taktctl: --timezone: *' --timezone Mars/Olympus daily
exit $failed
