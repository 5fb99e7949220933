# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion of taktctl(1)

set -l verbs list status show cat next why run gather wait cancel send runs result watch logs pause resume reload verify simulate calendar path validate env ping info
set -l listing_verbs list status show cat next why runs result watch logs
set -l run_states queued running retrying succeeded failed timeout cancelled skipped missed lost
set -l job_states removed disabled paused running waiting idle finished template

# The options that say which daemon is meant, out of what is typed so far.
function __taktctl_where
        set -l words (commandline -opc)
        for i in (seq (count $words))
                switch $words[$i]
                        case --env
                                printf '%s\n' --env $words[(math $i + 1)]
                        case --system --user
                                printf '%s\n' $words[$i]
                end
        end
end

function __taktctl_jobs
        taktctl (__taktctl_where) list --names $argv 2>/dev/null
end

# Those that run, and no templates.
function __taktctl_runnable
        __taktctl_jobs | string match -v '*@'
end

function __taktctl_paused
        __taktctl_jobs --state paused
end

function __taktctl_pausable
        __taktctl_jobs --state running,waiting,idle,finished
end

function __taktctl_active
        __taktctl_jobs --state running,removed
end

# The last runs, or those in the states that are given, as "ID<TAB>JOB STATE".
function __taktctl_runs
        taktctl (__taktctl_where) -q runs $argv 2>/dev/null |
                string replace -rf '^\D*(\d+) +\W*(\S+) +(\S+).*' '$1\t$2 $3'
end

# The parameters of the job that a run is typed for, as "--NAME<TAB>TYPE".
function __taktctl_parameters
        set -l words (commandline -opc)
        set -l verb (contains -i run $words); or return
        test (count $words) -gt $verb; or return
        set -l subject (string match -v -- '-*' $words[(math $verb + 1)..])
        set -l again (string match -- --again $words)
        taktctl (__taktctl_where) run $again $subject[1] --help 2>/dev/null |
                string replace -rf '^  (--\S+) (\S+).*' '$1\t$2'
end

complete -c taktctl -f

complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a list -d 'List jobs, their state and their next time'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a status -d 'Show how jobs are, with their last runs and log lines'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a show -d 'Show all that is known of jobs as KEY=VALUE'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a cat -d 'Show the files of jobs with their drop-ins'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a next -d 'Show when jobs are due next, and what shifts that'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a why -d 'Explain why a job ran, did not run, and will run'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a run -d 'Start a run of a job by hand'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a gather -d 'Run jobs as one group'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a wait -d 'Wait until runs have ended'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a cancel -d 'Ask runs to end'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a send -d 'Send values to a worker under way'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a runs -d 'List runs, the newest first'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a result -d 'Print the result of a run'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a watch -d 'Print what happens as it happens'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a logs -d 'Print what the journal has of jobs'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a pause -d 'Hold back the schedules of jobs'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a resume -d 'Let the schedules of jobs go on'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a reload -d 'Read takt.conf and the job files again'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a verify -d 'Check job files or takt.conf, without a daemon'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a simulate -d 'Show what would run, and where runs pile up'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a calendar -d 'Explain a calendar or cron expression'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a path -d 'Print what a JSONPath names in a JSON document'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a validate -d 'Check a JSON document against a JSON Schema'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a env -d 'Show or create an environment'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a ping -d 'Ask whether the daemon answers'
complete -c taktctl -n "not __fish_seen_subcommand_from $verbs" -a info -d 'Show what the daemon is and does'

complete -c taktctl -l env -xa '(__fish_complete_directories)' -d 'Talk to the daemon of the environment DIR'
complete -c taktctl -l system -d 'Talk to the system'\''s daemon'
complete -c taktctl -l user -d 'Talk to the user'\''s own daemon'
complete -c taktctl -s j -l json -d 'Print JSON'
complete -c taktctl -s q -l quiet -d 'Print no headings and no remarks'
complete -c taktctl -l timezone -xa '(timedatectl list-timezones 2>/dev/null)' -d 'Show times of this zone (Europe/Berlin, UTC)'
complete -c taktctl -l no-pager -d 'Don'\''t pipe long output into a pager'
complete -c taktctl -s h -l help -d 'Show this help, or that of a verb'
complete -c taktctl -l version -d 'Show the version'

