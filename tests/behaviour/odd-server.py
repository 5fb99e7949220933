#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An HTTP server that does what the path asks for: late, broken, endless or hostile answers.

usage: odd-server.py PORT-FILE     (the port is written there when it listens on 127.0.0.1)
"""
import gzip
import os
import socket
import sys
import threading
import time

CHUNK = b"x" * 65536


def reply(conn, status="200 OK", headers=(), body=b""):
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    conn.sendall("\r\n".join(lines).encode() + body)
    return True


def raw(data, hold=False):
    def handler(conn, _request):
        conn.sendall(data)
        while hold and conn.recv(4096):
            pass
        return False
    return handler


def never(conn, _request):
    conn.recv(1)  # until the client gives up
    return False


def late(conn, request):
    time.sleep(float(request["query"] or "0.8"))
    return reply(conn, body=b'{"late": true}')


def endless(conn, _request):
    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        conn.sendall(CHUNK)


def endless_headers(conn, _request):
    conn.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        conn.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")


def echo(conn, request):
    return reply(conn, headers=["Content-Type: text/plain"], body=request["raw"])


def packed(conn, _request):
    return reply(conn, headers=["Content-Encoding: gzip", "Content-Type: application/json"],
                 body=gzip.compress(b'{"packed": true}'))


def bomb(conn, _request):
    return reply(conn, headers=["Content-Encoding: gzip"], body=gzip.compress(bytes(32 << 20)))


def redirect(to):
    def handler(conn, _request):
        port = conn.getsockname()[1]
        return reply(conn, "302 Found", [f"Location: {to.format(port=port)}"])
    return handler


def digest(conn, request):
    if b"\r\nAuthorization: Digest " in request["raw"]:
        return reply(conn, body=b"welcome")
    return reply(conn, "401 Unauthorized", ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'])


def tagged(conn, request):
    """A version of the same name, whatever the query."""
    if b'\r\nIf-None-Match: "one"\r\n' in request["raw"]:
        return reply(conn, "304 Not Modified", ['ETag: "one"'])
    return reply(conn, headers=['ETag: "one"', "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT"],
                 body=b"new" + request["query"].encode())


def close_after(conn, _request):
    reply(conn, body=b"bye")
    return False


PATHS = {
    "/never": never,
    "/late": late,
    "/endless": endless,
    "/endless-headers": endless_headers,
    "/echo": echo,
    "/gzip": packed,
    "/bomb": bomb,
    "/digest": digest,
    "/tagged": tagged,
    "/close-after": close_after,
    "/close": raw(b""),
    "/half": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\": "),
    "/half-hold": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\": ", hold=True),
    "/huge": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", hold=True),
    "/garbage": raw(b"220 mail.example ESMTP\r\n\r\n"),
    "/bad-gzip": raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnothing"),
    "/loop": redirect("/loop"),
    "/moved": redirect("/echo"),
    "/to-ftp": redirect("ftp://127.0.0.1/"),
    "/to-file": redirect("file:///etc/passwd"),
    "/elsewhere": redirect("http://localhost:{port}/echo"),
}


def read_request(conn, buffer):
    while b"\r\n\r\n" not in buffer:
        data = conn.recv(65536)
        if not data:
            return None, b""
        buffer += data
    head, rest = buffer.split(b"\r\n\r\n", 1)
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            length = int(value)
    while len(rest) < length:
        data = conn.recv(65536)
        if not data:
            return None, b""
        rest += data
    target = head.split(b" ")[1].decode()
    if "://" in target:  # we are somebody's proxy
        target = "/" + target.split("/", 3)[3]
    path, _, query = target.partition("?")
    return {"path": path, "query": query, "raw": head + b"\r\n\r\n" + rest[:length]}, rest[length:]


def serve(conn):
    buffer = b""
    try:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            request, buffer = read_request(conn, buffer)
            if request is None:
                return
            handler = PATHS.get(request["path"])
            if not (handler(conn, request) if handler else reply(conn, "404 Not Found", body=b"no such path")):
                return
    except OSError:
        pass
    finally:
        conn.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


main()
