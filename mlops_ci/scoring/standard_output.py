"""Standard output as the place of a prediction log: where a container's own output is what is collected and kept."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

LONGEST = 200_000
"""Bytes of one line. CloudWatch Logs takes 256 KB at the most, and collectors cut what is longer into pieces."""


class StandardOutput:
    """Appends whole lines, each worker's between those of the others.

    A pipe takes more than 4 KB in parts, so workers take turns by a lock on `shared`, a file that all of them can read.
    """

    longest: int | None = LONGEST

    def __init__(self, shared: Path, *, descriptor: int = 1) -> None:
        self._lock = os.open(shared, os.O_RDONLY | os.O_CLOEXEC)
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        """Waits as long as nobody reads. Raises OSError where nobody will."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._lock)
