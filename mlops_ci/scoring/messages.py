"""Requests and responses of the service, whatever HTTP server carries them, and what their headers say."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

JSON = "application/json"
BINARY = "application/octet-stream"
LARGE = 1024 * 1024
READ = (
    *("accept", "content-encoding", "content-length", "content-type", "expect"),
    *("inference-header-content-length", "x-request-id"),
)
HEADERS = {name.encode(): name for name in READ}
"""The headers that are read; a request does not have the others."""


def go_on() -> None:
    """Nobody waits."""


# A frozen dataclass takes three times as long to make, which shows in a small request.
class Request(NamedTuple):
    """`headers` are by lower-case name; `id` is the client's own or one made up for it.

    A long request calls `pause` now and then, so that short ones have their turn.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    id: str
    body: bytes = b""
    pause: Callable[[], None] = go_on


class Response(NamedTuple):
    """JSON, unless the headers name another content type; `rows` of them are the model's answers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    rows: int = 0


class Refused(Exception):
    """A request that gets an error as its answer."""

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(error)
        self.response = answer({"error": error, **more}, status=status, headers=headers or {})


def answer(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, rows: int = 0) -> Response:
    return Response(status, orjson.dumps(content), headers or {}, rows)


def require_media_type(request: Request, *taken: str) -> None:
    """Raises Refused where the body is of another media type, or compressed. A body without one is what is taken."""
    headers = request.headers
    kind = headers.get("content-type", taken[0])
    if kind not in taken:
        bare = kind.partition(";")[0].strip().lower()
        if bare not in taken:
            what = f"the content type has to be {' or '.join(taken)}, not {bare[:100]}"
            raise Refused(415, what, headers={"accept-post": ", ".join(taken)})
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "a compressed body is not taken", headers={"accept-encoding": "identity"})


def parsed(body: bytes) -> Any:
    """The body's JSON value. Raises Refused where it is none."""
    # The collector of garbage would look at the objects again and again while they are made, which triples the time
    # that all other threads are held up by a large body. There is no garbage in them.
    large = len(body) > LARGE
    if large:
        gc.disable()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    finally:
        if large:
            gc.enable()


def wants_html(accept: str) -> bool:
    """Whether an Accept header names HTML, and JSON not before it.

    >>> wants_html("text/html,application/xhtml+xml,*/*;q=0.8"), wants_html("*/*"), wants_html("text/html;q=0")
    (True, False, False)
    """
    weights = {"text/html": 0.0, JSON: 0.0}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind in weights:
            weights[kind] = max(weights[kind], _weight(parameters))
    return weights["text/html"] > weights[JSON]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
