#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a service manager is to taktd, as far as its descriptor store goes: keeps what it is sent over
# $NOTIFY_SOCKET (FDSTORE=1) until the other end hangs up, and hands it to each taktd that it starts.
#
#   descriptor-store.py SOCKET COMMANDS PID-FILE TAKTD [ARG…]
#
# Reads from the FIFO COMMANDS a word a line: "start" starts taktd and writes its pid, "wait" waits for its end
# and writes its status, "drop" forgets the descriptors, "count" writes their number, "quit" ends.
import array
import os
import select
import socket
import sys
import threading

notify_path, commands, answers, *argv = sys.argv[1:]
store = []
lock = threading.Lock()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(notify_path)


def receive():
    while True:
        fds = array.array("i")
        text, ancillary, _, _ = notify.recvmsg(8192, socket.CMSG_SPACE(64 * fds.itemsize))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        fields = dict(line.split("=", 1) for line in text.decode().splitlines())
        for fd in fds:
            if fields.get("FDSTORE") == "1":
                with lock:
                    store.append((fd, fields.get("FDNAME", "stored")))
            else:
                os.close(fd)


def sweep():
    with lock:
        for entry in list(store):
            poll = select.poll()
            poll.register(entry[0], 0)
            if poll.poll(0):
                os.close(entry[0])
                store.remove(entry)


def start():
    sweep()
    pid = os.fork()
    if pid:
        return pid
    copies = [os.dup2(os.dup(fd), 200 + i) for i, (fd, _) in enumerate(store)]
    for i, fd in enumerate(copies):
        os.dup2(fd, 3 + i, inheritable=True)
    os.closerange(3 + len(copies), 400)
    os.environ.update(
        NOTIFY_SOCKET=notify_path, FDSTORE="16", LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(copies)),
        LISTEN_FDNAMES=":".join(name for _, name in store))
    os.execvp(argv[0], argv)


def answer(text):
    with open(answers + ".new", "w") as f:
        f.write(f"{text}\n")
    os.rename(answers + ".new", answers)


threading.Thread(target=receive, daemon=True).start()
pid = 0
for line in iter(lambda: open(commands).readline().strip(), "quit"):
    if line == "start":
        pid = start()
        answer(pid)
    elif line == "wait":
        answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    elif line == "drop":
        with lock:
            for fd, _ in store:
                os.close(fd)
            store.clear()
        answer("dropped")
    elif line == "count":
        sweep()
        answer(len(store))
