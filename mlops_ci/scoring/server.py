"""Runs the application on a socket: says where it listens, and on SIGTERM leaves without dropping a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from mlops_ci.scoring.app import Application
from mlops_ci.scoring.service import ScoringService

# A router reuses idle connections. It must be the side that closes them (adapters/traefik.py does so after 30 s): a
# request that it sends while the service is closing is lost.
KEEP_ALIVE_SECONDS = 75
FINISH_SECONDS = 25


class Server(uvicorn.Server):
    """`listening` is called once the socket takes connections.

    The first signal turns the service unready and ends it `drain` seconds later, during which it still answers: a
    router may have sent requests before it heard of the end. A second signal ends it at once.
    """

    def __init__(
        self, app: Application, service: ScoringService, *, drain: float, listening: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        self._service = service
        self._drain = drain
        self._listening = listening
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        first, self._service.ready = self._service.ready, False
        if first and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the port, or to a free one for 0. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
