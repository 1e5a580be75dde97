"""Throughput and latency of the contenders, in rounds that mix them all."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.serving.contenders import Contender
from benchmarks.serving.load import Load, drive
from benchmarks.serving.measures import Cell, Results
from benchmarks.serving.running import Running, all_running
from benchmarks.serving.servers import Unavailable, processor_seconds, resident_megabytes
from benchmarks.serving.workloads import Workload

WARM_UP_SECONDS = 0.3
SLOW = 2
"""Many clients ask slow contenders so many times longer: what is unfinished at the end weighs less then."""


def race(
    contenders: Sequence[Contender], workload: Workload, cells: Sequence[Cell], results: Results, scratch: Path
) -> None:
    """Fills `loads`, `ready` and `megabytes`.

    A round goes through the cells, and in each through the contenders, in orders by chance: what is compared is
    measured within a few seconds, and nobody always comes after the same one. Who does not answer any more is out.
    """
    chance = random.Random(workload.name)
    with all_running(contenders, workload, scratch, results.missing) as runs:
        for run in runs:
            results.ready.setdefault(run.contender.name, []).append(run.server.ready_seconds)
        for cell in cells:
            results.loads[cell] = {run.contender.name: [] for run in runs}
        for number in range(-1, results.rounds):  # the first one warms up
            for cell in chance.sample(list(cells), len(cells)):
                for run in chance.sample(runs, len(runs)):
                    try:
                        load = _drive(run, cell, results, warm_up=number < 0)
                    except Unavailable as reason:
                        runs.remove(run)
                        _strike(run, workload, results, str(reason))
                        continue
                    if number >= 0:
                        results.loads[cell][run.contender.name].append(load)
            print(f"{workload.name}: round {number + 1} of {results.rounds}", file=sys.stderr)
        for run in runs:
            name = run.contender.name
            results.megabytes[workload.name, name] = resident_megabytes(run.server.process.pid)


def _strike(run: Running, workload: Workload, results: Results, reason: str) -> None:
    results.missing[f"{run.contender.title} ({workload.name})"] = reason
    for cell, loads in results.loads.items():
        if cell.workload == workload.name:
            del loads[run.contender.name]


def _drive(run: Running, cell: Cell, results: Results, *, warm_up: bool) -> Load:
    longer = SLOW if run.contender.slow and cell.clients > 1 and results.seconds >= 1 else 1
    seconds = WARM_UP_SECONDS if warm_up else results.seconds * longer
    take = by_processor_time if results.processor_time else drive_run
    return take(run, run.dialect.path, rows=cell.rows, clients=cell.clients, seconds=seconds, by=results.generator)


def drive_run(run: Running, path: str, *, rows: int, clients: int, seconds: float, by: str) -> Load:
    return drive(run.server.port, path, run.bodies[rows], clients=clients, seconds=seconds, by=by)


def by_processor_time(run: Running, path: str, *, rows: int, clients: int, seconds: float, by: str) -> Load:
    """The same, with requests in a second of the server's processor time for its rate."""
    before = processor_seconds(run.server.process.pid)
    load = drive_run(run, path, rows=rows, clients=clients, seconds=seconds, by=by)
    return replace(load, rate=load.requests / max(processor_seconds(run.server.process.pid) - before, 0.01))
