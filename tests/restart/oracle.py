# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon promises, held against what it tells and against what is executed.

The oracle knows nothing of how takt works. It is told of three things in the order in which they happen: the lines that
commands note, the Run objects and events that clients get, and what the test does to the daemon. A *request* is what
asks for executions: a call with a token, a due time, an event. All runs that come of one request, in whatever life of
the daemon, share its right to be tried; its key is in every note and in the parameters of its runs.
"""
import dataclasses
import time
from datetime import datetime, timezone

from control import violate

FINAL = ("succeeded", "failed", "timeout", "cancelled", "skipped", "missed", "lost")
# A run that ended a daemon within POISON_SECONDS of its start twice in a row is poison. What is nearer to that than a
# slow machine may take is not judged.
POISON_SECONDS, POISON_SLACK = 10, 2
NEVER = "~"  # after all times


def clock():
    """The time, in a form that compares with those that the daemon tells."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


@dataclasses.dataclass
class Definition:
    """What a job's file says of another try from a reload on; the daemon takes it over between CALLED and DONE."""

    retries: int | None  # None: there is no file
    called: str = ""
    done: str = NEVER


@dataclasses.dataclass
class Request:
    """What asks for executions of one job."""

    job: object
    key: str
    by_hand: bool = False
    life: int = 0  # of the daemon when it was heard of first
    runs: list = dataclasses.field(default_factory=list)
    begins: int = 0
    spent: int = 0  # attempts that the next run of it inherits
    crashes: int = 0  # of the daemon while it was under way
    streak: int = 0  # of these in a row, each soon after an attempt began; negative: not known
    sealed: str = ""  # why nothing of it may be executed any more
    sealed_by: int = 1  # the promise that says so
    cancelled: bool = False  # somebody asked for its end
    damaged: bool = False  # its note may say anything
    long: bool = False  # its parameters are too long to be kept for another try

    def __str__(self):
        return f"{self.job.name}/{self.key}"


@dataclasses.dataclass
class Seen:
    """A run as it was told."""

    id: int
    job: str
    life: int  # of the daemon that told of it first
    request: Request = None
    state: str = ""
    error: str = ""
    final_life: int = 0
    finished: str = ""  # by the clock, as 2026-01-31T12:00:00.123456Z
    ended_in_stream: bool = False
    attempts: int = 0
    begins: int = 0
    ends: int = 0  # of commands, by themselves
    began: float = 0
    began_life: int = 0
    heard: bool = False  # it was told of with all its fields
    certain: bool = False  # an attempt was under way when its daemon was killed
    waits: bool = False  # nothing of it had begun when its daemon was killed: it is to begin with the next one
    repeats: bool = False  # it was lost, and another run is to take its place
    called_off: tuple = ()  # somebody cancelled it, between these times: then it is not tried again
    excused: bool = False  # nobody can know what became of it
    marks: list = dataclasses.field(default_factory=list)  # (word, scope) around it, crashes and its end among them

    @property
    def final(self):
        return self.state in FINAL


