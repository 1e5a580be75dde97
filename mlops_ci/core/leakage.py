"""How well one column alone predicts the target: a cheap model of one column, judged on rows that it has not seen.

The model is the target's mean, or the classes' shares, in each of the column's bins; the rows of one fold are judged by
what the other folds say. Sums over bins and folds are all that is needed, so a column costs little more than a sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.signature import ColumnKind

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BINS = 256
FEWEST_IN_BIN = 5
"""A number column is cut into at most so many bins, of about so many rows at least."""
PRIOR = 1e-3
"""How many rows the mean of all counts for in each bin. It only has to give a value to a text that is new."""

Measure = Literal["AUC", "share of the errors avoided", "R²"]


@dataclass(frozen=True, kw_only=True)
class Predictiveness:
    """The strength of one column by `measure`: 1 is a perfect prediction, and 0 (for AUC 0.5) none."""

    measure: Measure
    value: float


class ClassTarget:
    """The rows' classes, and the fold in which each row is judged.

    Two classes are judged by AUC. More are judged by the share of the most frequent class's errors that the column
    avoids: Goodman and Kruskal's lambda (1954), on rows that did not choose the classes.
    """

    def __init__(self, target: NDArray[Any], folds: IntArray) -> None:
        classes, codes = np.unique(target, return_inverse=True)
        self._folds = folds
        self._members = [(codes == each).astype(np.float64) for each in range(len(classes))]

    def predicted_by(self, values: NDArray[Any], kind: ColumnKind) -> Predictiveness:
        """A canonical column: float64 with NaN, or object (str). A missing value is a value like others."""
        table = _table(_bins(values, kind), self._folds, self._members)
        others = _others(table, table.sum(axis=0), kind)
        if len(self._members) == 2:
            return Predictiveness(measure="AUC", value=_auc(table, others))
        return Predictiveness(measure="share of the errors avoided", value=_errors_avoided(table, others))


class NumberTarget:
    """The rows' numbers, and the fold in which each row is judged, by R².

    Predicted are ranks, so that a few huge values do not decide and any monotone copy of the target is found; and, by
    a straight line, the numbers themselves. Where `order` says which row follows which, as in a time series, the
    column is held against the guess that nothing changes: a feature that knows the value before, as those of forecasts
    do, has not been told the outcome.
    """

    def __init__(self, target: FloatArray, folds: IntArray, *, order: IntArray | None = None) -> None:
        ranks = _ranks(target)
        self._folds = folds
        self._sums = [np.ones(len(target)), ranks, ranks**2]
        self._centred = target - target.mean()
        self._ranks_to_explain = _to_explain(ranks - ranks.mean(), order)
        self._to_explain = _to_explain(self._centred, order)

    def predicted_by(self, values: NDArray[Any], kind: ColumnKind) -> Predictiveness:
        """A canonical column: float64 with NaN, or object (str). A missing value is a value like others."""
        table = _table(_bins(values, kind), self._folds, self._sums)
        counts, sums, squares = table
        others, other_sums, _ = _others(table, counts, kind)
        overall = other_sums.sum(axis=1, keepdims=True) / others.sum(axis=1, keepdims=True)
        means = (other_sums + PRIOR * overall) / (others + PRIOR)
        left = (squares - 2 * means * sums + means**2 * counts).sum() / self._ranks_to_explain
        if kind == "number" and np.isfinite(values).all():
            left = min(left, self._beside_a_line(values) / self._to_explain)
        return Predictiveness(measure="R²", value=float(1 - left) if np.isfinite(self._to_explain) else 0.0)

    def _beside_a_line(self, values: FloatArray) -> float:
        """The squared error of a straight line, of which two numbers are learned: that needs no rows kept aside."""
        centred = values - values.mean()
        spread = float(centred @ centred)
        explained = float(centred @ self._centred) ** 2 / spread if spread > 0 else 0.0
        return float(self._centred @ self._centred) - explained


def fold_numbers(rows: int, folds: int, *, seed: int) -> IntArray:
    """The fold of each row, by chance and of about equal sizes."""
    return np.random.default_rng(seed).permutation(rows) % folds


def fold_numbers_of_groups(groups: IntArray, folds: int, *, seed: int) -> IntArray:
    """The same with each group (numbered from 0) whole in one fold."""
    return fold_numbers(int(groups.max()) + 1, folds, seed=seed)[groups]


def fold_numbers_of_times(order: IntArray, folds: int) -> IntArray:
    """The same with each fold one stretch of time; `order` are the rows' positions from the oldest to the newest."""
    numbers: IntArray = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) * folds // len(order)
    return numbers


