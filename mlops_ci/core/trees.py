"""Decision trees as arrays of nodes: which rows come past which comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAF = ""
COMPARISONS = {"<=": np.less_equal, "<": np.less, "==": np.equal}


@dataclass(frozen=True, kw_only=True)
class Trees:
    """The nodes of all trees of an ensemble, one entry each.

    A node that is no leaf compares the row's `feature` with `threshold` by `mode` (a key of COMPARISONS) and goes on to
    the node at position `yes` or `no`; a missing value goes to `yes` where `missing_yes` says so. `roots` are the
    positions of the trees' first nodes.
    """

    feature: Integers
    threshold: Floats
    mode: NDArray[np.str_]
    yes: Integers
    no: Integers
    missing_yes: Mask
    roots: Integers

    @property
    def branches(self) -> Mask:
        branches: Mask = self.mode != LEAF
        return branches


def compared(mode: NDArray[np.str_], values: Floats, thresholds: Floats) -> Mask:
    """The outcome of each comparison; that of a leaf, and of a missing value, is False."""
    outcome: Mask = np.zeros(values.shape, dtype=np.bool_)
    for name, compare in COMPARISONS.items():
        here = mode == name
        outcome[here] = compare(values[here], thresholds[here])
    return outcome


def first_rows(trees: Trees, features: Floats) -> Integers:
    """For each node a row of `features` [rows, features] that comes past it: the first one, or -1 where none does."""
    first = np.full(len(trees.mode), -1, dtype=np.int64)
    row, at = np.repeat(np.arange(len(features)), len(trees.roots)), np.tile(trees.roots, len(features))
    branches = trees.branches
    # No path is longer than there are nodes, so that a graph with a cycle ends too.
    for _ in range(len(trees.mode)):
        first[at[::-1]] = row[::-1]  # a node is on one level only, and of equal positions the last one counts
        inner = branches[at]
        row, at = row[inner], at[inner]
        if not len(at):
            break
        values = features[row, trees.feature[at]]
        held = compared(trees.mode[at], values, trees.threshold[at])
        missing = np.isnan(values)
        held[missing] = trees.missing_yes[at[missing]]
        at = np.where(held, trees.yes[at], trees.no[at])
    return first