class Oracle:
    """Raises Violation where something is not as promised."""

    def __init__(self, jobs, resources):
        self.jobs = jobs
        self.resources = resources
        self.life = 0
        self.between = False  # no daemon has told of itself since the last one died
        self.unheard = 0  # so many have died since one told of its runs
        self.after = "nothing"  # how the life before this one ended: nothing, stop, hurry, crash
        self.state_is_whole = True  # what the daemon keeps was not touched
        self.requests = {}
        self.runs = {}
        self.shared = set()  # resources that several runs may have at a time
        self.damaged = False
        self.holders = {}  # runs by the resource that they have entered
        self.alone = {}  # ids under way of jobs that run one at a time
        self.closed_gates = set()
        self.loaded = set(jobs)
        self.definitions = {job.name: [Definition(job.retries)] for job in jobs.values()}

    # --- requests ---

    def job_of(self, name):
        """A job by its name or, of an instance, by its template's."""
        return self.jobs.get(self.file_of(name))

    @staticmethod
    def file_of(name):
        """The name in that of the job's file."""
        return name.split("@")[0] + "@" if "@" in name else name

    def request(self, name, key, by_hand=False):
        found = self.requests.get((name, key))
        if not found:
            found = self.requests[name, key] = Request(self.job_of(name), key, by_hand, self.life)
            if not by_hand:
                # It may have been there before any of these; one of them is allowed for where that is judged.
                found.crashes = max(0, self.unheard - 1)
        return found

    def ask(self, name, token, long=False):
        """A client calls for a run, and may be answered or not."""
        self.request(name, token, True).long = long

    @staticmethod
    def key_of(record):
        """The key of a run's request; None where it tells of none, as of what was skipped or missed."""
        params = record["params"]
        if params.get("token", "none") != "none":
            return params["token"]
        if record["state"] in ("skipped", "missed"):
            return None
        if record["trigger"] == "event":
            cause = (params.get("event") or {}).get("run", record.get("causeRun"))
            return f"ev-{cause}" if cause else None
        return "at-" + record["scheduled"] if record["scheduled"] else None

    def seal(self, request, why, promise=1):
        if not request.sealed:
            request.sealed, request.sealed_by = why, promise

    def check_open(self, request, what):
        sealed, promise = request.sealed, request.sealed_by
        if not sealed and request.job.group:
            group = self.requests.get((request.job.group, request.key))
            sealed, promise = (group.sealed, group.sealed_by) if group else ("", 1)
        if sealed:
            violate(promise, f"{request}: {what}, but {sealed}")

    # --- files ---

    def redefined(self, job, is_there):
        """The file of a job says something else, or IS_THERE no more; the daemon is about to be told."""
        self.definitions[job.name].append(Definition(job.retries if is_there else None, clock()))

    def reloaded(self):
        """The daemon has read all files."""
        now = clock()
        for definitions in self.definitions.values():
            for definition in definitions:
                definition.done = min(definition.done, now)

    def retries_at(self, name, when):
        """All that the daemon may have taken for a job's Retries= at that time, with None for a job without a file."""
        known = self.definitions[self.file_of(name)]
        ends = [later.done for later in known[1:]] + [NEVER]
        return {definition.retries for definition, end in zip(known, ends) if definition.called <= when <= end}

    # --- what is executed ---

    def noted(self, line):
        """A line of the notes: see tests/restart/act."""
        word, job, run, key, _ = line.split()
        if word in ("enter", "entered", "exit", "exited"):
            self.around(word, job, int(run), key)
        elif word == "overlap":
            violate(4, f"run {run} of {job} began while another run of it was there")
        elif word == "begin":
            self.begun(job, int(run), key)
        elif word == "end" and int(run) in self.runs:
            seen = self.runs[int(run)]
            seen.ends += 1
            seen.request.streak = 0

    def begun(self, job, run, key):
        seen = self.runs.get(run)
        if (job, key) not in self.requests and not key.startswith(("at-", "ev-")) and not self.job_of(job).group \
                and not self.damaged:
            violate(1, f"{job}/{key} is executed, which nobody asked for")
        request = self.request(job, key)
        request.begins += 1
        if seen:
            self.check_identity(seen, job, request)
        if seen and seen.final and seen.heard:
            violate(1, f"run {run} of {request} is executed after it was told as {seen.state}")
        self.check_open(request, "it is executed")
        if request.begins > request.job.limit and not self.damaged:
            violate(1, f"{request} is executed {request.begins} times with Retries={request.job.retries}")
        seen = self.run(run, job)
        seen.request = request
        seen.begins += 1
        seen.began = time.monotonic()
        seen.began_life = self.life
        seen.marks.append(("begin", ""))

    def run(self, run, job):
        if run not in self.runs:
            self.runs[run] = Seen(run, job, self.life)
            if self.between:
                # Of the one that died, perhaps, by a command that outlived it.
                self.runs[run].marks.append(("crash", ""))
        return self.runs[run]

    def around(self, word, job, run, scope):
        seen = self.run(run, job)
        holder = self.holders.get(scope)
        if word == "enter" and holder not in (None, run) and scope not in ("job", *self.shared):
            violate(7, f"run {run} enters {scope}, which run {holder} has entered and not left")
        if word == "entered" and scope != "job" and ("crash", "") not in seen.marks:
            self.holders[scope] = run
        elif word == "exited" and holder == run:
            del self.holders[scope]
        seen.marks.append((word, scope))

    # --- what is told ---

    def free(self, is_free):
        """Takes nobody for the holder any more of what IS_FREE says of, given the scope and the run."""
        self.holders = {scope: run for scope, run in self.holders.items() if not is_free(scope, run)}

    def check_identity(self, seen, job, request):
        if seen.job != job or (seen.request and request and seen.request is not request):
            violate(3, f"the id {seen.id} of {seen.request or seen.job} is given to {request or job} as well")

    def told(self, record, streamed=False):
        """A Run object, from a reply or, STREAMED, from an event."""
        run, job, state = record["run"], record["job"], record["state"]
        if not self.job_of(job):
            return
        key = self.key_of(record)
        seen = self.runs.get(run)
        request = self.request(job, key) if key else seen and seen.request
        if seen:
            self.check_identity(seen, job, request)
            self.check_known(seen, state)
        else:
            seen = self.run(run, job)
        if not seen.heard:
            self.check_new(seen, record, request)
            seen.heard = True
        seen.request = request
        if request and seen not in request.runs:
            request.runs.append(seen)
        seen.attempts = max(seen.attempts, record["attempts"])
        if request:
            self.check_inheritance(seen, request, record)
        seen.error = (record["error"] or {}).get("kind", "")
        seen.finished = record["finished"] or ""
        if state in FINAL:
            self.end(seen, state, streamed)
        elif not seen.final:
            self.move(seen, state)

    def move(self, seen, state):
        seen.state = state
        if state == "running" and seen.request and not seen.request.job.has_notes:
            seen.began = seen.began or time.monotonic()
            seen.began_life = seen.began_life or self.life

    def check_new(self, seen, record, request):
        run, state = record["run"], record["state"]
        if state == "lost" and self.after != "crash" and self.after != "hurry":
            violate(1, f"run {run} of {record['job']} is told as lost, and nothing was under way")
        if record["trigger"] == "manual" and self.state_is_whole and not (request and request.by_hand):
            violate(1, f"run {run} of {record['job']} ({record['params']}) is told, which nobody asked for")
        if not request or record["trigger"] == "group":
            return
        if (record["error"] or {}).get("kind") in ("poison", "lost", "removed"):
            return  # it has its end, and only leaves what it had entered; or it never began
        self.check_open(request, f"run {run} is told of as {state}")
        others = [r.id for r in request.runs if r.life == self.life and r.state != "lost" and r is not seen]
        if others:
            violate(1, f"{request} has the runs {others} and {run} in one life of the daemon")

    def check_known(self, seen, state):
        if seen.final and seen.final_life < self.life:
            violate(1, f"run {seen.id} of {seen.request or seen.job} had ended as {seen.state} in life "
                               f"{seen.final_life} of the daemon and is told as {state} in life {self.life}")
        if not seen.final and seen.life < self.life and self.after not in ("crash", "hurry"):
            violate(1, f"run {seen.id} of {seen.request or seen.job} is told as {state} after a clean stop")
        if seen.final and state in FINAL and state != seen.state:
            violate(1, f"run {seen.id} of {seen.request or seen.job} is told as {seen.state} and as {state}")

    def check_inheritance(self, seen, request, record):
        if request.job.group or not request.spent or seen.life < self.life or record["state"] in ("queued", "lost"):
            return
        if record["started"] and record["attempts"] <= request.spent and seen.error != "poison":
            violate(1, f"run {seen.id} of {request} says that it is attempt {record['attempts']}, "
                               f"and {request.spent} were made in earlier lives")

    def end(self, seen, state, streamed):
        """A run was told to have ended."""
        if seen.ended_in_stream and streamed:
            violate(1, f"the end of run {seen.id} of {seen.request or seen.job} is told twice")
        seen.ended_in_stream |= streamed
        self.alone.get(seen.job, set()).discard(seen.id)
        if seen.final:
            return
        seen.state, seen.final_life = state, self.life
        seen.marks.append(("told", "lost" if seen.error == "poison" else state))
        self.free(lambda scope, run: run == seen.id)
        request = seen.request
        if not request or request.job.group:
            return
        # What nobody asked for by hand may be heard of only after the first one.
        if seen.error == "poison" and request.crashes + (not request.by_hand) < 2:
            violate(5, f"run {seen.id} of {request} ends as poison after {request.crashes} crashes")
        retries = self.retries_at(seen.job, seen.finished)
        if retries == {None}:
            self.seal(request, f"its run {seen.id} had ended as {state} while the job was away")
        elif state != "lost":
            self.seal(request, f"its run {seen.id} had ended as {state}")
        else:
            self.lost(seen, request, retries)

    def lost(self, seen, request, retries):
        """A run was lost when its job had one of these RETRIES, which decides what comes of it."""
        is_over = [number is None or seen.attempts > number for number in retries]
        if seen.called_off and seen.finished > seen.called_off[0]:
            is_over = [True] if seen.finished > seen.called_off[1] else is_over + [True]
        if all(is_over) and seen.attempts > 0 and not request.damaged:
            self.seal(request, f"its run {seen.id} was lost in attempt {seen.attempts}, and was cancelled or had no more Retries=")
        seen.repeats = seen.certain and not any(is_over)

    def happened(self, event):
        """An event of the stream."""
        name, run = event["event"], event.get("run")
        if run is None or not self.job_of(event["job"]):
            return
        record = event.get("data")
        if name == "present":
            self.seen_alone(event["job"], run, event["state"])
        elif name in FINAL and record:
            self.told(record, True)
        if name in ("queued", "running", "retrying"):
            self.moved(name, run, event["job"])

    def moved(self, state, run, job):
        seen = self.runs.get(run)
        if seen and seen.ended_in_stream:
            violate(1, f"run {run} of {job} is told as {state} after its end")
        seen = self.run(run, job)
        if not seen.final:
            self.move(seen, state)
            seen.attempts = max(seen.attempts, 0 if state == "queued" else 1)
        if state == "retrying" and seen.request:
            seen.request.streak = 0
        self.seen_alone(job, run, state)

    def seen_alone(self, job, run, state):
        """A run, as the stream tells of it, of what may run one at a time."""
        if state not in ("running", "retrying") or not self.job_of(job).is_alone:
            return
        under_way = self.alone.setdefault(job, set())
        under_way.add(run)
        if len(under_way) > 1:
            violate(4, f"the runs {sorted(under_way)} of {job} are under way at a time")

    def listed(self, records):
        """All runs that the daemon knows of at a moment."""
        under_way = {}
        for record in sorted(records, key=lambda record: record["run"]):
            self.told(record)
            job = self.job_of(record["job"])
            if job and job.is_alone and record["state"] in ("running", "retrying"):
                under_way.setdefault(record["job"], []).append(record["run"])
        for job, runs in under_way.items():
            if len(runs) > 1:
                violate(4, f"the runs {runs} of {job} are under way at a time")

    # --- lives ---

    def is_certain(self, seen):
        """Whether a run can't have ended without a word of it."""
        request = seen.request
        if not request or seen.state != "running" or not request.job.stays or not request.job.steady:
            return False
        if request.cancelled or request.job.overlap == "replace" or request.job.group:
            return False
        if request.job.has_notes:
            return seen.begins > seen.ends and seen.job in self.closed_gates
        return not request.job.uses and not request.job.guard

    def waits_for_another(self, seen):
        """Whether a run can't have begun, as another one of its job is certain to be under way."""
        job = seen.request and seen.request.job
        if not job or seen.state != "queued" or seen.begins or job.overlap != "queue" or job.uses or job.guard or job.group:
            return False
        return job.is_alone and not seen.request.cancelled and not seen.request.long and \
            any(other.job == seen.job and not other.excused and self.is_certain(other) for other in self.runs.values())

    def crashed(self, in_stop=False):
        """The daemon was killed, perhaps IN_STOP; all that it told and that was noted until then has been read."""
        self.between = True
        self.unheard += 1
        for seen in self.runs.values():
            # In a life that told of nothing it may have begun.
            seen.waits = self.unheard == 1 and not seen.final and not in_stop and self.waits_for_another(seen)
        for request in self.requests.values():
            if not request.sealed:
                request.crashes += 1
        for seen in self.runs.values():
            if seen.final:
                continue
            seen.marks.append(("crash", ""))
            request = seen.request
            # A stop calls off what was to be tried again.
            seen.certain &= not in_stop
            if seen.excused:
                continue
            if not request or self.life not in (seen.life, seen.began_life):
                seen.excused = True
                continue
            certain = not in_stop and self.is_certain(seen)
            seen.excused = not certain
            seen.certain = certain
            request.spent = max(request.spent, seen.attempts, request.begins) if seen.state != "queued" else request.spent
            soon = time.monotonic() - seen.began < POISON_SECONDS - POISON_SLACK
            request.streak = request.streak + 1 if certain and soon and seen.began else -100
            if request.streak == 2:
                self.seal(request, "two attempts of it in a row had ended the daemon at once", 5)
        self.forget_entering()

    def forget_entering(self):
        """Nobody knows whether the daemon learnt of what was entered last before its end."""
        self.free(lambda scope, run: self.runs[run].marks[-2:-1] == [("entered", scope)])

    def stopped(self):
        """The daemon was stopped and ended well: nothing is left of anything."""
        for request in self.requests.values():
            self.seal(request, "the daemon was stopped since")
        self.holders.clear()

    def hurried(self):
        """It was stopped by a second signal: what is entered is left by the next one, but nothing is tried again."""
        self.between = True
        for request in self.requests.values():
            self.seal(request, "the daemon was stopped since")
        for seen in self.runs.values():
            if not seen.final:
                seen.marks.append(("crash", ""))
                seen.excused = True
        self.forget_entering()

    def broke_state(self, damaged=False):
        """What the daemon keeps was taken away or DAMAGED: it can't know what was under way."""
        self.state_is_whole = False
        self.damaged = self.damaged or damaged
        for request in self.requests.values():
            request.spent = 0
            if damaged:
                self.damage(request)
        self.holders.clear()
        for seen in self.runs.values():
            seen.repeats = seen.waits = False
            seen.excused = seen.excused or not seen.final
            if not seen.final:
                seen.marks.append(("spoilt", ""))

    @staticmethod
    def damage(request):
        """Its attempts, and when they began, may be garbled: taktd(8) says that they have no check."""
        request.damaged = True
        request.streak = -100
        if request.sealed_by == 5:
            request.sealed, request.sealed_by = "", 1

    def begin(self, after, loaded):
        """The next daemon is about to be started, with the files of the jobs LOADED."""
        self.after = after
        self.life += 1
        self.loaded = loaded
        self.reloaded()
        for seen in self.runs.values():
            seen.repeats &= self.file_of(seen.job) in loaded
            seen.waits &= self.file_of(seen.job) in loaded
        self.alone = {}
        # What a job that is no more had entered is not left.
        self.free(lambda scope, run: self.file_of(self.runs[run].job) not in loaded)

    def born(self, records):
        """It answers, and RECORDS are the first that it tells of."""
        self.between = False
        before = [seen for seen in self.runs.values() if not seen.final and seen.life < self.life]
        self.listed(records)
        known = {record["run"]: record for record in records}
        for seen in before:
            if seen.waits and self.state_is_whole and (seen.id not in known or known[seen.id]["state"] == "lost"):
                violate(1, f"run {seen.id} of {seen.request} only waited when the daemon was killed, and does not begin with "
                           f"the next one: {known.get(seen.id)}")
            seen.waits = False
            if seen.id not in known:
                self.vanished(seen)
            elif seen.request and seen.request.sealed_by == 5:
                self.check_poison(seen, known[seen.id])
        for request in self.requests.values():
            known_still = request.life == self.life or any(seen.id in known for seen in request.runs)
            if not request.sealed and not known_still and not request.job.group:
                self.seal(request, "the daemon no longer knew of it")
        self.state_is_whole = True
        self.unheard = 0

    def vanished(self, seen):
        job = self.file_of(seen.job)
        if not seen.excused and self.after == "crash" and job in self.loaded and self.state_is_whole:
            violate(1, f"run {seen.id} of {seen.request} was under way when the daemon was killed, and the next one "
                               "does not know of it")
        if job not in self.loaded or not self.state_is_whole:
            self.free(lambda scope, run: run == seen.id)
            seen.marks.append(("spoilt", ""))
        seen.state, seen.final_life = "lost", self.life

    def check_poison(self, seen, record):
        request = seen.request
        if record["state"] not in FINAL:
            return  # it is leaving what it had entered
        if seen.error != "poison" and request.begins < request.job.limit:
            violate(5, f"run {seen.id} of {request} ended two daemons in a row, and is told as {record['state']} "
                               f"({seen.error}), not as failed (poison)")

    # --- the end ---

    def is_done(self, request):
        """Whether nothing more is to come of it."""
        if request.sealed or not request.runs:
            return True
        last = max(request.runs, key=lambda seen: seen.id)
        return last.state == "lost" and (request.long or not last.repeats)

    def open_requests(self):
        return [request for request in self.requests.values() if request.by_hand and not self.is_done(request)]

    def check_left(self):
        """Promise 7, once nothing is under way."""
        for seen in self.runs.values():
            if seen.marks and ("spoilt", "") not in seen.marks:
                check_marks(seen)


