#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every error that the interfaces declare is one that a method answers with, and the other way round; taktctl has
# words for each, and knows all states and events, and no others.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
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

# takes STATUS ARG…: 4 is that no daemon runs, 2 that the words are wrong
taktctl -q env create "$dir/env"
takes() {
        local status=$1 found=0
        shift
        taktctl --env "$dir/env" "$@" >"$dir/out" 2>&1 || found=$?
        [ "$found" = "$status" ] || { echo "taktctl $*: exit status $found, not $status: $(cat "$dir/out")"; failed=1; }
}
# words TYPE: the words of an enum
words() {
        tr '\n' ' ' <"$TAKT_SRCDIR/src/api/$1.varlink" | grep -oE "type $2 \([^)]*\)" | sed 's/.*(//; s/)//' | tr ',' ' '
}
for state in $(words io.takt.Runs RunState); do
        takes 4 runs -s "$state"
        takes 4 watch -e "$state"
done
for state in $(words io.takt.Jobs JobState); do
        takes 4 list -s "$state"
done
for event in $(sed -n '/type_names\[_EVENT_TYPE_MAX\]/,/};/p' "$TAKT_SRCDIR/src/job/event.c" | grep -o '"[a-z]*"' | tr -d '"'); do
        takes 4 watch -e "$event"
done
takes 2 runs -s waiting
takes 2 list -s failed
takes 2 watch -e fail
exit $failed
