#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Schedules that can't be right are refused with line, column and what would be right.
# shellcheck source=tests/behaviour/lib.sh
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

# refused LINE:COLUMN MESSAGE KEYS: the keys of [Schedule] begin in line 4
refused() {
        local out status=0
        printf '[Job]\nType=sleep\n[Schedule]\n%b\n' "$3" >"$dir/bad.job"
        out=$(taktctl verify "$dir/bad.job" 2>&1) || status=$?
        is "exit status for $3" 1 "$status"
        like "$3" "*/bad.job:$1: *$2*" "$out"
}

refused 4:7 'must be at least 1ms' 'Every=0'
refused 4:7 'must be at least 1ms' 'Every=10us'
refused 4:7 "can't be negative" 'Every=-1s'
refused 4:7 'leave the key out instead' 'Every=infinity'
refused 4:7 'too large; at most' 'Every=600000y'
refused 4:7 'too large; at most' 'Every=99999999999999999999s'
refused 4:9 'expected us, ms, s, min' 'Every=5 parsecs'
refused 4:7 'must be at least 1us' 'After=0'
refused 4:13 'too large; at most' 'OnStartup=1w600000y'
refused 4:17 "a step can't be 0; 1 is the least" 'OnCalendar=*:0/0'
refused 4:8 "a step can't be 0; 1 is the least" 'Cron=*/0 * * * *'
refused 4:12 'there is no such date' 'OnCalendar=*-02-31'
refused 4:6 'there is no such date' 'Cron=0 0 31 2 *'
refused 4:12 '2026-02 has 28 days' 'At=2026-02-31 10:00'
refused 4:12 'from 0 to 23' 'OnCalendar=25:00'
refused 4:10 'from 1 to 31' 'Cron=0 0 32W * *'
refused 4:16 'from 1 to 5' 'Cron=0 0 * * 5#6'
refused 4:21 'put the smaller value first' 'OnCalendar=Mon..Fri 18..8:00'
refused 4:17 'nothing but a zone stands behind daily; for another time, say it in full, such as \*-\*-\* 03:00' 'OnCalendar=daily 3am'
refused 4:18 'such as Mon \*-\*-\* 03:00' 'OnCalendar=Weekly at 10'
refused 4:18 'such as \*-\*-\* \*:15' 'OnCalendar=hourly 15'
refused 4:17 '15:00 for 3pm' 'OnCalendar=Mon 3pm'
refused 4:23 '15:00 for 3pm' 'OnCalendar=*-*-* 3:30 pm'
refused 4:17 'a week begins on Monday' 'OnCalendar=Fri..Mon'
refused 4:10 'put the smaller value first' 'Cron=0 18-8 * * *'
refused 4:6 'use OnStartup=' 'Cron=@reboot'
refused 5:10 'unknown time zone "Europe/Atlantis"; expected a name such as' 'OnCalendar=daily\nTimeZone=Europe/Atlantis'
refused 4:24 'unknown time zone "Europe/Atlantis"; expected a name such as' 'OnCalendar=*-*-* 03:00 Europe/Atlantis'
refused 5:10 'not a time zone; expected a name such as' 'OnCalendar=daily\nTimeZone=../../etc/passwd'
refused 4:9 "'faild' is no event of a run; did you mean failed[?]" 'On=poll.faild'
refused 4:16 "'endd' is no event of a run; did you mean ended[?]" 'On=poll.failed|endd'
refused 4:9 "'xyz' is no event of a run; say queued" 'On=poll.xyz'
refused 4:12 'Exclude= leaves nothing' 'OnCalendar=daily\nExclude=Mon..Sun'
refused 4:4 'Until= comes before' 'At=2030-01-02 00:00\nUntil=2029-01-01'

# The other jobs load, and so does what is merely over.
printf '[Job]\nType=sleep\n[Schedule]\nOnCalendar=2020-01-01\n' >"$dir/over.job"
printf '[Job]\nType=sleep\n[Schedule]\nEvery=0\n' >"$dir/bad.job"
is "a file beside a bad one" "$dir/over.job: ok, with 1 warning" "$(taktctl verify "$dir/bad.job" "$dir/over.job" 2>/dev/null)"

# Zone files that are missing or damaged, where a mount of our own may stand before the real ones.
zones=$dir/zoneinfo
mkdir -p "$zones/Europe"
head -c 60 /usr/share/zoneinfo/Europe/Berlin >"$zones/Europe/Berlin"
: >"$zones/Europe/Paris"
cp /usr/share/zoneinfo/Europe/Dublin "$zones/Europe/Dublin"
# as_mounted COMMAND…
as_mounted() {
        # shellcheck disable=SC2016
        unshare -rm sh -c 'mount --bind "$0" /usr/share/zoneinfo && exec "$@"' "$zones" "$@"
}
if as_mounted true 2>/dev/null; then
        damaged() {
                local out status=0
                printf '[Job]\nType=sleep\n[Schedule]\nOnCalendar=daily\nTimeZone=%s\n' "$1" >"$dir/zone.job"
                out=$(as_mounted taktctl verify "$dir/zone.job" 2>&1) || status=$?
                is "exit status for $1" "$2" "$status"
                like "$1" "$3" "$out"
        }
        damaged Europe/Dublin 0 '*: ok'
        damaged Europe/London 1 '*/zone.job:5:10: *unknown time zone "Europe/London"; expected a name such as*'
        damaged Europe/Berlin 1 '*/zone.job:5:10: *"Europe/Berlin" is damaged*tzdata*'
        damaged Europe/Paris 1 '*/zone.job:5:10: *"Europe/Paris" is damaged*tzdata*'
else
        echo "no mount of our own: damaged zone files are left to tests/unit/test-zone"
fi
check_end
