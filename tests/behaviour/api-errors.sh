#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every error that the interfaces declare is one that a method answers with, and the other way round; and taktctl has
# words for each.
set -eu
: "${TAKT_SRCDIR:?}"
failed=0

# same WHAT LEFT RIGHT: two lists of names
same() {
        local difference
        if ! difference=$(diff <(echo "$2") <(echo "$3")); then
                echo "$1:" "$difference"
                failed=1
        fi
}

# members KIND: the full names of that kind that the interfaces declare
members() {
        awk -v kind="$1" '
                $1 == "interface" { interface = $2 }
                $1 == kind { sub(/\(.*/, "", $2); print interface "." $2 }' "$TAKT_SRCDIR"/src/api/*.varlink | sort
}
# named FILE…: all full names in the source
named() {
        grep -hoE '"io\.takt\.[A-Za-z]+\.[A-Za-z]+"' "$@" | tr -d '"' | sort -u
}
methods=$(members method)
errors=$(members error)
[ -n "$methods" ] && [ -n "$errors" ] || { echo "no members were found"; exit 1; }
same "declared (<) and named in the source (>)" "$(sort <<<"$methods
$errors")" "$(named "$TAKT_SRCDIR"/src/{api,daemon}/*.c)"
same "errors declared (<) and explained by taktctl (>)" "$errors" \
        "$(grep -hoE '"io\.takt\.[A-Za-z.]+", STATUS_' "$TAKT_SRCDIR/src/ctl/call.c" | cut -d '"' -f 2 | sort)"
exit $failed
