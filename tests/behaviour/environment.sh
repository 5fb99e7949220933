#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An environment made by taktctl: activated in every shell that is installed, then moved and activated
# again; nothing in it names the place where it was made.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export PATH="$TAKT_BUILDDIR:$PATH"
unset TAKT_ENV TAKT_DISABLE_PROMPT
dir=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
        echo "$*"
        failed=1
}

# expect WHAT EXPECTED FOUND
expect() {
        [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
}

status_of() {
        local status=0
        "$@" >/dev/null 2>&1 || status=$?
        echo $status
}

taktctl -q env create "$dir/first one"
expect "creating it again" 0 "$(status_of taktctl env create "$dir/first one")"
mkdir "$dir/other"
touch "$dir/other/file"
expect "creating over something else" 2 "$(status_of taktctl env create "$dir/other")"
expect "creating over something else by force" 0 "$(status_of taktctl env create --force "$dir/other")"
expect "creating without a name" 2 "$(status_of taktctl env create)"
for path in jobs schemas packs bin/activate bin/activate.fish bin/activate.csh state run takt.conf; do
        [ -e "$dir/first one/$path" ] || fail "no $path in a new environment"
done
if grep -rlF "$dir" "$dir/first one"; then fail "these hold an absolute path"; fi
expect "no daemon" 4 "$(status_of taktctl --env "$dir/first one" ping)"
expect "no environment" 2 "$(status_of taktctl --env "$dir" ping)"
case $(taktctl --env "$dir/other" ping 2>&1 || :) in
*"start it with: taktd --env $dir/other") ;;
*) fail "what is said without a daemon does not help" ;;
esac

# A path that is longer than an address of a socket may be.
long=$dir/$(printf 'x%.0s' $(seq 120))
taktctl -q env create "$long"
expect "no daemon at a long path" 4 "$(status_of taktctl --env "$long" ping)"

# What each shell is told, with the environment as $ENV_DIR; it prints what it sees.
cat >"$dir/script.sh" <<'SH'
PS1='> '
set -eu
saved=$PATH
. "$ENV_DIR/bin/activate"
echo "$TAKT_ENV|${PATH%%:*}|$PS1"
[ "$(sh -c 'echo "$TAKT_ENV"')" = "$TAKT_ENV" ] || echo "TAKT_ENV is not exported"
(. "$ENV_DIR/bin/activate"; [ -n "$TAKT_ENV" ]) || echo "not in a subshell"
. "$ENV_DIR/bin/activate"
[ "$PATH" = "$TAKT_ENV/bin:$saved" ] || echo "activated twice, PATH is $PATH"
deactivate
[ "$PATH" = "$saved" ] || echo "afterwards PATH is $PATH"
[ -z "${TAKT_ENV+x}" ] || echo "TAKT_ENV is still set"
[ "$PS1" = '> ' ] || echo "the prompt is still $PS1"
cd "$ENV_DIR/bin"
. ./activate
cd - >/dev/null
echo "$TAKT_ENV"
taktctl env --json
SH
cat >"$dir/script.fish" <<'FISH'
function fish_prompt; test $status = 1; and echo '>'; or echo 'status lost >'; end
set saved "$PATH"
source "$ENV_DIR/bin/activate.fish"
sh -c 'echo "$TAKT_ENV|${PATH%%:*}"' | tr '\n' '|'
false; fish_prompt
source "$ENV_DIR/bin/activate.fish"
deactivate
test "$PATH" = "$saved"; or echo "afterwards PATH is $PATH"
set -q TAKT_ENV; and echo "TAKT_ENV is still set"
functions -q _takt_old_fish_prompt; and echo "the prompt is still changed"
cd "$ENV_DIR/bin"
source activate.fish
echo $TAKT_ENV
taktctl env --json
FISH
cat >"$dir/script.csh" <<'CSH'
set prompt = '> '
set saved = "$PATH"
source "$ENV_DIR/bin/activate.csh"
sh -c 'printf "%s|%s|" "$TAKT_ENV" "${PATH%%:*}"'
echo "$prompt"
source "$ENV_DIR/bin/activate.csh"
deactivate
if ("$PATH" != "$saved") echo "afterwards PATH is $PATH"
if ($?TAKT_ENV) echo "TAKT_ENV is still set"
if ("$prompt" != '> ') echo "the prompt is still $prompt"
source "$ENV_DIR/bin/activate.csh"
echo "$TAKT_ENV"
taktctl env --json
CSH

# in_shells ENV
in_shells() {
        local name=${1##*/} shell script found
        for shell in dash bash "bash --posix" zsh ksh93 mksh "busybox sh" fish tcsh bsd-csh; do
                command -v "${shell%% *}" >/dev/null || continue
                case $shell in
                fish) script="-N $dir/script.fish" ;;
                *csh) script="-f $dir/script.csh" ;;
                zsh) script="-f $dir/script.sh" ;;
                *) script=$dir/script.sh ;;
                esac
                # shellcheck disable=SC2086
                found=$(ENV_DIR=$1 HOME=$dir TERM=dumb $shell $script 2>&1) || fail "$shell: exit status $?"
                found=$(sed 's/ *$//' <<<"$found")
                expect "$shell in $name" "$1|$1/bin|($name) >
$1
$(ENV_DIR=$1 taktctl --env "$1" env --json)" "$found"
        done
}
in_shells "$dir/first one"
mv "$dir/first one" "$dir/moved"
in_shells "$dir/moved"
exit $failed
