# SPDX-License-Identifier: LGPL-2.1-or-later
"""A seed makes an environment and what is done to it, always the same ones."""
import dataclasses
import random

from jobs import COMMAND_KINDS, Job
from spoil import DAMAGES, LOSSES

KINDS = {"exec": 45, "pool": 10, "worker": 10, "sleep": 10, "countdown": 5, "blink": 5, "sensor": 5, "http": 5}
COMMANDS = {"ok": 20, "fail": 10, "flaky": 20, "hold": 40, "slow": 6, "stubborn": 1, "odd": 5}
OTHERS = {"ok": 40, "fail": 20, "stay": 40}
OVERLAPS = {"skip": 40, "queue": 30, "replace": 10, "parallel": 20}
TRIGGERS = {"": 70, "Every=150ms": 8, "After=100ms": 6, "OnStartup=0s": 6, "On": 10}
FLAVOURS = {"plain": 60, "disk": 12, "loss": 10, "damage": 8, "poison": 10}
PADS = ("plain", 'a "quoted" \\ word', "line\nbreak\ttab\x01", "\u00e9\u2028\U0001f600", "x" * 300, "%s${token}", "")
STEPS = {"start": 34, "starts": 8, "cancel": 8, "release": 10, "away": 6, "back": 6, "change": 4, "pause": 2, "resume": 2,
         "stop": 12, "hurry": 3, "kill": 12, "kill_flying": 4, "kill_release": 4, "kill_in_stop": 2}
FLAVOUR_STEPS = {"plain": {}, "disk": {"fill": 12, "free": 6, "burst": 8}, "loss": {"spoil_loss": 14, "lose": 6},
                 "damage": {"spoil_damage": 20}, "poison": {"killer": 16}}


