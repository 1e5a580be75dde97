"""Slices: how often does any one block a challenger that is no worse anywhere, and one that is worse somewhere?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.slices import compare_slices, judge_slices
from simulations.worlds import BINARY

ROWS = 250


@dataclass(frozen=True, kw_only=True)
class Rule:
    """No drop is so small that it may pass, if it is certain: so the test alone decides."""

    by: str = "city"
    metric: str = "accuracy"
    max_drop: float = 0.0
    min_rows: int = 100


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """Shares of holdouts: with Holm's correction as the gate does it, and at alpha for each slice by itself."""

    corrected: float
    uncorrected: float


def blocks(metric: str, slices: int, drop: float, holdouts: int, *, alpha: float = 0.05) -> Blocked:
    """`drop` is by how much the challenger answers more rows of the first slice wrongly."""
    rule = Rule(metric=metric)
    city = np.repeat([f"city {place:02}" for place in range(slices)], ROWS).astype(object)
    any_corrected, any_uncorrected = 0, 0
    for trial in range(holdouts):
        rng = np.random.default_rng([11, trial])
        truth = (rng.random(len(city)) < 0.5).astype(np.int64)
        right = np.full((2, len(city)), 0.8)
        right[1, :ROWS] -= drop
        labels = np.where(rng.random((2, len(city))) < right, truth, 1 - truth)
        old, new = (
            Predictions(labels=each, probabilities=np.column_stack([1.0 - each, 1.0 * each])) for each in labels
        )
        evidence = compare_slices(rule, city, truth, old, new, BINARY, units=None, resamples=1000, seed=trial)
        outcomes = judge_slices(evidence, [rule], alpha=alpha, compared=True)
        any_corrected += any(one.verdict == "slice-regression" for one in outcomes)
        any_uncorrected += any(one.difference is not None and one.difference.p_worse() <= alpha for one in evidence)
    return Blocked(corrected=any_corrected / holdouts, uncorrected=any_uncorrected / holdouts)
