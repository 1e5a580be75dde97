"""A server in front of another one, which hands requests on unless it has an answer of its own."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request; the names of headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answered:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: str | None = None
    """What a HEAD says of a body that does not come."""


Hand = Callable[[Asked], Answered]
"""Hands a request on."""
Decide = Callable[[Asked, Hand], Answered]
"""Answers a request, maybe by handing it on."""


@contextmanager
def forwarding(upstream: str, decide: Decide) -> Iterator[str]:
    """Serves in front of `upstream` on threads of this process; yields the address."""
    place = urlsplit(upstream)

    def hand(asked: Asked) -> Answered:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name not in HOP_BY_HOP and name != "expect":
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(asked.body)))
            connection.endheaders(asked.body)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            length = answer.getheader("Content-Length")
            return Answered(status=answer.status, headers=headers, body=answer.read(), length=length)
        finally:
            connection.close()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            names = {name.lower() for name in self.headers}
            headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}  # `Accept` comes often
            asked = Asked(method=self.command, path=self.path, headers=headers, body=b"".join(self._body()))
            answer = decide(asked, hand)
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = answer.length if self.command == "HEAD" else str(len(answer.body))
            if length is not None and answer.status != http.HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

        def _body(self) -> Iterator[bytes]:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
                return
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, *_: object) -> None:
            """Nothing: whoever was asking has gone, or was killed."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
