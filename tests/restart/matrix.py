# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every end that a run can have, by kind, trigger and what is run around it; then a clean stop, and nothing is left.

A cell of the matrix is a job of its own, KIND.END.TRIGGER.AROUND. Cells are brought to their ends side by side, by what
the daemon lists. An end that begins with "stopped" or "lost" is where the run stands when the daemon is stopped or killed.
"""
import datetime
import os
import time

from control import PATIENCE, Violation, violate
from jobs import COMMAND_KINDS, Job
from oracle import FINAL
from walk import Walk

KINDS = (*COMMAND_KINDS, "sleep", "countdown", "blink", "sensor", "http", "group")
TRIGGERS = ("manual", "schedule", "startup", "event", "group")
AROUND = ("bare", "uses", "guard", "both")
RESOURCES = {"red": True, "sea": False, "busy": False}
AGAIN = 1000  # Retries= of what goes on until somebody ends it
# (behaviour, Retries=, RetryDelaySec=, TimeoutSec=) of each end
ENDS = {
    "succeeded-1": ("ok", 0, "1ms", ""),
    "succeeded-2": ("flaky", AGAIN, "20ms", ""),
    "failed-1": ("fail", 0, "1ms", ""),
    "failed-2": ("fail", 1, "1ms", ""),
    "timeout-1": ("stay", 0, "1ms", "50ms"),
    "timeout-2": ("stay", 1, "1ms", "50ms"),
    "cancelled-1": ("stay", 1, "1ms", ""),
    "cancelled-2": ("stay", AGAIN, "1ms", "100ms"),
    "cancelled-retrying": ("fail", 1, "1h", ""),
    "skipped-condition": ("ok", 1, "1ms", ""),
    "skipped-overlap": ("stay", 1, "1ms", ""),
    "cancelled-queued": ("stay", 1, "1ms", ""),
    "cancelled-waiting": ("stay", 1, "1ms", ""),
    "stopped-1": ("stay", 1, "1ms", ""),
    "stopped-2": ("stay", AGAIN, "1ms", "100ms"),
    "stopped-retrying": ("fail", 1, "1h", ""),
    "stopped-queued": ("stay", 1, "1ms", ""),
    "stopped-waiting": ("stay", 1, "1ms", ""),
}
LOST = {
    "lost-1": ("stay", 2, "1ms", ""),
    "lost-for-good": ("stay", 0, "1ms", ""),
    "lost-2": ("stay", 80, "1ms", "100ms"),
    "lost-retrying": ("fail", 1, "1h", ""),
    "lost-queued": ("stay", 1, "1ms", ""),
    "lost-waiting": ("stay", 1, "1ms", ""),
}
PARKED = {"1": "running", "2": "", "for-good": "running", "retrying": "retrying", "queued": "queued", "waiting": "queued"}
# The first run of the job holds these up; they are begun by hand.
SECOND = ("skipped-overlap", "cancelled-queued", "stopped-queued", "lost-queued")
PARTS = [f"{kind}.{phase}" for kind in KINDS for phase in ("ends", "lost", "catch-up")]


class Cell:
    """A job, and how far its run is."""

    def __init__(self, kind, end, trigger, around, ends):
        self.end, self.trigger = end, trigger
        behaviour, retries, delay, timeout = ends[end]
        self.state, _, self.how = end.partition("-")
        self.job = job = Job(f"{kind}.{end}.{trigger}.{around}", kind, retries=retries, delay=delay, timeout=timeout)
        self.behave(behaviour)
        job.guard = "ok" if around in ("guard", "both") else ""
        job.uses = ("red", "sea") if around in ("uses", "both") else ()
        if self.how == "waiting":
            job.uses = (*job.uses, "busy")
        if self.how == "queued":
            job.overlap = "queue"
        if self.how == "condition":
            job.condition = '@.trigger == "never"'
        job.schedule = {"schedule": ("After=1h", "Count=1"), "startup": ("OnStartup=0s",),
                        "event": ("On=source.succeeded",)}.get(trigger, ())
        self.record = None
        self.begun = False  # its command has come to something

    def behave(self, behaviour):
        job = self.job
        if job.has_notes:
            job.behaviour = "hold" if behaviour == "stay" else behaviour
            return
        job.behaviour = "stay" if behaviour == "stay" else "ok"
        if behaviour in ("fail", "flaky"):
            # What a run has can be published once there is the directory.
            job.publish = f"data/{job.name}/value"
        if job.kind == "sensor":
            job.path = "data/number"
        if job.kind == "group":
            job.members = ("part-stay" if behaviour == "stay" else "part",)

    @staticmethod
    def makes_sense(kind, end, trigger, ends):
        if end in SECOND and trigger != "manual" or end.endswith("-waiting") and trigger in ("schedule", "startup"):
            return False  # what it waits for is begun by hand
        # A sensor ends by itself, or blocks a process that others need.
        return kind != "sensor" or ends[end][0] != "stay" or end.endswith("-waiting")

    @property
    def is_parked(self):
        """Whether the run is where it is to be when the daemon ends."""
        wanted = PARKED[self.how]
        if self.how in ("2", "1", "for-good") and self.job.has_notes and not self.begun:
            return False
        return self.record["state"] not in FINAL and (self.record["state"] == wanted or not wanted) and \
            self.record["attempts"] >= (2 if self.how == "2" else 0)

    def is_done(self):
        if not self.record:
            return False
        if self.state in ("stopped", "lost"):
            return self.is_parked
        return self.record["state"] in FINAL

    def check(self):
        state, attempts = self.record["state"], self.record["attempts"]
        if self.state not in ("stopped", "lost") and state != self.state or self.how == "2" and attempts < 2:
            raise Violation(0, f"{self.job.name} is {state} in attempt {attempts}: {self.record['error']}")


class Matrix:
    """The cells of a part, on an environment of their own."""

    def __init__(self, part, options):
        self.kind, self.phase = part.split(".")
        ends = LOST if self.phase == "lost" else ENDS
        triggers = ("catch-up",) if self.phase == "catch-up" else TRIGGERS
        self.cells = [Cell(self.kind, end, trigger, around, ends) for end in ends for trigger in triggers for around in AROUND
                      if Cell.makes_sense(self.kind, end, trigger, ends)]
        helpers = [Job("source", "sleep"), Job("part", "sleep", overlap="parallel"),
                   Job("part-stay", "sleep", "stay", overlap="parallel"), Job("holder", "sleep", "stay", uses=("busy",))]
        for cell in self.cells:
            if cell.trigger == "group":
                cell.job.group = "in." + cell.job.name
                helpers.append(Job(cell.job.group, "group", members=(cell.job.name,)))
            if cell.trigger == "catch-up":
                cell.job.overlap = "parallel" if cell.job.overlap == "skip" else cell.job.overlap
                cell.job.schedule = self.past(2)
        for job in helpers[1:3]:
            job.group, job.member_limit = "source", 10**6
        self.by_name = {cell.job.name: cell for cell in self.cells}
        capacity = "[Resource:red]\nCapacity=1000000\n[Resource:sea]\nCapacity=1000000\n[Daemon]"
        self.walk = Walk([cell.job for cell in self.cells] + helpers, RESOURCES, "", False, options.verbose)
        self.walk.oracle.shared = {"red", "sea"}
        self.walk.many_at_once = True
        os.mkdir(self.walk.lab.path("takt.conf.d"))
        self.walk.lab.write("takt.conf.d/many.conf", capacity + "\nStopTimeoutSec=60s\n")
        self.walk.lab.write("data/number", "1\n")

    @staticmethod
    def past(seconds):
        """Two times that will be over soon; the first one is missed when the second is late."""
        times = [datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds + i / 10) for i in (0, 1)]
        return (*(f"At={t:%Y-%m-%d %H:%M:%S.%f} UTC" for t in times), "Missed=all")

    # --- to the ends ---

    def begin(self):
        """Asks for all runs that nothing else asks for."""
        self.walk.start("holder", "holder")
        for cell in self.cells:
            name = cell.job.name
            if cell.end in SECOND:
                self.walk.start(name, name + ".first")
            if cell.trigger == "manual":
                self.walk.start(name, name)
            elif cell.trigger == "group":
                self.walk.start(cell.job.group, name)
        self.walk.start("source", "source")

    def look(self):
        """What became of all cells; whoever needs a push gets it."""
        records = self.walk.list_runs()
        self.walk.oracle.listed(records)
        for record in sorted(records, key=lambda record: record["run"]):
            cell = self.by_name.get(record["job"])
            if not cell:
                continue
            if cell.trigger != record["trigger"]:
                self.cancel(record)
            elif not (cell.end in SECOND and record["params"]["token"].endswith(".first")):
                cell.record = record
                cell.begun = self.walk.oracle.runs[record["run"]].begins > 0
                self.push(cell)
        self.walk.read_events()

    def push(self, cell):
        state = cell.record["state"]
        if cell.state == "succeeded" and state == "retrying" and cell.job.publish:
            os.makedirs(self.walk.lab.path("data/" + cell.job.name), exist_ok=True)
        if cell.state == "cancelled" and cell.is_parked:
            self.cancel(cell.record)

    def cancel(self, record):
        if record["state"] not in FINAL:
            self.walk.oracle.run(record["run"], record["job"]).request.cancelled = True
            self.walk.lab.control.call_all("Runs.Cancel", "runs", runs=[record["run"]])

    def bring_about(self):
        """Until all cells are where they shall be."""
        end = time.monotonic() + PATIENCE
        while True:
            self.look()
            missing = [cell for cell in self.cells if not cell.is_done()]
            if not missing:
                break
            if time.monotonic() > end:
                cell = missing[0]
                raise Violation(0, f"{len(missing)} cells don't come to their ends, such as {cell.job.name}: {cell.record}")
            self.walk.read_events(0.01)
        for cell in self.cells:
            cell.check()

    # --- and then ---

    def take_schedules(self):
        """What each daemon begins anew is not asked for again."""
        for cell in self.cells:
            if cell.trigger == "startup":
                cell.job.schedule = ()
                self.walk.lab.write_job(cell.job.name, cell.job.text())

    def check_nothing(self):
        """A life in which nothing is left to do."""
        walk = self.walk
        walk.clean_stop()
        self.take_schedules()
        before = dict(walk.oracle.runs)
        walk.oracle.begin("stop", set(walk.in_files))
        walk.is_live = False
        walk.lab.spawn()
        if not walk.lab.connect():
            raise Violation(0, "taktd does not start: " + walk.lab.log_text()[-2000:])
        records = walk.lab.control.call_all("Runs.List", "runs", limit=100000)
        lost = [record for record in records if record["run"] in before or record["state"] == "lost"]
        if lost:
            names = sorted({f"{record['job']} ({record['state']})" for record in lost})
            violate(2, f"after a clean stop {len(names)} of {len(self.cells)} jobs have runs that are told: {' '.join(names)}")
        walk.oracle.born(records)
        walk.wait("the present state", lambda: walk.is_live)
        walk.sing()

    def run(self):
        walk = self.walk
        walk.begin_life("nothing")
        if self.phase == "catch-up":
            walk.clean_stop()
            time.sleep(2.5)  # the times pass that are to be missed
            walk.begin_life("stop")
        self.begin()
        self.bring_about()
        if self.phase == "lost":
            self.take_schedules()
            walk.step_kill()
            walk.settle()
        self.check_nothing()
        self.check_nothing()
        walk.many_at_once = False
        walk.clean_stop()
        walk.oracle.check_left()


def run(part, options):
    """Walks through a part; the text of what broke, or an empty one."""
    matrix = Matrix(part, options)
    try:
        matrix.run()
        return ""
    except Violation as violation:
        return "\n".join([f"promise {violation.promise}: {violation}", *matrix.walk.history[-20:]])
    finally:
        matrix.walk.close()
