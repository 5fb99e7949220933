#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whatever becomes of the files of state/ and the disk that they are on: taktd starts and runs, says what it can't read
# or keep, gives no run id twice, sends nothing but JSON, and keeps all of it again when it can.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

# The full and the read-only disk are mounted in a name space of the test's own.
if [ -z "${STATE_FAULTS_INSIDE:-}" ]; then
        rm -rf "$dir"
        user=r
        [ "$(id -u)" != 0 ] || user=
        if ! unshare -${user}m mount -t tmpfs tmpfs /mnt 2>/dev/null; then
                echo "no name space to mount in"
                exit 77
        fi
        export STATE_FAULTS_INSIDE=1
        exec unshare -${user}m --propagation private "$0"
fi

new_environment
state=$dir/env/state
mkdir -p "$dir/sys/class/leds/status"
settings <<END
[Daemon]
KeepRuns=2000
SysfsRoot=$dir/sys
END
echo 0 >"$dir/sys/class/leds/status/brightness"
echo 255 >"$dir/sys/class/leds/status/max_brightness"
echo 'none [heartbeat] timer' >"$dir/sys/class/leds/status/trigger"
job nap <<'END'
[Job]
Type=sleep
[Sleep]
Duration=1ms
END
job long <<'END'
[Job]
Type=sleep
Parameter=text:string=x
[Schedule]
Overlap=parallel
[Sleep]
Duration=1000s
END
job often <<'END'
[Job]
Type=sleep
[Schedule]
OnCalendar=hourly
[Sleep]
Duration=1ms
END
job light <<'END'
[Job]
Type=blink
[Blink]
Led=status
Duration=1h
Duty=1
END

# --- what has to be true of every life ---

: >"$dir/given"

# give COMMAND…: what it prints is a run id that was never given before
give() {
        local id
        id=$("$@") || { fail "$*: no run"; return; }
        if grep -qx "$id" "$dir/given"; then
                fail "$case: run id $id is given again"
        fi
        echo "$id" >>"$dir/given"
}

# look: runs a job, asks for all there is, and takes what comes for JSON
look() {
        give taktctl run nap
        {
                taktctl run --wait --json nap
                echo ,
                taktctl runs --json -n 1000
                echo ,
                taktctl info --json
                echo ,
                taktctl why often --json
        } >"$dir/json"
        { echo '['; cat "$dir/json"; echo ']'; } | python3 -c 'import json, sys
def no(x): raise ValueError(x)
whole = lambda n: int(n) if abs(int(n)) < 2 ** 63 else no(n)
print(json.load(sys.stdin, parse_constant=no, parse_int=whole)[0]["run"])' >"$dir/id" ||
                fail "$case: what is sent is no JSON: $(head -c 1000 "$dir/json")"
        give cat "$dir/id"
}

# said N PATTERN: by this life, so often
said() {
        [ "$(grep -cE "$2" "$log")" = "$1" ] || fail "$case: '$2' is said $(grep -cE "$2" "$log") times, not $1: $(cat "$log")"
}

problem() {
        field '(r["stateProblem"] or "").replace("None", "")' taktctl info --json
}

kept() {
        [ -z "$(problem)" ]
}

not_kept() {
        [ -n "$(problem)" ]
}

# crash_full: leaves runs under way, places in time and a LED behind
crash_full() {
        give taktctl run long
        give taktctl run long words
        taktctl -q run light >/dev/null
        eventually "the LED is taken" test -s "$state/leds/status" || :
        kill_taktd
}

start_taktd
case="a first life"
is "the first id of an environment" 1 "$(taktctl run nap)"
echo 1 >>"$dir/given"
crash_full
cp -a "$state" "$dir/good"
for file in next-run active-runs schedule-times leds/status; do
        [ -s "$dir/good/$file" ] || fail "there is no $file after a crash"
done

# --- what stands in the place of a file at the start ---

# Each changes $path. What the kernel did not have to take, the daemon does not have to tell.
make_missing() { rm -rf "$path"; }
make_empty() { : >"$path"; }
make_cut() { truncate -s $(($(stat -c %s "$path") / 2)) "$path"; }
make_directory() { rm -f "$path" && mkdir "$path"; }
make_full_directory() { rm -f "$path" && mkdir -p "$path/inside"; }
make_fifo() { rm -f "$path" && mkfifo "$path"; }
make_link() { mv "$path" "$dir/other" && ln -s "$dir/other" "$path"; }
make_dangling() { ln -sf nowhere "$path"; }
make_loop() { rm -f "$path" && ln -s "$(basename "$path")" "$path"; }
make_garbage() { head -c 9000 /dev/urandom >"$path"; }

# A daemon that crashed has left what is in $dir/good, but for ids, which have gone on.
restore() {
        [ ! -f "$state/next-run" ] || cp "$state/next-run" "$dir/good/next-run"
        rm -rf "$state"
        cp -a "$dir/good" "$state"
}

