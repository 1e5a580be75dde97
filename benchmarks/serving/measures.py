"""What is measured, as it goes into the file of results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scipy import stats

from benchmarks.serving.load import Load


class Cell(NamedTuple):
    """One race: a workload, rows in a request, connections."""

    workload: str
    rows: int
    clients: int


class Ratio(NamedTuple):
    value: float
    low: float
    high: float
    """95 % interval; the same as the value where there was one round."""


@dataclass(kw_only=True)
class Results:
    """Everything of one run. Contenders go by their names; `loads` holds one entry a round."""

    machine: str
    generator: str
    seconds: float
    rounds: int
    processor_time: bool = False
    """Rates are by the servers' processor time and not by the clock."""
    titles: dict[str, str] = field(default_factory=dict)
    runtimes: dict[str, str] = field(default_factory=dict)
    loads: dict[Cell, dict[str, list[Load]]] = field(default_factory=dict)
    ready: dict[str, list[float]] = field(default_factory=dict)
    megabytes: dict[tuple[str, str], float] = field(default_factory=dict)
    """By workload and contender, after its load."""
    run_alone: dict[str, dict[int, float]] = field(default_factory=dict)
    """Microseconds of `session.run` by workload and rows."""
    ceiling: dict[int, Load] = field(default_factory=dict)
    """What the generator reaches against a socket that answers without looking, by connections."""
    starvation: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Milliseconds by contender and by what was asked and when."""
    ending: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def rates(self, cell: Cell, name: str) -> list[float]:
        return [load.rate for load in self.loads.get(cell, {}).get(name, [])]

    def fastest(self, cell: Cell, runtime: str) -> str | None:
        """The contender of that runtime with the highest median rate."""
        names = [name for name in self.loads.get(cell, {}) if self.runtimes[name] == runtime]
        return max(names, key=lambda name: statistics.median(self.rates(cell, name)), default=None)

    def ratio(self, cell: Cell, ours: str, other: str) -> Ratio:
        return ratio(self.rates(cell, ours), self.rates(cell, other))


def ratio(ours: Sequence[float], others: Sequence[float]) -> Ratio:
    """Ours to theirs: the geometric mean of the rounds' ratios, with Student's interval of their logarithms.

    By rounds, so that a slow spell of the machine that meets both does not count.
    """
    logs = [math.log(a / b) for a, b in zip(ours, others, strict=True)]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return Ratio(math.exp(mean), math.exp(mean), math.exp(mean))
    error = statistics.stdev(logs) / math.sqrt(len(logs)) * float(stats.t.ppf(0.975, len(logs) - 1))
    return Ratio(math.exp(mean), math.exp(mean - error), math.exp(mean + error))


def spread(values: Sequence[float]) -> float:
    """Half the range, as a share of the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
