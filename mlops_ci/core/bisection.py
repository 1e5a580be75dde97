"""Where the outcome of a comparison changes, to the last float."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlops_ci.core.trees import Floats, Integers, Mask

LIMIT = 1e300
"""Where the search begins, on both sides of zero."""
HALVINGS = 65
"""That many make one of all floats."""


def neighbours(holds: Callable[[Floats], Mask], count: int) -> tuple[Floats, Floats, Mask]:
    """Neighbouring floats, for the first of which `holds` is true, and not for the second; and where there are any.

    `holds` is `count` functions of one number each, which are searched at once. Where the outcome changes more than
    once, one of the places is found; where it is the same at both ends, none is.
    """
    low, high = _ordered(np.full(count, -LIMIT)), _ordered(np.full(count, LIMIT))
    at_low = holds(_floats(low))
    found = at_low != holds(_floats(high))
    for _ in range(HALVINGS):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)  # their sum may be more than an integer holds
        as_low = holds(_floats(middle)) == at_low
        low, high = np.where(as_low, middle, low), np.where(as_low, high, middle)
    below, above = _floats(low), _floats(high)
    return np.where(at_low, below, above), np.where(at_low, above, below), found


def _ordered(values: Floats) -> Integers:
    """Integers in the order of the floats; neighbours stay neighbours."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _floats(ordered: Integers) -> Floats:
    bits = np.where(ordered < 0, np.iinfo(np.int64).min - ordered, ordered)
    return np.ascontiguousarray(bits).view(np.float64)
