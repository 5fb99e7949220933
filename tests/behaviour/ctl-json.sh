#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl path and validate: answers, exit statuses, and which schemas are read.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# expect STATUS PATTERN ARG…: taktctl ARG… exits so, and all that it prints is like the pattern
expect() {
        local status=$1 pattern=$2 found=0 output
        shift 2
        output=$(taktctl "$@" 2>&1 <"$dir/input") || found=$?
        # shellcheck disable=SC2254
        case $found:$output in
        $status:$pattern) ;;
        *)
                echo "taktctl $*: exit status $found, prints $output"
                failed=1
                ;;
        esac
}

mkdir "$dir/schemas" "$dir/schemas/sub"
cd "$dir"
echo '{"rooms": [{"t": 21.5}, {"t": 9007199254740993}, {"t": "warm"}]}' >data.json
cp data.json input
expect 0 '\[21.5,9007199254740993,"warm"\]' path '$.rooms[*].t' data.json
expect 0 '\[9007199254740993\]' path '$.rooms[?@.t > 30].t'
expect 0 '\["warm"\]' path '$.rooms[?search(@.t, "^w")].t' -
expect 0 '\[\]' path '$.none' data.json
expect 2 'taktctl: column *"\$\[": *' path '$['
expect 2 'taktctl: none.json: No such file or directory' path '$' none.json
expect 2 'taktctl: too few arguments*' path
echo '{"a": 1,}' >broken.json
expect 2 'taktctl: broken.json:1:*' path '$' broken.json

echo '{"properties": {"rooms": {"items": {"$ref": "sub/room.json"}}}}' >schemas/data.json
echo '{"properties": {"t": {"$ref": "../number.json#/$defs/n"}}}' >schemas/sub/room.json
echo '{"$defs": {"n": {"type": "number"}}}' >schemas/number.json
expect 1 'data.json#/rooms/2/t: type: *' validate schemas/data.json data.json
expect 1 'standard input#/rooms/2/t: type: *' validate schemas/data.json
expect 1 '\[{"path":"/rooms/2/t","keyword":"type","message":"*"}\]' validate --json schemas/data.json data.json
echo '{"rooms": []}' >input
expect 0 'standard input: ok' validate schemas/data.json
expect 0 '' validate -q schemas/data.json -
expect 0 '\[\]' validate -j schemas/data.json

# Names beside the $id are files beside the schema, whatever host that names.
echo '{"$id": "https://example.org/s/own.json", "$ref": "number.json#/$defs/n"}' >schemas/own.json
expect 1 'standard input#: type: *' validate schemas/own.json
# Nothing else is read.
echo '{}' >outside.json
for ref in ../outside.json %2e%2e/outside.json sub/%2e%2e/%2e%2e/outside.json "$dir/outside.json" \
        "file://$dir/outside.json" https://example.org/outside.json none.json; do
        echo "{\"\$ref\": \"$ref\"}" >schemas/ref.json
        expect 2 '*ref.json: unusable schema' validate schemas/ref.json
done

# What can't be used is told apart from what isn't valid.
echo '{"type": "nothing"}' >schemas/bad.json
expect 2 'bad.json#*taktctl: schemas/bad.json: unusable schema' validate schemas/bad.json
expect 2 'taktctl: broken.json:1:*' validate schemas/data.json broken.json
expect 2 'taktctl: broken.json:1:*' validate broken.json data.json
expect 2 'taktctl: none.json: No such file or directory' validate none.json
# A key of a stranger does not drive the terminal.
printf '{"additionalProperties": false}' >schemas/closed.json
printf '{"\\u001b[2J": 1}' >input
expect 1 'standard input#*\\x1b*' validate schemas/closed.json
exit $failed
