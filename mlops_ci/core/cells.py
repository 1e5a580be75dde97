"""Many units gathered into a few cells of units alike, from which the sums of a whole resample are drawn at once.

How many units of a resample fall into each cell is multinomial, whatever the units. Where the units of a cell are
equal, as the answers of a classifier have few combinations, nothing else matters: the sums are those of a resample.
Where they are only alike, what they differ by is added as a normal variable with the covariance that it has, given
those numbers. So mean and covariance of the sums are exact, and so is the skewness along the quantity by which the
cells were cut; what is lost is the skewness inside cells, each about a thousandth of the range wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Self

import numpy as np

from mlops_ci.core.metrics.statistic import IntArray
from mlops_ci.core.predictions import FloatArray

AT_MOST = 1024
"""Cells. Each costs about 0.1 microseconds a resample."""
LOOKED_AT = 1 << 14
"""Units that show whether there are few kinds of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """`sizes` [cells] and the `means` [parts, cells] of their units; `pairs` of parts have `covariances` in a cell."""

    sizes: IntArray
    means: FloatArray
    pairs: tuple[tuple[int, int], ...]
    covariances: FloatArray

    @classmethod
    def of(cls, parts: FloatArray, along: FloatArray) -> Self:
        """Cells of the units whose `parts` [parts, units] are summed; where all differ, cut `along` [units]."""
        codes = _kinds(parts)
        if codes is None:
            codes = _cut(along)
        count = int(codes.max()) + 1
        sizes = np.bincount(codes, minlength=count)
        means = np.stack([np.bincount(codes, weights=part, minlength=count) for part in parts]) / sizes
        left = parts - means[:, codes]
        # a part that does not vary inside any cell needs no normal variable
        vary = np.flatnonzero((left**2).sum(axis=1) > 1e-24 * (parts**2).sum(axis=1)).tolist()
        pairs = tuple(combinations_with_replacement(vary, 2))
        covariances = [np.bincount(codes, weights=left[i] * left[j], minlength=count) / sizes for i, j in pairs]
        return cls(sizes=sizes, means=means, pairs=pairs, covariances=np.reshape(covariances, (len(pairs), count)))

    @property
    def count(self) -> int:
        return len(self.sizes)

    def sums(self, resamples: int, rng: np.random.Generator) -> FloatArray:
        """The sums of the parts in each resample: [parts, resamples]."""
        units = int(self.sizes.sum())
        drawn = rng.multinomial(units, self.sizes / units, size=resamples).astype(np.float64)
        # einsum and not a matrix product, see `Additive`
        sums: FloatArray = np.einsum("dc,kc->kd", drawn, self.means)
        if self.pairs:
            vary = sorted({i for i, _ in self.pairs})
            covariances = np.zeros((len(vary), len(vary), resamples))
            for (i, j), inside in zip(self.pairs, self.covariances, strict=True):
                covariances[vary.index(j), vary.index(i)] = np.einsum("dc,c->d", drawn, inside)
            sums[vary] += _normal(covariances, rng)
        return sums


def _kinds(parts: FloatArray) -> IntArray | None:
    """The kind of each unit where there are few kinds; None where there are many."""
    # One number tells the kinds apart: no rational combination of these factors is zero.
    factors = np.sqrt(np.arange(2, len(parts) + 2) + 1 / np.pi)
    key = np.einsum("k,kr->r", factors, parts)
    if len(np.unique(key[:: max(len(key) // LOOKED_AT, 1)])) > AT_MOST:
        return None
    kinds, codes = np.unique(key, return_inverse=True)
    return codes if len(kinds) <= AT_MOST else None


def _cut(along: FloatArray) -> IntArray:
    """Cells of equal width, which keep far tails apart, cut once more into equal numbers of units."""
    ordered = np.sort(along)
    ranks = np.linspace(0, len(ordered) - 1, AT_MOST // 2 + 1).astype(np.int64)[1:]
    edges = np.union1d(ordered[ranks], np.linspace(ordered[0], ordered[-1], AT_MOST // 2 + 1)[1:])
    codes = np.searchsorted(edges, along)
    taken = np.bincount(codes) > 0
    return (np.cumsum(taken) - 1)[codes]


def _normal(covariances: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Normal variables [k, draws] with covariances [k, k, draws], of which the lower triangle is read (Cholesky)."""
    size, _, draws = covariances.shape
    root = np.zeros_like(covariances)
    for row in range(size):
        for column in range(row + 1):
            left = covariances[row, column] - (root[row, :column] * root[column, :column]).sum(axis=0)
            if row == column:
                root[row, row] = np.sqrt(np.maximum(left, 0))
            else:
                pivot = root[column, column]
                # rounding leaves of a variable that others determine a pivot of nearly nothing
                np.divide(left, pivot, out=root[row, column], where=pivot > 1e-9 * np.sqrt(covariances[column, column]))
    found: FloatArray = np.einsum("ijd,jd->id", root, rng.standard_normal((size, draws)))
    return found
