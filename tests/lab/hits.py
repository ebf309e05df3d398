"""A web server on loopback that counts who asks: the only witness that a page loads nothing from elsewhere.

A browser's tools do not see requests of a sandboxed frame; a socket does. Assert a zero only beside a
control: a request that must be counted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hits:
    """`url` is where to load from; `paths` is what was asked for so far."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.paths: list[str] = []
        self._more = threading.Condition()

    def add(self, path: str) -> None:
        """Somebody asked for this."""
        with self._more:
            self.paths.append(path)
            self._more.notify_all()

    def wait_for(self, path: str, seconds: float = 10) -> bool:
        """Whether this was asked for within that time."""
        with self._more:
            return self._more.wait_for(lambda: path in self.paths, seconds)


@contextlib.contextmanager
def counting_server() -> Iterator[Hits]:
    """A server that answers everything with an empty page, and counts it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.add(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hits = Hits(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hits
        finally:
            server.shutdown()
            thread.join()
