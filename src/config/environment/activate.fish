# SPDX-License-Identifier: LGPL-2.1-or-later
# To be sourced: "source ENV/bin/activate.fish" in fish; "deactivate" ends it.
# The environment is found by the place of this file, so that it may be moved.

function deactivate -d "Leave the takt environment"
        if set -q _TAKT_OLD_PATH
                set -gx PATH $_TAKT_OLD_PATH
                set -e _TAKT_OLD_PATH
        end
        if functions -q _takt_old_fish_prompt
                functions -e fish_prompt
                functions -c _takt_old_fish_prompt fish_prompt
                functions -e _takt_old_fish_prompt
        end
        set -e TAKT_ENV
        # "again": another environment takes the place of this one.
        if test "$argv[1]" != again
                functions -e deactivate
        end
end

set -l takt_env (realpath (dirname (status -f))/..)
if test -f "$takt_env/takt.conf"
        deactivate again
        set -gx TAKT_ENV $takt_env
        set -g _TAKT_OLD_PATH $PATH
        set -gx PATH $TAKT_ENV/bin $PATH
        if test -z "$TAKT_DISABLE_PROMPT"; and functions -q fish_prompt
                functions -c fish_prompt _takt_old_fish_prompt
                function fish_prompt
                        set -l takt_status $status
                        printf '(%s) ' (basename $TAKT_ENV)
                        # So that the prompt that follows sees the status of the last command.
                        sh -c "exit $takt_status"
                        _takt_old_fish_prompt
                end
        end
else
        functions -e deactivate
        echo "activate.fish: no environment found beside this file" >&2
        return 1
end
