"""Rule for SplineTransformer, whose basis is the same as natively to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Unfaithful, numbers
from mlops_ci.adapters.onnx_pieces import edges_passed


def splines(graph: Graph, model: Any, features: Features) -> Features:
    """The basis of each column; outside of the knots it is what `extrapolation` says, and 0 for a missing number."""
    if model.extrapolation == "error" or model.degree == 0:
        raise Unfaithful(
            "SplineTransformer(extrapolation='error'), or of degree 0, which natively fails outside of its knots",
            "extrapolation='constant' or 'linear'",
        )
    if model.extrapolation == "linear" and model.degree == 1 and len(model.bsplines_) > 1:
        # scikit-learn raises its own copy of the degree with every column, and with it moves the boundary
        raise Unfaithful("SplineTransformer(degree=1, extrapolation='linear') of several columns", "degree=2 or more")
    x = graph.matrix(features)
    made = []
    for number, spline in enumerate(model.bsplines_):
        column = graph.columns(x, [number])
        basis = _basis(graph, model.extrapolation, spline, column)
        width = spline.c.shape[1] - (not model.include_bias)
        if not model.include_bias:
            basis = graph.columns(basis, range(width))
        bounded = model.extrapolation in {"constant", "periodic"}
        missing = graph.add("IsNaN", column)
        made.append(numbers(graph.where(missing, np.float64(0), basis), width, of=features, bounded=bounded))
    return tuple(made)


def _basis(graph: Graph, extrapolation: str, spline: Any, x: str) -> str:
    """[rows, functions]."""
    knots = spline.t[spline.k : len(spline.t) - spline.k]
    low, high = knots[0], knots[-1]
    if not low < high:
        raise Unfaithful("SplineTransformer of a column with one value only", "VarianceThreshold before it")
    if extrapolation == "periodic":
        rest = graph.add("Mod", graph.add("Sub", x, low), high - low, fmod=1)
        negative = graph.add("Less", rest, np.float64(0))
        x = graph.add("Add", low, graph.where(negative, graph.add("Add", rest, high - low), rest))
    if extrapolation == "continue":
        return _between_knots(graph, spline, knots, x)
    below, above = graph.add("Less", x, low), graph.add("Greater", x, high)
    inside = _between_knots(graph, spline, knots, graph.where(below, low, graph.where(above, high, x)))
    if extrapolation != "linear":
        return inside
    outside = [_line(graph, graph.add("Sub", x, edge), spline(edge), spline(edge, nu=1)) for edge in (low, high)]
    return graph.where(below, outside[0], graph.where(above, outside[1], inside))


def _between_knots(graph: Graph, spline: Any, knots: Any, x: str) -> str:
    """By de Boor's recursion, with the very operations of SciPy: near its top a function has values side by side."""
    piece = edges_passed(graph, x, [knots[1:-1]])
    degree, count = spline.k, len(knots) - 1

    def knot(offset: int) -> str:
        """The knot so far from the one on the left of x, [rows, 1]."""
        return graph.add("Gather", spline.t[degree + offset : degree + offset + count], piece)

    values = [graph.add("Gather", np.ones(1), graph.add("Sub", piece, piece))]
    for step in range(1, degree + 1):
        made = [""] * (step + 1)
        for n in range(1, step + 1):
            right, left = knot(n), knot(n - step)
            # Knots of quantiles may be the same: then there is nothing between them.
            apart = graph.add("Sub", right, left)
            same = graph.add("Equal", apart, np.float64(0))
            share = graph.add("Div", values[n - 1], graph.where(same, np.float64(1), apart))
            share = graph.where(same, np.float64(0), share)
            first = graph.add("Mul", share, graph.add("Sub", right, x))
            made[n - 1] = graph.add("Add", made[n - 1], first) if made[n - 1] else first
            made[n] = graph.add("Mul", share, graph.add("Sub", x, left))
        values = made
    functions = spline.c.shape[1]
    whole = ""
    for number, value in enumerate(values):
        # Periodic functions begin again where they end.
        place = graph.add("Mod", graph.add("Add", piece, np.int64(number)), np.int64(functions))
        own = graph.where(graph.add("Equal", place, np.arange(functions).reshape(1, -1)), value, np.float64(0))
        whole = graph.add("Add", whole, own) if whole else own
    return whole


def _line(graph: Graph, x: str, value: Any, slope: Any) -> str:
    """Of one column, [rows, 1]: [rows, functions]."""
    return graph.add("Add", graph.add("Mul", x, slope.reshape(1, -1)), value.reshape(1, -1))
