"""Rules for scikit-learn's decision trees and what votes with them: forests, bagging, AdaBoost.

These trees cast what they are given to float32 and compare it with thresholds in float64, so the graph does both. Each
sum is made tree after tree as scikit-learn makes it: half of the votes of a forest is then half in the graph too, to
the last bit. Of two classes one sum is enough; of more, each class has trees of its own, cut where it does not occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_ensembles import bag_classifiers, bag_regressors
from mlops_ci.adapters.onnx_graph import Features, Graph, Scores, Unfaithful
from mlops_ci.adapters.onnx_trees import LESS_OR_EQUAL, Trees, add_trees, joined, without_equal_branches


def predict_forest(graph: Graph, model: Any, features: Features) -> str:
    """The mean of the trees of a forest, of bagged trees, or of a tree alone."""
    return graph.add("Div", _sums(graph, features, _members(model)), np.float64(len(_members(model))))


def classify_forest(graph: Graph, model: Any, features: Features) -> Scores:
    """The mean of the trees' probabilities."""
    members, count = _members(model), len(model.classes_)
    values = _of_classes([member.tree_.value[:, 0, :] for member, _ in members])
    mean = graph.add("Div", _sums(graph, features, members, values), np.float64(len(members)))
    return Scores(probabilities=_both(graph, mean) if count == 2 else mean)


def predict_bagging(graph: Graph, model: Any, features: Features) -> str:
    return (predict_forest if _are_trees(model.estimators_) else bag_regressors)(graph, model, features)


def classify_bagging(graph: Graph, model: Any, features: Features) -> Scores:
    return (classify_forest if _are_trees(model.estimators_) else bag_classifiers)(graph, model, features)


def classify_adaboost(graph: Graph, model: Any, features: Features) -> Scores:
    votes = decide_adaboost(graph, model, features)
    count = len(model.classes_)
    if count == 2:
        half = graph.add("Div", votes, np.float64(2))
        both = graph.add("Concat", graph.add("Neg", half), half, axis=1)
        return Scores(probabilities=graph.add("Softmax", both, axis=1))
    scores = graph.add("Softmax", graph.add("Div", votes, np.float64(count - 1)), axis=1)
    return Scores(probabilities=scores, winners=graph.add("ArgMax", votes, axis=1, keepdims=0))


def decide_adaboost(graph: Graph, model: Any, features: Features) -> str:
    """Each estimator votes for the class that it predicts and, less, against all others."""
    count = len(model.classes_)
    tables = []
    for member, weight in zip(model.estimators_, model.estimator_weights_, strict=False):  # it may have stopped early
        position = np.searchsorted(model.classes_, member.classes_)
        tables.append(np.where(np.eye(count, dtype=bool)[position], weight, -1 / (count - 1) * weight))
    if _are_trees(model.estimators_):
        values = [
            table[member.tree_.value[:, 0, :].argmax(axis=1)]
            for member, table in zip(model.estimators_, tables, strict=True)
        ]
        sums = _sums(graph, features, _members(model), _of_classes(values))
    else:
        answers = [
            graph.add("Gather", table, graph.winners(member, features), axis=0)
            for member, table in zip(model.estimators_, tables, strict=True)
        ]
        sums = _added(graph, answers)
        sums = graph.columns(sums, [1]) if count == 2 else sums
    votes = graph.add("Div", sums, np.float64(model.estimator_weights_.sum()))
    return graph.add("Add", votes, votes) if count == 2 else votes


def predict_adaboost(graph: Graph, model: Any, features: Features) -> str:
    """The median of the predictions, weighted."""
    count = len(model.estimators_)
    if _are_trees(model.estimators_):
        trees = [
            sklearn_tree(member.tree_, member.tree_.value[:, 0, 0], n) for n, member in enumerate(model.estimators_)
        ]
        answers = add_trees(graph, single_precision(graph, features), joined(trees), targets=count)
    else:
        answers = graph.beside([graph.predict(member, features) for member in model.estimators_])
    _, order = graph.add_two("TopK", answers, np.array([count]), axis=1, largest=0)
    reached = graph.add("CumSum", graph.add("Gather", model.estimator_weights_[:count], order), np.array(1))
    half = graph.add("Mul", graph.columns(reached, [count - 1]), np.float64(0.5))
    enough = graph.cast(graph.add("GreaterOrEqual", reached, half), "INT64")
    middle = graph.add("ArgMax", enough, axis=1, keepdims=1)
    return graph.add("GatherElements", answers, graph.add("GatherElements", order, middle, axis=1), axis=1)


Members = Sequence[tuple[Any, Any]]
"""Trees, and for each the columns that it is given: positions, or None for all."""


def _members(model: Any) -> Members:
    if hasattr(model, "tree_"):
        members = [(model, None)]
    else:
        columns = getattr(model, "estimators_features_", None) or [None] * len(model.estimators_)
        members = list(zip(model.estimators_, columns, strict=True))
    if members[0][0].n_outputs_ > 1:
        raise Unfaithful("it has several outputs", "one estimator for each of them")
    return members


def _are_trees(members: Sequence[Any]) -> bool:
    names = {f"{kind}Tree{what}" for kind in ("Decision", "Extra") for what in ("Classifier", "Regressor")}
    return all(type(member).__name__ in names and hasattr(member, "tree_") for member in members)


def _sums(graph: Graph, features: Features, members: Members, values: Sequence[Any] | None = None) -> str:
    """The sum of `values`, each [targets, trees' nodes]; else of what the trees predict."""
    if values is None:
        values = [member.tree_.value[:, 0, 0][np.newaxis] for member, _ in members]
    targets = len(values[0])
    trees = [
        without_equal_branches(sklearn_tree(member.tree_, weights[target], target, columns))
        for (member, columns), weights in zip(members, values, strict=True)
        for target in range(targets)
    ]
    return add_trees(graph, single_precision(graph, features), joined(trees), targets=targets)


def _of_classes(tables: Sequence[Any]) -> list[Any]:
    """[nodes, classes] turned, and of two classes the second only."""
    return [table[:, 1:].T if table.shape[1] == 2 else table.T for table in tables]


def sklearn_tree(tree: Any, values: Any, target: int, columns: Any = None) -> Trees:
    leaf = tree.children_left < 0
    feature = np.where(leaf, 0, tree.feature)
    return Trees(
        roots=np.zeros(1, dtype=np.int64),
        leaf=leaf,
        mode=np.full(len(leaf), LESS_OR_EQUAL, dtype=np.uint8),
        feature=feature if columns is None else np.asarray(columns, dtype=np.int64)[feature],
        threshold=np.where(leaf, 0.0, tree.threshold),
        yes=np.where(leaf, 0, tree.children_left),
        no=np.where(leaf, 0, tree.children_right),
        missing_yes=np.asarray(tree.missing_go_to_left, dtype=np.bool_),
        value=np.asarray(values, dtype=np.float64),
        target=np.full(len(leaf), target),
    )


def single_precision(graph: Graph, features: Features) -> str:
    """The features rounded to float32, as doubles."""
    return graph.cast(graph.cast(graph.matrix(features), "FLOAT"), "DOUBLE")


def _added(graph: Graph, answers: Sequence[str]) -> str:
    total = answers[0]
    for answer in answers[1:]:
        total = graph.add("Add", total, answer)
    return total


def _both(graph: Graph, second: str) -> str:
    return graph.add("Concat", graph.add("Sub", np.float64(1), second), second, axis=1)
