"""How far apart two samples are, and how likely that is by chance: numbers, texts, and the share of missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import FloatArray

FEWEST_EXPECTED = 5.0
"""Cochran 1954: the chi-square test needs about this many rows expected in each cell; rarer categories are pooled."""
KOLMOGOROV_MEAN_SQUARE = np.pi**2 / 12
SHARES = np.linspace(0, 0.98, 50)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """The `distance` of two samples between 0 and 1, and `squared`, a test statistic that grows as its square.

    `freedom` is the degrees of freedom of chi-square, None for Kolmogorov's distribution, and 0 where there is nothing
    to compare.
    """

    distance: float
    squared: float
    freedom: int | None

    def tail(self, shrunk: FloatArray) -> FloatArray:
        """How likely each of these multiples of the distance, or a larger one, is by sampling alone."""
        if self.freedom == 0:
            return np.ones(len(shrunk))
        if self.freedom is None:
            return np.array([_kolmogorov_tail(float(factor * np.sqrt(self.squared))) for factor in shrunk])
        from scipy.special import chdtrc

        tail: FloatArray = chdtrc(self.freedom, shrunk**2 * self.squared)
        return tail

    @property
    def excess(self) -> float:
        """The squared distance beyond what sampling makes of it on average; negative where it is less."""
        if self.freedom == 0 or not self.squared:
            return 0.0
        expected = KOLMOGOROV_MEAN_SQUARE if self.freedom is None else self.freedom
        return self.distance**2 * (1 - expected / self.squared)


NOTHING = Contrast(distance=0.0, squared=0.0, freedom=0)


def p_value(contrast: Contrast, *, between: float, windows: int) -> float:
    """How likely so large a distance is where nothing has changed.

    `between` is the standard deviation of the distance among windows of the reference itself, beyond sampling, as
    seen in that many `windows`; 0 says that rows are independent. Otherwise it and sampling together make up the
    distance: Student's tail for both variances at once where `between` outweighs, and where it hardly matters the sum
    of both tails, of which the distance exceeds one or the other wherever it is divided between them.
    """
    if between == 0:
        return float(contrast.tail(np.ones(1))[0])
    from scipy.special import stdtr

    beyond = 2 * stdtr(windows - 1, -SHARES * contrast.distance / between)
    divided = (contrast.tail(1 - SHARES) + beyond).min()
    sampling = max(0.0, contrast.distance**2 - contrast.excess)
    together = 2 * stdtr(windows - 1, -contrast.distance / np.sqrt(between**2 + sampling))
    return float(min(1.0, divided, together))


def spread(contrasts: Sequence[Contrast]) -> float:
    """The `between` of `p_value`: windows of a sample, each contrasted with the whole sample that they are part of."""
    excess = np.array([contrast.excess for contrast in contrasts])
    # One standard error is added: a few windows that happen to be alike must not count as proof that all are.
    variance = max(0.0, float(excess.mean() + excess.std(ddof=1) / np.sqrt(len(excess))))
    # A window pulls the whole towards itself, by its share.
    return float(np.sqrt(variance)) * len(excess) / (len(excess) - 1)


def numbers(then: FloatArray, count: int, now: FloatArray) -> Contrast:
    """Kolmogorov-Smirnov of two samples, both sorted, with Stephens' correction (1970) for few rows.

    `then` may be evenly spaced order statistics of a sample of `count` numbers, which are off by half of one of their
    steps at most; the distance is lessened by as much, so that thinning can hide a tiny change but not invent one.
    """
    if not len(then) or not len(now):
        return NOTHING
    points = np.unique(np.concatenate([then, now]))
    share_then = np.searchsorted(then, points, side="right") / len(then)
    share_now = np.searchsorted(now, points, side="right") / len(now)
    thinning = 0.5 / len(then) if count > len(then) else 0.0
    distance = max(0.0, float(np.abs(share_then - share_now).max()) - thinning)
    size = np.sqrt(count * len(now) / (count + len(now)))
    return Contrast(distance=distance, squared=float((size + 0.12 + 0.11 / size) * distance) ** 2, freedom=None)


def texts(then: Mapping[str, int], other: int, now: Mapping[str, int]) -> Contrast:
    """Total variation, and Pearson's chi-square; `other` counts what `then` does not list, as do new texts in `now`."""
    unlisted = sum(count for value, count in now.items() if value not in then)
    table = np.array([[*then.values(), other], [*(now.get(value, 0) for value in then), unlisted]], dtype=np.float64)
    totals = table.sum(axis=1)
    if not totals.all():
        return NOTHING
    shares = table / totals[:, None]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    table = _pooled(table)
    expected = totals[:, None] * table.sum(axis=0) / totals.sum()
    squared = float(((table - expected) ** 2 / expected).sum())
    return Contrast(distance=distance, squared=squared, freedom=table.shape[1] - 1)


def proportions(hits_then: int, rows_then: int, hits_now: int, rows_now: int) -> Contrast:
    """The change of a share, and Pearson's chi-square with Yates' correction, which errs on the side of no alarm."""
    hits, rows = hits_then + hits_now, rows_then + rows_now
    if not rows_then or not rows_now or hits in {0, rows}:
        return NOTHING
    off = max(0.0, abs(hits_then * (rows_now - hits_now) - hits_now * (rows_then - hits_then)) - rows / 2)
    return Contrast(
        distance=abs(hits_then / rows_then - hits_now / rows_now),
        squared=rows * off * off / (rows_then * rows_now * hits * (rows - hits)),
        freedom=1,
    )


def _kolmogorov_tail(x: float) -> float:
    """P(K > x) of Kolmogorov's distribution; below 0.2 it is 1 to more than ten digits."""
    if x < 0.2:
        return 1.0
    k = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * (k * x) ** 2)), 0, 1))


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table with all its rare categories in one, and that one with the next rarest if it is still too rare."""
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    share = table.sum(axis=1).min() / table.sum()
    fewest = np.cumsum(table.sum(axis=0)) * share
    rare = int((table.sum(axis=0) * share < FEWEST_EXPECTED).sum())
    if rare:
        rare = max(rare, int(np.searchsorted(fewest, FEWEST_EXPECTED)) + 1)
        table = np.column_stack([table[:, :rare].sum(axis=1), table[:, rare:]])
    return table
