#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control socket under load: slow clients, watchers that never read, clients that vanish in a call.

usage: control-load.py [SECONDS [NOFILE]]     half of SECONDS (60) with 64 descriptors, half with the default limits;
                                              or all of it with NOFILE descriptors, 0: with the default limits

All that while a good client pings, a job of 10 ms runs and another starts commands. Fails where taktd
dies, holds more memory than MEMORY_MAX, answers or starts the job too late, or where a command fails.
"""
import errno
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
import takt  # noqa: E402  pylint: disable=wrong-import-position

SLOW_CLIENTS = 1000
DEAF_WATCHERS = 100
VANISHING_A_SECOND = 50
MEMORY_MAX = (256 + 64) * 2**20 + 20e6  # VARLINK_MAX_HELD, STORE_KEEP_BYTES_TOTAL and what a daemon has anyway
PING_P99_MAX = 0.1  # seconds
TICK = 10000  # µs, the period of the job
LATENESS_P99_MAX = 10000  # µs more than that of a timerfd beside it
SLOW_CALL = b'{"method":"io.takt.Manager.Ping","parameters":' + b" " * 100000 + b"{}}\0"
WATCH = b'{"method":"io.takt.Runs.Watch","more":true}\0'
VANISHING = (
    b'{"method":"io.takt.Runs.Wait","parameters":{"runs":[1]}}\0',
    b'{"method":"io.takt.Runs.Start","more":true,"parameters":{"job":"hold"}}\0',
    b'{"method":"io.takt.Runs.List","parameters":{}}\0' * 50,
    b'{"method":"io.takt.Runs.Watch","more":true}\0',
    b'{"method":"io.takt.Jobs.Li',
    b"\0",
    b"[" * 10000,
)


class Clients:
    """The bad ones, in a process of their own."""

    def __init__(self, path):
        self.path = path
        self.slow = [None] * SLOW_CLIENTS
        self.sent = [0] * SLOW_CLIENTS
        self.deaf = [None] * DEAF_WATCHERS

    def connect(self, first):
        """Sends FIRST; None where the daemon lets nobody in now."""
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(self.path)
            client.send(first)
            return client
        except OSError:
            client.close()
            return None

    def feed(self, i):
        """A byte of a slow client, which begins anew where it was turned away."""
        if not self.slow[i]:
            self.slow[i] = self.connect(b"{")
            self.sent[i] = 1
            return
        try:
            self.slow[i].send(SLOW_CALL[self.sent[i]:self.sent[i] + 1])
            self.sent[i] += 1
        except OSError as error:
            if error.errno != errno.EAGAIN:
                self.slow[i].close()
                self.slow[i] = None

    def check_deaf(self, i):
        """Sends what takt does not read either, to see whether the connection is still there."""
        if self.deaf[i]:
            try:
                self.deaf[i].send(b" ")
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    self.deaf[i].close()
                    self.deaf[i] = None
        else:
            self.deaf[i] = self.connect(WATCH)

    def run(self):
        slices = 50
        begin = time.monotonic()
        turn = 0
        while True:
            for i in range(turn % slices, SLOW_CLIENTS, slices):
                self.feed(i)
            for i in range(turn % slices, DEAF_WATCHERS, slices):
                self.check_deaf(i)
            for _ in range(VANISHING_A_SECOND // slices):
                client = self.connect(random.choice(VANISHING))
                if client:
                    client.close()
            turn += 1
            time.sleep(max(0, begin + turn / slices - time.monotonic()))


def start_clients(path):
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
            Clients(path).run()
        finally:
            os._exit(1)
    return pid


def watch(connection, events):
    """Collects what happens to the jobs that must go on."""
    try:
        while True:
            events.append(connection.receive()["event"])
    except (OSError, EOFError):
        pass


def percentile(values, percent):
    return sorted(values)[len(values) * percent // 100]


JOBS = {
    "tick": "[Job]\nType=sleep\n[Schedule]\nEvery=10ms\n[Sleep]\nDuration=0\n",
    "command": "[Job]\nType=exec\n[Schedule]\nEvery=200ms\n[Exec]\nCommand=/bin/true\n",
    "hold": "[Job]\nType=sleep\n[Schedule]\nOverlap=parallel\n[Sleep]\nDuration=1s\n",
    **{f"busy-{i}": "[Job]\nType=sleep\n[Schedule]\nEvery=100ms\n[Sleep]\nDuration=0\n" for i in range(20)},
}


def phase(name, seconds, prefix):
    """Returns what went wrong."""
    pings, events, memory = [], [], 0
    with takt.Daemon(JOBS, ("MaxConnectionsPerUser=4096",), prefix) as daemon:
        watcher = daemon.connect()
        watcher.send("io.takt.Runs.Watch", more=True, jobs=["tick", "command"],
                     events=["succeeded", "failed", "timeout", "missed", "skipped"])
        threading.Thread(target=watch, args=(watcher, events), daemon=True).start()
        cpu = daemon.cpu_seconds()
        timer = subprocess.Popen([takt.BUILD + "/tests/bench/peers", "timer", str(TICK), str(seconds)],
                                 stdout=subprocess.PIPE, text=True)
        clients = start_clients(daemon.directory + "/run/takt.sock")
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begin = time.monotonic()
                daemon.control.call("io.takt.Manager.Ping")
                pings.append(time.monotonic() - begin)
                if len(pings) % 20 == 0:
                    memory = max(memory, daemon.memory("Pss"))
                time.sleep(0.01)
        except (OSError, EOFError):
            return [f"{name}: taktd " + ("is gone" if daemon.process.poll() is not None else "dropped a good client")]
        finally:
            os.kill(clients, signal.SIGKILL)
            os.waitpid(clients, 0)
            bare = float(timer.communicate()[0].split()[1])
        cpu = (daemon.cpu_seconds() - cpu) / seconds

    own = [e for e in events if "job" in e and e["event"] not in ("present", "live", "overflow")]
    late = takt.lateness([e["data"] for e in own if e["job"] == "tick" and e["event"] == "succeeded"], TICK)
    commands = [e["event"] for e in own if e["job"] == "command"]
    bad = sum(event in ("failed", "timeout") for event in commands)
    overflows = sum(e["event"] == "overflow" for e in events)
    if not late or not commands:
        return [f"{name}: {len(late)} runs of the job of 10 ms, {len(commands)} commands"]
    ping, lateness = percentile(pings, 99), percentile(late, 99)
    print(f"{name}: {len(pings)} pings, {1000 * percentile(pings, 50):.1f} ms in the median, {1000 * ping:.1f} at p99, "
          f"{1000 * max(pings):.1f} at worst; {len(late)} runs late by {percentile(late, 50)} us, {lateness} at p99, "
          f"{max(late)} at worst, a timerfd by {bare:.0f} at p99; {len(commands)} commands, {bad} failed; "
          f"PSS {memory / 1e6:.0f} MB at most; {100 * cpu:.0f} % of a core", flush=True)
    return [f"{name}: {what}" for what, wrong in (
        (f"{memory / 1e6:.0f} MB held", memory > MEMORY_MAX),
        ("pings too slow", ping > PING_P99_MAX),
        ("jobs too late", lateness > bare + LATENESS_P99_MAX),
        (f"{bad} commands failed", bad > 0),
        ("a watcher that reads lost events", overflows > 0),
    ) if wrong]


def limited(nofile, seconds):
    if nofile:
        return phase(f"{nofile} descriptors", seconds, ("prlimit", f"--nofile={nofile}:{nofile}"))
    return phase("default limits", seconds, ())


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    limits = [int(sys.argv[2])] if len(sys.argv) > 2 else [64, 0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    wrong = [line for nofile in limits for line in limited(nofile, seconds / len(limits))]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
