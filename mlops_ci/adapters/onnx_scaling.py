"""Rules for scalers and for linear projections, in the order of operations of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Unfaithful, numbers


def standard(graph: Graph, model: Any, features: Features) -> Features:
    """(x - mean) / scale."""
    x = graph.matrix(features)
    if model.with_mean:
        x = graph.add("Sub", x, _row(model.mean_))
    if model.scale_ is not None:
        x = graph.add("Div", x, _row(model.scale_))
    return (numbers(x, model.n_features_in_, of=features),)


def robust(graph: Graph, model: Any, features: Features) -> Features:
    """(x - centre) / scale."""
    x = graph.matrix(features)
    if model.with_centering:
        x = graph.add("Sub", x, _row(model.center_))
    if model.with_scaling:
        x = graph.add("Div", x, _row(model.scale_))
    return (numbers(x, model.n_features_in_, of=features),)


def min_max(graph: Graph, model: Any, features: Features) -> Features:
    """x * scale + least, clipped where it is asked for; NaN stays NaN."""
    x = graph.add("Add", graph.add("Mul", graph.matrix(features), _row(model.scale_)), _row(model.min_))
    if model.clip:
        x = _clipped(graph, x, *model.feature_range)
    return (numbers(x, model.n_features_in_, of=features, bounded=model.clip or None),)


def max_abs(graph: Graph, model: Any, features: Features) -> Features:
    """x / scale."""
    x = graph.add("Div", graph.matrix(features), _row(model.scale_))
    if getattr(model, "clip", False):
        x = _clipped(graph, x, -1.0, 1.0)
    return (numbers(x, model.n_features_in_, of=features),)


def normalizer(graph: Graph, model: Any, features: Features) -> Features:
    """Each row divided by its norm, unless that is 0."""
    x = graph.matrix(features)
    size = graph.add("Abs", x)
    if model.norm == "l2":
        norm = graph.add("Sqrt", graph.total(graph.add("Mul", x, x)))
    else:
        norm = graph.total(size, operation="ReduceSum" if model.norm == "l1" else "ReduceMax")
    zero = graph.add("Equal", norm, np.float64(0))
    made = graph.add("Div", x, graph.where(zero, np.float64(1), norm))
    return (numbers(made, model.n_features_in_, bounded=False, rounded=True),)


def inverse(graph: Graph, model: Any, x: str) -> str:
    """What `inverse_transform` of a fitted scaler makes of a matrix."""
    kind = type(model).__name__
    if kind in {"StandardScaler", "RobustScaler", "MaxAbsScaler"}:
        centre = model.mean_ if kind == "StandardScaler" else getattr(model, "center_", None)
        if model.scale_ is not None:
            x = graph.add("Mul", x, _row(model.scale_))
        return x if centre is None or not getattr(model, "with_mean", True) else graph.add("Add", x, _row(centre))
    if kind == "MinMaxScaler":
        return graph.add("Div", graph.add("Sub", x, _row(model.min_)), _row(model.scale_))
    raise Unfaithful(
        f"TransformedTargetRegressor: the inverse of {kind} is not converted",
        "StandardScaler, MinMaxScaler, RobustScaler, or func and inverse_func of NumPy (np.log1p, np.expm1)",
    )


def principal_components(graph: Graph, model: Any, features: Features) -> Features:
    """PCA: x @ components - mean @ components, and then the scale of whitening, as scikit-learn does it."""
    x = graph.matrix(features)
    components = np.asarray(model.components_, dtype=np.float64)
    x = graph.product(x, components.T)
    if model.mean_ is not None:
        x = graph.add("Sub", x, (np.reshape(model.mean_, (1, -1)) @ components.T).reshape(1, -1))
    if model.whiten:
        scale = np.sqrt(model.explained_variance_)
        x = graph.add("Div", x, _row(np.maximum(scale, np.finfo(scale.dtype).eps)))
    return (numbers(x, len(components), of=features, rounded=True),)


def truncated(graph: Graph, model: Any, features: Features) -> Features:
    """TruncatedSVD: x @ components."""
    x = graph.product(graph.matrix(features), np.asarray(model.components_).T)
    return (numbers(x, len(model.components_), of=features, rounded=True),)


def discriminant(graph: Graph, model: Any, features: Features) -> Features:
    """LinearDiscriminantAnalysis as a transformer."""
    x = graph.matrix(features)
    if model.solver == "svd":
        x = graph.add("Sub", x, _row(model.xbar_))
    scalings = np.asarray(model.scalings_)[:, : model._max_components]
    return (numbers(graph.product(x, scalings), scalings.shape[1], of=features, rounded=True),)


def _row(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64).reshape(1, -1)


def _clipped(graph: Graph, x: str, low: float, high: float) -> str:
    """NaN stays NaN, since it is neither smaller nor larger."""
    x = graph.where(graph.add("Less", x, np.float64(low)), np.float64(low), x)
    return graph.where(graph.add("Greater", x, np.float64(high)), np.float64(high), x)
