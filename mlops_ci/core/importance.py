"""Which columns a model's answers rest on: permutation importance (Breiman 2001; Fisher, Rudin & Dominici 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import compute, oriented
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

Predict = Callable[[Mapping[str, NDArray[Any]]], Predictions]
REPEATS = 5
MOST_ROWS = 3_000
LEAST_ROWS = 200
MOST_SCORED = 200_000
"""Rows that the model is asked about in all, however many columns there are, as long as LEAST_ROWS allow it."""
STUDENT = 2.776
"""Two-sided 95 %, with the four degrees of freedom of five repeats."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much of the metric is lost when a column's values are shuffled: the mean over repeats, and 95 % bounds.

    The bounds tell the luck of the shuffling, not that of the rows. A loss of about zero, or below it, means that the
    model does as well without the column, be it that another one says the same.
    """

    name: str
    mean: float
    lower: float
    upper: float


def rows_for(columns: int) -> int:
    """How many rows are worth asking about with so many columns."""
    return min(max(MOST_SCORED // max(columns * REPEATS, 1), LEAST_ROWS), MOST_ROWS)


def permutation_importance(
    metric: str,
    predict: Predict,
    columns: Mapping[str, NDArray[Any]],
    truth: NDArray[Any],
    signature: Signature,
    *,
    seed: int,
) -> tuple[Importance, ...]:
    """Each column's importance for these rows, the largest first; the same for the same arguments.

    A column is shuffled REPEATS times and all of it is scored in one call. Columns for which the metric is undefined
    are left out, which happens to all or to none of them.
    """
    rows = len(truth)
    rng = np.random.default_rng(seed)
    orders = np.concatenate([rng.permutation(rows) for _ in range(REPEATS)])
    whole = oriented(metric, compute(metric, truth, predict(columns), signature))
    repeated = {name: np.tile(values, REPEATS) for name, values in columns.items()}
    found = []
    for name, values in columns.items():
        answers = predict({**repeated, name: values[orders]})
        parts = (answers.take(np.arange(start, start + rows)) for start in range(0, rows * REPEATS, rows))
        losses = np.array([whole - oriented(metric, compute(metric, truth, part, signature)) for part in parts])
        if np.isfinite(losses).all():
            found.append(_summary(name, losses))
    return tuple(sorted(found, key=lambda importance: (-importance.mean, importance.name)))


def _summary(name: str, losses: NDArray[np.float64]) -> Importance:
    mean = float(losses.mean())
    margin = STUDENT * float(losses.std(ddof=1)) / sqrt(REPEATS)
    return Importance(name=name, mean=mean, lower=mean - margin, upper=mean + margin)
