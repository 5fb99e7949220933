# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs as files, and what the oracle has to know of each."""
import dataclasses

COMMAND_KINDS = ("exec", "pool", "worker")
STAYING = ("hold", "slow", "stubborn", "kill", "kill-late")
HOUR = "1h"


@dataclasses.dataclass
class Job:
    """One file, and the runs that it may have."""

    name: str
    kind: str = "exec"
    behaviour: str = "ok"  # of a command: tests/restart/act; of another kind: ok, fail, late, stay
    retries: int = 0
    delay: str = "5ms"  # RetryDelaySec=
    overlap: str = "skip"
    timeout: str = ""
    uses: tuple = ()
    guard: str = ""  # Enter= and Exit= of its own: "ok", "fail" to enter, "gated" where a gate keeps it from leaving
    schedule: tuple = ()  # lines of [Schedule] besides Overlap=
    members: tuple = ()  # of a group: their names, which get its token
    group: str = ""  # of a member: the group's name
    member_limit: int = 1  # of a member: how often the group may run it
    instances: str = ""  # of a template
    condition: str = ""
    publish: str = ""  # the file, which fails the run as long as its directory is not there
    path: str = ""  # of a sensor
    url: str = ""  # of an HTTP job
    max_retries: int = 0  # of all definitions that the name ever had
    description: str = ""
    steady: bool = True  # its definition was never changed

    @property
    def limit(self):
        """How often one request may be executed over all lives."""
        return (max(self.retries, self.max_retries) + 1) * self.member_limit

    @property
    def has_notes(self):
        return self.kind in COMMAND_KINDS

    @property
    def stays(self):
        """Whether an attempt goes on until somebody ends it."""
        if self.timeout:
            return False
        return self.behaviour in STAYING if self.has_notes else self.behaviour == "stay"

    @property
    def has_gate(self):
        return self.has_notes and self.behaviour in STAYING

    def gates(self, name):
        """Those at which a command of NAME waits, the job or an instance of it."""
        return [name] * self.has_gate + [name + ".exit"] * (self.guard == "gated")

    @property
    def is_alone(self):
        """Whether two of its runs must never be under way at a time. Members of groups don't look at Overlap=skip."""
        return self.overlap != "parallel" and not self.group and self.steady

    def scopes(self, resources):
        """What its runs enter, the first first: resources that have commands, and the job itself."""
        return [name for name in sorted(self.uses) if resources[name]] + (["job"] if self.guard else [])

    def text(self):
        kind = "exec" if self.kind == "pool" else self.kind
        job = ["[Job]", f"Type={kind}", "Parameter=token:string=none", "Parameter=pad:string=-"]
        job += [f"Use={name}" for name in self.uses]
        if self.retries:
            job += [f"Retries={self.retries}", f"RetryDelaySec={self.delay}", f"RetryMaxDelaySec={self.delay}"]
        for key, value in (("TimeoutSec", self.timeout), ("Instances", self.instances), ("Condition", self.condition),
                           ("Description", self.description)):
            if value:
                job.append(f"{key}={value}")
        if self.guard:
            job += ["Enter=act enter job" + (" fail" if self.guard == "fail" else ""),
                    "Exit=act exit job" + (" gated" if self.guard == "gated" else "")]
        schedule = ["[Schedule]", f"Overlap={self.overlap}", *self.schedule]
        publish = ["[Publish]", f"File={self.publish}"] if self.publish else []
        return "\n".join(job + schedule + getattr(self, "_" + self.kind)() + publish) + "\n"

    def _command(self):
        event = " ev-${event:run:-none}" if any(line.startswith("On=") for line in self.schedule) else ""
        alone = ["Environment=EXCLUSIVE=1"] if self.is_alone else []
        return [f"Command=act {self.behaviour} ${{token}}{event}", *alone]

    def _patience(self):
        # A shell that is told to end right before it opens a gate hears of it when that opens.
        # A stop waits for 20 s.
        return "KillAfterSec=" + ("300ms" if self.behaviour == "stubborn" else "10s")

    def _exec(self):
        return ["[Exec]", *self._command(), self._patience()]

    def _pool(self):
        alone = ["Environment=EXCLUSIVE=1"] if self.is_alone else ["Processes=64"] if self.overlap == "parallel" else []
        return ["[Exec]", "StartMethod=pool", f"Command=act pool {self.behaviour}", self._patience(), *alone]

    def _worker(self):
        return ["[Worker]", *self._command()]

    def _sleep(self):
        return ["[Sleep]", "Duration=" + (HOUR if self.behaviour == "stay" else "1ms")]

    def _countdown(self):
        return ["[Countdown]", "From=2", "Step=" + (HOUR if self.behaviour == "stay" else "1ms")]

    def _blink(self):
        return ["[Blink]", "Rate=1000", "Duration=" + (HOUR if self.behaviour == "stay" else "2ms")]

    def _sensor(self):
        return ["[Sensor]", "Driver=file", f"Path={self.path}"]

    def _http(self):
        return ["[Http]", f"Url={self.url}/{self.behaviour}/{self.name}/${{token}}"]

    def _group(self):
        return ["[Group]", *(f"Run={name} ${{token}}" for name in self.members)]


def resources_text(resources):
    """Of takt.conf: sections of RESOURCES, their names and whether they have commands."""
    lines = []
    for name, has_commands in resources.items():
        lines.append(f"[Resource:{name}]")
        if has_commands:
            lines += [f"Enter=act enter {name}", f"Exit=act exit {name}"]
    return "\n".join(lines) + "\n"
