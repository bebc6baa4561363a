"""A loopback site whose manners a test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(ThreadingHTTPServer):
    """Serves `files`; the first `breaks` answers end after `keep` bytes; `ranges` tells whether it resumes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.breaks, self.keep, self.ranges = 0, 0, True
        self.asked: list[str] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, body = self.server, self.server.files.get(self.path.strip("/"))
        asked = self.headers.get("Range", "")
        site.asked.append(asked)
        if body is None:
            self.send_error(404)
            return
        start = int(asked[len("bytes=") : -1]) if asked and site.ranges else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if site.breaks > 0:
            site.breaks -= 1
            body = body[: start + site.keep]
        self.wfile.write(body[start:])

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()
