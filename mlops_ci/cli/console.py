"""What a command tells a person while it works: lines on stderr, so that stdout is left to the result."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class StderrConsole:
    """Implements `ports.Console`. `quiet` leaves warnings only."""

    def __init__(self, *, quiet: bool = False, heartbeat: float = 10.0) -> None:
        self._quiet = quiet
        self._heartbeat = heartbeat

    def say(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        self.say(f"{what} ...")
        started, done = time.monotonic(), threading.Event()

        def beat() -> None:
            while not done.wait(self._heartbeat):
                self.say(f"{what} ... {time.monotonic() - started:.0f} s so far")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
