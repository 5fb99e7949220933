#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sensors that are files: values, what can be wrong with them, and that one that blocks holds up nothing.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"

new_environment
# sensor NAME [KEY=VALUE…]
sensor() {
        local name=$1
        shift
        {
                printf '[Job]\nType=sensor\n[Sensor]\nDriver=file\n'
                printf '%s\n' "$@"
        } | job "$name"
}
sensor temp "Path=$dir/temp" Scale=0.001 "Unit=°C"
sensor plain "Path=$dir/temp"
sensor relative Path=state/value
sensor iio "Path=$dir/raw" Offset=-512.5 Scale=-2
sensor gone "Path=$dir/gone"
sensor text "Path=$dir/text"
sensor empty "Path=$dir/empty"
sensor huge Path=/dev/zero
sensor large "Path=$dir/large"
sensor directory "Path=$dir"
sensor broken Path=/proc/self/mem
sensor pipe "Path=$dir/pipe"
sensor overflow "Path=$dir/raw" Scale=1e308 Offset=1e308
printf '[Job]\nType=sensor\nParameter=zone:int=0\n[Sensor]\nDriver=file\nPath=%s/zone${zone}\n[Result]\nOutput=celsius: $\n' "$dir" | job zone
echo 21437 >"$dir/temp"
echo 1000 >"$dir/raw"
echo -0.5e1 >"$dir/zone7"
echo " up " >"$dir/text"
: >"$dir/empty"
printf '1%05000d' 0 >"$dir/large"
mkfifo "$dir/pipe"
printf '  7\n\n' >"$dir/env/state/value"
start_taktd

is "a temperature" "21.437 {'raw': 21437, 'unit': '°C'}" "$(run_job "str(r['result']) + ' ' + str(r['details'])" temp)"
is "as it stands there" 21437 "$(run_job "r['result']" plain)"
is "a file of the environment" 7 "$(run_job "r['result']" relative)"
is "offset first, then scale" -975 "$(run_job "r['result']" iio)"
is "a parameter in the path" "{'celsius': -5}" "$(run_job "r['outputs']" zone 7)"

# fails JOB KIND MESSAGE
fails() {
        local found
        found=$(run_job "r['state'] + ' ' + r['error']['kind'] + ': ' + r['error']['message']" "$1")
        like "$1" "failed $2: $3" "$found"
}
fails gone read "$dir/gone: No such file or directory"
fails text bad-number "$dir/text: 'up' is no number"
fails empty bad-number "$dir/empty is empty, where a number was expected"
fails huge too-large "/dev/zero: *"
fails large too-large "$dir/large: *"
fails directory read "$dir: Is a directory"
fails broken read "/proc/self/mem: Input/output error"
fails overflow bad-number "$dir/raw: 1000 becomes too large a number*"

# A file that blocks: others are read meanwhile, and it can be cancelled.
pipe=$(taktctl run pipe)
is "another meanwhile" 21437 "$(run_job "r['result']" plain)"
is "it blocks still" "True" "$(runs "any(r['run'] == $pipe and r['state'] == 'running' for r in rs)")"
taktctl -q cancel "$pipe"
taktctl -q wait "$pipe" 2>"$dir/err" || :
is "cancelled" cancelled "$(runs "[r['state'] for r in rs if r['run'] == $pipe][0]")"
pipe=$(taktctl run pipe)
echo 3 >"$dir/pipe"
taktctl -q wait "$pipe" || fail "what came late is not read"
is "what came late" 3 "$(runs "[r['result'] for r in rs if r['run'] == $pipe][0]")"

# Keys of other drivers, and what is missing.
printf '[Job]\nType=sensor\n[Sensor]\nPath=/x\nChoices=a b\n' >"$dir/bad.job"
like "a key of another driver" "*bad.job:4:1: Path= is for Driver=file, and this is Driver=sim*" "$(taktctl verify "$dir/bad.job" 2>&1)"
printf '[Job]\nType=sensor\n[Sensor]\nDriver=file\nSeed=1\nScale=x\n' >"$dir/bad.job"
like "a scale that is none" "*bad.job:6:7: Scale=: 'x' is no number*" "$(taktctl verify "$dir/bad.job" 2>&1)"
sed -i /Scale/d "$dir/bad.job"
like "no path" "*Driver=file needs Path=*bad.job:5:1: Seed= is for Driver=sim*" "$(taktctl verify "$dir/bad.job" 2>&1 | tr '\n' ' ')"
check_end
