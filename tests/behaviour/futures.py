# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waits for one run by COUNT clients at once. usage: futures.py SOCKET RUN COUNT. Says "ready" once all wait;
closes every fourth connection when it reads a line; then prints how many were told what."""
import collections
import json
import os
import resource
import socket
import sys

path, run, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def call(client, method, **parameters):
    client.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")


def receive(client):
    data = b""
    while not data.endswith(b"\0"):
        part = client.recv(1 << 16)
        if not part:
            return None
        data += part
    return json.loads(data[:-1])


clients = []
for i in range(count):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    call(client, "io.takt.Runs.Wait", runs=[run], **({"timeoutUsec": 1000} if i % 10 == 1 else {}))
    clients.append(client)

# Who gives up is answered first; the last one has connected, so that all calls before have been read.
told = collections.Counter(receive(client)["error"].split(".")[-1] for i, client in enumerate(clients) if i % 10 == 1)
probe = socket.socket(socket.AF_UNIX)
probe.connect(path)
call(probe, "io.takt.Manager.Ping")
receive(probe)
print("ready", flush=True)
sys.stdin.readline()
for i, client in enumerate(clients):
    if i % 4 == 0:
        client.close()
print("closed", flush=True)
for i, client in enumerate(clients):
    if i % 4 != 0 and i % 10 != 1:
        told[receive(client)["parameters"]["runs"][0]["state"]] += 1
print(json.dumps(told, sort_keys=True), flush=True)
os._exit(0)
