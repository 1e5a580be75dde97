"""The service as a bare ASGI application: bodies within a limit in, answers out, and nothing that blocks the loop."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlops_ci.scoring.service import Refused, Request, Response, ScoringService, answer

MAX_BODY_BYTES = 16 * 1024 * 1024
INLINE_BYTES = 32 * 1024
"""A body up to this size is answered on the event loop, which costs less than handing it to a thread."""
LONGEST_ID = 128

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)


def application(service: ScoringService, *, max_body_bytes: int = MAX_BODY_BYTES) -> Application:
    """The ASGI application of one service."""
    # One thread: the large batches of all clients share what one core gives, and the loop keeps the other requests.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = _request_id(headers.get("x-request-id", ""))
        try:
            body = await _body(receive, headers, max_body_bytes)
            if body is None:
                return
            request = Request(method=scope["method"], path=scope["path"], headers=headers, id=request_id, body=body)
            if len(body) <= INLINE_BYTES:
                response = service.respond(request)
            else:
                response = await asyncio.get_running_loop().run_in_executor(thread, service.respond, request)
        except Refused as refused:
            response = refused.response
        except Exception:
            logger.exception("request %s failed: a defect of the service", request_id)
            response = answer({"error": "the service failed; its log says why", "request_id": request_id}, status=500)
        await _send(
            response, {"x-request-id": request_id, "x-mlops-release": service.release}, send, last=not service.ready
        )

    return app


async def _body(receive: Receive, headers: dict[str, str], limit: int) -> bytes | None:
    """The request's body; None where the client has gone away meanwhile."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than the {limit} bytes that are taken")


def _request_id(given: str) -> str:
    """The client's own id where it is fit for a header and a log, else a new one."""
    fit = 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable()
    return given if fit else uuid.uuid4().hex


async def _send(response: Response, headers: dict[str, str], send: Send, *, last: bool) -> None:
    fields = {"content-type": "application/json", "content-length": str(len(response.body))}
    fields |= headers | dict(response.headers) | ({"connection": "close"} if last else {})
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})
