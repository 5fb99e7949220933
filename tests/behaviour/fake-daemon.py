#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon with canned answers on ENV/run/takt.sock, for what a real one hardly ever says.

fake-daemon.py SOCKET ANSWERS: ANSWERS is a JSON file {method: [message, ...]}. A message is sent as it is; the
strings "close", "garbage" and "silence" stand for what they say; "hold" waits until there is a file ANSWERS.go.
Calls are written to ANSWERS.calls, one a line.
"""
import json
import os
import socket
import sys
import threading
import time

path, answers_path = sys.argv[1:3]
with open(answers_path, encoding="utf-8") as f:
    answers = json.load(f)
calls = open(answers_path + ".calls", "w", encoding="utf-8")


def serve(connection):
    data = b""
    while True:
        more = connection.recv(65536)
        if not more:
            return
        data += more
        while b"\0" in data:
            message, data = data.split(b"\0", 1)
            call = json.loads(message)
            calls.write(json.dumps(call) + "\n")
            calls.flush()
            for answer in answers.get(call["method"], [{"error": "org.varlink.service.MethodNotFound",
                                                        "parameters": {"method": call["method"]}}]):
                if answer == "close":
                    connection.close()
                    return
                if answer == "silence":
                    continue
                if answer == "hold":
                    while not os.path.exists(answers_path + ".go"):
                        time.sleep(0.01)
                    continue
                try:
                    connection.sendall(b"{]\0" if answer == "garbage" else json.dumps(answer).encode() + b"\0")
                except OSError:
                    return  # the client has heard enough


listener = socket.socket(socket.AF_UNIX)
os.chdir(os.path.dirname(path))
listener.bind(os.path.basename(path))
listener.listen()
while True:
    peer, _ = listener.accept()
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
