# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by scripts that test units in a systemd that was really booted: a container of the machine's own
# /usr with what `make install` installs bound into it. Needs root, systemd-nspawn and the right to make
# namespaces; says so and counts as skipped where one is missing.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
skip() {
        echo "SKIP: $*"
        exit 77
}
[ "$(id -u)" -eq 0 ] || skip "only root can boot a container"
for tool in systemd-nspawn nsenter; do
        command -v $tool >/dev/null || skip "there is no $tool"
done
prefix=$(sed -n 's/^prefix = //p' "$TAKT_BUILDDIR/Makefile")
case $prefix in
/usr | /) skip "what is installed in $prefix can't be bound over the machine's own" ;;
esac

dir=$(mktemp -d)
machine=takt-test-$$
root='' # of a container that has the machine's whole tree
nspawn='' leader=''
failed=0
cleanup() {
        local _
        if [ -n "$leader" ]; then kill -s SIGRTMIN+4 "$leader" 2>/dev/null || :; fi
        if [ -n "$nspawn" ]; then
                for _ in $(seq 50); do
                        kill -0 "$nspawn" 2>/dev/null || break
                        sleep 0.1
                done
                [ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || :
                kill "$nspawn" 2>/dev/null || :
                wait "$nspawn" 2>/dev/null || :
        fi
        if [ -n "$root" ]; then
                umount -l "$root"
                umount -l "$dir/writable"
        fi
        rm -rf "$dir"
}
trap cleanup EXIT
fail() {
        echo "FAIL: $*"
        failed=1
}

# child_of PID NAME
child_of() {
        local pid
        for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null || :); do
                [ "$(cat "/proc/$pid/comm" 2>/dev/null || :)" = "$2" ] && echo "$pid" && return
        done
        return 1
}

# inside COMMAND…: runs it in the container
inside() {
        timeout 20 nsenter -t "$leader" -m -p -u -i -n -C "$@"
}

# property NAME [UNIT]
property() {
        inside systemctl show -P "$1" "${2:-taktd}"
}

# until_true WHAT COMMAND…: for up to 10 s
until_true() {
        local what=$1 _
        shift
        for _ in $(seq 400); do
                if "$@" >/dev/null 2>&1; then return 0; fi
                sleep 0.1
        done
        fail "$what did not come"
        inside journalctl -b --no-pager -n 30 || :
        return 1
}

# boot volatile|writable: with a root of /usr alone, or with a copy of all that the machine has
boot() {
        local how=(-D / --volatile=yes) stub _
        make -s -C "$TAKT_BUILDDIR" MAKEFLAGS= install DESTDIR="$dir/stage" >"$dir/install.log" 2>&1 || {
                cat "$dir/install.log"
                exit 1
        }
        mkdir "$dir/share"
        chmod 755 "$dir" "$dir/share"
        if [ "$1" = writable ]; then
                mkdir "$dir/writable"
                mount -t tmpfs tmpfs "$dir/writable" 2>/dev/null || skip "nothing can be mounted here"
                root=$dir/writable/root
                mkdir "$root" "$dir/writable/upper" "$dir/writable/work"
                mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/writable/upper,workdir=$dir/writable/work" "$root" \
                        2>/dev/null || { umount "$dir/writable"; root=''; skip "there is no overlayfs"; }
                how=(-D "$root")
        fi
        binds=(--bind-ro="$dir/stage$prefix:$prefix" --bind="$dir/share:/mnt")
        # Where systemd looks for units of those two prefixes only.
        [ "$prefix" = /usr/local ] || binds+=(--bind-ro="$dir/stage$prefix/lib:/usr/local/lib")
        systemd-nspawn -q "${how[@]}" --boot -M "$machine" --register=no --keep-unit --link-journal=no --console=pipe \
                --private-network "${binds[@]}" -- systemd.firstboot=no systemd.unit=basic.target \
                </dev/null >"$dir/console.log" 2>&1 &
        nspawn=$!
        for _ in $(seq 100); do
                kill -0 "$nspawn" 2>/dev/null || break
                stub=$(child_of "$nspawn" systemd-nspawn || :)
                leader=$(child_of "${stub:-$nspawn}" systemd || :)
                if [ -n "$leader" ] && inside systemctl is-active -q basic.target 2>/dev/null; then break; fi
                sleep 0.1
        done
        if [ -z "$leader" ] || ! inside systemctl is-active -q basic.target; then
                tail -5 "$dir/console.log"
                skip "no container could be booted here"
        fi
        export PATH="$prefix/bin:$prefix/sbin:$PATH"
}

# job NAME LINES: a job of the system's environment
job() {
        inside sh -c "cat >/etc/takt/jobs/$1.job" <<<"$2"
}

# check_journal: no sanitizer found anything; what the daemon said, where a test failed
check_journal() {
        if inside journalctl --no-pager | grep -E 'AddressSanitizer|runtime error'; then fail "a sanitizer complains"; fi
        [ $failed -eq 0 ] || inside journalctl --no-pager -t taktd -n 80 || :
}