def check_marks(seen):
    marks = seen.marks
    entered = [scope for word, scope in marks if word == "entered"]
    exited = [scope for word, scope in marks if word == "exited"]
    for scope in {scope for _, scope in marks if scope}:
        if scope in exited and scope not in entered:
            violate(7, f"run {seen.id} of {seen.request} leaves {scope}, which it has not entered: {marks}")
        if scope in entered and scope not in exited and not ended_unheard(marks, marks.index(("entered", scope))):
            violate(7, f"run {seen.id} of {seen.request} has not left {scope}: {marks}")
        check_once(seen, scope)
    if exited != entered[::-1] and not any(word == "crash" for word, _ in marks):
        violate(7, f"run {seen.id} of {seen.request} leaves {exited}, having entered {entered}")


def ended_unheard(marks, i):
    """Whether the daemon may have died before it learnt of mark I, or was dead when a command that it began came to it."""
    ends = [state for word, state in marks if word == "told" and state != "lost"]
    return marks[i + 1:i + 2] == [("crash", "")] or ("crash", "") in marks[:i] and not ends


def check_once(seen, scope):
    """Each time that the daemon died it may not have learnt that a command had left SCOPE."""
    exits, crashes = seen.marks.count(("exited", scope)), seen.marks.count(("crash", ""))
    if exits > 1 + crashes:
        violate(7, f"run {seen.id} of {seen.request} leaves {scope} {exits} times: {seen.marks}")
