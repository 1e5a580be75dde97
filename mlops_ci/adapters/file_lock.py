"""A lock on a file, which the system takes back when its holder ends, however that happens."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops_ci.errors import OutsideError

POLL_SECONDS = 0.05


@contextmanager
def locked(path: Path, *, what: str, wait: float = 0.0) -> Iterator[None]:
    """Holds the lock within the block. The file stays: removing it would let two holders in.

    Raises OutsideError, naming `what` and the process that holds it, where it is not free within `wait` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    with path.open("a+b") as file:
        while not _try(file.fileno()):
            if time.monotonic() >= deadline:
                holder = path.read_text().strip() or "unknown"
                raise OutsideError(f"{what} (process {holder})", where=str(path), fix="wait for it, then try again")
            time.sleep(POLL_SECONDS)
        with suppress(OSError):  # a full disk keeps us from saying who we are, not from holding the lock
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
