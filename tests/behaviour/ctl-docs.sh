#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# taktctl's help, its manual and its completions agree on verbs and options.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
export LC_ALL=C.UTF-8 PATH="$TAKT_BUILDDIR:$PATH"
man=$TAKT_SRCDIR/man/taktctl.1
completions=$TAKT_SRCDIR/completions
failed=0

words() {
        tr ' ' '\n' <<<"$1" | sed '/^$/d' | sort -u
}

# same WHAT EXPECTED FOUND: two lists of words, in any order
same() {
        local difference
        if ! difference=$(diff <(words "$2") <(words "$3")); then
                echo "$1 differs (< is the help):" "$difference"
                failed=1
        fi
}

# flat: one line of words, as echo would take some of the options for its own
flat() {
        tr '\n' ' '
}

# The options that a help text lists: "-n --lines"
options_of() {
        sed -nE 's/^  (-[a-z], |    )(--[a-z-]+).*/\1 \2/p' | tr -d , | flat
}

help=$(taktctl --help)
verbs=$(sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help" | flat)
options=$(options_of <<<"$help")
common=$(sed -n '/^Options:/,/^$/p' <<<"$help" | options_of)

for verb in '' $verbs; do
        # shellcheck disable=SC2086
        long=$(taktctl $verb --help | grep -nE '^.{81}' || true)
        if [ -n "$long" ]; then
                echo "help of ${verb:-taktctl} has lines above 80 columns: $long"
                failed=1
        fi
done

same "the manual's list of verbs" "$verbs" "$(sed -n 's/^\.It Cm \([a-z]*\).*/\1/p' "$man" | flat)"
same "the manual's list of options" "$options" "$(sed -n '/^\.Sh OPTIONS/,/^\.Sh ENV/s/^\.It //p' "$man" |
        grep -oE 'Fl -?[a-z-]+' | sed 's/Fl /-/' | flat)"

# bash: asks the completion itself.
. "$completions/taktctl.bash"
compopt() { :; }
complete_bash() {
        COMP_WORDS=(taktctl "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _taktctl
        printf '%s ' "${COMPREPLY[@]}"
}
same "bash's list of verbs" "$verbs" "$(complete_bash '')"
same "zsh's list of verbs" "$verbs" "$(sed -n "/^verbs=/,/^)/s/^ *'\([a-z]*\):.*/\1/p" "$completions/_taktctl" | flat)"
same "fish's list of verbs" "$verbs" "$(sed -n 's/.*not __fish_seen.* -a \([a-z]*\) .*/\1/p' "$completions/taktctl.fish" | flat)"

# Each option of each verb; in zsh's groups and fish's conditions they are looked up by the verb.
zsh_options() {
        awk -v verb="$1" '
                /^common=\(/ { take = 1 }
                /^case \$words/ { cases++ }
                cases == 1 && /^[a-z|]+\)$/ { take = index("|" substr($0, 1, length($0) - 1) "|", "|" verb "|") }
                take && !/^[a-z]/ { print }
                /^\)/ || /;;/ { take = 0 }' "$completions/_taktctl" |
                grep -oE -- "(\{-[a-z],--[a-z-]+\}|'--[a-z-]+\[)" | tr -d "{}'[" | tr , ' ' | flat
}
fish_options() {
        awk -v verb="$1" '
                !/^complete -c taktctl / { next }
                match($0, / -n \047[^\047]*\047/) {
                        if (index(substr($0, RSTART, RLENGTH - 1) " ", " " verb " ") == 0) next
                }
                / -n "/ { next }
                match($0, / -s [a-z]/) { print "-" substr($0, RSTART + 4, 1) }
                match($0, / -l [a-z-]+/) { print "--" substr($0, RSTART + 4, RLENGTH - 4) }' \
                "$completions/taktctl.fish" | flat
}
for verb in $verbs; do
        of_verb=$(taktctl "$verb" --help | options_of)
        same "bash's list of options of $verb" "$of_verb" "$(complete_bash "$verb" -)"
        same "zsh's list of options of $verb" "$of_verb" "$(zsh_options "$verb")"
        same "fish's list of options of $verb" "$of_verb" "$(fish_options "$verb")"
        usage=$(taktctl "$verb" --help | head -n 1)
        summary=$(taktctl "$verb" --help | sed -n '3s/\.$//p')
        grep -qF -- "$verb" <<<"$usage" || { echo "usage of $verb: $usage"; failed=1; }
        for file in _taktctl taktctl.fish; do
                grep -qF -- "$summary" "$completions/$file" || { echo "$file says something else of $verb"; failed=1; }
        done
        for option in $of_verb; do
                case " $common $options " in
                *" $option "*) ;;
                *) echo "$verb --help lists $option, taktctl --help does not"; failed=1 ;;
                esac
        done
done

# What the shells themselves think of the files, where they are installed.
if command -v zsh >/dev/null; then zsh -n "$completions/_taktctl" || failed=1; fi
if command -v fish >/dev/null; then
        fish -n "$completions/taktctl.fish" || failed=1
        same "fish's completion of verbs" "$verbs" \
                "$(HOME=/nonexistent fish -N -c "source $completions/taktctl.fish; complete -C 'taktctl '" 2>/dev/null | cut -f 1 | flat)"
fi
if command -v mandoc >/dev/null; then mandoc -Tlint -Wwarning "$man" || failed=1; fi
exit $failed
