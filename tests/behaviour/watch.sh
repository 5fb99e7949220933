#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Watch: filters by job and event, and a watcher that does not read. It is told how many events it lost, and that is
# so many as are missing; who reads loses none, and the daemon waits for nobody.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
new_environment
settings <<'SETTINGS'
[Daemon]
MaxQueued=10000
SETTINGS
for name in room-1 room-2 hall; do
        job $name <<'JOB'
[Job]
Type=sleep
Description=Of nothing else is there much to tell here, but that each event of it takes up room
[Schedule]
Overlap=parallel
[Sleep]
Duration=0
JOB
done
start_taktd
python3 - "$dir/env/run" 12000 <<'PYTHON' || fail "watching, see above"
import json, os, socket, sys, threading

os.chdir(sys.argv[1])
RUNS = int(sys.argv[2])


class Client:
    def __init__(self, **parameters):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect("takt.sock")
        self.data = b""
        if parameters:
            self.send("io.takt.Runs.Watch", more=True, parameters=parameters)

    def send(self, method, **more):
        self.socket.sendall(json.dumps({"method": method, **more}).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.data:
            more = self.socket.recv(1 << 20)
            if not more:
                sys.exit("the daemon has closed the connection")
            self.data += more
        message, self.data = self.data.split(b"\0", 1)
        message = json.loads(message)
        if "error" in message:
            sys.exit(f"refused: {message}")
        return message["parameters"]

    def events(self, until):
        events = []
        while not events or not until(events[-1]):
            events.append(self.receive()["event"])
        return events


def live(event):
    return event["event"] == "live"


def check(what, good):
    if not good:
        sys.exit(f"{what}: not so")


slow, all_, ended, rooms = Client(jobs=None), Client(jobs=None), Client(jobs=["room-*"], events=["succeeded"]), Client(jobs=["room-?"])
present = all_.events(live)
check("what is, of all jobs", [e["job"] for e in present[:-1]] == ["hall", "room-1", "room-2"])
check("what is, of a pattern", [e["job"] for e in rooms.events(live)[:-1]] == ["room-1", "room-2"])
ended.events(live)

# So many events that they are too many for a queue. They are read by the others meanwhile.
caller, read = Client(), []
reader = threading.Thread(target=lambda: read.extend(all_.events(lambda e: e["event"] == "paused")))
reader.start()
for first in range(0, RUNS, 100):
    for i in range(first, first + 100):
        caller.send("io.takt.Runs.Start", parameters={"job": "hall"})
    for i in range(100):
        caller.receive()
for name in "room-1", "room-2", "hall":
    caller.send("io.takt.Runs.Start", more=True, parameters={"job": name})
    while caller.receive()["run"]["state"] != "succeeded":
        pass
caller.send("io.takt.Jobs.Pause", parameters={"jobs": ["hall"]})
caller.receive()
reader.join()
check("who reads loses none", [e["seq"] for e in read] == list(range(read[0]["seq"], read[0]["seq"] + len(read))))
check("each run is told of", sum(e["event"] == "succeeded" for e in read) == RUNS + 3)
check("one event of a pattern", [e["job"] for e in ended.events(lambda e: e["job"] == "room-2")] == ["room-1", "room-2"])
mine = rooms.events(lambda e: e["event"] == "succeeded" and e["job"] == "room-2")
check("all events of a pattern", {e["job"] for e in mine} == {"room-1", "room-2"} and len(mine) > 2)

# The slow one has its queue, then hears how many it lost, then goes on.
found = slow.events(lambda e: e["event"] == "overflow")
seen = [e for e in found if e["event"] not in ("present", "live", "overflow")]
check("what was queued is whole", [e["seq"] for e in seen] == [e["seq"] for e in read[:len(seen)]])
check("what was lost is counted", found[-1]["lost"] == len(read) - len(seen) > 0)
check("the number of the last that was lost", found[-1]["seq"] == read[-1]["seq"])
caller.send("io.takt.Jobs.Resume", parameters={"jobs": ["hall"]})
caller.receive()
check("and it goes on", slow.receive()["event"]["event"] == "resumed")
print(f"{len(read)} events, {found[-1]['lost']} of them lost")
PYTHON
stop_taktd

# The present state of more jobs than wait for a watcher, each with a run or not: all of it comes, however slowly it is read.
job many@ <<'JOB'
[Job]
Type=sleep
Instances=1..60000
[Schedule]
OnStartup=0
Count=1
Overlap=parallel
[Sleep]
Duration=1h
JOB
settings <<'SETTINGS'
[Daemon]
MaxRuns=100
MaxQueued=1000
SETTINGS
start_taktd
all_begun() {
        [ "$(runs 'len(rs)' --state running -n 200)" = 100 ]
}
eventually "as many runs as there may be" all_begun || :
taktctl --json watch --event paused >"$dir/watched" &
watcher=$!
helper $watcher
eventually "the present state" grep -q present "$dir/watched" || :
kill -STOP $watcher
taktctl -q pause hall
kill -CONT $watcher
for event in live paused; do
        eventually "what comes after a pause of reading" grep -q "\"event\":\"$event\"" "$dir/watched" || :
done
kill $watcher
grep '"event":"present"' "$dir/watched" >"$dir/present"
is "jobs that are told of, the template as well" 60004 "$(grep -cv '"run":' "$dir/present")"
[ "$(grep -c '"run":' "$dir/present")" -ge 100 ] || fail "the runs are not told of"
is "other events" 2 "$(grep -cv '"event":"present"' "$dir/watched")"
check_end
