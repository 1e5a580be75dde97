"""What the service counts, in the text format of Prometheus.

The numbers of all workers lie in memory that they share, a row each, which they write without a lock: a worker adds to
its own row only, and in one thread. What a worker counted stays when it dies, and the one in its place goes on from it.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

STATUSES = (200, 400, 404, 405, 408, 413, 415, 422, 431, 500, 503)
OTHER = "other"
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# The first fields of a row; the others are a count for each path and status.
PID, READY, IN_FLIGHT, ROWS, SHED, LOG_DROPPED, LOG_DROPPED_BEFORE, CPU_BEFORE, SECONDS, BUCKETS = range(10)
REQUESTS = BUCKETS + len(BOUNDS) + 1
PATHS = 24
FIELDS = REQUESTS + PATHS * (len(STATUSES) + 1)


class Metrics:
    """The shared memory; to be made before the workers are forked."""

    def __init__(self, workers: int = 1) -> None:
        self._started = time.time()
        self._memory = memoryview(mmap.mmap(-1, workers * FIELDS * 8)).cast("d")
        self.rows = [self._memory[start : start + FIELDS] for start in range(0, workers * FIELDS, FIELDS)]

    def ended(self, worker: int, cpu_seconds: float) -> None:
        """A worker is no more, and what it had used of the processor is known."""
        row = self.rows[worker]
        row[CPU_BEFORE] += cpu_seconds
        row[LOG_DROPPED_BEFORE] += row[LOG_DROPPED]
        for field in (PID, READY, IN_FLIGHT, LOG_DROPPED):
            row[field] = 0.0

    def text(self, paths: Sequence[str], info: Mapping[str, str]) -> bytes:
        """All workers together; `paths` are the names of the counted paths in their order."""
        total = [sum(column) for column in zip(*self.rows, strict=True)]
        alive = [int(row[PID]) for row in self.rows if row[PID]]
        lines: list[str] = []

        def add(name: str, kind: str, about: str, samples: Iterable[tuple[str, float]]) -> None:
            lines.extend((f"# HELP {name} {about}", f"# TYPE {name} {kind}"))
            lines.extend(f"{name}{label} {_number(value)}" for label, value in samples)

        add(
            "mlops_ci_requests_total",
            "counter",
            "Requests that were answered, by path and status.",
            [(f'{{path="{path}",status="{status}"}}', count) for path, status, count in _requests(total, paths)],
        )
        add(
            "mlops_ci_request_seconds",
            "histogram",
            "Time from the arrival of a scoring request (its last byte) to its answer.",
            _histogram(total),
        )
        add("mlops_ci_rows_total", "counter", "Rows that the model answered.", [("", total[ROWS])])
        add("mlops_ci_in_flight", "gauge", "Requests that are not answered yet.", [("", total[IN_FLIGHT])])
        add("mlops_ci_shed_total", "counter", "Requests that were refused for overload.", [("", total[SHED])])
        dropped = total[LOG_DROPPED] + total[LOG_DROPPED_BEFORE]
        add("mlops_ci_log_dropped_total", "counter", "Requests missing in the prediction log.", [("", dropped)])
        ready = float(all(row[READY] for row in self.rows))
        add("mlops_ci_ready", "gauge", "Whether all workers are ready.", [("", ready)])
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in info.items())
        add("mlops_ci_model_info", "gauge", "The model that is served.", [(f"{{{labels}}}", 1.0)])
        add(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory of all workers; what they share is counted for each.",
            [("", float(sum(map(_resident, alive))))],
        )
        cpu = total[CPU_BEFORE] + sum(map(_cpu, alive))
        add("process_cpu_seconds_total", "counter", "Processor time of all workers.", [("", cpu)])
        add("process_start_time_seconds", "gauge", "Start of the service, in Unix time.", [("", self._started)])
        return ("\n".join(lines) + "\n").encode()


class Counts:
    """What one worker counts: the fields of its row. To be used by one thread."""

    def __init__(self, metrics: Metrics, worker: int, paths: Sequence[str]) -> None:
        self._row = metrics.rows[worker]
        self._row[PID] = float(os.getpid())
        width = len(STATUSES) + 1
        self._fields = {
            (path, status): REQUESTS + number * width + place
            for number, path in enumerate(paths)
            for place, status in enumerate((*STATUSES, 0))
        }

    def ready(self, ready: bool) -> None:
        self._row[READY] = float(ready)

    def came(self) -> None:
        self._row[IN_FLIGHT] += 1

    def went(self) -> None:
        self._row[IN_FLIGHT] -= 1

    def answered(self, path: str, status: int) -> None:
        field = self._fields.get((path, status)) or self._fields[path, 0]
        self._row[field] += 1

    def scored(self, seconds: float, rows: int) -> None:
        row = self._row
        row[BUCKETS + bisect_left(BOUNDS, seconds)] += 1
        row[SECONDS] += seconds
        row[ROWS] += rows

    def shed(self) -> None:
        self._row[SHED] += 1

    def log_dropped(self, requests: int) -> None:
        """`requests` since the start of this worker."""
        self._row[LOG_DROPPED] = float(requests)


def _requests(total: Sequence[float], paths: Sequence[str]) -> Iterable[tuple[str, str, float]]:
    names = [*map(str, STATUSES), OTHER]
    for number, path in enumerate(paths):
        start = REQUESTS + number * len(names)
        for status, count in zip(names, total[start : start + len(names)], strict=True):
            if count:
                yield path, status, count


def _histogram(total: Sequence[float]) -> Iterable[tuple[str, float]]:
    count = 0.0
    for place, bound in enumerate((*map(str, BOUNDS), "+Inf")):
        count += total[BUCKETS + place]
        yield f'_bucket{{le="{bound}"}}', count
    yield "_sum", total[SECONDS]
    yield "_count", count


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _resident(pid: int) -> int:
    return _statistics(pid, "statm", 1) * mmap.PAGESIZE


def _cpu(pid: int) -> float:
    ticks = _statistics(pid, "stat", 11) + _statistics(pid, "stat", 12)
    return ticks / os.sysconf("SC_CLK_TCK")


def _statistics(pid: int, file: str, place: int) -> int:
    """A number of the kernel about a process (`man 5 proc`); 0 where it has just ended."""
    try:
        # the name of a program, in parentheses, may hold anything
        return int(Path(f"/proc/{pid}/{file}").read_text().rpartition(") ")[2].split()[place])
    except (OSError, IndexError, ValueError):
        return 0
