# SPDX-License-Identifier: LGPL-2.1-or-later
# To be sourced: "source ENV/bin/activate.csh" in csh and tcsh; "deactivate" ends it.
# The environment is found by the place of this file, so that it may be moved.

# Each step is a test and a command, as a csh expands the variables of a whole "if" line at once.
alias _takt_restore 'test $?_TAKT_OLD_PATH \!= 0 && setenv PATH "$_TAKT_OLD_PATH" && unset _TAKT_OLD_PATH; test $?_TAKT_OLD_PROMPT \!= 0 && set prompt = "$_TAKT_OLD_PROMPT" && unset _TAKT_OLD_PROMPT'
alias deactivate '_takt_restore; unsetenv TAKT_ENV; unalias deactivate; unalias _takt_restore; rehash'
_takt_restore

# The shell has this file open while it reads it. The search is a script of sh, in an environment
# variable to be out of reach of csh's quoting.
setenv _TAKT_PID $$
setenv _TAKT_FIND 'f=$(readlink /proc/"$_TAKT_PID"/fd/* 2>/dev/null | grep "/bin/activate[.]csh$" | tail -n 1); f=${f:-./bin/x}; cd "${f%/*}/.." 2>/dev/null; test -f takt.conf && pwd -P'
set _takt_env = "`printenv _TAKT_FIND | sh`"
unsetenv _TAKT_PID
unsetenv _TAKT_FIND

if ("$_takt_env" == "") then
        unset _takt_env
        unalias deactivate
        unalias _takt_restore
        sh -c 'echo "activate.csh: no environment found; change to its directory and try again" >&2; exit 1'
else
        setenv TAKT_ENV "$_takt_env"
        unset _takt_env
        set _TAKT_OLD_PATH = "$PATH"
        setenv PATH "$TAKT_ENV/bin:$PATH"
        if ($?prompt && ! $?TAKT_DISABLE_PROMPT) then
                set _TAKT_OLD_PROMPT = "$prompt"
                set prompt = "(`printenv TAKT_ENV | sed 's:.*/::' | tr -d '%\!'`) $prompt"
        endif
        rehash
endif
