"""Which columns matter for the rows that a graph answers otherwise than the native model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.01
"""The risk that any column is named for the rows of the holdout though it has nothing to do with them."""


def suspects(
    made: Sequence[tuple[str, ...]], columns: Mapping[str, NDArray[Any]], offending: NDArray[np.bool_]
) -> tuple[str, ...]:
    """The columns that were changed in the adversarial rows that offend (`made`: their names), the most frequent first.

    Then those on which the `offending` rows of the holdout (its `columns`) are unlike all others: by the largest
    difference between the two distribution functions (Kolmogorov and Smirnov), in which a missing number is the
    smallest one, or between the shares of a text; the most unlike first.
    """
    alone = [names for names in made if len(names) == 1] or made
    by_change = [name for name, _ in Counter(name for names in alone for name in names).most_common()]
    counts = int(offending.sum()), int((~offending).sum())
    if not columns or not all(counts):
        return tuple(by_change)
    # the critical value of the test for each column, all of them together at ALPHA
    limit = sqrt(log(2 * len(columns) / ALPHA) / 2 * sum(1 / count for count in counts))
    apart = {name: _apart(values[offending], values[~offending]) for name, values in columns.items()}
    unlike = sorted((name for name, value in apart.items() if value > limit), key=lambda name: -apart[name])
    return tuple(dict.fromkeys([*by_change, *unlike]))


def _apart(some: NDArray[Any], others: NDArray[Any]) -> float:
    if some.dtype.kind == "O":
        here, there = Counter(some.tolist()), Counter(others.tolist())
        return max(abs(here[text] / len(some) - there[text] / len(others)) for text in here | there)
    one, two = (np.sort(np.where(np.isnan(values), -np.inf, values)) for values in (some, others))
    at = np.concatenate([one, two])
    shares = [np.searchsorted(values, at, side="right") / len(values) for values in (one, two)]
    return float(np.abs(shares[0] - shares[1]).max())
