"""Rules for nearest neighbours, which are refused where it may be decided by a tie.

Which of two training rows equally far away counts depends natively on the order inside a search tree or a heap, which a
graph cannot know. Rows are equally far where they are alike, and as soon as one value is so large that the others
vanish beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful

CHECKED = 500
"""Training rows of which the neighbours are looked at for ties."""


def predict_neighbours(graph: Graph, model: Any, features: Features) -> str:
    """The mean of the nearest rows' targets, weighted by the inverse of their distance where that is asked for."""
    indices, weights = _nearest(graph, model, features)
    targets = graph.add("Gather", np.asarray(model._y, dtype=np.float64).reshape(-1), indices)
    if not weights:
        return graph.total(targets, operation="ReduceMean")
    return graph.add("Div", graph.total(graph.add("Mul", targets, weights)), graph.total(weights))


def classify_neighbours(graph: Graph, model: Any, features: Features) -> Scores:
    """The shares of the classes among the nearest rows."""
    indices, weights = _nearest(graph, model, features)
    hot = np.eye(len(model.classes_))[np.asarray(model._y).reshape(-1)]
    votes = graph.add("Gather", hot, indices, axis=0)
    if weights:
        votes = graph.add("Mul", votes, graph.add("Unsqueeze", weights, np.array([2])))
    counted = graph.add("ReduceSum", votes, np.array([1]), keepdims=0)
    return Scores(probabilities=graph.add("Div", counted, graph.total(counted)))


def _nearest(graph: Graph, model: Any, features: Features) -> tuple[str, str]:
    """(positions of the nearest training rows [rows, k], their weights or "")."""
    name = type(model).__name__
    if model.weights not in {"uniform", "distance"} or model.effective_metric_ not in {"euclidean", "manhattan"}:
        raise Unfaithful(f"{name} with a function for weights, or another metric", "the Euclidean or Manhattan metric")
    if not all(block.bounded for block in features):
        raise Unfaithful(
            f"{name}: where one value is very large all training rows are equally far away, and which of them count "
            "depends on the order in scikit-learn's search tree or heap",
            "MinMaxScaler(clip=True) or QuantileTransformer in front of it, for all numbers",
        )
    points = model._fit_X.toarray() if hasattr(model._fit_X, "toarray") else np.asarray(model._fit_X)
    _refuse_ties(model, points)
    euclidean = model.effective_metric_ == "euclidean"
    far = _distances(graph, graph.matrix(features), points, "Mul" if euclidean else "Abs")
    distances, indices = graph.add_two("TopK", far, np.array([model.n_neighbors]), axis=1, largest=0, sorted=1)
    if model.weights == "uniform":
        return indices, ""
    distances = graph.add("Sqrt", distances) if euclidean else distances
    same = graph.cast(graph.add("Equal", distances, np.float64(0)), "DOUBLE")
    none = graph.add("Equal", graph.total(same), np.float64(0))  # otherwise rows that are the same count alone
    return indices, graph.where(none, graph.add("Div", np.float64(1), distances), same)


def _distances(graph: Graph, x: str, points: Any, size: str) -> str:
    """Added up column by column: a product of the matrices would lose digits that tell near rows apart."""
    made = ""
    for column in range(points.shape[1]):
        away = graph.add("Sub", graph.columns(x, [column]), np.asarray(points[:, column], dtype=float).reshape(1, -1))
        part = graph.add("Mul", away, away) if size == "Mul" else graph.add("Abs", away)
        made = graph.add("Add", made, part) if made else part
    return made


def _refuse_ties(model: Any, points: Any) -> None:
    """Raises where the k nearest of a training row are not told from the next one, and their targets differ."""
    if model.n_neighbors >= len(points):
        return
    asked = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), CHECKED)).astype(int))]
    distances, indices = model.kneighbors(asked, n_neighbors=min(len(points), 4 * model.n_neighbors + 1))
    tied = np.isclose(distances, distances[:, model.n_neighbors - 1 : model.n_neighbors], rtol=1e-9, atol=0)
    targets = np.asarray(model._y).reshape(-1)[indices]
    torn = np.where(tied, targets, np.inf).min(axis=1) != np.where(tied, targets, -np.inf).max(axis=1)
    if (tied[:, model.n_neighbors] & torn).any():
        raise Unfaithful(
            f"{type(model).__name__}: training rows with different targets are equally far from the same row, and "
            "which of them counts depends on the order in scikit-learn's search tree or heap",
            "SVR, CalibratedClassifierCV(SVC()), or trees",
        )
