"""Which way a missing value goes in scikit-learn's trees: skl2onnx 1.20 leaves it out, so it is put in afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np

TREE_OPERATORS = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
DIRECTIONS = "nodes_missing_value_tracks_true"


def keep_missing_directions(graph: Any, estimator: Any) -> None:
    """Sets the directions in the operator that was made of a tree or a forest; others have none, or keep their own.

    The operator has to have the trees' nodes in their order, and is left alone where it has not: parity then says so.
    """
    trees = _trees(estimator)
    operators = [node for node in graph.node if node.op_type in TREE_OPERATORS]
    if not trees or len(operators) != 1:
        return
    attributes = {attribute.name: attribute for attribute in operators[0].attribute}
    expected = np.concatenate([tree.feature for tree in trees])
    branches = np.concatenate([tree.children_left for tree in trees]) >= 0
    found = np.array(attributes["nodes_featureids"].ints)
    if len(found) != len(expected) or (found != expected)[branches].any():
        return
    left = np.concatenate([np.asarray(tree.missing_go_to_left) for tree in trees]).astype(bool)
    attributes[DIRECTIONS].ints[:] = (left & branches).astype(int).tolist()


def _trees(estimator: Any) -> list[Any]:
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.tree import BaseDecisionTree

    if isinstance(estimator, BaseDecisionTree):
        return [estimator.tree_]
    forests = (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor)
    return [tree.tree_ for tree in estimator.estimators_] if isinstance(estimator, forests) else []
