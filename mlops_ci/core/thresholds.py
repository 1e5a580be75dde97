"""Where trees change their mind: the neighbouring floats of a column for which a comparison has two outcomes.

The trees see what the preprocessing makes of a column. So the value of the column that a threshold stands for is found
by bisection over all floats, with the preprocessing itself as the function; that it is monotone is not needed, as each
pair that is found is checked to be one.

Sums and products of two numbers are the same everywhere, logarithms and matrix products are not the same in their last
digit, and what lies within it is noise. So features that are made of several columns are left out, and where a column
is bent on its way (a logarithm, a power, a spline), values are taken a little off the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.bisection import neighbours
from mlops_ci.core.trees import Floats, Integers, Mask, Trees, compared, first_rows

Columns = Mapping[str, NDArray[Any]]
Preprocessing = Callable[[Columns], Mapping[str, Floats]]
"""Columns of a table to the matrices [rows, features] that ensembles of trees are given, by name."""

VISITS = 500_000
"""Of trees by rows, when rows are looked for that come past each comparison."""
FEW = 200
"""Rows on which it is tried which columns a feature is made of."""
STRAIGHT, BENT = 1e-6, 1e-9
"""How far from a line, as a part of its largest value, a column may be to count as straight; and how far off a
threshold the values of a bent one are, as a part of themselves (and of a thousandth of the column's range)."""
NODES = 200_000
"""Of an ensemble, among which thresholds are chosen; of a larger one evenly chosen nodes are."""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Trees, and the name of the matrix [rows, features] that they are given."""

    matrix: str
    trees: Trees


@dataclass(frozen=True, kw_only=True)
class TreesInGraph:
    """The trees of an ONNX graph, and another one with the same inputs: what comes before them.

    Each output of `preprocessing` is a matrix of doubles that one ensemble or more are given.
    """

    preprocessing: bytes
    ensembles: Sequence[Ensemble]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """In the row `base`, the `values` of `column` around one threshold."""

    base: int
    column: str
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Lanes:
    """Comparisons that are looked at together, one entry each: the row that comes past, and what is compared.

    `matrix` and `column` are positions among the matrices and the columns.
    """

    base: Integers
    column: Integers
    matrix: Integers
    feature: Integers
    threshold: Floats
    mode: NDArray[np.str_]
    bent: Mask


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Of each feature of a matrix: the position of the one column of numbers that it is made of (else -1); if bent."""

    column: Integers
    bent: Mask


def edges(preprocessing: Preprocessing, ensembles: Sequence[Ensemble], columns: Columns, *, rows: int) -> list[Edge]:
    """Values around thresholds, in at most `rows` rows all together; `base` is the position of a row of `columns`.

    Each threshold has the last float on either side of it and one more; where the preprocessing goes through float32
    also the nearest float32 and its neighbours; a bent column has a value on either side, a little off. Where there are
    more thresholds than fit, they are chosen evenly over columns and values. One that is compared at several places of
    the trees is tried at each, as far as there is room. The row is one that comes past the comparison, if there is one.
    """
    count = len(next(iter(columns.values())))
    trees = sum(len(ensemble.trees.roots) for ensemble in ensembles)
    sample = evenly(count, max(1, VISITS // max(trees, 1)))
    asked = {name: values[sample] for name, values in columns.items()}
    matrices = preprocessing(asked)
    single = all(_is_single(matrix) for matrix in matrices.values())
    few = evenly(len(sample), FEW)
    sources = _sources(preprocessing, {name: values[few] for name, values in asked.items()})
    lanes = _choose(ensembles, matrices, sources, rows // (6 if single else 3))
    if not len(lanes.base):
        return []
    inside, outside, found = neighbours(_holds(preprocessing, lanes, asked), len(lanes.base))
    up = np.where(outside > inside, 1.0, -1.0)
    away = up * (
        BENT * np.abs(inside) + BENT / 1000 * np.array([_range(values) for values in asked.values()])[lanes.column]
    )
    around = [inside, outside, np.nextafter(inside, -up * np.inf)]
    if single:
        with np.errstate(over="ignore"):
            nearest = inside.astype(np.float32)
        around += [nearest, *(np.nextafter(nearest, np.float32(side)) for side in (-np.inf, np.inf))]
    table = np.array([values.astype(np.float64) for values in around]).T
    table[lanes.bent] = np.nan
    table[lanes.bent, :2] = np.column_stack([inside - away, outside + away])[lanes.bent]
    names = list(columns)
    return [
        Edge(
            base=int(sample[lanes.base[lane]]),
            column=names[lanes.column[lane]],
            values=tuple(dict.fromkeys(float(value) for value in table[lane] if np.isfinite(value))),
        )
        for lane in np.flatnonzero(found)
    ]


def evenly(length: int, wanted: int) -> Integers:
    """Positions from 0 to `length`, as many as wanted if there are so many, evenly spread."""
    positions: Integers = np.unique(np.linspace(0, max(length - 1, 0), min(length, wanted)).astype(np.int64))
    return positions


def _sources(preprocessing: Preprocessing, columns: Columns) -> dict[str, _Source]:
    """Found by trying: each column in turn is given other values."""
    matrices = preprocessing(columns)
    owner = {name: np.full(matrix.shape[1], -1, dtype=np.int64) for name, matrix in matrices.items()}
    count = {name: np.zeros(matrix.shape[1], dtype=np.int64) for name, matrix in matrices.items()}
    for position, (column, values) in enumerate(columns.items()):
        changed = preprocessing({**columns, column: _other(values)})
        for name, before in matrices.items():
            differs = (before != changed[name]) & ~(np.isnan(before) & np.isnan(changed[name]))
            touched = differs.any(axis=0)
            count[name] += touched
            owner[name][touched] = position if values.dtype.kind == "f" else -1
    found, table = {}, list(columns.values())
    for name, matrix in matrices.items():
        source = np.where(count[name] == 1, owner[name], -1)
        bent = [at >= 0 and _is_bent(table[at], matrix[:, feature]) for feature, at in enumerate(source.tolist())]
        found[name] = _Source(column=source, bent=np.array(bent, dtype=np.bool_))
    return found


def _is_bent(values: Floats, feature: Floats) -> bool:
    """Whether what a column became is neither a straight line nor whole numbers, such as those of bins."""
    known = np.isfinite(values) & np.isfinite(feature)
    x, y = values[known], feature[known]
    if not len(x) or (y == np.round(y)).all() or x.min() == x.max():
        return False
    first, last = x.argmin(), x.argmax()
    line = y[first] + (y[last] - y[first]) * ((x - x[first]) / (x[last] - x[first]))
    return bool(np.abs(y - line).max() > STRAIGHT * np.abs(y).max())


def _range(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values[:0]
    return float(np.ptp(finite)) if len(finite) else 0.0


def _other(values: NDArray[Any]) -> NDArray[Any]:
    """Another value for each row, and no text that is not there already: an encoder may refuse it."""
    rolled: NDArray[Any] = np.roll(values, 1)
    if values.dtype.kind != "f":
        return rolled
    rolled = np.nan_to_num(rolled, nan=0.0)
    return np.where(rolled == values, rolled + 1.0, rolled)


def _is_single(matrix: Floats) -> bool:
    """Whether these look like values that were cast to float32 on their way."""
    finite = matrix[np.isfinite(matrix)]
    with np.errstate(over="ignore"):
        return bool((finite == finite.astype(np.float32)).all())


def _choose(
    ensembles: Sequence[Ensemble], matrices: Mapping[str, Floats], sources: Mapping[str, _Source], wanted: int
) -> _Lanes:
    parts: list[tuple[NDArray[Any], ...]] = []
    names = list(matrices)
    for ensemble in ensembles:
        trees, source = ensemble.trees, sources[ensemble.matrix]
        node = np.flatnonzero(trees.branches)
        node = node[source.column[trees.feature[node]] >= 0]
        node = node[evenly(len(node), NODES)] if len(node) else node
        base, feature = first_rows(trees, matrices[ensemble.matrix])[node], trees.feature[node]
        matrix = np.full(len(node), names.index(ensemble.matrix))
        compared_with = (trees.threshold[node], trees.mode[node])
        parts.append((base, source.column[feature], matrix, feature, *compared_with, source.bent[feature]))
    base, column, matrix, feature, threshold, mode, bent = (
        np.concatenate(list(same)) for same in zip(*parts, strict=True)
    )
    chosen = _spread(column, threshold, base < 0, wanted)
    anywhere = np.arange(len(chosen)) % len(next(iter(matrices.values())))
    return _Lanes(
        base=np.where(base[chosen] < 0, anywhere, base[chosen]), column=column[chosen], matrix=matrix[chosen],
        feature=feature[chosen], threshold=threshold[chosen], mode=mode[chosen], bent=bent[chosen],
    )  # fmt: skip


def _spread(groups: Integers, values: Floats, unseen: Mask, wanted: int) -> Integers:
    """Positions, `wanted` at most, spread evenly over groups and the values in each: every value once before any twice.

    Of equal values in a group those that are not `unseen` come first.
    """
    order = np.lexsort((np.arange(len(groups)), unseen, values, groups))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (groups[order][1:] != groups[order][:-1]) | (values[order][1:] != values[order][:-1])
    once, again = order[new], order[~new]
    if len(once) > wanted:
        return np.sort(_quota(groups[once], once, wanted))
    return np.sort(np.concatenate([once, _quota(groups[again], again, wanted - len(once))]))


def _quota(groups: Integers, positions: Integers, wanted: int) -> Integers:
    """The same number of each group (as far as it has so many), evenly over each."""
    members: list[Integers] = sorted((positions[groups == group] for group in np.unique(groups)), key=len)
    chosen = [np.empty(0, dtype=np.int64)]
    for number, member in enumerate(members):
        share = min(len(member), wanted // (len(members) - number))
        chosen.append(member[evenly(len(member), share)])
        wanted -= share
    return np.concatenate(chosen)


def _holds(preprocessing: Preprocessing, lanes: _Lanes, columns: Columns) -> Callable[[Floats], Mask]:
    """The outcome of each lane's comparison in its row, as a function of the values of the lanes' columns.

    Equality is taken for "not above", so that it changes at the value itself.
    """
    mode = np.where(lanes.mode == "==", "<=", lanes.mode)
    rows = {name: values[lanes.base] for name, values in columns.items()}
    mine = {name: lanes.column == position for position, name in enumerate(columns) if position in lanes.column}

    def holds(values: Floats) -> Mask:
        changed = {name: np.where(mask, values, rows[name]) for name, mask in mine.items()}
        matrices = preprocessing({**rows, **changed})
        seen = np.full(len(values), np.nan)
        for position, matrix in enumerate(matrices.values()):
            here = np.flatnonzero(lanes.matrix == position)
            seen[here] = matrix[here, lanes.feature[here]]
        return compared(mode, seen, lanes.threshold)

    return holds
