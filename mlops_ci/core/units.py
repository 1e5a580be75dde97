"""What may be taken as independent in a holdout: a row, all rows of a group, or a block of rows that follow in time."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
MIN_UNITS = 10
"""Fewer units say nothing about their spread: with 10, all in favour of one model, even a sign test reaches 0.001."""


def independent_units(*, groups: NDArray[Any] | None = None, times: NDArray[Any] | None = None) -> IntArray | None:
    """The unit of each row: its group, else its block of time, else None for the row itself.

    Blocks are of equally many rows that follow each other in time, about the square root of all rows and at most a
    twentieth of them: that long, the dependence between neighbouring blocks hardly counts (batch means, Flegal & Jones
    2010).
    """
    if groups is not None:
        return numbered(groups.astype(str) if groups.dtype == object else groups)
    if times is None:
        return None
    rows = len(times)
    length = max(min(isqrt(rows), rows // (2 * MIN_UNITS)), 1)
    place = np.empty(rows, dtype=np.int64)
    place[np.argsort(times, kind="stable")] = np.arange(rows)
    return place * max(rows // length, 1) // max(rows, 1)


def numbered(units: NDArray[Any]) -> IntArray:
    """The same units numbered from 0 without gaps, in the order of their names."""
    return np.unique(units, return_inverse=True)[1].astype(np.int64)
