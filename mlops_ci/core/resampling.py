"""How sure one may be of a difference between two models on the same rows: the paired bootstrap.

A unit is what may be taken as independent: a row, all rows of a group (cluster bootstrap; Field & Welsh 2007), or a
block of rows that follow each other in time (Künsch 1989). Each resample draws as many units as there are, with
replacement, and both models are judged on what was drawn (Efron & Tibshirani 1993).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import copysign, expm1, isqrt, log1p, nan, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import METRICS, compute, oriented, statistic, why_undefined
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Signature

IntArray = NDArray[np.int64]
NORMAL = NormalDist()
MIN_UNITS = 10
"""Fewer units say nothing about their spread: with 10, all in favour of one model, even a sign test reaches 0.001."""
MAX_UNDEFINED = 0.01
"""Resamples in which the metric is undefined (one class drawn) are left out up to this share, and not beyond it."""
POWER = 0.8
DRAWN_AT_ONCE = 1 << 17
"""Weights in memory at a time. Twice as slow where they do not stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """Challenger minus champion on the same rows, oriented so that positive is better; NaN with a `reason`.

    `samples` are the resampled differences in ascending order. `telling` units are those for which the two models
    answer differently: the others are zeros that say nothing about the spread, so they give no degrees of freedom.
    """

    metric: str
    champion: float
    challenger: float
    estimate: float
    standard_error: float
    samples: FloatArray
    rows: int
    units: int
    telling: int
    reason: str = ""

    def lower(self, alpha: float) -> float:
        """The true difference lies below this with probability `alpha` at most: the one-sided lower bound.

        The lower of two bounds: the percentile of the resamples, which follows a skewed distribution, and the Student
        bound from their standard deviation, which is reliable where alpha is so small that hardly a resample is left
        in the tail, or where few units tell the models apart.
        """
        if not len(self.samples):
            return nan
        percentile = float(np.quantile(self.samples, alpha, method="lower"))
        return min(percentile, self.estimate - self._quantile(alpha) * self.standard_error)

    def upper(self, alpha: float) -> float:
        """The true difference lies above this with probability `alpha` at most, in the same way."""
        if not len(self.samples):
            return nan
        percentile = float(np.quantile(self.samples, 1 - alpha, method="higher"))
        return max(percentile, self.estimate + self._quantile(alpha) * self.standard_error)

    def p_worse(self) -> float:
        """How likely so bad a difference is where the challenger is in truth no worse; from the Student statistic.

        Not from the resamples: their share cannot fall below one in their number, and a correction for many slices
        could then never be met.
        """
        if not self.standard_error > 0:
            return nan if np.isnan(self.standard_error) else float(self.estimate >= 0)
        return NORMAL.cdf(normal_from_student(self.estimate / self.standard_error, self.telling - 1))

    def detectable(self, alpha: float, power: float = POWER) -> float:
        """The smallest true difference that these rows would show, at `alpha`, with probability `power`."""
        return (self._quantile(alpha) + NORMAL.inv_cdf(power)) * self.standard_error

    def rows_to_show(self, distance: float, alpha: float, power: float = POWER) -> int | None:
        """How many rows in all would show, at `alpha` and with `power`, a true difference that is `distance` off."""
        if not distance > 0 or not np.isfinite(self.standard_error):
            return None
        return int(np.ceil(self.rows * (self.detectable(alpha, power) / distance) ** 2))

    def _quantile(self, alpha: float) -> float:
        return student_from_normal(-NORMAL.inv_cdf(alpha), self.telling - 1)


