"""Tango's score interval for the difference of two accuracies on the same rows (Tango 1998)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

HALVINGS = 45
"""Of an interval of length two: what is left is less than 1e-13."""


def score(better: ArrayLike, worse: ArrayLike, rows: ArrayLike, difference: ArrayLike) -> NDArray[Any]:
    """How many standard errors the counts lie above the true `difference`, the errors being those under it.

    `better` and `worse` count the rows that only the one or only the other answers rightly. Falls as `difference`
    rises. Arrays are taken element by element.
    """
    b, c, n, d = (np.asarray(value, dtype=np.float64) for value in (better, worse, rows, difference))
    # the most likely share of `worse` rows if that were the difference: the larger root of a quadratic equation
    linear = (2 * n - b + c) * d - b - c
    root = np.sqrt(np.maximum(linear**2 + 8 * n * c * d * (1 - d), 0))
    share = (root - linear) / (4 * n)
    variance = n * np.maximum(2 * share + d * (1 - d), 0)
    distance = b - c - n * d
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[Any] = np.where(distance == 0, 0.0, distance / np.sqrt(variance))
    return found


def lower_bound(better: ArrayLike, worse: ArrayLike, rows: ArrayLike, quantile: float) -> NDArray[Any]:
    """The difference that lies `quantile` standard errors below the counts, found by halving; at least -1."""
    b, c, n = (np.asarray(value, dtype=np.float64) for value in (better, worse, rows))
    low, high = np.full(np.broadcast(b, c, n).shape, -1.0), (b - c) / n
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beyond = score(b, c, n, middle) > quantile
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return low
