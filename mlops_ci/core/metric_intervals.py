"""Two-sided 95 % intervals of every metric of both models and of their difference, at the cost of a few sums each.

For what a report shows beside the decision. The variance of a metric is the sum of the squared influences of the
independent units (infinitesimal jackknife; Jaeckel 1972, Efron 1982), so nothing is resampled and nothing is random.
One model's interval is made on a scale without limits (logit, logarithm) and taken back, so that it never leaves the
range of the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, isfinite, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import METRICS, compute, oriented, statistic
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.student import upper_quantile
from mlops_ci.core.units import MIN_UNITS, IntArray, numbered
from mlops_ci.core.verdicts import number

Interval = tuple[float, float]
TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class MetricUncertainty:
    """One metric of both models on the same rows; intervals are None where there is none.

    `difference` is oriented so that positive is better.
    """

    champion: float | None
    challenger: float | None
    champion_interval: Interval | None = None
    challenger_interval: Interval | None = None
    difference: float | None = None
    difference_interval: Interval | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """The metric of one model and the influence of each unit on it, None where the units are too few."""

    value: float
    influence: FloatArray | None


def metric_intervals(
    names: Sequence[str],
    truth: NDArray[Any],
    champion: Predictions | None,
    challenger: Predictions | None,
    signature: Signature,
    *,
    units: IntArray | None,
) -> Mapping[str, MetricUncertainty]:
    """The metrics by name; of a model that could not be asked there is nothing. `units` as in `paired_difference`.

    Raises KeyError for an unknown metric and ValueError where the numbers of rows differ.
    """
    codes = np.arange(len(truth)) if units is None else numbered(units)
    found = {}
    for name in names:
        old, new = (
            None if model is None else _measured(name, truth, model, signature, codes)
            for model in (champion, challenger)
        )
        difference = None if old is None or new is None else oriented(name, new.value) - oriented(name, old.value)
        found[name] = MetricUncertainty(
            champion=None if old is None else number(old.value),
            challenger=None if new is None else number(new.value),
            champion_interval=None if old is None else _of_one(name, old),
            challenger_interval=None if new is None else _of_one(name, new),
            difference=number(difference),
            difference_interval=None if old is None or new is None else _of_difference(name, old, new),
        )
    return found


def _measured(name: str, truth: NDArray[Any], model: Predictions, signature: Signature, codes: IntArray) -> _Measured:
    value = compute(name, truth, model, signature)
    count = int(codes.max(initial=-1)) + 1
    if not isfinite(value) or count < MIN_UNITS:
        return _Measured(value=value, influence=None)
    influence = statistic(name, truth, model, signature).over(codes).influence(count)
    return _Measured(value=value, influence=influence if np.isfinite(influence).all() else None)


def _of_one(name: str, measured: _Measured) -> Interval | None:
    metric, value = METRICS[name], measured.value
    if measured.influence is None:
        return None
    if value in (metric.lower, metric.upper):
        # All units agree, and the next one may not (rule of three; Hanley & Lippman-Hand 1983).
        unseen = 1 - TAIL ** (1 / len(measured.influence))
        return max(value - unseen, metric.lower), min(value + unseen, metric.upper)
    forth, back, slope = _scale(metric.lower, metric.upper)
    reach = _half_width(measured.influence) * slope(value)
    ends = back(forth(value) - reach), back(forth(value) + reach)
    return min(ends), max(ends)


def _scale(lower: float, upper: float) -> tuple[Callable[[float], float], ...]:
    """A function that takes the range of a metric to all numbers, its inverse, and its derivative."""
    if isfinite(lower) and isfinite(upper):
        return (lambda x: log(x / (1 - x))), (lambda y: 1 / (1 + exp(-y))), (lambda x: 1 / (x * (1 - x)))
    if isfinite(lower):
        return log, exp, (lambda x: 1 / x)
    return (lambda x: log(upper - x)), (lambda y: upper - exp(y)), (lambda x: 1 / (upper - x))


def _of_difference(name: str, old: _Measured, new: _Measured) -> Interval | None:
    if old.influence is None or new.influence is None:
        return None
    value = oriented(name, new.value) - oriented(name, old.value)
    half, widest = _half_width(new.influence - old.influence), METRICS[name].upper - METRICS[name].lower
    return max(value - half, -widest), min(value + half, widest)


def _half_width(influence: FloatArray) -> float:
    """A Student quantile times the standard error."""
    units = len(influence)
    return upper_quantile(TAIL, units - 1) * sqrt(units / (units - 1) * float((influence**2).sum()))
