"""Which engine a search runs on."""

from __future__ import annotations

from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.errors import ConfigurationError
from mlops_ci.ports import Engine

SCHEDULERS = ("tcp://", "tls://")


def choose_engine(engine: str, jobs: str = "") -> Engine:
    """The engine that `train.engine` or `MLOPS_ENGINE` names, with `MLOPS_JOBS` processes where it starts its own.

    Raises ConfigurationError where one of them makes no sense, or Dask is not installed.
    """
    if jobs and not (jobs.isdecimal() and int(jobs)):
        raise ConfigurationError(f"MLOPS_JOBS is {jobs!r}", fix="write the number of processes, such as 2")
    count = int(jobs) if jobs else None
    if engine == "local":
        return LocalEngine(count)
    if engine != "dask" and not engine.startswith(SCHEDULERS):
        fix = "write local, dask, or the address of a scheduler such as tcp://host:8786"
        raise ConfigurationError(f"there is no engine {engine!r}", where="MLOPS_ENGINE", fix=fix)
    from mlops_ci.adapters.dask_cluster import DaskCluster, DaskScheduler

    return DaskCluster(count) if engine == "dask" else DaskScheduler(engine)
