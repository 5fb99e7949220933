# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done to a daemon, step by step, with the oracle looking on."""
import os
import random
import signal
import subprocess
import time

import spoil
from control import PATIENCE, Gone, Refused, Violation, parse, violate
from jobs import Job, resources_text
from lab import BUILD, Lab, eventually
from oracle import FINAL, NEVER, Oracle, clock
from server import Server

STATE_BYTES_MAX = 256 * 1024  # of state/active-runs, with the few runs at a time that there are here
REPEAT_PATIENCE = 15  # seconds until what was lost is tried again, with all that may be left from before to be ended


class Walk:
    """An environment, its daemon, and the steps; each step_NAME() is one."""

    def __init__(self, jobs, resources=None, settings="", small_disk=False, verbose=False):
        self.jobs = {job.name: job for job in jobs}
        self.resources = resources or {}
        self.canary = Job("canary", overlap="parallel")
        self.jobs["canary"] = self.canary
        self.lab = Lab(small_disk)
        self.server = None
        if any(job.kind == "http" for job in jobs):
            self.server = Server()
            for job in jobs:
                job.url = self.server.url
        self.oracle = Oracle(self.jobs, self.resources)
        self.verbose = verbose
        self.history = []
        self.in_files = set(self.jobs)  # whose file is in its place
        self.canaries = 0
        self.is_live = False  # the stream of events has begun
        self.disk_full = False
        self.many_at_once = False
        self.notes = open(self.lab.notes, "rb")
        self.partial = b""
        self.lab.write("takt.conf", f"[Daemon]\n{settings}\n{resources_text(self.resources)}")
        for job in self.jobs.values():
            self.lab.write_job(job.name, job.text())
            for gate in [gate for name in self.names(job) for gate in job.gates(name)]:
                self.lab.make_gate(gate)
                self.oracle.closed_gates.add(gate)

    @staticmethod
    def names(job):
        """What can be started: the job, or instances of the template."""
        return [job.name + i for i in "ab"] if job.name.endswith("@") else [job.name]

    def say(self, text):
        self.history.append(text)
        if self.verbose:
            print(f"{time.monotonic():.3f} {text}", flush=True)

    def close(self):
        self.notes.close()
        self.lab.close()
        if self.server:
            self.server.close()

    # --- listening ---

    def read_notes(self):
        data = self.partial + self.notes.read()
        *lines, self.partial = data.split(b"\n")
        for line in lines:
            self.say("  noted " + line.decode())
            self.oracle.noted(line.decode())

    def read_events(self, seconds=0.0):
        """What the daemon told, waiting for it at most so long. What was noted by then comes first."""
        self.lab.watch.fill(seconds)
        self.read_notes()
        while reply := self.lab.watch.take():
            event = reply["parameters"]["event"]
            self.is_live |= event["event"] == "live"
            if event.get("run") and event["event"] != "present":
                self.say(f"  told {event['event']} {event['job']} {event['run']} {event.get('message') or ''}")
            self.oracle.happened(event)

    def read_rest(self):
        """What a daemon that has ended had told."""
        while self.lab.watch and self.lab.watch.fill(0):
            pass
        if self.lab.watch:
            self.read_events()
        self.read_notes()

    def wait(self, what, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        self.read_events()
        while not condition():
            if time.monotonic() > end:
                self.say_what_is_left()
                raise Violation(0, f"{what}: never came true")
            if self.lab.watch.ended:
                raise Gone(what)
            self.read_events(0.002)

    def say_what_is_left(self):
        for record in self.list_runs():
            if record["state"] not in FINAL:
                self.say(f"  left: {record}")
        self.say("  log: " + self.lab.log_text()[-2000:])

    def list_runs(self):
        records = self.lab.control.call_all("Runs.List", "runs", limit=100000)
        self.read_notes()
        return records

    # --- lives ---

    def begin_life(self, after):
        """Starts a daemon, and another one where what that one has to do kills it."""
        while True:
            self.oracle.begin(after, set(self.in_files))
            self.is_live = False
            self.lab.spawn()
            try:
                if self.lab.connect():
                    self.hear_first()
                    return
            except Gone:
                pass
            after = self.try_again(after)

    def hear_first(self):
        """What a daemon knows at its start."""
        records = self.list_runs()
        for record in records:
            self.say(f"  life {self.oracle.life} tells of {record['job']} {record['run']} {record['state']}, "
                     f"attempt {record['attempts']} {(record['error'] or {}).get('kind', '')}")
        self.oracle.born(records)
        # From here on no event is missed; what ended before is in the list.
        self.wait("the present state", lambda: self.is_live)
        self.oracle.listed(self.list_runs())

    def try_again(self, after):
        """A daemon died before it had said much. Without room on the disk it may; how the one before had ended counts on."""
        if not self.disk_full:
            self.lose_life()
            return "crash"
        self.lab.wait_for_death()
        self.lab.disconnect()
        self.step_free()
        self.oracle.broke_state()
        return after

    def lose_life(self, in_stop=False):
        """The daemon is dead or about to be; another one is started."""
        status = self.lab.wait_for_death()
        self.read_rest()
        self.lab.disconnect()
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise Violation(0, f"taktd ended by itself, status {status}: {self.lab.log_text()[-2000:]}")
        self.oracle.crashed(in_stop)

    def end_life(self, second=False):
        """After a signal that asks it to end, or a SECOND one, which may come when nobody listens for it any more."""
        status = self.lab.wait_for_death()
        if second and status == signal.SIGTERM:
            status = 0
        self.read_rest()
        self.lab.disconnect()
        text = self.lab.log_text()
        if status != 0 or "Sanitizer" in text or "runtime error" in text or "Assertion" in text:
            raise Violation(0, f"taktd ends with status {status}: {text[-4000:]}")

    def clean_stop(self):
        self.lab.signal(signal.SIGTERM)
        self.end_life()
        self.read_notes()
        if "did not end in time" in self.lab.log_text():
            raise Violation(0, "runs do not end at a stop")
        self.oracle.stopped()
        if not self.many_at_once and (size := self.state_size()) > STATE_BYTES_MAX:
            violate(1, f"state/active-runs has grown to {size} bytes")

    def state_size(self):
        try:
            return os.stat(self.lab.path("state/active-runs")).st_size
        except FileNotFoundError:
            return 0

    def sing(self):
        """A command that comes after all that a start may have begun, and then what is known by then."""
        self.canaries += 1
        token = f"canary{self.canaries}"
        if self.start("canary", token):
            self.wait("the end of a canary", lambda: self.oracle.request("canary", token).sealed)
        self.oracle.listed(self.list_runs())

    # --- steps: clients ---

    def started(self, name, token, reply):
        """Takes the answer to a call; None where it was refused."""
        try:
            record = reply()["run"]
        except Refused as error:
            self.say(f"  {name}/{token} is refused: {error}")
            self.oracle.seal(self.oracle.request(name, token), f"it was refused ({error})")
            return None
        self.say(f"  {name}/{token} is run {record['run']}, {record['state']}")
        self.read_notes()
        self.oracle.told(record)
        return record

    def start(self, name, token, pad=None):
        params = {"token": token, **({"pad": pad} if pad is not None else {})}
        self.oracle.ask(name, token, bool(pad) and len(pad) > 60)
        return self.started(name, token, lambda: self.lab.control.call("Runs.Start", job=name, params=params))

    def step_start(self, name, token, pad=None, wait=True):
        """Starts a run and, with WAIT, sees it do something."""
        record = self.start(name, token, pad)
        if record and wait and record["state"] == "running":
            request = self.oracle.request(name, token)

            def has_begun():
                return request.begins or request.sealed or any(seen.state != "running" for seen in request.runs)

            if request.job.has_notes:
                self.wait(f"the beginning of {request}", has_begun)

    def step_starts(self, name, tokens):
        """Calls that come at once; the answers are read."""
        for token in tokens:
            self.oracle.ask(name, token)
            self.lab.control.send("Runs.Start", job=name, params={"token": token})
        for token in tokens:
            self.started(name, token, lambda: self.lab.control.receive()[0])

    def step_cancel(self, name, token):
        """Cancels what there is of a request."""
        request = self.oracle.request(name, token)
        request.cancelled = True
        self.read_events()
        runs = [seen for seen in request.runs if not seen.final]
        if runs:
            self.cancel(runs, runs=[seen.id for seen in runs])

    def cancel(self, known, **what):
        """Cancels WHAT; KNOWN are the runs of which it is certain that they are meant."""
        called, done = clock(), NEVER
        try:
            self.lab.control.call_all("Runs.Cancel", "runs", **what)
            done = clock()
        except Refused:
            pass  # one has ended and is forgotten
        for seen in known:
            seen.called_off = seen.called_off or (called, done)

    def step_leave(self, name):
        """Lets what was lost leave what it had entered, and sees to it that it does."""
        left = [seen for seen in self.oracle.runs.values() if seen.job == name and not seen.final]
        gates = [gate for gate in self.gates_of(name) if gate.endswith(".exit")]
        self.let_go(gates)
        self.wait(f"the ends of lost runs of {name}", lambda: all(seen.final for seen in left))
        self.hold_back(gates)

    def step_release(self, name):
        """Lets those who wait at the gate of a job or of a group's members, and who come, go on; then shuts it again."""
        gates = self.gates_of(name)
        job = self.oracle.job_of(name)
        requests = [r for (job, _), r in self.oracle.requests.items() if job == name and r.runs and not r.sealed]
        self.let_go(gates)
        if not self.goes_on(job):
            self.wait(f"the end of runs of {name}", lambda: not any(is_under_way(request) for request in requests))
        self.hold_back(gates)

    def goes_on(self, job):
        """Whether only a cancel ends its runs."""
        return any(other.stays and not other.has_gate for other in [job, *map(self.oracle.job_of, job.members)])

    def gates_of(self, name):
        names = [name, *self.oracle.job_of(name).members]
        return [gate for name in names for gate in (name, name + ".exit") if gate in self.lab.gates]

    def let_go(self, gates):
        for gate in gates:
            self.oracle.closed_gates.discard(gate)
            self.lab.open_gate(gate)

    def hold_back(self, gates):
        for gate in gates:
            self.lab.close_gate(gate)
            self.oracle.closed_gates.add(gate)

    def step_pause(self, names):
        self.lab.control.call_all("Jobs.Pause", "jobs", jobs=names)

    def step_resume(self, names):
        self.lab.control.call_all("Jobs.Resume", "jobs", jobs=names)

    def step_pass(self, seconds):
        """Lets time pass, where a promise is about time."""
        end = time.monotonic() + seconds
        self.wait("the time", lambda: time.monotonic() > end)

    # --- steps: files ---

    def reload(self):
        try:
            self.lab.control.call("Manager.Reload")
            self.oracle.reloaded()
        except Refused as error:
            if not self.disk_full:
                raise Violation(0, f"a reload is refused: {error}") from None

    def step_away(self, name):
        """Takes the file of a job aside."""
        if name in self.in_files:
            os.rename(self.lab.path(f"jobs/{name}.job"), self.lab.path(f"aside/{name}.job"))
            self.in_files.discard(name)
            self.oracle.redefined(self.jobs[name], False)
        self.reload()

    def step_back(self, name):
        """Puts it back as it was."""
        if name not in self.in_files:
            os.rename(self.lab.path(f"aside/{name}.job"), self.lab.path(f"jobs/{name}.job"))
            self.in_files.add(name)
            self.oracle.redefined(self.jobs[name], True)
        self.reload()

    def step_change(self, name, field, value):
        """Gives a job another definition."""
        job = self.jobs[name]
        job.max_retries = max(job.max_retries, job.retries)
        job.steady = job.steady and field == "description"
        setattr(job, field, value)
        for member in job.members:
            # Each attempt of the group begins them anew.
            self.jobs[member].member_limit = max(self.jobs[member].member_limit, job.limit)
        if name in self.in_files:
            self.lab.write_job(name, job.text())
            self.oracle.redefined(job, True)
        else:
            self.lab.write(f"aside/{name}.job", job.text())
        self.reload()

    # --- steps: the daemon ---

    def step_stop(self):
        """A clean stop, and a start after which nothing is left to be done."""
        self.clean_stop()
        self.begin_life("stop")
        self.sing()

    def step_hurry(self):
        """Two signals: the second one says that nobody waits."""
        self.lab.signal(signal.SIGTERM)
        self.lab.signal(signal.SIGTERM)
        self.end_life(second=True)
        self.oracle.hurried()
        self.begin_life("hurry")
        self.sing()

    def step_kill(self, release=()):
        """A kill -9; with RELEASE, jobs are let go on in the same moment."""
        gates = [gate for name in release for gate in self.gates_of(name)]
        self.read_events()
        self.let_go(gates)
        self.lab.signal(signal.SIGKILL)
        self.lose_life()
        self.hold_back(gates)
        self.begin_life("crash")

    def step_kill_in_stop(self):
        self.lab.signal(signal.SIGTERM)
        self.lab.signal(signal.SIGKILL)
        if self.lab.peek_at_death() == 0:
            # Nothing was under way, and it was done before the second signal.
            self.end_life()
            self.oracle.stopped()
            self.begin_life("stop")
            return
        self.lose_life(True)
        self.begin_life("crash")

    def step_kill_flying(self, name, tokens):
        """Calls whose answers nobody reads, and a kill -9 in the middle of them."""
        for token in tokens:
            self.oracle.ask(name, token)
            self.lab.control.send("Runs.Start", job=name, params={"token": token})
        self.step_kill()

    def start_unheard(self, name, token):
        self.oracle.ask(name, token)
        self.lab.control.send("Runs.Start", job=name, params={"token": token})
        self.lab.peek_at_death()
        raise Gone(name)

    def step_killer(self, name, token, heard=True):
        """Starts a run that kills the daemon, again and again, until that is left alone.

        The daemon may die before its answer is read, or, where nobody has HEARD it, does.
        """
        request = self.oracle.request(name, token, True)
        self.goes_well(lambda: self.start(name, token) if heard else self.start_unheard(name, token))
        while not self.oracle.is_done(request):
            self.goes_well(lambda: self.wait(f"the end of {request}", lambda: self.oracle.is_done(request)))
        if not request.runs:
            return
        begins = sum(other.begins for (_, key), other in self.oracle.requests.items() if key == token)
        last = max(request.runs, key=lambda seen: seen.id)
        if begins > 2:
            violate(5, f"{request} was tried {begins} times")
        if request.job.limit > 2 and last.error != "poison":
            violate(5, f"run {last.id} of {request} ended two daemons in a row, and is told as {last.state} ({last.error})")
        self.sing()

    # --- steps: the disk ---

    def step_fill(self):
        """Fills the disk of the state directory to the last byte."""
        if not self.lab.has_small_disk:
            return
        self.disk_full = True
        with open(self.lab.path("state/filler"), "ab", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def step_free(self):
        if os.path.exists(self.lab.path("state/filler")):
            os.unlink(self.lab.path("state/filler"))
        self.disk_full = False

    def step_burst(self, name, tokens):
        """Many short runs at once."""
        self.many_at_once = True
        self.step_starts(name, tokens)

    def step_spoil(self, how, number, after):
        """Spoils the state directory, as spoil.py has it, between a daemon that ended as AFTER says and the next."""
        if after == "stop":
            self.clean_stop()
        else:
            self.read_events()
            self.lab.signal(signal.SIGKILL)
            self.lose_life()
        self.oracle.broke_state(how in spoil.DAMAGES)
        spoil.spoil(self.lab.path("state"), how, random.Random(number))
        self.begin_life(after)

    def step_lose(self, how):
        """The same below a daemon that runs."""
        self.oracle.broke_state()
        spoil.spoil(self.lab.path("state"), how, random.Random(0))

    # --- the end ---

    def settle(self):
        """Everything that was asked for comes to its end."""
        self.step_free()
        for name in sorted(set(self.jobs) - self.in_files):
            self.step_back(name)
        self.step_resume(["*"])
        self.let_go(self.lab.gates)
        end = time.monotonic() + REPEAT_PATIENCE
        while self.oracle.open_requests():
            self.cancel_all([job for job in self.jobs.values() if job.delay == "1h" or self.goes_on(job)])
            self.read_events(0.005)
            self.oracle.listed(self.list_runs())
            if time.monotonic() > end:
                self.complain(self.oracle.open_requests())

    def cancel_all(self, jobs):
        """Ends all runs of jobs."""
        for request in self.oracle.requests.values():
            request.cancelled |= request.job in jobs
        patterns = [job.name + "*" for job in jobs]
        if patterns:
            known = [seen for seen in self.oracle.runs.values() if not seen.final and self.oracle.job_of(seen.job) in jobs]
            self.cancel(known, jobs=patterns)

    def complain(self, requests):
        for request in requests:
            last = max(request.runs, key=lambda seen: seen.id)
            if last.state == "lost" and not request.damaged:
                violate(1, f"{request} was lost in attempt {last.attempts} of {request.job.limit}, and is not tried again")
            if last.state == "lost":
                self.oracle.seal(request, "it was lost")
                continue
            raise Violation(0, f"{request} does not end; run {last.id} is {last.state}")

    def ask_client(self, *arguments):
        """taktctl never fails, whatever happened."""
        result = subprocess.run([BUILD + "/taktctl", "--env", self.lab.directory, *arguments], capture_output=True,
                                timeout=PATIENCE, check=False)
        if result.returncode != 0:
            raise Violation(6, f"taktctl {' '.join(arguments)} fails: {result.stderr.decode(errors='replace')}")
        if "--json" in arguments:
            parse(result.stdout, "taktctl " + " ".join(arguments))

    def step_ask(self):
        for arguments in (("runs", "-n", "1000"), ("runs", "--json", "-n", "1000"), ("list", "--json")):
            self.ask_client(*arguments)
        for name in sorted(self.in_files):
            if not name.endswith("@"):
                self.ask_client("why", name)
                self.ask_client("why", "--json", name)

    def finish(self, ask_clients=False):
        """The last stop and start: nothing is left."""
        while not self.goes_well(self.settle) or not self.goes_well(self.sing):
            pass
        if ask_clients:
            self.step_ask()
        self.clean_stop()
        self.begin_life("stop")
        self.sing()
        if ask_clients:
            self.step_ask()
        self.clean_stop()
        self.oracle.check_left()
        eventually("the end of all processes", self.is_empty)

    def is_empty(self):
        self.lab.reap()
        return not self.lab.children()

    def do(self, steps):
        """Does STEPS, names with arguments."""
        for number, (name, arguments) in enumerate(steps, 1):
            self.say(f"{number:2} {name} {arguments}")
            self.read_events()
            self.goes_well(lambda: getattr(self, "step_" + name)(**arguments))  # pylint: disable=cell-var-from-loop

    def goes_well(self, step):
        """False: a run killed the daemon meanwhile, and there is another one now."""
        try:
            step()
            return True
        except Gone:
            self.lose_life()
            self.begin_life("crash")
            return False


def is_under_way(request):
    last = max(request.runs, key=lambda seen: seen.id)
    return not request.sealed and last.state == "running"
