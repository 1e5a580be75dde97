"""The two sides of an A/B test compared: estimates with intervals that may be looked at every day.

Each interval is a 95 % confidence sequence: with a probability of at least 95 % it holds the true value at all times at
once, so that whoever stops the test when the report pleases is not fooled by that (Robbins 1970; asymptotic as in
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, whose section on randomized experiments has the difference). What is
independent is a request, not a row: several rows of one request count as one unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import METRICS, compute, oriented, statistic
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.sequential import radius
from mlops_ci.core.signature import Signature

ALPHA = 0.05
BEST_AT = 1_000
"""Units at which the intervals are narrowest; a choice that has to be made before the data are seen."""
FEWEST = 100
"""Units of one side: for fewer the normal distribution of a mean is too bold a claim, and there is no interval."""
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its interval (None: undefined, or of too few units) and its standard error."""

    value: float | None
    units: int
    error: float = inf
    lower: float | None = None
    upper: float | None = None

    def to_json(self) -> dict[str, Any]:
        shown = asdict(self)
        del shown["error"]
        return shown


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One thing that was measured on both sides; `difference` is new minus stable, of a metric: positive is better."""

    name: str
    stable: Estimate
    new: Estimate
    difference: Estimate

    def to_json(self) -> dict[str, Any]:
        sides = {side: getattr(self, side).to_json() for side in ("stable", "new", "difference")}
        return {"name": self.name, **sides}


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Answers of one side whose truth is known, and the number of each row's request, from 0 on."""

    truth: NDArray[Any]
    answers: Predictions
    codes: NDArray[Any]


def failures(name: str, stable: tuple[int, int], new: tuple[int, int]) -> Compared:
    """Shares of requests, each side given as (hits, requests).

    The standard error is that after one more hit and one more miss (Agresti & Caffo 2000): none in a hundred is no
    certainty of none.
    """
    sides = []
    for hits, requests in (stable, new):
        smoothed = (hits + 1) / (requests + 2)
        error = sqrt(smoothed * (1 - smoothed) / (requests + 2))
        value = hits / requests if requests else None
        sides.append(_with_interval(value, error, requests, 0.0, 1.0))
    return _compared(name, *sides, widest=1.0)


def means(name: str, stable: tuple[FloatArray, NDArray[Any]], new: tuple[FloatArray, NDArray[Any]]) -> Compared:
    """Means of the rows, each side given as values [rows] and the number of each row's request, from 0 on."""
    return _compared(name, *(_mean(values, codes) for values, codes in (stable, new)))


def _mean(values: FloatArray, codes: NDArray[Any]) -> Estimate:
    units = int(codes.max(initial=-1)) + 1
    if not units:
        return Estimate(value=None, units=0)
    mean = float(values.mean())
    influence = np.bincount(codes, weights=values - mean, minlength=units) / len(values)
    return _with_interval(mean, _error(influence), units, -inf, inf)


def performance(metric: str, stable: Judged, new: Judged, signature: Signature) -> Compared:
    """The metric of both sides on the rows whose truth is known, and its difference, positive where new is better."""
    sides = [_measured(metric, side, signature) for side in (stable, new)]
    worth = [replace(side, value=oriented(metric, side.value)) if side.value is not None else side for side in sides]
    difference = _compared(metric, *worth, widest=METRICS[metric].upper - METRICS[metric].lower).difference
    return Compared(name=metric, stable=sides[0], new=sides[1], difference=difference)


def _measured(metric: str, side: Judged, signature: Signature) -> Estimate:
    units = int(side.codes.max(initial=-1)) + 1
    value = compute(metric, side.truth, side.answers, signature) if units else float("nan")
    if not isfinite(value):
        return Estimate(value=None, units=units)
    influence = statistic(metric, side.truth, side.answers, signature).over(side.codes).influence(units)
    error = _error(influence) if np.isfinite(influence).all() else inf
    return _with_interval(value, error, units, METRICS[metric].lower, METRICS[metric].upper)


def quantiles(within: Mapping[float, int], requests: int) -> dict[str, float | None]:
    """Of a router's buckets: the least bound that so many requests kept; None where that is beyond all bounds."""
    found = {}
    for level in QUANTILES:
        kept = [bound for bound in sorted(within) if requests and within[bound] >= level * requests]
        found[f"p{level * 100:g}"] = kept[0] if kept else None
    return found


def _error(influence: FloatArray) -> float:
    units = len(influence)
    return sqrt(units / (units - 1) * float((influence**2).sum())) if units > 1 else inf


def _with_interval(value: float | None, error: float, units: int, lower: float, upper: float) -> Estimate:
    estimate = Estimate(value=value, units=units, error=error)
    if value is None or units < FEWEST or not isfinite(error):
        return estimate
    half = _reach(units) * error
    return Estimate(
        value=value, units=units, error=error, lower=max(value - half, lower), upper=min(value + half, upper)
    )


def _reach(units: int) -> float:
    """How many standard errors a confidence sequence reaches to either side."""
    return sqrt(units) * radius(units, ALPHA, best_at=BEST_AT)


def _compared(name: str, stable: Estimate, new: Estimate, *, widest: float = inf) -> Compared:
    units = stable.units + new.units
    if stable.value is None or new.value is None:
        return Compared(name=name, stable=stable, new=new, difference=Estimate(value=None, units=units))
    value = new.value - stable.value
    error = sqrt(stable.error**2 + new.error**2)
    enough = min(stable.units, new.units) >= FEWEST
    difference = _with_interval(value, error if enough else inf, units, -widest, widest)
    return Compared(name=name, stable=stable, new=new, difference=difference)
