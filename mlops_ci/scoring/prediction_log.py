"""What the service was asked and what it answered, one JSON line a request, written without making anybody wait."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from mlops_ci.scoring.rotating_file import RotatingFile
from mlops_ci.scoring.standard_output import StandardOutput

PENDING_BYTES = 32 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
GATHERED = 0.05
"""Seconds between the first request that waits and the writing: waking up for each one would cost them all."""
BUSY, PAUSE = 0.0001, 0.0003
"""Seconds that lines are made for at a stretch, holding up whoever else wants the interpreter, and the pause after."""

Records = Sequence[Mapping[str, Any]]
Content = tuple[bytes | Records, bytes | Records]


_Entry = tuple[float, str, int, Content | Callable[[], Content]]
"""Time, request id, size, content: a bare tuple, which the collector of garbage need not look at."""


class PredictionLog:
    """Appends `{time, request_id, release, sample, redacted, records, answers}` lines by a thread of its own.

    Of all requests the share `sample` is kept, chosen by the hash of the request's id, so that a request is kept
    everywhere or nowhere. The columns `redact` are left out of the records, and the line's `redacted` names them. What
    cannot wait (`pending_bytes`, as the requests came) or cannot be written is dropped and counted, and a line `{time,
    release, sample, dropped}` says how many requests are missing since the last such line. See RotatingFile for
    `max_bytes` and `keep`, which say nothing where the `place` is standard output. To be made in the process that
    serves, after it was forked.
    """

    def __init__(
        self,
        place: Path | StandardOutput,
        *,
        release: str,
        sample: float = 1.0,
        redact: Sequence[str] = (),
        max_bytes: int = MAX_BYTES,
        keep: int = 1,
        pending_bytes: int = PENDING_BYTES,
    ) -> None:
        self._file = RotatingFile(place, max_bytes=max_bytes, keep=keep) if isinstance(place, Path) else place
        self._release = release
        self._sample = sample
        self._kept_below = round(sample * 2**64)
        self._redacted = sorted(set(redact))
        self._pending_bytes = pending_bytes
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._bytes = 0
        self._unreported = 0
        self._closed = False
        self._failing = False
        self._some = threading.Event()
        self._end = threading.Event()
        self.dropped = 0
        """Requests that should have been written and were not, since the start."""
        self._thread = threading.Thread(target=self._write_all, name="prediction-log", daemon=True)
        self._thread.start()

    def add(self, request_id: str, size: int, content: Content | Callable[[], Content]) -> None:
        """Takes a request of `size` bytes to be written soon.

        `content` are the records and the answers, each a list of them, or the JSON text of one; or a function that
        gives both, which is called in the log's own thread.
        """
        if self._sample < 1 and not self.keeps(request_id):
            return
        entry = (time.time(), request_id, size, content)
        with self._lock:
            if self._closed or self._bytes + size > self._pending_bytes:
                self.dropped += 1
                self._unreported += 1
                return
            self._bytes += size
            if not self._waiting:
                self._some.set()
            self._waiting.append(entry)

    def keeps(self, request_id: str) -> bool:
        """Whether the sample has requests of that id."""
        return int.from_bytes(sha256(request_id.encode()).digest()[:8], "big") < self._kept_below

    def close(self, patience: float) -> None:
        """Writes what waits, for at most `patience` seconds."""
        with self._lock:
            self._closed = True
        self._end.set()
        self._some.set()
        self._thread.join(patience)

    def _write_all(self) -> None:
        while True:
            self._some.wait()
            self._end.wait(GATHERED)
            with self._lock:
                entries, self._waiting = self._waiting, []
                if not self._closed:
                    self._some.clear()
            waiting = deque(entries)
            while waiting:
                self._write_some(waiting)
                self._end.wait(PAUSE)
            if not entries and self._closed:
                break
        self._append([])
        self._file.close()

    def _write_some(self, entries: deque[_Entry]) -> None:
        """Takes the first of the entries, as many as there is time for at a stretch, and writes them."""
        until = time.perf_counter() + BUSY
        lines, size = [], 0
        while entries:
            entry = entries.popleft()
            size += entry[2]
            if line := self._line(entry):
                lines.append(line)
            else:
                self._drop(1)
            if time.perf_counter() > until:
                break
        self._append(lines)
        with self._lock:
            self._bytes -= size

    def _append(self, lines: Sequence[bytes]) -> None:
        """Appends the lines, and before them the note about what is missing since the last ones."""
        with self._lock:
            lost, self._unreported = self._unreported, 0
        note = {"time": _text(time.time()), "release": self._release, "sample": self._sample, "dropped": lost}
        try:
            if lines or lost:
                noted = orjson.dumps(note, option=orjson.OPT_APPEND_NEWLINE) if lost else b""
                self._file.append(b"".join([noted, *lines]))
                self._failing = False
        except OSError as error:  # a full disk must not stop the service
            self._complain(error)
            with self._lock:
                self._unreported += lost
            self._drop(len(lines))

    def _drop(self, requests: int) -> None:
        with self._lock:
            self.dropped += requests
            self._unreported += requests

    def _line(self, entry: _Entry) -> bytes:
        """The line of one request; empty where there is none, which is a defect and no reason to end the log."""
        moment, request_id, _, content = entry
        try:
            records, answers = content() if callable(content) else content
            line = {
                "time": _text(moment),
                "request_id": request_id,
                "release": self._release,
                "sample": self._sample,
                "redacted": self._redacted,
                "records": _json(self._without_redacted(records)),
                "answers": _json(answers),
            }
            written = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
            if self._file.longest is not None and len(written) > self._file.longest:
                raise _TooLong
            return written
        except Exception as error:  # noqa: BLE001 - whatever it is, the next request is to be written
            self._complain(error)
            return b""

    def _without_redacted(self, records: bytes | Records) -> bytes | Records:
        if not self._redacted:
            return records
        whole: Records = orjson.loads(records) if isinstance(records, bytes) else records
        return [{name: value for name, value in record.items() if name not in self._redacted} for record in whole]

    def _complain(self, error: Exception) -> None:
        """Says it once, until something could be written again; what it says holds nothing that was asked."""
        if not self._failing:
            what = f"{error}" if isinstance(error, OSError) else type(error).__name__
            with suppress(OSError, ValueError):  # where the disk is full, so it is for this
                sys.stderr.write(f"prediction log: {what}; requests are dropped and counted\n")
                sys.stderr.flush()
        self._failing = True


class _TooLong(Exception):
    """A line that would be cut into pieces on its way, none of which could be read."""


def worker_log(path: Path, worker: int) -> Path:
    """The file of one of several workers: `predictions.jsonl`, `predictions-1.jsonl`, `predictions-2.jsonl` ..."""
    return path.with_name(f"{path.stem}-{worker}{path.suffix}") if worker else path


def _json(value: bytes | Records) -> Any:
    """JSON text goes into the line as it is, except that a line break, which is only ever between values, is none."""
    if isinstance(value, bytes):
        return orjson.Fragment(value.replace(b"\n", b" ").replace(b"\r", b" "))
    return value


def _text(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
