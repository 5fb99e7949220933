#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every message id that the daemon logs has an entry in the catalog, and every entry an id that is
# logged; systemd can read the file, and its fields are ones that the daemon sends.
set -eu
: "${TAKT_SRCDIR:?}"
catalog=$TAKT_SRCDIR/units/takt.catalog
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}
logged=$(grep -rhoE '"[0-9a-f]{32}"' "$TAKT_SRCDIR"/src/*/*.c | tr -d '"' | sort)
explained=$(sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$catalog" | sort)
[ -n "$logged" ] || fail "no message ids were found in the source"
diff <(echo "$logged") <(echo "$explained") >"$dir/diff" || fail "logged (<) and explained (>) differ: $(cat "$dir/diff")"
fields=$(grep -o '@[A-Z_]*@' "$catalog" | tr -d @ | sort -u)
for field in $fields; do
        grep -q "\"$field\"" "$TAKT_SRCDIR"/src/daemon/{event-log,taktd}.c || fail "no message has the field $field"
done
awk 'length > 80 { print FILENAME ":" FNR ": longer than 80 columns"; bad = 1 } END { exit bad }' "$catalog" || failed=1
if command -v journalctl >/dev/null; then
        mkdir -p "$dir/usr/lib/systemd/catalog" "$dir/var/lib/systemd/catalog"
        cp "$catalog" "$dir/usr/lib/systemd/catalog"
        journalctl --root="$dir" --update-catalog 2>"$dir/said" || fail "the catalog can't be read: $(cat "$dir/said")"
        n=$(journalctl --root="$dir" --list-catalog 2>/dev/null | grep -c takt || :)
        [ "$n" -eq "$(wc -l <<<"$explained")" ] || fail "of the catalog, $n entries are seen"
fi
exit $failed