complete -c taktctl -n '__fish_seen_subcommand_from run' -l again -d 'Name a run, to start one that is as it was'
complete -c taktctl -n '__fish_seen_subcommand_from wait' -l all -d 'Wait until all have ended (the default)'
complete -c taktctl -n '__fish_seen_subcommand_from wait' -l any -d 'Wait until the first has ended'
complete -c taktctl -n '__fish_seen_subcommand_from gather' -l concurrency -x -d 'At most so many side by side'
complete -c taktctl -n '__fish_seen_subcommand_from calendar' -l cron -d 'Take it as a cron expression'
complete -c taktctl -n '__fish_seen_subcommand_from gather' -l errors -xa 'raise keep' -d 'raise (the default) or keep errors'
complete -c taktctl -n '__fish_seen_subcommand_from watch' -s e -l event -xa "$run_states progress yield stale fresh added changed removed paused resumed refused finished" -d 'Only events of this name, or these (A,B)'
complete -c taktctl -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'Go on with what comes'
complete -c taktctl -n '__fish_seen_subcommand_from logs' -l since -x -d 'Begin at this time, or at -SPAN before now'
complete -c taktctl -n '__fish_seen_subcommand_from gather' -l for -x -d 'Run them for ${item}; may be repeated'
complete -c taktctl -n '__fish_seen_subcommand_from list' -l failed -d 'Only jobs whose last run failed or was lost'
complete -c taktctl -n '__fish_seen_subcommand_from env' -l force -d 'Use a directory that is not empty'
complete -c taktctl -n '__fish_seen_subcommand_from simulate calendar' -l from -x -d 'Begin after this time, not now'
complete -c taktctl -n '__fish_seen_subcommand_from status next why runs calendar logs' -s n -l lines -x -d 'Show that many'
complete -c taktctl -n '__fish_seen_subcommand_from gather' -l mode -xa 'gather chain taskgroup' -d 'gather (the default), chain or taskgroup'
complete -c taktctl -n '__fish_seen_subcommand_from list' -l names -d 'Print names only, one a line'
complete -c taktctl -n '__fish_seen_subcommand_from run' -s p -l param -x -d 'Set a parameter; may be repeated'
complete -c taktctl -n '__fish_seen_subcommand_from why' -l run -xa '(__taktctl_runs)' -d 'Only this run'
complete -c taktctl -n '__fish_seen_subcommand_from simulate' -l duration -x -d 'Runs take so long; may be repeated'
complete -c taktctl -n '__fish_seen_subcommand_from simulate' -l list -d 'Print each run, not what comes of all'
complete -c taktctl -n '__fish_seen_subcommand_from simulate' -l seed -x -d 'Draw other random delays'
complete -c taktctl -n '__fish_seen_subcommand_from simulate' -l until -x -d 'End before this time, or so long after --from'
complete -c taktctl -n '__fish_seen_subcommand_from list' -s s -l state -xa "$job_states" -d 'Only those in this state, or these (A,B)'
complete -c taktctl -n '__fish_seen_subcommand_from runs' -s s -l state -xa "$run_states" -d 'Only those in this state, or these (A,B)'
complete -c taktctl -n '__fish_seen_subcommand_from verify' -l strict -d 'Fail where there are warnings as well'
complete -c taktctl -n '__fish_seen_subcommand_from gather wait send simulate' -s t -l timeout -x -d 'Wait no longer than this (10s, 2min)'
complete -c taktctl -n '__fish_seen_subcommand_from run send' -s w -l wait -d 'Wait for the end, or the next value, and print it'

complete -c taktctl -n "__fish_seen_subcommand_from $listing_verbs" -a '(__taktctl_jobs)'
complete -c taktctl -n "__fish_seen_subcommand_from run gather; and not __fish_contains_opt again" -a '(__taktctl_runnable)'
complete -c taktctl -n "__fish_seen_subcommand_from wait cancel send" -a '(__taktctl_active)'
complete -c taktctl -n '__fish_seen_subcommand_from resume' -a '(__taktctl_paused)'
complete -c taktctl -n '__fish_seen_subcommand_from pause' -a '(__taktctl_pausable)'
complete -c taktctl -n "__fish_seen_subcommand_from run; and __fish_contains_opt again" -a '(__taktctl_runs)'
complete -c taktctl -n "__fish_seen_subcommand_from why result" -a '(__taktctl_runs)'
complete -c taktctl -n "__fish_seen_subcommand_from wait cancel send" -a '(__taktctl_runs -s queued,running,retrying)'
complete -c taktctl -n '__fish_seen_subcommand_from run' -a '(__taktctl_parameters)'
complete -c taktctl -n '__fish_seen_subcommand_from simulate' -a '(__taktctl_jobs)'
complete -c taktctl -n '__fish_seen_subcommand_from verify simulate' -a '(__fish_complete_suffix .job)'
complete -c taktctl -n '__fish_seen_subcommand_from path validate' -F
complete -c taktctl -n '__fish_seen_subcommand_from env; and not __fish_seen_subcommand_from create' -a create
complete -c taktctl -n '__fish_seen_subcommand_from create' -a '(__fish_complete_directories)'
complete -c taktctl -n '__fish_seen_subcommand_from send' -l close -d 'Close its input, which asks it to return'
complete -c taktctl -n '__fish_seen_subcommand_from send' -l signal -x -d 'Send it a signal, such as USR1'
complete -c taktctl -n '__fish_seen_subcommand_from send' -l throw -x -d 'Throw an error into it'
