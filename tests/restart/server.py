# SPDX-License-Identifier: LGPL-2.1-or-later
"""What HTTP jobs ask: http://…/BEHAVIOUR/JOB/TOKEN answers well, badly, badly at first, or never."""
import collections
import http.server
import threading


class Server:
    """A server on loopback, in threads of this process."""

    def __init__(self):
        asked = collections.Counter()
        closing = self.closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers what the path says."""

            def do_GET(self):  # pylint: disable=invalid-name
                behaviour = self.path.split("/")[1]
                asked[self.path] += 1
                if behaviour == "stay":
                    closing.wait()
                    return
                well = behaviour == "ok" or behaviour == "flaky" and asked[self.path] > 1
                self.send_response(200 if well else 500)
                self.send_header("Content-Length", "1")
                self.end_headers()
                self.wfile.write(b"1")

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            """Clients may go away."""

            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
