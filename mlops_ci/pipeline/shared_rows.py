"""Rows that are in training and in a holdout both, so that the holdout makes the model look better than it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.pipeline.dataset import Dataset

CHANCE = 0.001
"""Twins are no accident where chance makes so many less often than this."""
MARGIN = 2.0
"""Columns of real data go together, so that twins come more often than the estimate says; seen was up to 1.6."""
FEWEST = 2
"""One row proves nothing and spoils no judgement."""

UIntArray = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class SharedRows:
    """What a holdout has in common with the training rows.

    `ids` counts holdout rows whose id a training row has; `rows` those with a twin among the training rows: equal in
    every feature, the target, the time and the group. Coarse data have twins by chance, about `expected` of them.
    `limit` is the share of twins that is allowed, None where chance decides. `chosen` [holdout rows] marks the rows
    that count as shared.
    """

    holdout: int
    ids: int
    rows: int
    expected: float
    limit: float | None
    chosen: NDArray[np.bool_]

    @cached_property
    def leaked(self) -> int:
        """How many holdout rows the model has seen in training; 0 where chance explains the twins."""
        return int(self.chosen.sum())

    @property
    def text(self) -> str:
        """What is shared, in words; "" where nothing is."""
        parts = []
        if self.ids:
            parts.append(f"{self.ids} have the id of a training row")
        if self.rows:
            share = f"{self.rows / self.holdout:.2%}"
            chance = f"chance would make about {self.expected:.2g}" if self.limit is None else f"{self.limit:.2%} may"
            parts.append(f"{self.rows} ({share}) equal a training row but for the id; {chance}")
        return f"of {self.holdout} rows, {', and '.join(parts)}" if parts else ""


def shared_rows(training: Dataset, holdout: Dataset, *, limit: float | None = None) -> SharedRows:
    """Which rows of the holdout the training rows have too, by their ids and by their contents.

    Without a `limit` twins count where there are more than chance makes. That is estimated from near twins: rows that
    differ in one column only would be twins as often as that column's values agree by accident, and copies have few
    near twins. So a few equal flowers among coarse measurements are let pass, and a copied part of the data is not.
    """
    by_id = np.zeros(len(holdout), dtype=np.bool_)
    if training.ids is not None and holdout.ids is not None:
        by_id = _known(training.ids, holdout.ids)
    alike, expected = np.zeros(len(holdout), dtype=np.bool_), 0.0
    if not _apart_in_time(training, holdout):
        before, after = _column_hashes(_contents(training)), _column_hashes(_contents(holdout))
        twins = _counts(_row_hashes(before), _row_hashes(after))
        alike = twins > 0
        expected = _expected_by_chance(before, after, twins, enough=int(alike.sum())) if alike.any() else 0.0
    rows = int(alike.sum())
    if limit is None:
        too_many = rows >= FEWEST and _tail(rows, MARGIN * expected) < CHANCE
    else:
        too_many = rows > limit * len(holdout)
    return SharedRows(
        holdout=len(holdout),
        ids=int(by_id.sum()),
        rows=rows,
        expected=expected,
        limit=limit,
        chosen=by_id | (alike & too_many),
    )


def _apart_in_time(training: Dataset, holdout: Dataset) -> bool:
    """Rows of other times are no twins, so there is nothing to look for."""
    if training.times is None or holdout.times is None or not len(training) or not len(holdout):
        return not len(training) or not len(holdout)
    return bool(training.times.max() < holdout.times.min())


def _column_hashes(columns: Iterable[NDArray[Any]]) -> list[UIntArray]:
    """64 bits for each value of each column; whatever is missing has the same ones.

    Among a million rows two different ones have the same sum of hashes with a chance of one in forty million.
    """
    from pandas.util import hash_array

    hashes = []
    for number, values in enumerate(columns):
        plain = values
        if values.dtype.kind == "f":
            plain = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, one zero
        elif values.dtype.kind == "M":
            plain = values.astype(np.int64)
        hashes.append(_mixed(hash_array(plain, categorize=True), number))
    return hashes


def _contents(dataset: Dataset) -> list[NDArray[Any]]:
    """Every column that counts: what the model sees, what it predicts, and what the split goes by."""
    others = (dataset.target, dataset.times, dataset.groups)
    texts = [None if each is None else _plain(each) for each in others]
    return [*dataset.columns.values(), *(each for each in texts if each is not None)]


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Objects as texts: what is hashed must be of one kind."""
    return values.astype(str).astype(object) if values.dtype.kind == "O" else values


def _mixed(hashes: UIntArray, number: int) -> UIntArray:
    """Scrambled by the column's number, so that sums over columns tell them apart (the finalizer of SplitMix64)."""
    with np.errstate(over="ignore"):
        mixed = hashes + np.uint64(0x9E3779B97F4A7C15) * np.uint64(number + 1)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _row_hashes(columns: list[UIntArray]) -> UIntArray:
    total = columns[0].copy()
    for each in columns[1:]:
        total += each
    return total


def _known(values: NDArray[Any], asked: NDArray[Any]) -> NDArray[np.bool_]:
    import pandas as pd

    found: NDArray[np.bool_] = pd.Series(asked).isin(pd.Series(values)).to_numpy()
    return found


def _counts(before: UIntArray, after: UIntArray) -> NDArray[np.int64]:
    """How often each of the hashes `after` is among those `before`."""
    import pandas as pd

    codes, distinct = pd.factorize(before)
    counts = np.append(np.bincount(codes, minlength=len(distinct)), 0)
    places: NDArray[np.int64] = counts[pd.Index(distinct).get_indexer(after)]
    return places


def _expected_by_chance(
    before: list[UIntArray], after: list[UIntArray], twins: NDArray[np.int64], *, enough: int
) -> float:
    """About how many holdout rows would have a twin by accident: the largest estimate that any column gives.

    Of the rows with a counterpart that differs in this column only, its values agree by accident for so many more as
    two of them agree anyway. Once the estimate explains all that there are, the other columns are not asked.
    """
    whole_before, whole_after = _row_hashes(before), _row_hashes(after)
    largest = 0.0
    agreements = [_agreement(*pair) for pair in zip(before, after, strict=True)]
    # Where values agree most often coarse data show themselves first. In a constant column they say nothing.
    for number in sorted(range(len(before)), key=lambda number: -agreements[number]):
        if agreements[number] == 1:
            continue
        near = _counts(whole_before - before[number], whole_after - after[number]) > twins
        largest = max(largest, float(near.sum()) * agreements[number] / (1 - agreements[number]))
        if MARGIN * largest >= enough:
            break
    return largest


def _agreement(before: UIntArray, after: UIntArray) -> float:
    """How often two rows' values agree."""
    import pandas as pd

    counts = np.bincount(pd.factorize(np.concatenate([before, after]))[0]).astype(np.float64)
    rows = counts.sum()
    return float((counts * (counts - 1)).sum() / (rows * (rows - 1)))


def _tail(count: int, expected: float) -> float:
    """How often a Poisson count is so large, or larger."""
    from scipy.special import pdtrc

    return float(pdtrc(count - 1, expected))
