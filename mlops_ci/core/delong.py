"""The spread of the difference of two ROC AUCs on the same rows, in closed form.

A row's placement is the share of the other class that it scores on the right side of; an AUC is the mean placement of
either class, and so the variance of a difference of AUCs is that of the differences of placements (DeLong, DeLong &
Clarke-Pearson 1988). Placements are found by sorting and not by comparing all pairs (Sun & Xu 2014). Where rows are
not independent, they are summed up by unit first (Obuchowski 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.bca import acceleration_of
from mlops_ci.core.predictions import FloatArray
from mlops_ci.core.units import IntArray

ROUNDING = 1e-24
"""A variance that is left where all placements are moved by the same."""
NEARLY_ALL = 0.99
"""Of the sum of squares."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The standard error, its degrees of freedom, and the skewness, of a difference of AUCs."""

    standard_error: float
    degrees: float
    skewness: float


def of_rows(placed: FloatArray, positive: NDArray[np.bool_]) -> Spread:
    """`placed` [rows] is each row's placement by the challenger less that by the champion; rows are independent.

    There are at least two rows of either class. The degrees of freedom are Satterthwaite's (1946), about those of the
    smaller class where it makes the spread; and less than there are rows that tell the two models apart, as the others
    say nothing of the spread.
    """
    influence = np.empty(len(placed))
    variance, squares = 0.0, 0.0
    for of_class in (positive, ~positive):
        count = int(of_class.sum())
        influence[of_class] = (placed[of_class] - placed[of_class].mean()) / count
        part = _corrected(float((influence[of_class] ** 2).sum()), count)
        variance, squares = variance + part, squares + part**2 / (count - 1)
    telling = _telling(np.where(positive, placed / positive.sum(), placed / (~positive).sum()))
    return Spread(
        standard_error=sqrt(variance) if variance > ROUNDING else 0.0,
        degrees=min(variance**2 / squares, telling - 1) if variance > ROUNDING else 0,
        skewness=6 * acceleration_of(influence),
    )


def of_units(placed: FloatArray, positive: NDArray[np.bool_], units: IntArray) -> Spread:
    """The same where only `units` [rows], numbered from 0 without gaps, are independent of each other."""
    count = int(units.max(initial=-1)) + 1
    sums, held, moved = [], [], np.zeros(count)
    for of_class in (positive, ~positive):
        here, parts = units[of_class], placed[of_class] / int(of_class.sum())
        sums.append(np.bincount(here, weights=parts - parts.mean(), minlength=count))
        moved += np.bincount(here, weights=np.abs(parts), minlength=count)
        held.append(len(np.unique(here)))
    variance = sum(_corrected(float((part**2).sum()), having) for part, having in zip(sums, held, strict=True))
    variance += 2 * _corrected(float((sums[0] * sums[1]).sum()), count)
    return Spread(
        standard_error=sqrt(variance) if variance > ROUNDING else 0.0,
        degrees=min(*held, _telling(moved)) - 1,
        skewness=6 * acceleration_of(np.add(*sums)),
    )


def _telling(moved: FloatArray) -> int:
    """The fewest rows that make NEARLY_ALL of the difference: where a few scores are others, so are, a little, the
    placements of all rows that they have passed.
    """
    squares = np.cumsum(np.sort(moved * moved)[::-1])
    return int(np.searchsorted(squares, NEARLY_ALL * squares[-1])) + 1 if squares[-1] > 0 else 0


def _corrected(total: float, count: int) -> float:
    """As a variance divides by one less than there are."""
    return total * count / (count - 1)
