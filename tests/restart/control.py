# SPDX-License-Identifier: LGPL-2.1-or-later
"""Varlink as takt speaks it, read by a reader that forgives nothing."""
import json
import re
import select
import socket
import time

PATIENCE = 60  # seconds that a loaded machine may take for anything


class Violation(Exception):
    """A promise that does not hold; promise 0 is that everything else works at all."""

    def __init__(self, promise, text):
        super().__init__(text)
        self.promise = promise


tolerated = []  # patterns of what is known to be wrong, and not looked at


def violate(promise, text):
    """A promise does not hold. Returns where that is known."""
    if not any(re.search(pattern, text) for pattern in tolerated):
        raise Violation(promise, text)


class Gone(Exception):
    """The daemon closed the connection."""


class Refused(Exception):
    """The daemon answered with an error, whose name is the text."""


def _refuse_constant(text):
    raise ValueError(f"{text} is no JSON")


def _refuse_twice(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"a name comes twice in {names}")
    return dict(pairs)


def parse(data, source):
    """The JSON value of bytes; whatever is not quite right breaks promise 6."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
        if re.search(rb"\\u[dD][89a-fA-F]", data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # no half of a pair
    except (ValueError, UnicodeError, RecursionError) as error:
        raise Violation(6, f"{source} answers with what is no JSON ({error}): {data[:2000]!r}") from None
    return value


class Connection:
    """A client of the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.data = bytearray()
        self.ended = False
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def send(self, method, more=False, **parameters):
        call = {"method": "io.takt." + method, "parameters": parameters}
        if more:
            call["more"] = True
        try:
            self.socket.sendall(json.dumps(call).encode() + b"\0")
        except OSError:
            raise Gone(method) from None

    def fill(self, seconds):
        """Reads what there is, waiting for it at most so long. False: there was nothing."""
        if self.ended or not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        self.ended = not data
        self.data += data
        return bool(data)

    def take(self):
        """The next whole message, or None."""
        end = self.data.find(b"\0")
        if end < 0:
            return None
        message = bytes(self.data[:end])
        del self.data[:end + 1]
        return parse(message, "taktd")

    def receive(self):
        """A reply, and whether more of them follow."""
        end = time.monotonic() + PATIENCE
        while (reply := self.take()) is None:
            if self.ended:
                raise Gone("no reply")
            if not self.fill(1) and time.monotonic() > end:
                raise Violation(0, "taktd does not answer")
        if "error" in reply:
            raise Refused(reply["error"])
        return reply.get("parameters", {}), reply.get("continues", False)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()[0]

    def call_all(self, method, field, **parameters):
        """The list FIELD out of all replies."""
        self.send(method, more=True, **parameters)
        result, more = [], True
        while more:
            reply, more = self.receive()
            result += reply[field]
        return result

    def close(self):
        self.socket.close()
