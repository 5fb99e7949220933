# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion of taktctl(1)

# Its arguments choose the daemon, and may narrow the states.
_taktctl_jobs () {
        taktctl "$@" list --names 2>/dev/null
}

# Those that run, and no templates.
_taktctl_runnable () {
        _taktctl_jobs "$@" | grep -v '@$'
}

# The ids of the last runs, or of those in some states.
_taktctl_runs () {
        taktctl "$@" -q runs 2>/dev/null | grep -oE '^[^0-9]*[0-9]+' | grep -oE '[0-9]+'
}

# The parameters of a job, each as "--NAME TYPE".
_taktctl_parameters () {
        taktctl "$@" --help 2>/dev/null | sed -n 's/^  \(--[^ ]*\) \([^ ]*\).*/\1 \2/p'
}

# The values that the parameter --NAME of a job may have, where they can be told.
_taktctl_values () {
        local name=$1 type
        type=$(_taktctl_parameters "${@:2}" | sed -n "s/^$name //p")
        case $type in
        choice\(*)
                type=${type#choice(}
                echo "${type%)}" | tr '|' ' '
                ;;
        bool)
                echo yes no
                ;;
        esac
}

_taktctl () {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' i
        local -a where=() arguments=() again=()
        local common='--env --system --user -j --json -q --quiet --timezone --no-pager -h --help --version'
        local job_states='removed disabled paused running waiting idle finished template'
        local run_states='queued running retrying succeeded failed timeout cancelled skipped missed lost'
        local job_events='added changed removed paused resumed refused finished'
        local -A verbs=(
                [list]='--failed -s --state --names'
                [status]='-n --lines'
                [show]=''
                [cat]=''
                [next]='-n --lines'
                [why]='-n --lines --run'
                [run]='-w --wait -p --param --again'
                [gather]='-t --timeout --concurrency --errors --for --mode'
                [wait]='-t --timeout --all --any'
                [cancel]=''
                [send]='-t -w --timeout --wait --throw --signal --close'
                [runs]='-n --lines -s --state'
                [result]=''
                [watch]='-e --event'
                [logs]='-f --follow -n --lines --since'
                [pause]=''
                [resume]=''
                [reload]=''
                [verify]='--strict'
                [simulate]='--from --duration --list --seed --until -t --timeout'
                [calendar]='--cron --from -n --lines'
                [path]=''
                [validate]=''
                [env]='--force'
                [ping]=''
                [info]=''
        )

        COMPREPLY=()
        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --env)
                        where=(--env "${COMP_WORDS[i+1]}")
                        i=$((i + 1))
                        ;;
                --system|--user)
                        where=("${COMP_WORDS[i]}")
                        ;;
                --again)
                        again=(--again)
                        ;;
                --timezone|--concurrency|--duration|--errors|--event|--for|--from|--lines|--mode|--param|--run|--seed|--signal|--since|--state|--throw|--timeout|--until|-[enpst])
                        i=$((i + 1))
                        ;;
                -*)
                        ;;
                *)
                        if [[ $verb ]]; then
                                arguments+=("${COMP_WORDS[i]}")
                        else
                                verb=${COMP_WORDS[i]}
                        fi
                        ;;
                esac
        done

        if [[ $verb == run && ${arguments[0]-} ]]; then
                if [[ $prev == --* ]]; then
                        mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_values "$prev" "${where[@]}" run "${again[@]}" "${arguments[0]}")" -- "$cur")
                        return
                fi
                common+=" $(_taktctl_parameters "${where[@]}" run "${again[@]}" "${arguments[0]}" | sed 's/ .*//' | tr '\n' ' ')"
        fi

        case $prev in
        --env)
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                return
                ;;
        --timezone)
                mapfile -t COMPREPLY < <(compgen -W "$(timedatectl list-timezones 2>/dev/null)" -- "$cur")
                return
                ;;
        --state|-s)
                [[ $verb == runs ]] && job_states=$run_states
                mapfile -t COMPREPLY < <(compgen -W "$job_states" -- "$cur")
                return
                ;;
        --event|-e)
                mapfile -t COMPREPLY < <(compgen -W "$run_states progress yield stale fresh $job_events" -- "$cur")
                return
                ;;
        --mode)
                mapfile -t COMPREPLY < <(compgen -W 'gather chain taskgroup' -- "$cur")
                return
                ;;
        --errors)
                mapfile -t COMPREPLY < <(compgen -W 'raise keep' -- "$cur")
                return
                ;;
        --run)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_runs "${where[@]}")" -- "$cur")
                return
                ;;
        --concurrency|--duration|--for|--from|--seed|--since|--lines|-n|--param|-p|--seed|--timeout|-t|--until)
                return
                ;;
        esac

        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$common ${verbs[${verb:-list}]-}" -- "$cur")
                return
        fi
        case $verb in
        '')
                mapfile -t COMPREPLY < <(compgen -W "${!verbs[*]}" -- "$cur")
                ;;
        run)
                if [[ ${again[0]-} && ! ${arguments[0]-} ]]; then
                        mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_runs "${where[@]}")" -- "$cur")
                elif [[ ! ${arguments[0]-} ]]; then
                        mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_runnable "${where[@]}")" -- "$cur")
                fi
                ;;
        why|result)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}") $(_taktctl_runs "${where[@]}")" -- "$cur")
                ;;
        wait|cancel|send)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}" -s running,removed) $(_taktctl_runs "${where[@]}" -s queued,running,retrying)" -- "$cur")
                ;;
        resume)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}" -s paused)" -- "$cur")
                ;;
        pause)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}" -s running,waiting,idle,finished)" -- "$cur")
                ;;
        gather)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_runnable "${where[@]}")" -- "$cur")
                ;;
        list|status|show|cat|next|runs|watch|logs)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}")" -- "$cur")
                ;;
        simulate)
                mapfile -t COMPREPLY < <(compgen -W "$(_taktctl_jobs "${where[@]}")" -- "$cur"; compgen -f -X '!*.job' -- "$cur")
                ;;
        verify)
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.job' -- "$cur")
                ;;
        path|validate)
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        env)
                if [[ $prev == create ]]; then
                        compopt -o filenames
                        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                elif [[ $prev == env ]]; then
                        mapfile -t COMPREPLY < <(compgen -W create -- "$cur")
                fi
                ;;
        esac
}

complete -F _taktctl taktctl
