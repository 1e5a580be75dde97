"""The intervals of all metrics in a report: how often do they hold the truth?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mlops_ci.core.metric_intervals import metric_intervals
from mlops_ci.core.metrics import compute, metrics_for, oriented
from mlops_ci.core.signature import Signature
from simulations.promises import TRUTH_ROWS
from simulations.worlds import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    Holdout,
    Rng,
    grouped_values,
    scores,
    three_classes,
    values,
)

HOLDOUTS = 3000
CASES: dict[str, tuple[Signature, int, Callable[[Rng, int, float], Holdout]]] = {
    "binary, 400 rows, about 80 positive": (BINARY, 400, partial(scores, positive=0.2)),
    "3 classes, 400 rows": (MULTICLASS, 400, three_classes),
    "regression, 200 rows": (REGRESSION, 200, values),
    "regression, 20 groups of 20": (REGRESSION, 400, partial(grouped_values, size=20)),
}
Covered = dict[str, tuple[float, float]]
"""For each metric the share of holdouts in which the interval of one model, and of the difference, holds the truth."""


def coverage(case: str, holdouts: int = HOLDOUTS) -> Covered:
    signature, rows, draw = CASES[case]
    names = [name for name in metrics_for(signature.task) if name != "mape"]
    large = draw(np.random.default_rng([3, 3]), TRUTH_ROWS, 0.2)
    old, new = (
        {name: compute(name, large.truth, one, signature) for name in names}
        for one in (large.champion, large.challenger)
    )
    held: dict[str, list[tuple[bool, bool]]] = {name: [] for name in names}
    for trial in range(holdouts):
        one = draw(np.random.default_rng([4, trial]), rows, 0.2)
        found = metric_intervals(names, one.truth, one.champion, one.challenger, signature, units=one.units)
        for name in names:
            ends, apart = found[name].challenger_interval, found[name].difference_interval
            if ends is not None and apart is not None:
                true = oriented(name, new[name]) - oriented(name, old[name])
                held[name].append((ends[0] <= new[name] <= ends[1], apart[0] <= true <= apart[1]))
    return {name: (float(means[0]), float(means[1])) for name in names for means in [np.mean(held[name], axis=0)]}
