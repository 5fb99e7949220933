#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Templates: which instances Instances= makes, what %i becomes in them, what a reload does, and instances on demand.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
jobs=$dir/env/jobs
reload() {
        local status=0
        taktctl reload >"$dir/out" 2>&1 || status=$?
        like "$1: reload" "$2" "$(cat "$dir/out")"
        is "$1: exit status of reload" "$3" "$status"
}
names() {
        taktctl list --names "$@" 2>/dev/null | tr '\n' ' '
}

job 'range@' <<'END'
[Job]
Type=countdown
Instances=1..12
Description=Counter %i of twelve
[Countdown]
Name=%i
From=%i
Step=1ms
END
job 'list@' <<'END'
[Job]
Type=exec
Instances=kitchen, bath attic
Instances=008..011
[Exec]
Command=/usr/bin/printf '[%s]' %i pre-%i-post "${env:HOME:-x}"
Output=text
END
printf '# rooms\n\n  north \nsouth-2\r\nwest\nnorth\n' >"$dir/env/rooms"
job 'file@' <<'END'
[Job]
Type=blink
Instances=./rooms
[Blink]
Message=%i
Duration=10ms
Rate=100
END
job 'demand@' <<'END'
[Job]
Type=countdown
Parameter=n:int=0
[Schedule]
Every=1h
[Countdown]
From=${n}
Step=1ms
Name=at %i
END
# A template for links only: %i where a key is read at load.
job 'linked@' <<'END'
[Job]
Type=sleep
[Schedule]
Every=%imin
[Sleep]
Duration=0
END
ln -s linked@.job "$jobs/linked@7.job"
start_taktd

is "a range" "range@ range@1 range@10 range@11 range@12 range@2 range@3 range@4 range@5 range@6 range@7 range@8 range@9 " \
        "$(names 'range@*')"
is "part of it" "range@10 range@11 range@12 " "$(names 'range@1?')"
is "two patterns" "list@bath range@7 " "$(names 'list@b*' 'range@7')"
is "a list" "list@ list@008 list@009 list@010 list@011 list@attic list@bath list@kitchen " "$(names 'list@*')"
is "a file" "file@ file@north file@south-2 file@west " "$(names 'file@*')"
is "a link" "linked@7 " "$(names 'linked@*')"
is "a template's state" template "$(field 'r[0]["state"]' taktctl list --json demand@)"
is "a template's description" "Counter %i of twelve" "$(field 'r[0]["description"]' taktctl list --json range@)"
is "a description" "Counter 7 of twelve" "$(field 'r[0]["description"]' taktctl list --json range@7)"
is "all of them" 27 "$(taktctl list --names | wc -l)"
is "the schedule of a link" "['Every=7min']" "$(field 'r[0]["schedule"]' taktctl list --json linked@7)"

# --- %i ---
is "%i as a number" succeeded "$(run_job 'r["state"]' range@2)"
is "%i in a command" '[bath][pre-bath-post]' "$(run_job 'r["result"]' list@bath | cut -d']' -f1-2)]"
is "%i with zeros" '[008][pre-008-post]' "$(run_job 'r["result"]' list@008 | cut -d']' -f1-2)]"
is "%i in a message" succeeded "$(run_job 'r["state"]' file@north)"

# --- on demand ---
is "an instance on demand" "done!" "$(run_job 'r["result"]' demand@x)"
is "with a parameter" 2 "$(run_job 'r["params"]["n"]' demand@y 2)"
is "it is gone with its run" "demand@ " "$(names 'demand@*')"
is "its runs are not" succeeded "$(runs 'rs[0]["state"]' demand@x)"
status=0
taktctl run --wait demand@y nothing >"$dir/out" 2>&1 || status=$?
is "a bad parameter" 2 "$status"
is "leaves nothing" "demand@ " "$(names 'demand@*')"
refused() {
        status=0
        taktctl run "$1" >"$dir/out" 2>&1 || status=$?
        is "exit status of run $1" "$2" "$status"
}
refused demand@ 2
like "run of a template" "*demand@ is a template*" "$(cat "$dir/out")"
refused range@13 3
refused linked@8 3
refused demand@.. 3
refused 'demand@a/b' 3
refused none@x 3

