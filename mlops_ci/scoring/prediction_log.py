"""What the service was asked and what it answered, one JSON line a request, written without making anybody wait."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from io import SEEK_END, FileIO
from pathlib import Path
from typing import Any

import orjson

PENDING_ROWS = 50_000
MAX_BYTES = 64 * 1024 * 1024

Records = Sequence[Mapping[str, Any]]


class PredictionLog:
    """Appends `{time, request_id, release, records, answers}` lines to a file by a thread of its own.

    At most `pending_rows` rows wait to be written; what comes on top is dropped and counted, and a line
    `{time, release, dropped}` says how many requests are missing since the last such line. At `max_bytes` the file is
    renamed to `<name>.1`, where it replaces the one before.
    """

    def __init__(
        self, path: Path, *, release: str, pending_rows: int = PENDING_ROWS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._path = path
        self._release = release
        self._pending_rows = pending_rows
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Callable[[], bytes]]] = deque()
        self._rows = 0
        self._unreported = 0
        self._closing = False
        self._file: FileIO | None = None
        self.dropped = 0
        """Requests that were not written, since the start."""
        self._thread = threading.Thread(target=self._write_all, name="prediction-log", daemon=True)
        self._thread.start()

    def add(self, request_id: str, rows: int, content: Callable[[], tuple[Records, Records]]) -> None:
        """Takes a request to be written soon; `content` gives its records and answers, in the log's own thread."""
        time = _now()

        def line() -> bytes:
            records, answers = content()
            head = {"time": time, "request_id": request_id, "release": self._release}
            return orjson.dumps({**head, "records": records, "answers": answers}, option=orjson.OPT_APPEND_NEWLINE)

        with self._changed:
            if self._closing or (self._waiting and self._rows + rows > self._pending_rows):
                self._drop(1)
                return
            self._waiting.append((rows, line))
            self._rows += rows
            self._changed.notify()

    def close(self, patience: float) -> None:
        """Writes what waits, for at most `patience` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)

    def _drop(self, requests: int) -> None:
        self.dropped += requests
        self._unreported += requests

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    break
                rows, line = self._waiting.popleft()
            self._write(line())
            with self._changed:
                self._rows -= rows
        self._write(b"")
        self._close_file()

    def _write(self, line: bytes) -> None:
        """Appends a line, and before it the note about what is missing since the last one."""
        with self._changed:
            lost, self._unreported = self._unreported, 0
        note = {"time": _now(), "release": self._release, "dropped": lost}
        data = (orjson.dumps(note, option=orjson.OPT_APPEND_NEWLINE) if lost else b"") + line
        try:
            if data:
                self._append(data)
        except OSError as error:  # a full disk must not stop the service
            sys.stderr.write(f"prediction log: {error}\n")
            self._close_file()
            with self._changed:
                self._unreported += lost
                self._drop(1 if line else 0)

    def _append(self, data: bytes) -> None:
        if self._file is not None and self._file.tell() + len(data) > self._max_bytes:
            self._close_file()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        if self._file is None:
            self._file = self._path.open("a+b", buffering=0)
            size = self._file.seek(0, SEEK_END)
            self._file.seek(max(0, size - 1))
            if self._file.read(1) not in (b"", b"\n"):
                data = b"\n" + data  # a writer before this one was killed within a line
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
