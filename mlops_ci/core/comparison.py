"""The difference between two models on the same rows, and how sure one may be of it: the method that fits the metric.

| metric | rows are independent | only groups or blocks of time are |
|---|---|---|
| ROC AUC of two classes | DeLong | DeLong, placements summed up by unit (Obuchowski) |
| accuracy, recall | Tango's interval, McNemar's exact test | bootstrap of units |
| any other | bootstrap of rows | bootstrap of units |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core import delong
from mlops_ci.core.bca import acceleration_of
from mlops_ci.core.bootstrap import resampled
from mlops_ci.core.bounds import BootstrapBounds, Bounds, PairedCounts, StudentBounds
from mlops_ci.core.difference import Difference
from mlops_ci.core.metrics import METRICS, oriented, statistic, value_of, why_not_finite
from mlops_ci.core.metrics.statistic import RocAuc, Statistic
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.units import MIN_UNITS, IntArray, numbered

MAX_UNDEFINED = 0.01
"""Resamples in which the metric is undefined (one class drawn) are left out up to this share, and not beyond it."""
MIN_OF_A_CLASS = 5
"""Fewer units that hold a class are all missed by more than MAX_UNDEFINED of the resamples."""


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
    """The metric's oriented difference by the method that fits; the same for the same arguments.

    `truth` [rows]; `units` [rows] numbers the unit of each row (see `independent_units`), None where each row is one.
    Raises KeyError for an unknown metric and ValueError where the numbers of rows differ.
    """
    if units is not None and len(units) != len(truth):
        raise ValueError(f"there are {len(truth)} rows of truth and {len(units)} of units")
    both = _Both(
        name=name,
        truth=np.asarray(truth),
        champion=champion,
        challenger=challenger,
        signature=signature,
        units=np.arange(len(truth)) if units is None else numbered(units),
    )
    old, new = both.values
    bounds = both.why_unknown() or _bounds(both, resamples, seed)
    return Difference(
        metric=name,
        champion=old,
        challenger=new,
        estimate=both.estimate,
        rows=len(truth),
        units=both.count,
        bounds=None if isinstance(bounds, str) else bounds,
        reason=bounds if isinstance(bounds, str) else "",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Both:
    """Two models' answers for the same rows; `units` are numbered from 0 without gaps."""

    name: str
    truth: NDArray[Any]
    champion: Predictions
    challenger: Predictions
    signature: Signature
    units: IntArray

    @cached_property
    def statistics(self) -> tuple[Statistic, Statistic]:
        """The metric of champion and challenger for any weights of the rows."""
        old, new = (statistic(self.name, self.truth, one, self.signature) for one in (self.champion, self.challenger))
        return old, new

    @cached_property
    def values(self) -> tuple[float, float]:
        old, new = (value_of(one, len(self.truth)) for one in self.statistics)
        return old, new

    @property
    def estimate(self) -> float:
        old, new = self.values
        return oriented(self.name, new) - oriented(self.name, old)

    @cached_property
    def count(self) -> int:
        """Of independent units."""
        return int(self.units.max(initial=-1)) + 1

    @property
    def of_rows(self) -> bool:
        """Whether each row is independent."""
        return self.count == len(self.truth)

    @property
    def identical(self) -> bool:
        """Whether all answers are the same, to the last bit: then so are the models, as far as can be told."""
        pairs = (
            (getattr(self.champion, part), getattr(self.challenger, part))
            for part in ("labels", "probabilities", "values")
        )
        return all(np.array_equal(old, new) for old, new in pairs if old is not None and new is not None)

    def answered_differently(self) -> NDArray[np.bool_]:
        """The rows in which the metric can see a difference."""
        regression = self.signature.task == "regression"
        part = "values" if regression else "labels" if METRICS[self.name].of_labels else "probabilities"
        ours, theirs = (np.asarray(getattr(one, part)) for one in (self.champion, self.challenger))
        found = np.not_equal(ours, theirs).astype(np.bool_)
        return found if found.ndim == 1 else np.asarray(found.any(axis=1))

    def why_unknown(self) -> str:
        for who, of_rows, value in zip(("champion", "challenger"), self.statistics, self.values, strict=True):
            why = why_not_finite(self.name, of_rows, value)
            if why:
                return f"{self.name} of the {who} is undefined: {why}"
        few = f"there are {self.count} independent units of rows, and fewer than {MIN_UNITS} do not show how they vary"
        return few if self.count < MIN_UNITS else ""

    def units_of_rarest_class(self) -> int:
        """In how many units the class occurs that occurs in the fewest."""
        held = (self.units_of(np.equal(self.truth, one)) for one in self.signature.classes)
        return min(count for count in held if count)

    def units_of(self, rows: NDArray[np.bool_]) -> int:
        """How many units hold any of the rows."""
        return int(np.count_nonzero(np.bincount(self.units[rows])))