def pick(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


@dataclasses.dataclass
class Plan:
    """What a seed makes."""

    jobs: list
    resources: dict
    settings: str
    steps: list
    small_disk: bool = False
    ask: bool = False


class Planner:
    """The random choices of a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.flavour = pick(self.rng, FLAVOURS)
        self.resources = {"red": self.rng.random() < 0.7, "sea": False} if self.rng.random() < 0.4 else {}
        self.jobs = []
        self.tokens = []  # (name, token) that were asked for
        self.n_tokens = 0
        self.n_staying = 0  # by schedule

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    # --- jobs ---

    def job(self, name):
        rng = self.rng
        kind = pick(rng, KINDS)
        job = Job(name, kind, pick(rng, COMMANDS if kind in COMMAND_KINDS else OTHERS))
        job.retries = rng.choice((0, 0, 1, 1, 2, 3))
        job.delay = "1h" if self.chance(10) else "5ms"
        job.overlap = pick(rng, OVERLAPS)
        job.uses = tuple(name for name in sorted(self.resources) if self.chance(30))
        job.guard = ("fail" if self.chance(10) else "ok") if self.chance(25) else ""
        self.complete(job)
        trigger = pick(rng, TRIGGERS)
        others = [other.name for other in self.jobs if not other.name.endswith("@")]
        if trigger == "On" and others:
            job.schedule = (f"On={rng.choice(others)}.{rng.choice(('succeeded', 'ended', 'failed|cancelled|lost'))}",)
        elif trigger != "On" and trigger:
            job.schedule = (trigger,)
        if job.schedule and job.stays:
            # What nobody lets go on must not pile up, or take all places.
            job.overlap = "skip"
            job.schedule = job.schedule if self.n_staying == 0 else ()
            self.n_staying += 1
        return job

    def complete(self, job):
        """What the behaviour of a kind needs."""
        if job.kind == "sensor":
            job.behaviour = "fail" if job.behaviour == "fail" else "ok"
            job.path = "bin/act/none" if job.behaviour == "fail" else "data/number"
        elif job.kind == "http" and job.behaviour == "fail" and self.chance(50):
            job.behaviour = "flaky"
        elif job.kind not in COMMAND_KINDS and job.behaviour == "fail":
            job.publish = "data/none/file"
        if job.behaviour in ("hold", "slow", "stay") and self.chance(15):
            job.timeout = "30ms"

    def template(self, name):
        job = self.job(name + "@")
        job.schedule = ()
        job.instances = "a b" if self.chance(60) else ""
        return job

    def group(self):
        """A group and its members."""
        group = Job("group", "group", retries=self.rng.choice((0, 0, 1, 2)), overlap=pick(self.rng, OVERLAPS))
        names = ["member1", "member2"][:self.rng.randint(1, 2)]
        for name in names:
            member = Job(name, self.rng.choice(("exec", "exec", "worker", "pool", "sleep")), overlap="parallel", group="group")
            member.behaviour = self.rng.choice(("ok", "flaky", "fail", "hold") if member.has_notes else ("ok", "stay"))
            member.retries = self.rng.choice((0, 1))
            member.member_limit = group.retries + 1
            member.guard = "ok" if self.chance(20) else ""
            self.jobs.append(member)
        group.members = tuple(names)
        if self.resources and self.chance(20):
            group.uses = ("red",)
        self.jobs.append(group)

    def make_jobs(self):
        for i in range(self.rng.randint(2, 5)):
            self.jobs.append(self.job(f"job{i}"))
        if self.chance(25):
            self.jobs.append(self.template("many"))
        if self.chance(35):
            self.group()
        if self.flavour == "disk":
            self.jobs.append(Job("short", "sleep", overlap="parallel"))
        if self.flavour == "poison":
            self.jobs.append(Job("killer", self.rng.choice(("exec", "exec", "pool", "worker")), "kill",
                                 retries=self.rng.randint(0, 4), overlap=self.rng.choice(("skip", "queue"))))

    # --- steps ---

    def names(self):
        """What can be started."""
        names = []
        for job in self.jobs:
            if job.name.endswith("@"):
                names += [job.name + "a", job.name + "b"]
            elif not job.group and job.name not in ("short", "killer"):
                names.append(job.name)
        return names

    def token(self, name):
        self.n_tokens += 1
        self.tokens.append((name, f"t{self.n_tokens}"))
        return f"t{self.n_tokens}"

    def some_tokens(self, name, low, high):
        return [self.token(name) for _ in range(self.rng.randint(low, high))]

    def step(self, word):
        """The name and the arguments of a step; None where it makes no sense."""
        rng = self.rng
        name = rng.choice(self.names())
        file = rng.choice([job.name for job in self.jobs if job.name != "killer"])
        if word == "start":
            pad = rng.choice(PADS) if self.chance(25) else None
            return word, {"name": name, "token": self.token(name), "pad": pad, "wait": self.chance(75)}
        if word in ("starts", "kill_flying"):
            return word, {"name": name, "tokens": self.some_tokens(name, 2, 4)}
        if word == "cancel":
            if not self.tokens:
                return None
            name, token = rng.choice(self.tokens[-6:])
            return word, {"name": name, "token": token}
        if word == "release":
            return word, {"name": name}
        if word == "kill_release":
            return "kill", {"release": [name]}
        if word in ("away", "back"):
            return word, {"name": file}
        if word == "change":
            return word, {"name": file, **self.change()}
        if word in ("pause", "resume"):
            return word, {"names": ["*"]}
        if word == "burst":
            return word, {"name": "short", "tokens": self.some_tokens("short", 270, 300)}
        if word == "spoil_loss":
            return "spoil", {"how": rng.choice(LOSSES), "number": 0, "after": rng.choice(("stop", "crash"))}
        if word == "spoil_damage":
            return "spoil", {"how": rng.choice(DAMAGES), "number": rng.randrange(1000), "after": rng.choice(("stop", "crash"))}
        if word == "lose":
            return word, {"how": rng.choice(LOSSES)}
        if word == "killer":
            return word, {"name": "killer", "token": self.token("killer")}
        return word, {}

    def change(self):
        field = self.rng.choice(("description", "description", "retries", "overlap"))
        value = {"description": f"version {self.rng.randrange(1000)}", "retries": self.rng.randint(0, 3),
                 "overlap": pick(self.rng, OVERLAPS)}[field]
        return {"field": field, "value": value}

    def plan(self):
        self.make_jobs()
        weights = {**STEPS, **FLAVOUR_STEPS[self.flavour]}
        steps = [step for _ in range(self.rng.randint(6, 14)) if (step := self.step(pick(self.rng, weights)))]
        settings = "MaxRuns=4" if self.chance(10) else ""
        return Plan(self.jobs, self.resources, settings, steps, self.flavour == "disk",
                    self.flavour == "damage" or self.chance(20))


def make_plan(seed):
    return Planner(seed).plan()
