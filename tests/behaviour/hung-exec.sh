#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A program on a file system that never answers: its exec hangs, and holds up no other command.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
mkdir "$dir/dead"
trap 'umount -l "$dir/dead" 2>"$dir/err" || :; cleanup' EXIT
# A FUSE mount whose server reads nothing. Its end is the end of all that waits.
python3 - "$dir/dead" "$dir/mounted" <<'END' 2>"$dir/err" &
import ctypes, os, signal, sys
fuse = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = "fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other" % (fuse, os.getuid(), os.getgid())
if libc.mount(b"dead", sys.argv[1].encode(), b"fuse", 0, options.encode()) < 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
open(sys.argv[2], "w").close()
signal.pause()
END
server=$!
helper $server
mounted_or_not() { [ -e "$dir/mounted" ] || gone $server; }
eventually "the server is there, or can't be" mounted_or_not
if [ ! -e "$dir/mounted" ]; then
        echo "a file system that hangs can't be made here: $(tail -1 "$dir/err")"
        exit 77
fi
job hangs <<END
[Job]
Type=exec
[Schedule]
Overlap=parallel
[Exec]
Command=$dir/dead/program
END
job echo <<END
[Job]
Type=exec
[Exec]
Command=/bin/echo well
Output=text
END
start_taktd
for i in 1 2 3; do taktctl run hangs >"$dir/out"; done
for i in 1 2 3 4 5; do
        is "another command" "('succeeded', 'well')" "$(run_job "(r['state'], r['result'])" echo)"
done
is "those that hang" 3 "$(runs "sum(r['job'] == 'hangs' and r['state'] == 'running' for r in rs)")"
kill -KILL $server
wait $server 2>/dev/null || :
all_failed() { [ "$(runs "sum(r['job'] == 'hangs' and r['state'] == 'failed' for r in rs)")" = 3 ]; }
eventually "their errors are told once there are some" all_failed
is "another command" succeeded "$(run_job "r['state']" echo)"
check_end
