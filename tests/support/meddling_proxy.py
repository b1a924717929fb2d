"""A server between a client and another server, which meddles with what passes through."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Passing:
    """A request on its way to the server; whoever meddles changes its body or answers it."""

    method: str
    path: str
    headers: Message
    body: bytes
    answer: tuple[int, bytes] | None = None
    is_cut: bool = False


Meddle = Callable[[Passing], None]


@contextmanager
def meddling_proxy(endpoint: str, meddle: Meddle) -> Iterator[str]:
    """Run a proxy before a server that speaks HTTP, and yield the proxy's endpoint."""
    host = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passing = Passing(self.command, self.path, self.headers, body)
            meddle(passing)
            if passing.is_cut:
                self.close_connection = True
                return
            if passing.answer is not None:
                self.reply(passing.answer[0], {}, passing.answer[1])
                return
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request(self.command, self.path, passing.body, dict(self.headers.items()))
            answer = connection.getresponse()
            self.reply(answer.status, dict(answer.getheaders()), answer.read())
            connection.close()

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            is_head = self.command == "HEAD"
            length = headers.get("Content-Length", "0") if is_head else str(len(body))
            if status != 204:
                self.send_header("Content-Length", length)
            self.end_headers()
            if not is_head:
                self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_PUT()

        def do_HEAD(self) -> None:
            self.do_PUT()

        def do_DELETE(self) -> None:
            self.do_PUT()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
