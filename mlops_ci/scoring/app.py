"""The service as a bare ASGI application: bodies within a limit in, answers out, and nothing that blocks the loop."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping
from contextlib import suppress
from itertools import count
from time import perf_counter
from typing import Any

from mlops_ci.scoring.lanes import INLINE_SECONDS, Busy, Costs, Job, Lane
from mlops_ci.scoring.messages import HEADERS, Refused, Request, Response, answer
from mlops_ci.scoring.metrics import CONTENT_TYPE, OTHER, Counts, Metrics
from mlops_ci.scoring.service import Route, ScoringService

MAX_BODY_BYTES = 16 * 1024 * 1024
ARRIVING_BYTES = 64 * 1024 * 1024
"""All bodies together that have come in part; a body that comes at once is not counted."""
CONNECTIONS = 1_000
"""Above it, only what asks for no work is answered."""
LONGEST_ID = 128
CROWDED_SECONDS = 1

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]


class Application:
    """The ASGI application of one service.

    `costs` are those of its scoring requests; `connections` are the open ones, as far as the server tells.
    """

    def __init__(
        self,
        service: ScoringService,
        *,
        costs: Costs,
        lane: Lane | None = None,
        metrics: Metrics | None = None,
        worker: int = 0,
        max_body_bytes: int = MAX_BODY_BYTES,
        arriving_bytes: int = ARRIVING_BYTES,
    ) -> None:
        self.connections: Collection[Any] = ()
        self._service = service
        self._costs = costs
        self._lane = Lane() if lane is None else lane
        self._max_body_bytes = max_body_bytes
        self._arriving_bytes = arriving_bytes
        self._arriving = 0
        metrics = Metrics() if metrics is None else metrics
        info = service.info
        service.add(
            "/metrics", Route("GET", lambda _: Response(200, metrics.text(names, info), {"content-type": CONTENT_TYPE}))
        )
        self._names = service.path_names()
        names = [*dict.fromkeys(self._names.values()), OTHER]
        self.posts = {path.encode(): path for path, route in service.routes.items() if route.method == "POST"}
        """The paths that take work, as they come in the usual request."""
        self.counts = Counts(metrics, worker, names)
        # An id of one's own for each request, at a tenth of what a random one costs.
        self._ids = map(f"{uuid.uuid4().hex[:20]}{{:012x}}".format, count())
        self._headers = [(b"x-mlops-release", service.release.encode("latin-1"))]

    @property
    def busy(self) -> bool:
        return self._lane.busy

    def at_once(self, path: str, fields: Fields, body: bytes) -> tuple[Response, Fields] | None:
        """The answer to a POST that is there as a whole, and its headers; None where it cannot be given on the spot.

        What a server would do by way of ASGI, a task and a response in parts for each request, costs as much as all
        that is done here.
        """
        if (
            not self._service.ready
            or len(self.connections) > CONNECTIONS
            or self._costs.of(len(body)) >= INLINE_SECONDS
        ):
            return None
        headers, request_id = self._read(fields)
        self.counts.came()
        started = perf_counter()
        response = self._respond(Request("POST", path, headers, request_id, body))
        self.counts.went()
        self._count(path, response, perf_counter() - started)
        return response, self._fields(response, request_id)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers, request_id = self._read(scope["headers"])
        method, path = scope["method"], scope["path"]
        started = 0.0
        self.counts.came()
        try:
            body = await self._body(receive, headers)
            started = perf_counter()
            request = Request(method, path, headers, request_id, body)
            cost = 0.0
            if method == "POST":
                if len(self.connections) > CONNECTIONS:
                    raise self._shed("there are too many connections", CROWDED_SECONDS)
                cost = self._costs.of(len(body))
            response = self._respond(request) if cost < INLINE_SECONDS else await self._by_lane(request, cost, receive)
        except Refused as refused:
            response = refused.response
        except _Gone:
            return
        except Exception:  # noqa: BLE001 - it is logged, and no client gets to see it
            response = _failed(request_id)
        finally:
            self.counts.went()
        self._count(path, response, perf_counter() - started)
        await send(
            {"type": "http.response.start", "status": response.status, "headers": self._fields(response, request_id)}
        )
        await send({"type": "http.response.body", "body": response.body})

    def _read(self, fields: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], str]:
        """The headers that matter, and the request's id: the client's own where it is fit, else a new one."""
        headers = {HEADERS[name]: value.decode("latin-1") for name, value in fields if name in HEADERS}
        given = headers.get("x-request-id", "")
        return headers, given if _fit(given) else next(self._ids)

    def _respond(self, request: Request) -> Response:
        started = perf_counter()
        try:
            response = self._service.respond(request)
        except Exception:  # noqa: BLE001 - it is logged, and no client gets to see it
            return _failed(request.id)
        if response.rows:
            self._costs.learn(len(request.body), perf_counter() - started)
        return response

    def _count(self, path: str, response: Response, seconds: float) -> None:
        self.counts.answered(self._names.get(path) or self._names.get("/" + path.strip("/"), OTHER), response.status)
        if response.rows:
            self.counts.scored(seconds, response.rows)

    async def _body(self, receive: Receive, headers: MutableMapping[str, str]) -> bytes:
        """The request's whole body. Raises Refused, and _Gone where the client has gone away meanwhile."""
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_body_bytes:
            # What has been told to wait for leave may come or not, so where the next request begins is not known.
            raise self._too_large({"connection": "close"} if "expect" in headers else {})
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body") and len(body) <= self._max_body_bytes:
            return body
        whole = bytearray()
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise _Gone
                part = message.get("body", b"")
                whole += part
                self._arriving += len(part)
                if len(whole) > self._max_body_bytes:
                    raise self._too_large()
                if not message.get("more_body"):
                    return bytes(whole)
                if self._arriving > self._arriving_bytes:
                    raise self._shed("too many large requests are arriving", CROWDED_SECONDS)
                message = await receive()
        finally:
            self._arriving -= len(whole)

    async def _by_lane(self, request: Request, cost: float, receive: Receive) -> Response:
        """Raises Refused where too much work waits already, and _Gone where the client goes away."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Response] = loop.create_future()

        def resolve(result: Any, seconds: float) -> None:
            if answered.done():
                return
            if isinstance(result, Exception):
                answered.set_exception(result)
                return
            if result.rows:
                self._costs.learn(len(request.body), seconds)
            answered.set_result(result)

        def done(result: Any, seconds: float) -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(resolve, result, seconds)

        job = Job(
            lambda pause: self._service.respond(request._replace(pause=pause)), done, cost=cost, size=len(request.body)
        )
        try:
            self._lane.add(job)
        except Busy as busy:
            raise self._shed("too many requests are waiting", math.ceil(busy.seconds)) from busy
        left = loop.create_task(_disconnected(receive))
        try:
            await asyncio.wait((answered, left), return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise _Gone
            return answered.result()
        finally:
            left.cancel()
            job.abandoned = not answered.done()

    def _too_large(self, headers: Mapping[str, str] = {}) -> Refused:
        return Refused(413, f"the body is larger than the {self._max_body_bytes} bytes that are taken", headers=headers)

    def _shed(self, why: str, seconds: int) -> Refused:
        self.counts.shed()
        return Refused(503, f"{why}; try again later", headers={"retry-after": str(max(1, seconds))})

    def _fields(self, response: Response, request_id: str) -> Fields:
        fields = [
            (b"content-length", b"%d" % len(response.body)),
            (b"x-request-id", request_id.encode("latin-1")),
            *self._headers,
        ]
        if "content-type" not in response.headers:
            fields.append((b"content-type", b"application/json"))
        if response.headers:
            fields += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
        if not self._service.ready or len(self.connections) > CONNECTIONS:
            fields.append((b"connection", b"close"))
        return fields


class _Gone(Exception):
    """Nobody waits for the answer."""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _failed(request_id: str) -> Response:
    """To be called where an exception is handled that should never have been raised."""
    logging.getLogger(__name__).exception("request %s failed: a defect of the service", request_id)
    return answer({"error": "the service failed; its log says why", "request_id": request_id}, status=500)


def _fit(given: str) -> bool:
    """Whether a client's id is fit for a header and a log."""
    return 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable()
