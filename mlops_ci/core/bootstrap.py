"""The paired bootstrap: how the difference of two models varies if the holdout is drawn anew from its own units.

Each resample draws as many independent units as there are, with replacement, and both models are judged on what was
drawn (Efron & Tibshirani 1993; whole groups: Field & Welsh 2007; blocks of time: Künsch 1989).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlops_ci.core.cells import Cells
from mlops_ci.core.metrics.statistic import Additive, IntArray, Statistic
from mlops_ci.core.predictions import FloatArray

DRAWN_AT_ONCE = 1 << 17
"""Weights in memory at a time. Twice as slow where they do not stay in the processor's cache."""
WORTH_A_CELL = 16
"""Units in a cell, on average, from which on it is cheaper to draw how many of a cell than which units."""


def resampled(champion: Statistic, challenger: Statistic, units: int, resamples: int, seed: int) -> FloatArray:
    """Challenger minus champion in each resample, NaN where undefined; the same for the same arguments.

    Metrics that are formulas over sums need to know of a resample only the sums, and these are drawn from cells of
    units alike (see `core.cells`): the same distribution at a small part of the cost where units are many.
    """
    if isinstance(champion, Additive) and isinstance(challenger, Additive):
        along = challenger.influence(units) - champion.influence(units)
        cells = Cells.of(np.vstack([champion.parts, challenger.parts]), along)
        if cells.count * WORTH_A_CELL <= units:
            own = len(champion.parts)
            drawn = (cells.sums(size, rng) for size, rng in _batches(cells.count, resamples, seed))
            return np.concatenate([challenger.formula(sums[own:]) - champion.formula(sums[:own]) for sums in drawn])
    return np.concatenate([challenger(draws) - champion(draws) for draws in _draws(units, resamples, seed)])


def _draws(units: int, resamples: int, seed: int) -> Iterator[IntArray]:
    """How often each unit is drawn in each resample (multinomial, by counting picks), some resamples at a time."""
    for size, rng in _batches(units, resamples, seed):
        picks = rng.integers(0, units, size=(size, units))
        picks += np.arange(size)[:, np.newaxis] * units
        yield np.bincount(picks.ravel(), minlength=size * units).reshape(size, units)


def _batches(width: int, resamples: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """How many resamples at a time so that no more than DRAWN_AT_ONCE weights are in memory."""
    rng = np.random.default_rng(seed)
    at_once = max(DRAWN_AT_ONCE // width, 1)
    for start in range(0, resamples, at_once):
        yield min(at_once, resamples - start), rng
