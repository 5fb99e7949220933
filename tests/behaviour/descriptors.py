#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that take every connection there is leave descriptors for commands."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.environ["TAKT_SRCDIR"], "tests/bench"))
import takt  # noqa: E402  pylint: disable=wrong-import-position

os.environ.pop("TAKT_ENV", None)
JOBS = {"command": "[Job]\nType=exec\n[Exec]\nCommand=/bin/true\n"}

with takt.Daemon(JOBS, prefix=("prlimit", "--nofile=64:64")) as daemon:
    limits = daemon.control.call("io.takt.Manager.Info")["limits"]
    idle = []
    for _ in range(100):
        client = socket.socket(socket.AF_UNIX)
        client.connect(daemon.directory + "/run/takt.sock")
        idle.append(client)
    daemon.control.call("io.takt.Manager.Ping")
    for _ in range(5):
        run = daemon.control.call("io.takt.Runs.Start", job="command")["run"]["run"]
        run = daemon.control.call("io.takt.Runs.Wait", runs=[run])["runs"][0]
        if run["state"] != "succeeded":
            sys.exit(f"a command beside 100 clients: {run['state']}, {run['error']}")
    if limits["MaxConnections"] != 32:
        sys.exit(f"the cap in force is told as {limits['MaxConnections']}")
    if limits["HttpMaxConnections"] != 16:
        sys.exit(f"the cap of HTTP connections in force is told as {limits['HttpMaxConnections']}")