def _bounds(both: _Both, resamples: int, seed: int) -> Bounds | str:
    """The bounds of the method that fits, or why there are none."""
    if both.identical:
        return StudentBounds(method="identical answers", estimate=0.0, standard_error=0.0, degrees=0)
    old, new = both.statistics
    if isinstance(old, RocAuc) and isinstance(new, RocAuc):
        return _delong(both, new.placements() - old.placements())
    if both.name in ("accuracy", "recall") and both.of_rows:
        return _paired_counts(both)
    return _bootstrap(both, resamples, seed)


def _delong(both: _Both, placed: FloatArray) -> Bounds | str:
    held = both.units_of_rarest_class()
    if held < MIN_OF_A_CLASS:
        return f"{held} units hold a row of the rarer class, and fewer than {MIN_OF_A_CLASS} do not show how they vary"
    positive = both.truth == both.signature.classes[1]
    spread = delong.of_rows(placed, positive) if both.of_rows else delong.of_units(placed, positive, both.units)
    return StudentBounds(
        method="DeLong" if both.of_rows else "clustered DeLong",
        estimate=both.estimate,
        standard_error=spread.standard_error,
        degrees=spread.degrees,
        skewness=spread.skewness,
        unseen=held,
    )


def _paired_counts(both: _Both) -> Bounds:
    """Recall is the accuracy of the positive rows."""
    counted = both.truth == both.signature.classes[1] if both.name == "recall" else np.ones(len(both.truth), np.bool_)
    old, new = (np.equal(both.truth, np.asarray(one.labels))[counted] for one in (both.champion, both.challenger))
    return PairedCounts(better=int((new & ~old).sum()), worse=int((old & ~new).sum()), rows=len(old))


def _bootstrap(both: _Both, resamples: int, seed: int) -> Bounds | str:
    old, new = both.statistics if both.of_rows else (one.over(both.units) for one in both.statistics)
    sign = oriented(both.name, 1.0)
    drawn = sign * resampled(old, new, both.count, resamples, seed)
    samples = np.sort(drawn[np.isfinite(drawn)])
    if resamples - len(samples) > MAX_UNDEFINED * resamples:
        left_out = resamples - len(samples)
        return f"{both.name} is undefined in {left_out} of {resamples} resamples: too few rows of a kind"
    metric = METRICS[both.name]
    acceleration = acceleration_of(sign * (new.influence(both.count) - old.influence(both.count)))
    # The spread of resamples understates that of samples by this factor, which matters where units are few.
    understated = sqrt(both.count / (both.count - 1))
    student = StudentBounds(
        method="paired bootstrap" if both.of_rows else "clustered bootstrap",
        estimate=both.estimate,
        standard_error=float(samples.std(ddof=1)) * understated,
        degrees=both.units_of(both.answered_differently()) - 1,
        skewness=6 * acceleration,
        unseen=both.units_of_rarest_class() if metric.greater_is_better and metric.lower == 0 else 0,
    )
    return BootstrapBounds(student=student, samples=samples, acceleration=acceleration)
