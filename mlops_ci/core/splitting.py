"""Which rows train and which are held out. The same rows, strategy and seed give the same split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
GROUP_ORDERS = 10
GROUP_TOLERANCE = 0.001
"""Of the divisions into whole groups, one that misses the wanted share by no more than this is not improved upon."""
STRATEGIES = ("random", "stratified", "group", "time")


def split(
    strategy: str,
    rows: int,
    *,
    holdout: float,
    seed: int,
    target: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
) -> tuple[IntArray, IntArray]:
    """Row numbers of training and holdout, both ascending, both with at least one row, each row in exactly one.

    `holdout` is the wanted share of rows, above 0 and below 1. `random` meets it to the row; `stratified` keeps the
    classes' shares and puts each class that has two rows or more on both sides (a class of one row trains); `group`
    keeps each group whole and misses the wanted share by half the largest group at most, where that is possible; `time`
    holds out the latest rows and never parts rows of equal time. Raises ValueError where the rows do not allow that.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"the split strategy is {strategy!r}; it is one of {', '.join(STRATEGIES)}")
    if not 0 < holdout < 1:
        raise ValueError(f"the holdout's share is {holdout}; it lies above 0 and below 1")
    if rows < 2:
        raise ValueError(f"there are too few rows to split ({rows}); at least two are needed")
    rng = np.random.default_rng(seed)
    if strategy == "random":
        chosen = _random(rows, holdout, rng)
    elif strategy == "stratified":
        chosen = _stratified(codes(target, rows, "target"), holdout, rng)
    elif strategy == "group":
        chosen = _grouped(codes(groups, rows, "group"), holdout, rng)
    else:
        chosen = _latest(codes(times, rows, "time"), holdout)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _random(rows: int, holdout: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    wanted = min(max(round(rows * holdout), 1), rows - 1)
    chosen = np.zeros(rows, dtype=np.bool_)
    chosen[rng.permutation(rows)[:wanted]] = True
    return chosen


def _stratified(classes: IntArray, holdout: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    counts = np.bincount(classes)
    if counts.max() < 2:
        raise ValueError("every class of the target has a single row, so none can be in training and holdout both")
    wanted = counts * holdout
    share = np.floor(wanted).astype(np.int64)
    # Largest remainders: the classes' rounded shares add up to the rounded share of all rows.
    left = round(len(classes) * holdout) - int(share.sum())
    share[np.argsort(share - wanted, kind="stable")[: max(left, 0)]] += 1
    share = np.where(counts > 1, np.clip(share, 1, counts - 1), 0)
    shuffled = rng.permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    place_in_class = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(classes), dtype=np.bool_)
    chosen[by_class[place_in_class < np.repeat(share, counts)]] = True
    return chosen


def _grouped(groups: IntArray, holdout: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The nearest to the wanted share of some random divisions, and of one that goes from the largest group down."""
    counts = np.bincount(groups)
    if len(counts) < 2:
        raise ValueError("all rows are of one group, so no group can be held out whole")
    orders = [rng.permutation(len(counts)) for _ in range(GROUP_ORDERS)]
    divisions = (_fill(counts, len(groups) * holdout, order) for order in (*orders, np.argsort(-counts, kind="stable")))
    best, nearest = np.zeros(len(counts), dtype=np.bool_), np.inf
    for taken in divisions:
        distance = abs(float(counts[taken].sum()) / len(groups) - holdout)
        if distance < nearest:
            best, nearest = taken, distance
        if nearest <= GROUP_TOLERANCE:
            break
    return best[groups]


def _fill(counts: IntArray, wanted: float, order: IntArray) -> NDArray[np.bool_]:
    """Takes each group in turn that brings the number of rows nearer to what is wanted: some, and never all."""
    taken = np.zeros(len(counts), dtype=np.bool_)
    held, rows = 0, int(counts.sum())
    for group, size in zip(order.tolist(), counts[order].tolist(), strict=True):
        if abs(held + size - wanted) < abs(held - wanted) and held + size < rows:
            taken[group] = True
            held += size
    if not held:
        taken[np.argmin(counts)] = True
    return taken


def _latest(times: IntArray, holdout: float) -> NDArray[np.bool_]:
    """`times` are ranks: the cut lies between two distinct times, as near to the wanted share as there is one."""
    counts = np.bincount(times)
    if len(counts) < 2:
        raise ValueError("all rows have the same time, so there are no latest ones to hold out")
    held = np.cumsum(counts[::-1])[::-1][1:]
    cut = 1 + int(np.argmin(np.abs(held - len(times) * holdout)))
    return times >= cut


def codes(values: NDArray[Any] | None, rows: int, what: str) -> IntArray:
    """The rank of each row's value among the distinct values. Raises ValueError where there is none for some row."""
    if values is None:
        raise ValueError(f"the split needs a {what} for each row, and none is given")
    values = np.asarray(values)
    if values.shape != (rows,):
        raise ValueError(f"the split needs one {what} for each of the {rows} rows, not {values.shape}")
    missing = _missing(values)
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        raise ValueError(f"{int(missing.sum())} rows have no {what}, the first is row {first} (counted from 0)")
    try:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise ValueError(f"the column of the {what} mixes kinds of values that have no order ({error})") from error


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """None and empty texts, and NaN and NaT, which differ from themselves."""
    missing: NDArray[np.bool_] = np.not_equal(values, values).astype(np.bool_)
    if values.dtype.kind in "OU":
        missing |= np.fromiter((value is None or value == "" for value in values.tolist()), np.bool_, len(values))
    return missing
