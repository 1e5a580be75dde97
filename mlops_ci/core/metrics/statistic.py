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
STEP = 1e-5
"""Of numerical derivatives, as a share: the error of a central difference is then about 1e-10."""


class Statistic(Protocol):
    """The value of one metric for any weights of the rows, or of the units into which rows have been gathered."""

    def __call__(self, weights: Weights) -> FloatArray:
        """One value a draw; NaN where the metric is undefined."""

    def over(self, units: IntArray) -> Statistic:
        """The same for weights given by unit: `units` [rows] is each row's unit, numbered from 0 without gaps."""

    def influence(self, units: int) -> FloatArray:
        """The derivative of the value by the weight of each of the `units` where all weigh one; the sum is zero.

        What every unit does to the value (empirical influence function; Jaeckel 1972). The sum of their squares is
        the variance of the value.
        """


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

    def influence(self, units: int) -> FloatArray:  # noqa: ARG002
        sums, sizes = self.parts.sum(axis=1), np.abs(self.parts).sum(axis=1)
        steps = STEP * np.diag(sizes)
        with np.errstate(over="ignore", invalid="ignore"):
            rises = self.formula(sums[:, np.newaxis] + steps) - self.formula(sums[:, np.newaxis] - steps)
            slopes = np.divide(rises, 2 * STEP * sizes, out=np.zeros_like(rises), where=sizes > 0)
        found: FloatArray = np.einsum("k,kr->r", slopes, self.parts)
        return found


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
        rows = np.argsort(scores)  # not stable, which would take ten times as long: the order of ties is no matter
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

    def placements(self) -> FloatArray:
        """For each row the share of the other class that it scores on the right side of; before `over` only."""
        of_few, of_many = self._placements()
        placed = np.empty(len(of_few) + len(of_many))
        placed[self.few], placed[self.many] = of_few, of_many
        return placed

    def influence(self, units: int) -> FloatArray:
        total = np.zeros(units)
        for part, placed in zip((self.few, self.many), self._placements(), strict=True):
            if len(part):
                total += np.bincount(part, weights=(placed - placed.mean()) / len(part), minlength=units)
        return total

    def _placements(self) -> tuple[FloatArray, FloatArray]:
        few, many = len(self.few), len(self.many)
        if not few or not many:
            return np.full(few, np.nan), np.full(many, np.nan)
        # twice as many of the larger class as are below each of the smaller one, level ones once
        passed = np.cumsum(np.bincount(self.below, minlength=few + 1) + np.bincount(self.level, minlength=few + 1))
        of_few, of_many = passed[:few] / (2 * many), 1 - (self.below + self.level) / (2 * few)
        return (1 - of_few, 1 - of_many) if self.many_is_positive else (of_few, of_many)

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
        rows = np.argsort(-scores)
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

    def influence(self, units: int) -> FloatArray:
        found, seen = self.positives_down_to.astype(np.float64), self.rows_down_to.astype(np.float64)
        if not len(found):
            return np.full(units, np.nan)
        precision = found / seen
        # A row lowers the precision at all positives that do not score higher, and a positive row raises it too.
        lowered = np.append(np.cumsum((precision / seen)[::-1])[::-1], 0.0)
        raised = np.append(np.cumsum((1 / seen)[::-1])[::-1], 0.0)
        above = np.searchsorted(self.rows_down_to, np.arange(len(self.rows)), side="right")
        above_positives = np.searchsorted(self.rows_down_to, self.rows_down_to - 1, side="right")
        own = precision - precision.mean() + raised[above_positives]
        total = np.bincount(self.positives, weights=own, minlength=units)
        return (total - np.bincount(self.rows, weights=lowered[above], minlength=units)) / len(found)

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

    def influence(self, units: int) -> FloatArray:
        """The density at the median is taken from the quantiles either side (Bloch & Gastwirth 1968)."""
        count = len(self.values)
        if not count:
            return np.full(units, np.nan)
        width = 0.5 * count**-0.2
        low, high = np.quantile(self.values, [max(0.5 - width, 0.0), min(0.5 + width, 1.0)])
        sides = np.sign(self.values - np.median(self.values))
        weights = (sides - sides.mean()) * (high - low) / (4 * min(width, 0.5) * count)
        return np.bincount(self.units, weights=weights, minlength=units).astype(np.float64)

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

    def influence(self, units: int) -> FloatArray:
        each = np.stack([member.influence(units) for member in self.members])
        return mean_of_defined(each)


@dataclass(frozen=True, kw_only=True)
class Undefined:
    """Stands where there is nothing to compute, and says why."""

    reason: str

    def __call__(self, weights: Weights) -> FloatArray:
        return np.full(len(weights), np.nan)

    def over(self, units: IntArray) -> Undefined:  # noqa: ARG002
        return self

    def influence(self, units: int) -> FloatArray:
        return np.full(units, np.nan)


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