def paired_difference(
    name: str,
    truth: NDArray[Any],
    champion: Predictions,
    challenger: Predictions,
    signature: Signature,
    *,
    units: IntArray | None = None,
    resamples: int = 2000,
    seed: int,
) -> Difference:
    """The metric's oriented difference with its bootstrap distribution; the same for the same arguments.

    `truth` [rows]; `units` [rows] numbers the unit of each row (see `independent_units`), None where each row is one.
    Raises KeyError for an unknown metric and ValueError where the numbers of rows differ.
    """
    if units is not None and len(units) != len(truth):
        raise ValueError(f"there are {len(truth)} rows of truth and {len(units)} of units")
    values = [compute(name, truth, predictions, signature) for predictions in (champion, challenger)]
    codes = np.arange(len(truth)) if units is None else _numbered(units)
    count = int(codes.max(initial=-1)) + 1
    reason = _undefined(name, truth, champion, challenger, signature)
    if not reason and count < MIN_UNITS:
        reason = f"there are {count} independent units of rows, and fewer than {MIN_UNITS} do not show how they vary"
    samples = np.zeros(0)
    if not reason:
        old, new = (statistic(name, truth, one, signature).over(codes) for one in (champion, challenger))
        drawn = np.concatenate([new(draws) - old(draws) for draws in _draws(count, resamples, seed)])
        samples = np.sort(oriented(name, 1.0) * drawn[np.isfinite(drawn)])
    if not reason and resamples - len(samples) > MAX_UNDEFINED * resamples:
        reason = f"{name} is undefined in {resamples - len(samples)} of {resamples} resamples: too few rows of a kind"
        samples = np.zeros(0)
    # The spread of resamples understates that of samples by this factor, which matters where units are few.
    spread = float(samples.std(ddof=1)) * sqrt(count / (count - 1)) if len(samples) > 1 else nan
    return Difference(
        metric=name,
        champion=values[0],
        challenger=values[1],
        estimate=oriented(name, values[1]) - oriented(name, values[0]),
        standard_error=spread,
        samples=samples,
        rows=len(truth),
        units=count,
        telling=len(np.unique(codes[_answered_differently(name, champion, challenger)])),
        reason=reason,
    )


def independent_units(*, groups: NDArray[Any] | None = None, times: NDArray[Any] | None = None) -> IntArray | None:
    """The unit of each row: its group, else its block of time, else None for the row itself.

    Blocks are of equally many rows that follow each other in time, about the square root of all rows and at most a
    twentieth of them: that long, the dependence between neighbouring blocks hardly counts (batch means, Flegal & Jones
    2010).
    """
    if groups is not None:
        return _numbered(groups.astype(str) if groups.dtype == object else groups)
    if times is None:
        return None
    rows = len(times)
    length = max(min(isqrt(rows), rows // (2 * MIN_UNITS)), 1)
    place = np.empty(rows, dtype=np.int64)
    place[np.argsort(times, kind="stable")] = np.arange(rows)
    return place * max(rows // length, 1) // max(rows, 1)


def student_from_normal(quantile: float, degrees: int) -> float:
    """The quantile of Student's distribution at the probability of a normal quantile (Wallace 1959).

    Within 2 % from 5 degrees of freedom on, and too large, which is the cautious side, below. Less than one counts as
    one.
    """
    n = max(degrees, 1)
    return copysign(sqrt(n * expm1((quantile * (8 * n + 3) / (8 * n + 1)) ** 2 / n)), quantile)


def normal_from_student(quantile: float, degrees: int) -> float:
    """The inverse of `student_from_normal`."""
    n = max(degrees, 1)
    return copysign(sqrt(n * log1p(quantile**2 / n)) * (8 * n + 1) / (8 * n + 3), quantile)


def _undefined(
    name: str, truth: NDArray[Any], champion: Predictions, challenger: Predictions, signature: Signature
) -> str:
    for who, predictions in (("champion", champion), ("challenger", challenger)):
        why = why_undefined(name, truth, predictions, signature)
        if why:
            return f"{name} of the {who} is undefined: {why}"
    return ""


def _draws(units: int, resamples: int, seed: int) -> Iterator[IntArray]:
    """How often each unit is drawn in each resample (multinomial, by counting picks), some resamples at a time."""
    rng = np.random.default_rng(seed)
    at_once = max(DRAWN_AT_ONCE // units, 1)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        picks = rng.integers(0, units, size=(size, units))
        picks += np.arange(size)[:, np.newaxis] * units
        yield np.bincount(picks.ravel(), minlength=size * units).reshape(size, units)


def _answered_differently(name: str, champion: Predictions, challenger: Predictions) -> NDArray[np.bool_]:
    """The rows for which the metric can see a difference between the two."""
    part = "values" if champion.values is not None else "labels" if METRICS[name].of_labels else "probabilities"
    ours, theirs = getattr(champion, part), getattr(challenger, part)
    if ours is None or theirs is None or np.shape(ours) != np.shape(theirs):
        return np.zeros(len(champion), dtype=np.bool_)
    different: NDArray[np.bool_] = np.not_equal(ours, theirs).astype(np.bool_)
    return different if different.ndim == 1 else np.asarray(different.any(axis=1))


def _numbered(units: NDArray[Any]) -> IntArray:
    return np.unique(units, return_inverse=True)[1].astype(np.int64)
