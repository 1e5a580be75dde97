"""Runs the application on a socket: says where it listens, and on SIGTERM leaves without dropping a request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from mlops_ci.scoring.app import Application
from mlops_ci.scoring.connection import Connection, sweep
from mlops_ci.scoring.listening import take_no_more
from mlops_ci.scoring.service import ScoringService

# A router reuses idle connections. It must be the side that closes them (ours does so after 30 s, see
# adapters/traefik_configuration.py): a request that it sends while the service is closing is lost.
KEEP_ALIVE_SECONDS = 75
FINISH_SECONDS = 25
TICKS = 10
"""Of the server, in a second."""
HANDSHAKE_SECONDS = 0.05
"""So long a connection that is half made may take, at the end, until it is whole and may be accepted."""


class Server(uvicorn.Server):
    """`listening` is called once the socket takes connections, `tick` every second.

    The first signal turns the service unready and ends it `drain` seconds later, during which it still answers: a
    router may have sent requests before it heard of the end. A second signal ends it at once. `life` is, in a worker, a
    file that can be read from when the parent is gone.
    """

    def __init__(
        self,
        app: Application,
        service: ScoringService,
        *,
        drain: float,
        listening: Callable[[], None],
        tick: Callable[[], None] = lambda: None,
        life: int | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                loop="uvloop",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # nobody may fill the log by sending garbage
        app.connections = self.server_state.connections
        self._service = service
        self._drain = drain
        self._listening = listening
        self._tick = tick
        self._life = life
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self._life is not None:
            self._loop.add_reader(self._life, self._orphaned)
        self._listening()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
            self._tick()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if sig == signal.SIGINT and self._life is not None:
            return  # Ctrl-C reaches all processes of a terminal; the parent passes it on
        self._leave()

    def _orphaned(self) -> None:
        if self._loop is not None and self._life is not None:
            self._loop.remove_reader(self._life)
        self._leave()

    def _leave(self) -> None:
        first, self._service.ready = self._service.ready, False
        if first and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, self._end)
        else:
            self._end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or []:
            take_no_more(listener)
            await asyncio.sleep(HANDSHAKE_SECONDS)
            await self._accept_waiting(listener)
        await super().shutdown(sockets)

    async def _accept_waiting(self, listener: socket.socket) -> None:
        """Takes the connections that the kernel has made already: with its socket they would be gone."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # none is left
                return
            await loop.connect_accepted_socket(
                lambda: Connection(config=self.config, server_state=self.server_state, app_state={}), accepted
            )

    def _end(self) -> None:
        self.should_exit = True
