"""Runs the fits of a search on this machine: one after the other, or side by side in processes of joblib's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mlops_ci.adapters.environment import thread_variables
from mlops_ci.errors import OutsideError
from mlops_ci.ports import Item, Result, Shared


class LocalEngine:
    """Implements `ports.Engine`. Without `jobs` there are as many processes as this one has cores."""

    def __init__(self, jobs: int | None = None) -> None:
        self._jobs = jobs or cores()

    @property
    def name(self) -> str:
        return "this process" if self._jobs == 1 else f"{self._jobs} processes"

    def threads(self, count: int) -> AbstractContextManager[None]:
        return exactly(count)

    @contextmanager
    def started(
        self, function: Callable[[Path, Shared, Item], Result], shared: Shared, *, root: Path
    ) -> Iterator[Callable[[Sequence[Item]], Iterator[tuple[int, Result]]]]:
        if self._jobs == 1:
            yield lambda items: ((place, alone(function, root, shared, item)) for place, item in enumerate(items))
            return
        import joblib
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import BrokenProcessPool

        with tempfile.TemporaryDirectory(prefix="mlops-ci-search-") as scratch:
            path = Path(scratch) / "shared"
            joblib.dump(shared, path)

            def run(items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
                calls = (joblib.delayed(_run)(function, root, path, place, item) for place, item in enumerate(items))
                parallel = joblib.Parallel(n_jobs=self._jobs, backend="loky", return_as="generator_unordered")
                try:
                    yield from parallel(calls)
                except BrokenProcessPool as error:
                    what = "a process of the search was killed, most likely because memory ran out"
                    raise OutsideError(what, fix="let fewer run side by side: MLOPS_JOBS=1") from error

            try:
                yield run
            finally:
                # They would wait for more work for minutes, and those of an interrupted search would go on with theirs.
                get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextmanager
def exactly(count: int) -> Iterator[None]:
    """Until the block ends numeric libraries use that many threads, however many cores there are."""
    from threadpoolctl import threadpool_limits

    with thread_variables(count), threadpool_limits(count):
        yield


def alone(function: Callable[[Path, Shared, Item], Result], folder: Path, shared: Shared, item: Item) -> Result:
    """Calls the function with one thread, which what it calls cannot multiply by joblib."""
    import joblib

    with exactly(1), joblib.parallel_config(backend="sequential"):
        return function(folder, shared, item)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    function: Callable[[Path, Any, Item], Result], root: Path, path: Path, place: int, item: Item
) -> tuple[int, Result]:
    return place, alone(function, root, _shared(path), item)


@cache
def _shared(path: Path) -> Any:
    import joblib

    return joblib.load(path)