def _bins(values: NDArray[Any], kind: ColumnKind) -> IntArray:
    return _number_bins(values) if kind == "number" else _text_bins(values)


def _number_bins(values: FloatArray) -> IntArray:
    """Bins of about equal sizes; each value its own where there are few; the last for what is missing."""
    finite = np.isfinite(values)
    ordered = np.sort(values[finite])
    bins: IntArray = np.zeros(len(values), dtype=np.int64)
    if not len(ordered):
        return bins
    edges = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    wanted = max(2, min(BINS, len(ordered) // FEWEST_IN_BIN))
    if len(edges) > wanted:
        edges = np.unique(ordered[np.arange(wanted) * len(ordered) // wanted])
    bins[finite] = np.searchsorted(edges, values[finite], side="right") - 1
    bins[~finite] = len(edges)
    return bins


def _text_bins(values: NDArray[np.object_]) -> IntArray:
    """Each text its own bin, but for those that come once: they say nothing of a row that has not been seen."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(value, len(numbers)) for value in values.tolist()], dtype=np.int64)
    often = np.bincount(codes) > 1
    places: IntArray = np.where(often, np.cumsum(often), 0)[codes]
    return places


def _table(bins: IntArray, folds: IntArray, weights: list[FloatArray]) -> FloatArray:
    """The sums of each of the weights [weights, folds, bins]."""
    shape = int(folds.max()) + 1, int(bins.max()) + 1
    cells = folds * shape[1] + bins
    return np.stack([np.bincount(cells, each, minlength=shape[0] * shape[1]).reshape(shape) for each in weights])


def _others(table: FloatArray, counts: FloatArray, kind: ColumnKind) -> FloatArray:
    """What the other folds say of each bin. `counts` are its rows [folds, bins].

    Of a bin of numbers in which they have no row it is what they say of the next one below, as a model would.
    """
    others: FloatArray = table.sum(axis=1, keepdims=True) - table
    if kind == "text":
        return others
    known = counts.sum(axis=0) > counts
    below = np.maximum.accumulate(np.where(known, np.arange(known.shape[1]), -1), axis=1)
    nearest = np.where(below < 0, known.argmax(axis=1)[:, None], below)
    return np.take_along_axis(others, nearest[None], axis=2)


def _auc(table: FloatArray, others: FloatArray) -> float:
    """The mean over the folds of the area under the ROC curve, each bin scored by its share in the other folds."""
    negative, positive = others
    share = positive.sum(axis=1, keepdims=True) / others.sum(axis=(0, 2))[:, None]
    scores = (positive + PRIOR * share) / (negative + positive + PRIOR)
    areas = []
    for (negatives, positives), score in zip(table.transpose(1, 0, 2), scores, strict=True):
        if negatives.sum() and positives.sum():
            _, same = np.unique(score, return_inverse=True)
            low, high = np.bincount(same, negatives), np.bincount(same, positives)
            below = np.cumsum(low) - low
            areas.append(float((high * (below + low / 2)).sum() / (low.sum() * high.sum())))
    return float(np.mean(areas)) if areas else 0.5


def _errors_avoided(table: FloatArray, others: FloatArray) -> float:
    overall = others.sum(axis=2)
    shares = others + PRIOR * (overall / overall.sum(axis=0))[:, :, None]
    right = np.take_along_axis(table, shares.argmax(axis=0)[None], axis=0).sum()
    plain = np.take_along_axis(table.sum(axis=2), overall.argmax(axis=0)[None], axis=0).sum()
    return float(1 - (table.sum() - right) / (table.sum() - plain)) if table.sum() > plain else 0.0


def _to_explain(centred: FloatArray, order: IntArray | None) -> float:
    """The squared error of the mean, or of the value before where that is less; infinite where there is none."""
    error = float(centred @ centred)
    if order is not None:
        error = min(error, float((np.diff(centred[order]) ** 2).sum()))
    return error if error > 0 else np.inf


def _ranks(values: FloatArray) -> FloatArray:
    """Between 0 and 1; equal values have their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = ((np.cumsum(counts) - (counts + 1) / 2) / len(values))[places]
    return ranks