# begin_at_1: the file of ids is that of a new environment, and no copy
begin_at_1() {
        mkdir "$dir/new"
        mv "$state" "$dir/aside" 2>/dev/null || { mkdir "$dir/aside"; mv "$state"/* "$dir/aside/" 2>/dev/null || :; }
        mkdir -p "$state"
        ln -s "$state" "$dir/new/state"
        taktctl -q env create --force "$dir/new"
        rm -rf "$dir/new" "$dir/aside/next-run"
        mv "$dir/aside"/* "$state/" 2>/dev/null || :
        rm -r "$dir/aside"
}

# first_ids: as in a new environment
first_ids() {
        rm -rf "${state:?}"/*
        begin_at_1
        : >"$dir/given"
}

files='next-run active-runs schedule-times leds/status'
for what in missing empty cut directory full_directory fifo link dangling loop garbage; do
        case="all files: $what"
        restore
        for file in $files; do
                path=$state/$file
                "make_$what"
        done
        start_taktd
        look
        n=1
        [ $what != missing ] || n=0
        said $n "next-run can't be trusted"
        said $n "LED status can't be restored: its saved state is not readable"
        said $n "active-runs is not readable"
        said $n "schedule-times is not readable"
        if [ $what = full_directory ]; then
                reasons='next-run: Is a directory; active-runs: Is a directory; schedule-times: Is a directory'
                is "$case" "$reasons" "$(problem)"
                said 1 "State can't be kept in .*$reasons"
                like "status of $case" "*degraded*Not kept:*$reasons*" "$(taktctl status)"
                for file in $files; do rmdir "$state/$file/inside"; done
                eventually "$case: it is kept" kept || :
                said 1 "All state is kept"
        fi
        is "$case: what can't be kept" "" "$(problem)"
        kill_taktd
        for file in next-run active-runs schedule-times; do
                [ -f "$state/$file" ] && [ ! -L "$state/$file" ] || fail "$case: there is no file $file"
        done
done

# The greatest id counts, also where the file of ids names a smaller one.
case="an older next-run"
restore
start_taktd
crash_full
rm -rf "$dir/good"
cp -a "$state" "$dir/good"
begin_at_1
start_taktd
look
kill_taktd

# --- a file of ids that was saved earlier, and comes back ---

# back HOW: $dir/saved as next-run
back() {
        case $1 in
        copied) cp "$dir/saved" "$state/next-run" ;;
        preserved) cp -p "$dir/saved" "$state/next-run" ;;
        moved) cp -p "$dir/saved" "$state/next-run.back" && mv "$state/next-run.back" "$state/next-run" ;;
        archived) tar -C "$dir/archive" -cf - next-run | tar -C "$state" -xf - ;;
        esac
}
mkdir "$dir/archive"
for how in copied preserved moved archived; do
        case="a restored next-run, $how"
        first_ids
        start_taktd
        look
        stop_taktd
        cp -p "$state/next-run" "$dir/saved"
        cp -p "$dir/saved" "$dir/archive/next-run"
        start_taktd
        look
        said 0 "can't be trusted"
        n=$(tail -1 "$dir/given")
        [ "$n" -lt 100 ] || fail "$case: ids of usual operation go on at $n"
        stop_taktd
        back "$how"
        start_taktd
        said 1 "next-run can't be trusted .it is a copy"
        look
        # While the daemon runs, and as it crashes.
        back "$how"
        look
        kill_taktd
        back "$how"
        start_taktd
        look
        stop_taktd
        start_taktd
        said 0 "can't be trusted"
        look
        stop_taktd
done
case="a restored next-run, by a second name"
first_ids
start_taktd
look
ln "$state/next-run" "$dir/linked"
stop_taktd
start_taktd
said 0 "can't be trusted"
look
stop_taktd
ln -f "$dir/linked" "$state/next-run"
start_taktd
said 1 "next-run can't be trusted .it is a copy"
look
stop_taktd
# An environment that is moved is the same one, whoever may write to it now.
case="an environment is moved"
first_ids
start_taktd
look
stop_taktd
mv "$dir/env" "$dir/env2"
mv "$dir/env2" "$dir/env"
chmod 600 "$state/next-run"
touch "$state/next-run"
start_taktd
look
said 0 "can't be trusted"
[ "$(tail -1 "$dir/given")" -lt 100 ] || fail "$case: ids go on at $(tail -1 "$dir/given")"
stop_taktd

# --- bits ---

# flip FILE N: another bit of it, over all of the file
flip() {
        python3 -c 'import sys
path, n = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, "rb").read())
used = [i for i, byte in enumerate(data) if byte] or [0]
data[used[n * 7919 % len(used)]] ^= 1 << n % 8
open(path, "wb").write(data)' "$1" "$2"
}

for n in $(seq 4); do
        case="bit $n of each file"
        restore
        for file in $files; do flip "$state/$file" "$n"; done
        start_taktd
        look
        said 1 "next-run can't be trusted"
        said 1 "LED status can't be restored"
        kill_taktd
done
# All that the slots of active-runs hold, at once.
for seed in $(seq 4); do
        case="garbled slots $seed"
        restore
        python3 -c 'import random, sys
random.seed(int(sys.argv[2]))
data = bytearray(open(sys.argv[1], "rb").read())
used = [i for i in range(4096, len(data)) if data[i]]
for i in random.sample(used, len(used) // 8):
    data[i] ^= 1 << random.randrange(8)
open(sys.argv[1], "wb").write(data)' "$state/active-runs" "$seed"
        start_taktd
        look
        kill_taktd
done

# --- the directory ---

for what in file fifo loop missing; do
        case="state/ is $what"
        rm -rf "$state"
        case $what in
        file) : >"$state" ;;
        fifo) mkfifo "$state" ;;
        loop) ln -s state "$state" ;;
        esac
        start_taktd
        look
        if [ $what != missing ]; then
                said 1 "State can't be kept in "
                like "$case" "next-run: *; active-runs: *; schedule-times: *" "$(problem)"
                rm -f "$state"
                eventually "$case: it is kept" kept || :
                said 1 "All state is kept in .* again"
        fi
        look
        [ -s "$state/next-run" ] || fail "$case: nothing is kept"
        stop_taktd
done

case="the directory goes"
first_ids
start_taktd
crash_full
start_taktd
look
give taktctl run long
mv "$state" "$dir/away"
give taktctl run long
eventually "$case: it is kept" test -s "$state/active-runs" || :
eventually "$case: ids are kept" test -s "$state/next-run" || :
eventually "$case: it is said" grep -q "All state is kept" "$log" || :
said 1 "Run ids go on at .*taken away"
said 1 "State can't be kept in .*active-runs: No such file or directory"
look
kill_taktd
start_taktd
is "$case: runs under way were lost" 2 "$(runs 'len([r for r in rs if r["state"] == "lost"])' long)"
look
kill_taktd
# It comes back, with the ids of that time.
rm -rf "$state"
mv "$dir/away" "$state"
start_taktd
look

# --- a file is cut short under the feet of the daemon: the kernel sends SIGBUS ---

case="a cut file"
for _ in 1 2 3; do give taktctl run long; done
n=$(runs 'len([r for r in rs if r["state"] == "running"])' long)
truncate -s 0 "$state/active-runs"
truncate -s 0 "$state/schedule-times"
look
give taktctl run long
eventually "$case: it is told" grep -qE "State can't be kept in .*(active-runs|schedule-times): Input/output error" "$log" || :
eventually "$case: it is kept again" grep -q "All state is kept" "$log" || :
look
kill_taktd
start_taktd
is "$case: runs under way were lost" $((n + 1)) "$(runs 'len([r for r in rs if r["state"] == "lost"])' long)"
look
stop_taktd

# --- a full disk, and one that may only be read ---

mount -t tmpfs -o size=512k,mode=700 tmpfs "$state" || fail "no tmpfs"
fill() {
        head -c 1M /dev/zero >"$state/ballast" 2>/dev/null || :
}
case="a full disk at the start"
fill
start_taktd
said 1 "State can't be kept in .*next-run: No space left on device; active-runs: No space left on device; schedule-times: No space left on device"
look
for _ in $(seq 20); do give taktctl run long; done
like "$case: status" "*degraded*Not kept:*No space left*" "$(taktctl status)"
kill_taktd
case="a full disk again"
start_taktd
look
give taktctl run long
rm "$state/ballast"
eventually "$case: it is kept" kept || :
said 1 "State can't be kept in "
said 1 "All state is kept in .* again"
kill_taktd
start_taktd
is "$case: the run under way was lost" 1 "$(runs 'len([r for r in rs if r["state"] == "lost"])' long)"
look

# It looks when somebody asks, unless it has just looked.
case="a directory in the place of a file"
rm "$state/next-run"
mkdir -p "$state/next-run/full"
eventually "$case: it is told who asks" not_kept || :
is "$case: what can't be kept" "next-run: Is a directory" "$(problem)"
like "$case: status" "*degraded*Not kept:*next-run: Is a directory*" "$(taktctl status)"
rm -r "$state/next-run"
eventually "$case: it is kept" kept || :
look

# As it was found: more runs than the block that the file names, then a crash.
case="a full disk while it runs"
stop_taktd
first_ids
start_taktd
look
fill
job burst <<'END'
[Job]
Type=sleep
[Schedule]
Every=2ms
Count=1500
[Sleep]
Duration=0s
END
taktctl -q reload
eventually "$case: there are many runs" sh -c '[ "$(taktctl runs --json -n 5000 burst | grep -o "\"run\":" | wc -l)" -ge 1000 ]' || :
runs '"\n".join(str(r["run"]) for r in rs)' burst >>"$dir/given"
eventually "$case: it is told" not_kept || :
is "$case: what can't be kept" "next-run: No space left on device" "$(problem)"
said 1 "Run ids go on at .* can't be written"
rm "$dir/env/jobs/burst.job"
kill_taktd
start_taktd
look
rm "$state/ballast"
eventually "$case: it is kept" kept || :
stop_taktd

case="a disk that may only be read"
mount -o remount,ro "$state" || fail "no read-only tmpfs"
start_taktd
said 1 "State can't be kept in .*next-run: Read-only file system"
look
kill_taktd
start_taktd
look
mount -o remount,rw "$state"
eventually "$case: it is kept" kept || :
look
stop_taktd
umount "$state"

check_end
