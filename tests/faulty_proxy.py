"""A proxy before an object store that fails as networks do: replies are lost, connections break before or within a put.

Each put is asked about at `fault_of`, which says what becomes of it; all else passes.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "lose", "drop", "refuse", "cut"]
"""`lose`: written, answered with 500. `drop`: written, hung up. `refuse`: hung up at once. `cut`: hung up half-way."""


class FaultyProxy:
    """What stands before the server at `endpoint`; its own address is `url`."""

    def __init__(self, endpoint: str) -> None:
        self.url = ""
        self.fault_of: Callable[[], Fault] = lambda: ""
        self._server = urlsplit(endpoint).netloc
        self._lock = Lock()

    def fail(self, *faults: Fault) -> None:
        """The next puts fail like this, one after the other; those after them pass."""
        rest = iter(faults)
        self.fault_of = lambda: next(rest, "")

    def fail_each(self, nth: int, how: Fault) -> None:
        numbers = count(1)
        self.fault_of = lambda: how if next(numbers) % nth == 0 else ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._lock:
            fault = self.fault_of() if handler.command == "PUT" else ""
        if fault == "refuse":
            handler.close_connection = True
            return
        connection = http.client.HTTPConnection(self._server, timeout=60)
        try:
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body[: len(body) // 2] if fault == "cut" else body)
            if fault == "cut":
                handler.close_connection = True
                return
            reply = connection.getresponse()
            content = reply.read()
            if fault == "drop":
                handler.close_connection = True
            elif fault == "lose":
                handler.send_response(500)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            else:
                self._pass_on(handler, reply, content)
        finally:
            connection.close()

    def _pass_on(self, handler: BaseHTTPRequestHandler, reply: http.client.HTTPResponse, content: bytes) -> None:
        handler.send_response_only(reply.status, reply.reason)
        length = reply.headers.get("Content-Length") if handler.command == "HEAD" else None
        for name, value in reply.headers.items():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", length or str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def before(endpoint: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(endpoint)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_any(self) -> None:
            proxy.answer(self)

        do_GET = do_HEAD = do_PUT = do_POST = handle_any  # noqa: N815

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up first is no news here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
