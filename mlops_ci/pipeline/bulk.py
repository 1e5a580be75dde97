"""Works through many objects of a store with several threads, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

WORKERS = 16
AHEAD = 4 * WORKERS
LARGE = 16 * 2**20
"""An object of more bytes is dealt with while no other such is: it is read whole."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_through(
    items: Iterable[Item], work: Callable[[Item], Result], *, size: Callable[[Item], int] = lambda _: 0
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in order; what it raises ends the whole.

    `items` is read only a little ahead of what was handed out.
    """
    one_large = Lock()

    def do(item: Item) -> Result:
        if size(item) <= LARGE:
            return work(item)
        with one_large:
            return work(item)

    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(WORKERS)
    try:
        for item in items:
            waiting.append((item, pool.submit(do, item)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
