"""One client's connection: the usual request is answered as it comes, slow clients and improper ones are put off.

The usual request asks for little work and is there with one read. It is answered on the spot, which costs half of what
an ASGI task costs; every other one goes the server's own way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from mlops_ci.scoring.app import CONNECTIONS, MAX_BODY_BYTES, Application, Fields
from mlops_ci.scoring.messages import Response
from mlops_ci.scoring.metrics import OTHER

REQUEST_SECONDS = 15.0
"""A request has to have come after so long, and after the time that its bytes take at BYTES_PER_SECOND."""
BYTES_PER_SECOND = 16 * 1024
HEAD_BYTES = 64 * 1024
RESERVE = 100
"""Connections beyond those that may ask for work, so that health checks get through; above it, none is taken."""
IDLE_SECONDS, NEW_SECONDS = 0.1, 1.0
"""How long a connection is kept at the end of the service: one that had its answers, and one that has not asked yet."""
REFUSED_SECONDS = 1.0
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
NOTHING = 0.0


class Connection(HttpToolsProtocol):
    """Adds to uvicorn's protocol: the short way for small requests, limits in time and size, errors as JSON, and an
    end that loses no request.
    """

    app: Application
    _awaited = NOTHING
    """Since when a request is awaited of which something came, or the first one at all; NOTHING while none is."""
    _closing = NOTHING
    _head = 0
    _refused = False
    _in_head = True
    _received = 0
    _whole: bytes | None = None
    """What has come of the body of a request that may be answered on the spot; None where the server has begun it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaited = self.loop.time()
        if len(self.connections) > CONNECTIONS + RESERVE:
            self._refuse(503, "there are too many connections", b"retry-after: 1\r\n")
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        before = self._in_head
        if before and b"pgrade:" in data:
            data = _without_upgrade(data)
        super().data_received(data)
        if self._whole is not None and not self._refused:  # the rest of it may take its time
            self._begin()
        if before and self._in_head and self._awaited != NOTHING:  # else a whole request came at once
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(431, f"the head of the request is longer than {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited, self._received = self.loop.time(), 0

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        usual = (
            self.url in self.app.posts
            and self.parser.get_method() == b"POST"
            and self.parser.should_keep_alive()
            and not (self.expect_100_continue or self.flow.write_paused or self.parser.should_upgrade())
            and self._is_idle()
        )
        if usual:
            self._whole = b""
        else:
            self._begin()

    def _begin(self) -> None:
        """Lets the server call the application for the request, whether all of it has come or not."""
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser takes what follows for another protocol
        body, self._whole = self._whole, None
        if body:
            super().on_body(body)

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._whole is not None:
            self._whole += body
            return
        super().on_body(body)
        if self._received > 2 * MAX_BODY_BYTES:  # it was refused long ago and goes on
            self.transport.abort()

    def on_message_complete(self) -> None:
        self._in_head, self._awaited = True, NOTHING
        if self._whole is not None:
            answered = self.app.at_once(self.app.posts[self.url], self.headers, self._whole)
            if answered is not None:
                self._whole = None
                self._answer(*answered)
                return
            self._begin()
        super().on_message_complete()

    def _answer(self, response: Response, fields: Fields) -> None:
        head = [b"%s: %s\r\n" % field for field in self.server_state.default_headers + fields]
        self.transport.write(b"".join([STATUS_LINE[response.status], *head, b"\r\n", response.body]))
        self.on_response_complete()

    def sweep(self, now: float) -> None:
        """Ends the connection where its client is too slow; to be called every second or so."""
        if self.transport.is_closing():
            self._closing = self._closing or now
            if now - self._closing > REQUEST_SECONDS:
                self.transport.abort()  # it does not read its answer
        elif self._awaited == NOTHING:
            if self._is_idle() and self.timeout_keep_alive_task is None:
                self._awaited = now  # it sends something that is no request
        elif now - self._awaited > REQUEST_SECONDS + self._received / BYTES_PER_SECOND:
            self._refuse(408, "the request took too long to come")

    def shutdown(self) -> None:
        """A request may be on its way: an idle connection is closed a little later."""
        if self._is_idle():
            asked = self._awaited == NOTHING
            self.loop.call_later(IDLE_SECONDS if asked else NEW_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for all that can be wrong
        self._refuse(400, "this is no HTTP request that can be read")

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn does not say that there may be none yet
        return cycle is None or cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self._head:
            self.transport.close()

    def _refuse(self, status: int, error: str, header: bytes = b"") -> None:
        """Says what is wrong, unless an answer has been begun, and ends the connection.

        Not at once: where something has come that was not read, the client's system would throw away what it was told.
        """
        if self._refused:
            return
        self._refused = True
        self.app.counts.answered(OTHER, status)
        if self._is_idle() or not self.cycle.response_started:
            body = orjson.dumps({"error": error})
            self.transport.write(
                b"%scontent-type: application/json\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s"
                % (STATUS_LINE[status], len(body), header, body)
            )
        self.transport.write_eof()
        self.loop.call_later(REFUSED_SECONDS, self.transport.close)


def _without_upgrade(data: bytes) -> bytes:
    """The head of a request without its offer to speak another protocol, such as the one for HTTP/2 of Java's client.

    The parser would not read the body of such a request.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return UPGRADE.sub(b"\r\nx-declined:", head) + end + rest


def sweep(connections: Collection[Any], now: float) -> None:
    for connection in list(connections):
        connection.sweep(now)
