"""Where a value lies between sorted edges, and straight lines between every two of them.

The search is one tree for each column, which the runtime walks in double precision: as fast as a binary search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Graph
from mlops_ci.adapters.onnx_trees import LESS, LESS_OR_EQUAL, Trees, add_trees, joined


def edges_passed(graph: Graph, x: str, edges: Sequence[Any], *, reached: bool = True) -> str:
    """How many of its column's edges each value has passed, int64 [rows, columns].

    An edge counts where it is at most the value (`reached`), or less than the value. NaN has passed all of them.
    """
    trees = joined([_search_tree(column, values, reached) for column, values in enumerate(edges)])
    return graph.cast(add_trees(graph, x, trees, targets=len(edges)), "INT64")


def interpolated(graph: Graph, x: str, xs: Sequence[Any], ys: Sequence[Any], *, reached: bool = True) -> str:
    """`numpy.interp` of each column over its own points: straight lines between them, and constant outside.

    Where points share their x, the line is that of the last one (`reached`) or of the first.
    """
    pieces = []
    for points, values in zip(xs, ys, strict=True):
        rise, run = np.diff(np.asarray(values, dtype=np.float64)), np.diff(np.asarray(points, dtype=np.float64))
        slopes = np.divide(rise, run, out=np.zeros_like(rise), where=run != 0)
        if reached:
            lines = [(points[0], values[0], 0.0), *zip(points, values, [*slopes, 0.0], strict=True)]
        else:
            lines = [*zip(points, values, [0.0, *slopes], strict=True), (points[-1], values[-1], 0.0)]
        pieces.append(np.array(lines, dtype=np.float64))
    start, value, slope = (_looked_up(graph, x, xs, [piece[:, part] for piece in pieces], reached) for part in range(3))
    return graph.add("Add", graph.add("Mul", slope, graph.add("Sub", x, start)), value)


def _looked_up(graph: Graph, x: str, edges: Sequence[Any], tables: Sequence[Any], reached: bool) -> str:
    starts = np.cumsum([0, *(len(table) for table in tables)])[:-1].reshape(1, -1)
    index = graph.add("Add", edges_passed(graph, x, edges, reached=reached), starts)
    return graph.add("Gather", np.concatenate(tables), index)


def _search_tree(column: int, values: Any, reached: bool) -> Trees:
    """A balanced tree over a column's edges; the leaf between two of them says how many were passed."""
    edges, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    passed = np.cumsum([0, *counts])
    rows: list[tuple[bool, float, int, int]] = []  # leaf, threshold or count, yes, no
    waiting = [(0, len(edges))]
    while len(rows) < len(waiting):  # breadth first, so that the next to be appended is at the end of `waiting`
        low, high = waiting[len(rows)]
        middle, end = (low + high) // 2, len(waiting)
        if low == high:
            rows.append((True, float(passed[low]), 0, 0))
        else:
            rows.append((False, float(edges[middle]), end, end + 1))
            waiting += [(low, middle), (middle + 1, high)]
    leaf, value, yes, no = (np.array(part) for part in zip(*rows, strict=True))
    return Trees(
        roots=np.array([0]),
        leaf=leaf,
        mode=np.full(len(rows), LESS if reached else LESS_OR_EQUAL, dtype=np.uint8),
        feature=np.full(len(rows), column),
        threshold=value,
        yes=yes,
        no=no,
        missing_yes=np.zeros(len(rows), dtype=np.bool_),
        value=value,
        target=np.full(len(rows), column),
    )
