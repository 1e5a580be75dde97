"""A metric of fixed answers as a function of how often each row counts, which makes resamples cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import FloatArray

IntArray = NDArray[np.int64]
Weights = NDArray[Any]
"""[draws, units]: how often (integers) or how much (floats) each unit counts in each draw."""


class Statistic(Protocol):
    """The value of one metric for any weights of the rows, or of the units into which rows have been gathered."""

    def __call__(self, weights: Weights) -> FloatArray:
        """One value a draw; NaN where the metric is undefined."""

    def over(self, units: IntArray) -> Statistic:
        """The same for weights given by unit: `units` [rows] is each row's unit, numbered from 0 without gaps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Additive:
    """A metric that is a formula over weighted sums: `parts` [k, rows] are summed, `formula` takes [k, draws].

    Not by a matrix product: BLAS spreads so small ones over all cores, where its threads wait for each other ten
    times as long as they compute on a busy machine, and adds up in another order on another machine.
    """

    parts: FloatArray
    formula: Callable[[FloatArray], FloatArray]

    def __call__(self, weights: Weights) -> FloatArray:
        with np.errstate(over="ignore", invalid="ignore"):
            return self.formula(np.einsum("dr,kr->kd", weights.astype(np.float64, copy=False), self.parts))

    def over(self, units: IntArray) -> Additive:
        return replace(self, parts=np.stack([np.bincount(units, weights=part) for part in self.parts]))


@dataclass(frozen=True, kw_only=True, eq=False)
class RocAuc:
    """The share of pairs of a positive and a negative row in which the positive scores higher; ties count half.

    The smaller of the two classes (`few`) is in ascending order of score and summed up; each row of the larger one
    (`many`) looks up the weight that lies below it (`below`) and below or level with it (`level`). Mann & Whitney
    1947; Bamber 1975.
    """

    few: IntArray
    many: IntArray
    below: IntArray
    level: IntArray
    many_is_positive: bool

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: FloatArray) -> RocAuc:
        rows = np.argsort(scores, kind="stable")
        few, many = rows[positive[rows]], rows[~positive[rows]]
        swapped = len(few) > len(many)
        if swapped:
            few, many = many, few
        ladder = scores[few]
        return cls(
            few=few,
            many=many,
            below=np.searchsorted(ladder, scores[many], side="left"),
            level=np.searchsorted(ladder, scores[many], side="right"),
            many_is_positive=swapped,
        )

    def __call__(self, weights: Weights) -> FloatArray:
        return np.array([self._one(draw) for draw in weights], dtype=np.float64)

    def over(self, units: IntArray) -> RocAuc:
        return replace(self, few=units[self.few], many=units[self.many])

    def _one(self, weights: NDArray[Any]) -> float:
        heights = _running_sum(weights[self.few])
        many = weights[self.many]
        pairs = float(heights[-1]) * float(many.sum())
        if not pairs > 0:
            return float("nan")
        share = float((many * (heights[self.below] + heights[self.level])).sum()) / (2 * pairs)
        return share if self.many_is_positive else 1 - share


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePrecision:
    """Precision at each distinct score, weighted by the recall gained there; no interpolation.

    `rows` and `positives` are in descending order of score; for each positive row, `rows_down_to` and
    `positives_down_to` say how many of them score at least as high. Boyd, Eng & Page 2013.
    """

    rows: IntArray
    positives: IntArray
    rows_down_to: IntArray
    positives_down_to: IntArray

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: FloatArray) -> AveragePrecision:
        rows = np.argsort(-scores, kind="stable")
        positives = rows[positive[rows]]
        return cls(
            rows=rows,
            positives=positives,
            rows_down_to=np.searchsorted(-scores[rows], -scores[positives], side="right"),
            positives_down_to=np.searchsorted(-scores[positives], -scores[positives], side="right"),
        )

    def __call__(self, weights: Weights) -> FloatArray:
        return np.array([self._one(draw) for draw in weights], dtype=np.float64)

    def over(self, units: IntArray) -> AveragePrecision:
        return replace(self, rows=units[self.rows], positives=units[self.positives])

    def _one(self, weights: NDArray[Any]) -> float:
        positives = weights[self.positives]
        found = _running_sum(positives)
        if not found[-1] > 0:
            return float("nan")
        seen = _running_sum(weights[self.rows])[self.rows_down_to].astype(np.float64)
        # Where nothing has been seen, the positive row itself has no weight either.
        precision = np.divide(found[self.positives_down_to], seen, out=np.zeros_like(seen), where=seen > 0)
        return float((positives * precision).sum()) / float(found[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedMedian:
    """The median of `values`, which ascend and belong to `units`; where there are two middle ones, their mean."""

    values: FloatArray
    units: IntArray

    @classmethod
    def of(cls, values: FloatArray) -> WeightedMedian:
        order = np.argsort(values, kind="stable")
        return cls(values=values[order], units=order)

    def __call__(self, weights: Weights) -> FloatArray:
        return np.array([self._one(draw) for draw in weights], dtype=np.float64)

    def over(self, units: IntArray) -> WeightedMedian:
        return replace(self, units=units[self.units])

    def _one(self, weights: NDArray[Any]) -> float:
        up_to = np.cumsum(weights[self.units])
        if not len(up_to) or not up_to[-1] > 0:
            return float("nan")
        half = up_to[-1] / 2
        lower = np.searchsorted(up_to, half, side="left")
        upper = np.searchsorted(up_to, half, side="right")
        return float(self.values[lower] + self.values[min(upper, len(up_to) - 1)]) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanOfDefined:
    """The mean of those of its members that are defined, as in a macro average over the classes that occur."""

    members: tuple[Statistic, ...]

    def __call__(self, weights: Weights) -> FloatArray:
        return mean_of_defined(np.stack([member(weights) for member in self.members]))

    def over(self, units: IntArray) -> MeanOfDefined:
        return replace(self, members=tuple(member.over(units) for member in self.members))


@dataclass(frozen=True, kw_only=True)
class Undefined:
    """Stands where there is nothing to compute, and says why."""

    reason: str

    def __call__(self, weights: Weights) -> FloatArray:
        return np.full(len(weights), np.nan)

    def over(self, units: IntArray) -> Undefined:  # noqa: ARG002
        return self


def mean_of_defined(values: FloatArray) -> FloatArray:
    """The mean down each column of [members, draws] over what is not NaN; NaN where all of it is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0))


def ratio(part: FloatArray, whole: NDArray[Any]) -> FloatArray:
    """`part` divided by `whole`; NaN, without a warning, where `whole` is not above zero."""
    quotient: FloatArray = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _running_sum(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of the first 0, 1, 2 … values. Summing integers is ten times as fast as summing floats."""
    sums = np.zeros(len(values) + 1, dtype=values.dtype)
    np.cumsum(values, out=sums[1:])
    return sums
