# SPDX-License-Identifier: LGPL-2.1-or-later
"""A taktd of a benchmark's own: its environment, its process and its control socket."""
import datetime
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

BUILD = os.environ["TAKT_BUILDDIR"]
TICK = os.sysconf("SC_CLK_TCK")


def lateness(runs, period):
    """How late each occurrence of a job was, in us; of those missed, how late the run was that stood in."""
    late, last = [], None
    for run in runs:
        scheduled = datetime.datetime.fromisoformat(run["scheduled"].replace("Z", "+00:00"))
        missed = round((scheduled - last).total_seconds() * 1e6 / period) - 1 if last else 0
        late += [run["latenessUsec"] + i * period for i in range(missed + 1)]
        last = scheduled
    return late


class Varlink:
    """A connection to a Varlink service."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.data = b""

    def send(self, method, more=False, **parameters):
        call = {"method": method, "parameters": parameters}
        if more:
            call["more"] = True
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.data:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError
            self.data += data
        message, self.data = self.data.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            raise RuntimeError(message.decode())
        return reply["parameters"]

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()

    def close(self):
        self.socket.close()


class Daemon:
    """taktd with JOBS, the texts of its job files by name, and SETTINGS, lines of takt.conf; started by PREFIX."""

    def __init__(self, jobs, settings=(), prefix=()):
        self.directory = tempfile.mkdtemp(prefix="takt-bench-")
        self.measured = ["*"]  # the jobs that pause() and resume() are about
        try:
            subprocess.run([BUILD + "/taktctl", "-q", "env", "create", self.directory], check=True)
            with open(self.directory + "/takt.conf", "a", encoding="ascii") as file:
                file.write("\n".join(("[Daemon]", *settings, "")))
            for name, text in jobs.items():
                with open(f"{self.directory}/jobs/{name}.job", "w", encoding="ascii") as file:
                    file.write(text)
            self.log = open(self.directory + "/log", "w", encoding="ascii")
            self.started = time.monotonic()
            self.process = subprocess.Popen([*prefix, BUILD + "/taktd", "--env", self.directory, "--log-level", "err"],
                                            stdout=self.log, stderr=self.log)
            self.control = self.connect()
            self.control.call("io.takt.Manager.Ping")
            self.start_seconds = time.monotonic() - self.started
        except BaseException:
            self.close()
            raise

    def connect(self):
        end = time.monotonic() + 60
        while True:
            try:
                return Varlink(self.directory + "/run/takt.sock")
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    with open(self.directory + "/log", encoding="ascii", errors="replace") as log:
                        raise SystemExit("taktd does not start: " + log.read()) from None
                time.sleep(0.002)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        process = getattr(self, "process", None)
        if process:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def runs(self):
        """How many runs there are under way and ended, by state."""
        return self.control.call("io.takt.Manager.Info")["runs"]

    def ended(self):
        return self.runs().get("succeeded", 0)

    def pause(self):
        """Holds all schedules back and waits for the runs under way."""
        self.control.call("io.takt.Jobs.Pause", jobs=self.measured)
        self.wait(lambda runs: not any(runs.get(state) for state in ("queued", "running", "retrying")))

    def resume(self):
        self.control.call("io.takt.Jobs.Resume", jobs=self.measured)

    def wait(self, condition, seconds=60):
        """Waits until CONDITION holds for runs()."""
        end = time.monotonic() + seconds
        while not condition(self.runs()):
            if time.monotonic() > end:
                raise SystemExit(f"still waiting: {self.runs()}")
            time.sleep(0.02)

    def rate(self, seconds):
        """Runs a second that succeed, in a stretch of time once it is at its pace."""
        self.resume()
        time.sleep(0.2)
        begin, before = time.monotonic(), self.ended()
        time.sleep(seconds)
        rate = (self.ended() - before) / (time.monotonic() - begin)
        self.pause()
        return rate

    def pids(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return [self.process.pid, *map(int, file.read().split())]

    def memory(self, field):
        """Bytes of FIELD of smaps_rollup, of the daemon and its helpers."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(field + ":"))
        return total * 1024

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK
