from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from mlops_ci.core.trees import LEAF, Trees, compared, first_rows


def stump(mode: str = "<=", *, missing_yes: bool = False) -> Trees:
    """One comparison of feature 1 with 2."""
    return Trees(
        feature=np.array([1, 0, 0]), threshold=np.array([2.0, 0.0, 0.0]), mode=np.array([mode, LEAF, LEAF]),
        yes=np.array([1, 0, 0]), no=np.array([2, 0, 0]), missing_yes=np.array([missing_yes, False, False]),
        roots=np.array([0]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "values", "rows"),
    [
        ("<=", [2.0, 3.0], [0, 0, 1]),
        ("<", [2.0, 1.0], [0, 1, 0]),
        ("==", [3.0, 2.0], [0, 1, 0]),
        ("<=", [3.0, 3.0], [0, -1, 0]),
    ],
)
def test_the_first_row_that_comes_past_each_node(mode: str, values: list[float], rows: list[int]) -> None:
    features = np.column_stack([np.zeros(2), values])
    assert first_rows(stump(mode), features).tolist() == rows


def test_a_missing_value_goes_where_the_node_says() -> None:
    features = np.array([[0.0, np.nan]])
    assert first_rows(stump(), features).tolist() == [0, -1, 0]
    assert first_rows(stump(missing_yes=True), features).tolist() == [0, 0, -1]


def test_nothing_is_true_of_leaves_and_of_missing_values() -> None:
    outcome = compared(np.array(["<=", "<", "==", LEAF]), np.array([np.nan, np.nan, np.nan, 1.0]), np.ones(4))
    assert not outcome.any()


def test_the_ways_are_those_of_scikit_learn() -> None:
    data, target = load_breast_cancer(return_X_y=True)
    data = data.astype(np.float32).astype(np.float64)
    tree = DecisionTreeClassifier(random_state=0).fit(data, target)
    nodes = tree.tree_
    leaf = nodes.children_left < 0
    trees = Trees(
        feature=np.where(leaf, 0, nodes.feature).astype(np.int64), threshold=nodes.threshold,
        mode=np.where(leaf, LEAF, "<="), yes=np.where(leaf, 0, nodes.children_left).astype(np.int64),
        no=np.where(leaf, 0, nodes.children_right).astype(np.int64), missing_yes=np.zeros(len(leaf), dtype=np.bool_),
        roots=np.array([0]),
    )  # fmt: skip
    visited = tree.decision_path(data).toarray()
    expected = np.where(visited.any(axis=0), visited.argmax(axis=0), -1)
    assert first_rows(trees, data).tolist() == expected.tolist()