# --- reload ---
reload unchanged "*0 added, 0 changed, 0 removed, 27 unchanged*" 0
sed -i 's/1\.\.12/1..14/' "$jobs/range@.job"
reload more "*2 added, 13 changed, 0 removed, 14 unchanged*" 0
sed -i 's/1\.\.14/2..3/' "$jobs/range@.job"
reload fewer "*0 added, 3 changed, 12 removed, 14 unchanged*" 0
is "what is left" "range@ range@2 range@3 " "$(names 'range@*')"
printf 'east\nwest\n' >"$dir/env/rooms"
reload "another file" "*1 added, 0 changed, 2 removed, *" 0
is "names of the other file" "file@ file@east file@west " "$(names 'file@*')"
cat >"$jobs/demand@z.job" <<'END'
[Job]
Type=sleep
Description=of its own
END
cp "$jobs/demand@z.job" "$jobs/range@3.job"
reload "a file for an instance" "*1 added, 1 changed, 0 removed, *" 0
is "it comes before the template" "of its own" "$(field 'r[0]["description"]' taktctl list --json range@3)"
rm "$jobs/range@3.job" "$jobs/demand@z.job"
reload "and back" "*0 added, 1 changed, 1 removed, *" 0
is "the template again" "Counter 3 of twelve" "$(field 'r[0]["description"]' taktctl list --json range@3)"

# --- what is wrong ---
printf 'east\nb/d\n' >"$dir/env/rooms"
reload "a bad name" "*rooms:2:1: 'b/d' can't name an instance*" 1
is "the old instances" "file@ file@east file@west " "$(names 'file@*')"
is "they are marked" True "$(field 'all(j["refused"] for j in r)' taktctl list --json 'file@*')"
{ printf 'x%.0s' $(seq 300); echo; } >"$dir/env/rooms"
reload "a long name" "*rooms:1:1: too long*" 1
rm "$dir/env/rooms"
reload "no file" "*rooms*No such file*" 1
status=0
taktctl verify "$jobs/file@.job" >"$dir/out" 2>&1 || status=$?
is "exit status of verify" 1 "$status"
like "verify" "$jobs/file@.job:*:*: Instances=: the names of instances in *rooms can't be read: No such file*" "$(cat "$dir/out")"
printf 'east\nwest\n' >"$dir/env/rooms"
reload "mended" "*0 added, 0 changed, 0 removed, *" 0
is "not marked any more" False "$(field 'any(j["refused"] for j in r)' taktctl list --json 'file@*')"

bad() {
        printf '[Job]\nType=sleep\n%s\n' "$1" >"$jobs/bad@.job"
        reload "$1" "*bad@.job:$2" 1
        rm "$jobs/bad@.job"
}
bad 'Instances=9..1' "3:11: Instances=: '9..1' is empty*"
bad 'Instances=a b,c ../x..y/z 1..2000000' "3:27: Instances=: more than 1000000 instances*"
bad 'Instances=0..18446744073709551615' "3:11: *too large*"
bad 'Instances=a *' "3:13: *'\*' can't name an instance*"
bad $'Instances=1 2\n[Schedule]\nEvery=%imin' "5:7: Every=: %i can't stand here*bad@X.job*"
printf '[Job]\nType=sleep\nInstances=1 2\n' >"$jobs/plain.job"
reload "Instances= of a plain job" "*plain.job:3:*NAME@.job*" 1
rm "$jobs/plain.job"

rm "$jobs/list@.job"
reload "a template that goes" "*8 removed*" 0
is "with all of its instances" "" "$(names 'list@*')"
taktctl pause 'range@*' >/dev/null
is "a paused instance" paused "$(field 'r[0]["state"]' taktctl list --json range@2)"
check_end
