"""Rules for transformers that cut a column at edges: bins, thresholds, quantiles, isotonic steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_functions import normal_quantile
from mlops_ci.adapters.onnx_graph import Features, Graph, numbers
from mlops_ci.adapters.onnx_pieces import edges_passed, interpolated


def bins(graph: Graph, model: Any, features: Features) -> Features:
    """KBinsDiscretizer: a value on an edge is in the bin above it."""
    x = graph.matrix(features)
    if model.dtype is not None and np.dtype(model.dtype) == np.float32:
        x = graph.cast(graph.cast(x, "FLOAT"), "DOUBLE")
    number = edges_passed(graph, x, [edges[1:-1] for edges in model.bin_edges_])
    if model.encode == "ordinal":
        return (numbers(graph.cast(number, "DOUBLE"), len(model.bin_edges_), bounded=True),)
    made = []
    for column, count in enumerate(model.n_bins_):
        hit = graph.add("Equal", graph.columns(number, [column]), np.arange(count).reshape(1, -1))
        made.append(numbers(graph.cast(hit, "DOUBLE"), int(count), bounded=True))
    return tuple(made)


def binarizer(graph: Graph, model: Any, features: Features) -> Features:
    """1 where the value is above the threshold."""
    hit = graph.add("Greater", graph.matrix(features), np.float64(model.threshold))
    return (numbers(graph.cast(hit, "DOUBLE"), model.n_features_in_, bounded=True),)


def quantiles(graph: Graph, model: Any, features: Features) -> Features:
    """QuantileTransformer: the mean of interpolating upwards and downwards, which differ where quantiles repeat."""
    x = graph.matrix(features)
    edges = list(model.quantiles_.T)
    references = [model.references_] * len(edges)
    both = [interpolated(graph, x, edges, references, reached=reached) for reached in (True, False)]
    made = graph.add("Mul", np.float64(0.5), graph.add("Add", *both))
    low, high = model.quantiles_[:1], model.quantiles_[-1:]
    if model.output_distribution == "normal":
        margin = np.float64(1e-7)  # scikit-learn's own
        below = graph.add("Less", graph.add("Sub", x, margin), low)
        above = graph.add("Greater", graph.add("Add", x, margin), high)
    else:
        below, above = graph.add("Equal", x, low), graph.add("Equal", x, high)
    made = graph.where(below, np.float64(0), graph.where(above, np.float64(1), made))
    if model.output_distribution == "normal":
        made = normal_quantile(graph, made)
    made = graph.where(graph.add("IsNaN", x), np.float64(np.nan), made)
    rounded = True if model.output_distribution == "normal" else None
    return (numbers(made, len(edges), of=features, bounded=True, rounded=rounded),)


def isotonic_steps(graph: Graph, model: Any, x: str) -> str:
    """A fitted IsotonicRegression applied to [rows, 1]."""
    single = model.X_thresholds_.dtype == np.float32
    if single:
        x = graph.cast(graph.cast(x, "FLOAT"), "DOUBLE")
    low, high = np.float64(model.X_min_), np.float64(model.X_max_)
    outside = graph.add("Or", graph.add("Less", x, low), graph.add("Greater", x, high))
    x = graph.where(graph.add("Less", x, low), low, x)
    x = graph.where(graph.add("Greater", x, high), high, x)
    y = interpolated(graph, x, [model.X_thresholds_], [model.y_thresholds_])
    if model.out_of_bounds != "clip":
        y = graph.where(outside, np.float64(np.nan), y)
    return graph.cast(graph.cast(y, "FLOAT"), "DOUBLE") if single else y


def isotonic_regression(graph: Graph, model: Any, features: Features) -> str:
    return isotonic_steps(graph, model, graph.matrix(features))
