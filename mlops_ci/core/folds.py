"""Cross-validation: which training rows fit and which validate. The same arguments give the same folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.splitting import IntArray, codes

Fold = tuple[IntArray, IntArray]
"""Row numbers to fit on, and row numbers to validate on, both ascending."""


def folds(
    strategy: str,
    rows: int,
    *,
    count: int,
    seed: int,
    target: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
) -> list[Fold]:
    """`count` folds. Each row validates once, but for `time`, where the earliest only fit.

    `random` and `stratified` make folds of equal size, the latter with the classes' shares; `group` keeps each group
    whole and the folds alike in size and, with a `target`, in classes; `time` chains forward: fold i fits on all that
    is earlier than what it validates on, and never parts rows of equal time. Raises ValueError where the rows do not
    allow that.
    """
    if strategy == "time":
        return _forward(codes(times, rows, "time"), count)
    if strategy == "group":
        classes = np.zeros(rows, dtype=np.int64) if target is None else codes(target, rows, "target")
        fold_of = _whole_groups(codes(groups, rows, "group"), classes, count, seed)
    else:
        _enough(rows, count, "rows")
        order = np.random.default_rng(seed).permutation(rows)
        if strategy == "stratified":
            order = order[np.argsort(codes(target, rows, "target")[order], kind="stable")]
        fold_of = np.empty(rows, dtype=np.int64)
        fold_of[order] = np.arange(rows) % count
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(count)]


def thinned(rows: IntArray, share: float, seed: int, target: NDArray[Any] | None = None) -> IntArray:
    """About that share of the row numbers, ascending; with a `target` (of these rows) at least one row of each class.

    A larger share contains all rows of a smaller one.
    """
    if share >= 1:
        return rows
    classes = np.zeros(len(rows), dtype=np.int64) if target is None else codes(target, len(rows), "target")
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    counts = np.bincount(classes)
    place_in_class = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = by_class[place_in_class < np.repeat(np.ceil(counts * share), counts)]
    return rows[np.sort(kept)]


def _forward(times: IntArray, count: int) -> list[Fold]:
    """`times` are ranks. The rows are cut into `count + 1` blocks of about equal size, between distinct times."""
    per_time = np.bincount(times)
    _enough(len(per_time), count + 1, "distinct times", f"{count} folds, each validated on later rows, need")
    before = np.cumsum(per_time)[:-1]
    cuts: list[int] = []
    for block in range(1, count + 1):
        wanted = len(times) * block / (count + 1)
        nearest = 1 + int(np.argmin(np.abs(before - wanted)))
        first, last = (cuts[-1] + 1 if cuts else 1), len(per_time) - (count + 1 - block)
        cuts.append(min(max(nearest, first), last))
    ends = [*cuts[1:], len(per_time)]
    return [
        (np.flatnonzero(times < cut), np.flatnonzero((times >= cut) & (times < end)))
        for cut, end in zip(cuts, ends, strict=True)
    ]


def _whole_groups(groups: IntArray, classes: IntArray, count: int, seed: int) -> IntArray:
    """The fold of each row: each group, the largest first, goes where its classes are scarcest.

    That is where it adds least to the sum of the squared shares that the folds have of each class.
    """
    rows_of_group = np.bincount(groups)
    _enough(len(rows_of_group), count, "groups")
    table = np.zeros((len(rows_of_group), int(classes.max()) + 1))
    np.add.at(table, (groups, classes), 1.0)
    table /= table.sum(axis=0)
    shuffled = np.random.default_rng(seed).permutation(len(rows_of_group))
    load = np.zeros((count, table.shape[1]))
    chosen = np.empty(len(rows_of_group), dtype=np.int64)
    for group in shuffled[np.argsort(-rows_of_group[shuffled], kind="stable")].tolist():
        fold = int(np.argmin(load @ table[group]))
        load[fold] += table[group]
        chosen[group] = fold
    return chosen[groups]


def _enough(there: int, needed: int, what: str, why: str = "") -> None:
    if there < needed:
        raise ValueError(f"{why or f'{needed} folds need'} at least {needed} {what}; the training rows have {there}")
