#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as they are installed: systemd-analyze has nothing to say against them, and finds the daemon's
# exposure at 1.5 or below. Needs no running systemd.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
command -v systemd-analyze >/dev/null || { echo "SKIP: there is no systemd-analyze"; exit 77; }
max=1.5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}

# The programs need not be installed, and manuals are looked for where they are.
mkdir "$dir/system" "$dir/user" "$dir/bin"
ln -s "$TAKT_BUILDDIR/taktd" "$TAKT_BUILDDIR/taktctl" "$dir/bin"
for unit in taktd.service taktd@.service user/taktd.service taktd.socket taktd@.socket user/taktd.socket; do
        case $unit in
        *.service) from=$TAKT_BUILDDIR/units/$unit ;;
        *) from=$TAKT_SRCDIR/units/$unit ;;
        esac
        case $unit in
        user/*) to=$dir/$unit ;;
        *) to=$dir/system/$unit ;;
        esac
        grep -q '^Documentation=man:taktd(8)' "$from" || fail "$unit has no documentation"
        if grep -n '@[a-z]*@' "$from"; then fail "$unit was not filled in"; fi
        sed -E "s#^(Exec[A-Za-z]*=)/[^ ]*/#\1$dir/bin/#" "$from" >"$to"
done
cp "$dir/system/taktd@.service" "$dir/system/taktd@srv-lab.service"
cp "$dir/system/taktd@.socket" "$dir/system/taktd@srv-lab.socket"

# verify WHAT OPTION UNIT…
verify() {
        local what=$1 said
        shift
        said=$(timeout 60 systemd-analyze verify --man=no "$@" 2>&1) || fail "$what: systemd-analyze verify fails"
        # It looks at units of the machine as well.
        if grep -E 'takt' <<<"$said"; then fail "$what: systemd-analyze verify complains"; fi
}
verify "system units" --system "$dir/system/taktd.service" "$dir/system/taktd.socket" \
        "$dir/system/taktd@srv-lab.service" "$dir/system/taktd@srv-lab.socket"
XDG_RUNTIME_DIR=$dir HOME=$dir verify "user units" --user "$dir/user/taktd.service" "$dir/user/taktd.socket"

for unit in taktd.service taktd@srv-lab.service; do
        said=$(timeout 60 systemd-analyze security --no-pager --offline=yes "$dir/system/$unit" 2>&1) || :
        score=$(sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p' <<<"$said")
        echo "$unit: exposure ${score:-unknown}, at most $max"
        awk -v a="${score:-10}" -v b="$max" 'BEGIN { exit !(a <= b) }' || fail "$said"
done
exit $failed
