# SPDX-License-Identifier: LGPL-2.1-or-later
"""An environment of a test's own and the daemons that live on it, one after the other."""
import ctypes
import os
import shutil
import signal
import tempfile
import time

from control import PATIENCE, Connection, Gone, Violation

BUILD = os.environ.get("TAKT_BUILDDIR") or os.path.realpath(os.path.dirname(__file__) + "/../../build")
HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
DISK_BYTES = 512 * 1024  # of the small disk
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper():
    """What a daemon that is killed leaves behind becomes a child of this process, which can then end it."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter_mount_namespace():
    """Whether this process may mount file systems that nobody else sees."""
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(CLONE_NEWNS) != 0:
        if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
            return False
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)
    return _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


def eventually(what, condition, step=0.002):
    """Waits until CONDITION holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Violation(0, f"{what}: never came true")
        time.sleep(step)


class Lab:
    """The directory, the files in it, and the daemon, where there is one."""

    def __init__(self, small_disk=False):
        self.directory = tempfile.mkdtemp(prefix="takt-restart-")
        self.notes = self.path("notes")
        self.pid = None
        self.lives = 0
        self.statuses = {}  # of children that were reaped, by pid
        self.control = self.watch = None
        self.gates = {}
        self.has_small_disk = False
        for name in ("jobs", "bin", "state", "run", "gates", "locks", "aside", "data"):
            os.mkdir(self.path(name))
        os.symlink(HERE + "/act", self.path("bin/act"))
        self.write("takt.conf", "")
        self.write("notes", "")
        if small_disk and enter_mount_namespace():
            size = f"size={DISK_BYTES}".encode()
            self.has_small_disk = _libc.mount(b"none", self.path("state").encode(), b"tmpfs", 0, size) == 0
        become_subreaper()

    def path(self, name):
        return f"{self.directory}/{name}"

    def write(self, name, text):
        """Puts a file in its place at once."""
        with open(self.path(name) + "~", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path(name) + "~", self.path(name))

    def write_job(self, name, text):
        self.write(f"jobs/{name}.job", text)

    # --- gates ---

    def make_gate(self, name):
        path = self.path("gates/" + name)
        os.mkfifo(path)
        self.gates[name] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def open_gate(self, name):
        """Lets through who waits and who comes."""
        if name in self.gates:
            self.write(f"gates/{name}.open", "")
            os.write(self.gates[name], b"\n" * 256)

    def close_gate(self, name):
        if name in self.gates:
            os.unlink(self.path(f"gates/{name}.open"))
            try:
                os.read(self.gates[name], 65536)
            except BlockingIOError:
                pass

    # --- processes ---

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.statuses[pid] = status

    def children(self):
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def end_children(self):
        """Whoever is left goes with the test."""
        end = time.monotonic() + PATIENCE
        while (pids := self.children()) and time.monotonic() < end:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.001)

    def log_text(self):
        with open(self.path("log"), encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    # --- the daemon ---

    def spawn(self):
        """Begins a life of the daemon."""
        self.lives += 1
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        environment.pop("TAKT_ENV", None)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_OPEN, fd, self.path("log"), flags, 0o644) for fd in (1, 2)]
        arguments = ["taktd", "--env", self.directory, "--log-target", "console"]
        self.pid = os.posix_spawn(BUILD + "/taktd", arguments, environment, file_actions=actions)

    def is_dead(self):
        self.reap()
        return self.pid in self.statuses

    def connect(self):
        """Waits until the daemon answers. False: it has ended instead."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.control = Connection(self.path("run/takt.sock"))
                self.control.call("Manager.Ping")
                self.watch = Connection(self.path("run/takt.sock"))
                self.watch.send("Runs.Watch", more=True)
                return True
            except (OSError, Gone):
                if self.is_dead():
                    return False
                if time.monotonic() > end:
                    raise Violation(0, "taktd does not answer after its start") from None
                time.sleep(0.002)

    def wait_for_death(self):
        """Its status, as waitpid() has it."""
        status = self.peek_at_death()
        self.pid = None
        return status

    def peek_at_death(self):
        """The same, before somebody else asks for it."""
        eventually("the end of taktd", self.is_dead)
        return self.statuses[self.pid]

    def signal(self, signo):
        if not self.is_dead():
            os.kill(self.pid, signo)

    def disconnect(self):
        for connection in (self.control, self.watch):
            if connection:
                connection.close()
        self.control = self.watch = None

    def close(self):
        """Nothing of the test is left."""
        self.disconnect()
        self.end_children()
        for fd in self.gates.values():
            os.close(fd)
        if self.has_small_disk:
            _libc.umount2(self.path("state").encode(), 2)
        shutil.rmtree(self.directory, ignore_errors=True)
