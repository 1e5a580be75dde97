"""Runs the fits of a search on a Dask cluster: one that is there already, or one of this machine's own processes.

By Dask's own futures and not by joblib's Dask backend, which (1.6) waits for ever once a task fails for good: where a
fit kills every worker that it meets, or the scheduler goes away.
"""

from __future__ import annotations

import os
import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import mlops_ci
from mlops_ci.adapters.installed import InstalledPackages
from mlops_ci.adapters.local_engine import alone, cores, exactly
from mlops_ci.adapters.user_code import PythonUserCode
from mlops_ci.core.digest import digest_of
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Item, Result, Shared

# Dask's own annotations say too little to be checked against.
Client = Any
Future = Any

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 30.0
"""How long to wait for the first worker, and for another one once the last has gone."""
LOOK_SECONDS = 0.5
SHOWN_DIFFERENCES = 8


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """The team's code, and what has to be installed where it runs for the lock to hold there too."""

    files: Mapping[str, bytes] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    digest: str


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """What a worker answers that has other packages than the lock names."""

    differences: Sequence[str]


class DaskScheduler:
    """Implements `ports.Engine` by the workers of the scheduler at `address`.

    The cluster needs mlops-ci, and its workers the packages of the lock. The team's code is brought to them, and each
    process of theirs makes one fit at a time, whatever its number of threads: seeds and imports belong to a process.
    """

    def __init__(self, address: str) -> None:
        _dask()
        self._address = address

    @property
    def name(self) -> str:
        return f"Dask at {self._address}"

    def threads(self, count: int) -> AbstractContextManager[None]:
        return exactly(count)

    @contextmanager
    def started(
        self, function: Callable[[Path, Shared, Item], Result], shared: Shared, *, root: Path
    ) -> Iterator[Callable[[Sequence[Item]], Iterator[tuple[int, Result]]]]:
        with self._client() as client:
            shipped, common = _kept(client, _shipment(root)), _kept(client, shared)

            def run(items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
                futures = {
                    client.submit(_on_worker, function, shipped, common, item, pure=False): place
                    for place, item in enumerate(items)
                }
                try:
                    for future in _as_they_end(client, futures):
                        yield futures[future], _answer(client, future)
                finally:
                    client.cancel(list(futures))

            yield run

    @contextmanager
    def _client(self) -> Iterator[Client]:
        try:
            client = _dask().Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OutsideError(
                f"no Dask scheduler answers at {self._address}: {str(error).splitlines()[0][:200]}",
                fix="start it, correct train.engine or MLOPS_ENGINE, or search on this machine with MLOPS_ENGINE=local",
            ) from error
        with client:
            _wait_for_a_worker(client)
            _require_toolkit(client)
            yield client


class DaskCluster(DaskScheduler):
    """The same on a cluster of this machine's own, with `workers` processes (default: one a core), gone afterwards."""

    def __init__(self, workers: int | None = None) -> None:
        super().__init__("")
        self._workers = workers or cores()

    @property
    def name(self) -> str:
        return f"a Dask cluster of {self._workers} local workers"

    @contextmanager
    def _client(self) -> Iterator[Client]:
        cluster = _dask().LocalCluster(
            n_workers=self._workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs="CRITICAL",
        )
        with cluster, _dask().Client(cluster, set_as_default=False) as client:
            yield client


def _dask() -> Any:
    try:
        return import_module("dask.distributed")
    except ImportError as error:
        fix = "pip install 'mlops-ci[dask]', or use engine: local (MLOPS_ENGINE=local)"
        raise ConfigurationError("train.engine asks for Dask, which is not installed", fix=fix) from error


def _shipment(root: Path) -> Shipment:
    code = PythonUserCode()
    digests = code.digests(root)
    return Shipment(
        files={path: (root / path).read_bytes() for path in digests},
        environment=_environment(root),
        digest=digest_of(dict(digests)),
    )


def _environment(root: Path) -> dict[str, str]:
    found = InstalledPackages().environment(PythonUserCode().imports(root))
    return {**found, "mlops-ci": mlops_ci.__version__}


def _wait_for_a_worker(client: Client) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as error:
        fix = "start one: dask worker ADDRESS --nthreads 1"
        raise OutsideError(f"the Dask scheduler has no worker after {WORKERS_SECONDS:g} s", fix=fix) from error


def _require_toolkit(client: Client) -> None:
    """Dask answers a task that cannot be unpacked by ending the worker, and says nothing to us."""

    def version() -> str:  # a function inside a function travels as it is, and not by the name of its module
        return str(import_module("mlops_ci.adapters.dask_cluster").mlops_ci.__version__)

    try:
        client.run_on_scheduler(version)
        client.run(version)
    except ImportError as error:
        fix = f"pip install 'mlops-ci[dask]=={mlops_ci.__version__}' where scheduler and workers run"
        raise OutsideError(f"the Dask cluster has no mlops-ci: {error}", fix=fix) from error


def _kept(client: Client, value: Any) -> Future:
    """The value as the result of a task, which Dask makes anew when the workers that hold it die; not so `scatter`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
        return client.submit(_itself, value, pure=False)


def _itself(value: Any) -> Any:
    return value


def _as_they_end(client: Client, futures: Mapping[Future, int]) -> Iterator[Future]:
    """Each future once it has an answer or has failed. Raises OutsideError where nobody is left to work on them."""
    ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    waiting = len(futures)
    while waiting:
        try:
            yield ended.get(timeout=LOOK_SECONDS)
            waiting -= 1
        except queue.Empty:
            _require_scheduler(client)
            if not client.scheduler_info(n_workers=1)["workers"]:
                _wait_for_a_worker(client)


def _require_scheduler(client: Client) -> None:
    if client.status != "running":
        raise OutsideError("the Dask scheduler is gone", fix="start it, and run the command again")


def _answer(client: Client, future: Future) -> Any:
    if future.status == "finished":
        answer = future.result()
        if not isinstance(answer, Unlike):
            return answer
        shown = "; ".join(answer.differences[:SHOWN_DIFFERENCES])
        raise OutsideError(
            f"a Dask worker has other packages than this machine, so it would train another model: {shown}",
            fix="install on the workers what is installed here, or search with MLOPS_ENGINE=local",
        )
    if future.status == "error":
        error = future.exception()
        raise OutsideError(f"a fit failed on Dask: {type(error).__name__}: {str(error)[:500]}") from error
    _require_scheduler(client)
    raise OutsideError(f"Dask lost a fit ({future.status})", fix="run the command again")


_ONE_AT_A_TIME = threading.Lock()
_UNPACKED: dict[str, Path] = {}


def _on_worker(
    function: Callable[[Path, Shared, Item], Result], shipment: Shipment, shared: Shared, item: Item
) -> Result | Unlike:
    with _ONE_AT_A_TIME:
        if shipment.digest not in _UNPACKED:
            folder = _unpack(shipment)
            here, there = _environment(folder), shipment.environment
            names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
            if names:
                return Unlike(
                    differences=[f"{name} {there.get(name, 'absent')} -> {here.get(name, 'absent')}" for name in names]
                )
            _UNPACKED[shipment.digest] = folder
        return alone(function, _UNPACKED[shipment.digest], shared, item)


def _unpack(shipment: Shipment) -> Path:
    """The code in a folder of this worker process, which Dask removes with the worker."""
    folder = Path(_dask().get_worker().local_directory) / f"mlops-ci-{shipment.digest[:16]}-{os.getpid()}"
    for path, data in shipment.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder.resolve()
