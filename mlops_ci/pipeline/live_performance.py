"""How well a model does where the truth has become known, window by window, against the holdout it was judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import compute, oriented, statistic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

REMEMBERED = 5
"""An alarm needs the latest window and one more of so many: a lone blip is none."""
KEPT_WINDOWS = 60
RESAMPLES = 200
DRAWN_AT_ONCE = 1 << 21
FEWEST_WINDOWS = 12
"""So many windows before the last REMEMBERED ones show how much the metric varies from window to window anyway."""


@dataclass(frozen=True, kw_only=True)
class Actuals:
    """What came true: the target's values (canonical) where `known` [rows], and what the model answers.

    `reference` is the metric on the `reference_rows` of the holdout; a drop by less than `margin` is no alarm.
    """

    truth: NDArray[Any]
    known: NDArray[np.bool_]
    predictions: Predictions
    signature: Signature
    metric: str
    reference: float | None
    reference_rows: int
    margin: float = 0.0


@dataclass(frozen=True, kw_only=True)
class WindowPerformance:
    """The metric on the window's rows that have an actual value, with a 95 % bootstrap interval; None: undefined."""

    start: str | None
    rows: int
    value: float | None
    lower: float | None
    upper: float | None
    worse: bool


@dataclass(frozen=True, kw_only=True)
class Performance:
    """`reference` is the metric on the holdout that the model was judged on."""

    metric: str
    reference: float | None
    windows: tuple[WindowPerformance, ...]
    alarm: bool


@dataclass(frozen=True, kw_only=True)
class _Measured:
    start: str | None
    rows: int
    value: float
    error: float

    @property
    def defined(self) -> bool:
        return bool(np.isfinite(self.value) and np.isfinite(self.error))


def live_performance(
    actuals: Actuals,
    windows: Sequence[tuple[str | None, NDArray[np.int64]]],
    *,
    min_rows: int,
    alpha: float,
    seed: int,
) -> Performance:
    """The metric in each window (start, positions of its rows; the oldest first) with at least `min_rows` actuals.

    A window is worse where the metric is below the reference by more than the margin, and by more than chance: with
    probability `alpha` at most. The performance alarms if the latest window and one more of the last five are worse;
    where there are no windows in time (start None), if the one window is.
    """
    known = [(start, indices[actuals.known[indices]]) for start, indices in windows]
    measured = [_measure(actuals, start, rows, seed=seed) for start, rows in known if len(rows) >= min_rows]
    between, freedom = _variation(measured[:-REMEMBERED])
    judged = [_judged(actuals, one, between=between, freedom=freedom, alpha=alpha) for one in measured]
    alarm = bool(judged) and judged[-1].worse
    if judged and judged[-1].start is not None:
        alarm = alarm and any(window.worse for window in judged[-REMEMBERED:-1])
    return Performance(
        metric=actuals.metric, reference=actuals.reference, windows=tuple(judged[-KEPT_WINDOWS:]), alarm=alarm
    )


def _measure(actuals: Actuals, start: str | None, rows: NDArray[np.int64], *, seed: int) -> _Measured:
    truth, answers = actuals.truth[rows], actuals.predictions.take(rows)
    return _Measured(
        start=start,
        rows=len(rows),
        value=compute(actuals.metric, truth, answers, actuals.signature),
        error=_standard_error(actuals.metric, truth, answers, actuals.signature, seed=seed),
    )


def _variation(measured: Sequence[_Measured]) -> tuple[float, int | None]:
    """The variance of the metric among windows beyond their own errors, and its degrees of freedom (None: unknown)."""
    defined = [one for one in measured if one.defined]
    if len(defined) < FEWEST_WINDOWS:
        return 0.0, None
    own = np.mean([one.error**2 for one in defined])
    variance = float(np.var([one.value for one in defined], ddof=1) - own)
    return max(0.0, variance), len(defined) - 1


def _judged(
    actuals: Actuals, one: _Measured, *, between: float, freedom: int | None, alpha: float
) -> WindowPerformance:
    if not one.defined:
        return WindowPerformance(start=one.start, rows=one.rows, value=None, lower=None, upper=None, worse=False)
    half = NormalDist().inv_cdf(0.975) * one.error
    told = WindowPerformance(
        start=one.start, rows=one.rows, value=one.value, lower=one.value - half, upper=one.value + half, worse=False
    )
    if actuals.reference is None:
        return told
    change = oriented(actuals.metric, one.value) - oriented(actuals.metric, actuals.reference)
    # The reference was measured on a sample too, so it is as uncertain as its number of rows says.
    spread = float(np.sqrt(one.error**2 * (1 + one.rows / actuals.reference_rows) + between))
    if not spread:
        return replace(told, worse=change < -actuals.margin)
    return replace(told, worse=change < -actuals.margin and _tail(change / spread, freedom) <= alpha)


def _tail(z: float, freedom: int | None) -> float:
    if freedom is None:
        return NormalDist().cdf(z)
    from scipy.special import stdtr

    return float(stdtr(freedom, z))


def _standard_error(
    metric: str, truth: NDArray[Any], answers: Predictions, signature: Signature, *, seed: int
) -> float:
    """By Poisson bootstrap; NaN where the metric is undefined in more than a tenth of the resamples."""
    of_rows = statistic(metric, truth, answers, signature)
    random = np.random.default_rng(seed)
    at_once = max(1, DRAWN_AT_ONCE // len(truth))
    drawn = [
        of_rows(random.poisson(1, (min(at_once, RESAMPLES - first), len(truth))))
        for first in range(0, RESAMPLES, at_once)
    ]
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) >= 0.9 * RESAMPLES else float("nan")
