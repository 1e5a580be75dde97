"""Who answers when: cheap requests at once, dear ones in a thread of their own, short before long, none for ever.

What a request costs is estimated from its size, by what requests of about that size cost before. Dear requests wait for
one thread, which takes the one that is due first: a request is due at its arrival plus a multiple of its cost, so that
a short one overtakes a long one, and a long one is not overtaken for ever. A long request yields to those that are
due before it whenever it calls `pause`. What would have to wait too long is refused.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

INLINE_SECONDS = 0.001
"""What costs less is answered on the event loop; handing it to a thread would cost a good part of that again."""
PATIENCE_SECONDS = 2.0
"""A request is refused where the work before it takes longer than this."""
WAITING_BYTES = 64 * 1024 * 1024
STRETCH = 10.0
"""A request that takes a second is overtaken by short ones for ten seconds."""
DEEPEST = 4
"""So many requests may have been begun at a time: each keeps its rows in memory."""
LEARNING = 0.2
WILDEST = 4.0
"""A measurement counts for at most so many times the estimate: the machine may have been busy with something else."""
SIZES = 40

Due = tuple[float, int]


class Costs:
    """What requests cost in seconds, by the magnitude of their size in bytes."""

    def __init__(self, measured: Mapping[int, float]) -> None:
        """`measured` has what requests of a few sizes cost; between them and beyond it is taken to be linear."""
        known = sorted(measured.items())
        (small, least), (large, most) = known[0], known[-1]
        slope = max(0.0, (most - least) / (large - small)) if large > small else 0.0
        self._by_magnitude: list[float] = [
            max(least + slope * (0.75 * 2**size - small), least) for size in range(SIZES)
        ]

    def of(self, size: int) -> float:
        return self._by_magnitude[size.bit_length()]

    def learn(self, size: int, seconds: float) -> None:
        magnitude = size.bit_length()
        known = self._by_magnitude[magnitude]
        self._by_magnitude[magnitude] += LEARNING * (min(seconds, WILDEST * known) - known)


class Busy(Exception):
    """There is too much work before a request; `seconds` says how much."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} seconds of work are waiting")
        self.seconds = seconds


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


class Job:
    """One dear request: `work` gets the function to call between its parts, `done` its result or what it raised.

    `done` is called in the lane's thread, and not at all for a job that was abandoned before it was begun.
    """

    def __init__(
        self, work: Callable[[Callable[[], None]], Any], done: Callable[[Any, float], None], *, cost: float, size: int
    ) -> None:
        self.work = work
        self.done = done
        self.cost = cost
        self.size = size
        self.due: Due = (0.0, 0)
        self.begun: float | None = None
        self.abandoned = False

    def left(self, now: float) -> float:
        """Seconds of work, as far as is known."""
        return self.cost if self.begun is None else max(0.0, self.cost - (now - self.begun))

    def __lt__(self, other: Job) -> bool:
        return self.due < other.due


class Lane:
    """One thread for the dear requests of one process."""

    def __init__(self, *, patience: float = PATIENCE_SECONDS, waiting_bytes: int = WAITING_BYTES) -> None:
        self._patience = patience
        self._waiting_bytes = waiting_bytes
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._begun: list[Job] = []
        self._bytes = 0
        self._count = 0
        self._inner = 0.0  # seconds that the jobs took for which the present one paused
        self._thread = threading.Thread(target=self._work, name="lane", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        """Raises Busy."""
        now = time.monotonic()
        with self._changed:
            self._count += 1
            job.due = (now + STRETCH * job.cost, self._count)
            before = sum(
                other.left(now) for other in [*self._waiting, *self._begun] if other < job and not other.abandoned
            )
            if before > self._patience or (self._waiting and self._bytes + job.size > self._waiting_bytes):
                raise Busy(before)
            self._bytes += job.size
            heapq.heappush(self._waiting, job)
            self._changed.notify()

    @property
    def busy(self) -> bool:
        return bool(self._begun or self._waiting)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                job = self._begin()
            self._do(job)

    def _begin(self) -> Job:
        job = heapq.heappop(self._waiting)
        self._bytes -= job.size
        self._begun.append(job)
        job.begun = time.monotonic()
        return job

    def _do(self, job: Job) -> None:
        outer, self._inner = self._inner, 0.0
        started = time.thread_time()
        result: Any = None
        try:
            if not job.abandoned:
                result = job.work(lambda: self._pause(job))
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits for the job
            result = error
        took = time.thread_time() - started
        with self._changed:
            self._begun.remove(job)
        if not job.abandoned:
            job.done(result, took - self._inner)
        self._inner = outer + took

    def _pause(self, job: Job) -> None:
        """Does what is due before the job that is being done."""
        while not job.abandoned:
            with self._changed:
                if not self._waiting or job < self._waiting[0] or len(self._begun) >= DEEPEST:
                    return
                other = self._begin()
            self._do(other)
        raise Abandoned
