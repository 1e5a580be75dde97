"""Clients that keep on asking until the service is gone, and know which of their requests were lost."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 60.0


class Gone(Exception):
    """Nobody listens any more: a request that was never taken."""


class Lost(Exception):
    """The connection was made, and no answer came."""


@dataclass
class Load:
    """What became of the requests of all clients: a count by status, and what was lost."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    _clients: list[threading.Thread] = field(default_factory=list)
    _later: threading.Event = field(default_factory=threading.Event)  # never set: who is refused comes again later
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, clients: int, request: bytes, *, keep_alive: bool, until: Callable[[], bool]) -> None:
        for _ in range(clients):
            thread = threading.Thread(target=self._ask_on, args=(request, keep_alive, until), daemon=True)
            thread.start()
            self._clients.append(thread)

    def join(self) -> None:
        for client in self._clients:
            client.join(PATIENCE)
            assert not client.is_alive(), "a client got no end"

    def _ask_on(self, request: bytes, keep_alive: bool, until: Callable[[], bool]) -> None:
        connection: Connection | None = None
        try:
            while not until():
                connection = connection or Connection(self.port)
                status, stays = connection.ask(request)
                with self._lock:
                    self.statuses[status] += 1
                if status == 503:
                    self._later.wait(0.02)
                if not stays or not keep_alive:
                    connection.close()
                    connection = None
        except Gone:
            pass
        except (OSError, Lost) as error:
            with self._lock:
                self.lost.append(repr(error))
        finally:
            if connection is not None:
                connection.close()


class Connection:
    """A client that leaves as soon as it is told to, so that whatever fails is the service's doing."""

    def __init__(self, port: int) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError as error:
            raise Gone from error
        self._buffer = b""

    def ask(self, request: bytes) -> tuple[int, bool]:
        """The status, and whether the connection stays."""
        self.send(request)
        return self.answer()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, bool]:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        (length,) = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        while len(self._buffer) < length:
            self._more()
        self._buffer = self._buffer[length:]
        return int(lines[0].split()[1]), b"connection: close" not in lines

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise Lost("the connection ended before the answer")
        self._buffer += data


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body
