"""Decision trees and what votes with them against their graphs: votes, missing values, columns that members see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from mlops_ci.errors import ParityError
from mlops_ci.scoring.model import OnnxRuntime
from tests.adapters.exporting import (
    data_for,
    difference,
    exported,
    fitted,
    numbers,
    three_classes,
    two_classes,
    with_holes,
)

EXACT = 1e-14
Make = Callable[[], Any]


def forest(count: int = 10, **options: Any) -> Any:
    return RandomForestClassifier(count, random_state=0, **options)


WITH_MISSING: dict[str, Make] = {
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "tree-of-numbers": lambda: DecisionTreeRegressor(random_state=0),
    "random-tree": lambda: ExtraTreeClassifier(random_state=0),
    "random-tree-of-numbers": lambda: ExtraTreeRegressor(random_state=0),
    "forest": forest,
    "forest-of-numbers": lambda: RandomForestRegressor(10, random_state=0),
    "extra-trees": lambda: ExtraTreesClassifier(10, random_state=0),
    "extra-trees-of-numbers": lambda: ExtraTreesRegressor(10, random_state=0),
    "scaled": lambda: make_pipeline(StandardScaler(), forest()),
    "bagging": lambda: BaggingClassifier(n_estimators=5, random_state=0),
    "bagging-of-numbers": lambda: BaggingRegressor(n_estimators=5, random_state=0),
    "bagging-of-columns": lambda: BaggingClassifier(
        n_estimators=8, max_features=0.5, bootstrap_features=True, random_state=0
    ),
    "bagging-of-forests": lambda: BaggingClassifier(forest(3), n_estimators=3, random_state=0),
    "voting": lambda: VotingClassifier([("a", forest()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft"),
    "voting-of-numbers": lambda: VotingRegressor([("a", RandomForestRegressor(5, random_state=0))], weights=[2.0]),
    "stacking": lambda: StackingClassifier([("a", forest())], LogisticRegression(), cv=2),
    "stacking-of-numbers": lambda: StackingRegressor([("a", RandomForestRegressor(5, random_state=0))], Ridge(), cv=2),
}


@pytest.mark.parametrize("trained_with", [True, False], ids=["in-training", "only-later"])
@pytest.mark.parametrize("make", WITH_MISSING.values(), ids=WITH_MISSING)
def test_missing_numbers_take_the_native_way_wherever_the_trees_are(make: Make, trained_with: bool) -> None:
    for frame, target in data_for(make()):
        holes = with_holes(frame, share=0.3)
        found = difference(fitted(make(), (holes if trained_with else frame, target)), with_holes(frame, seed=1))
        assert found.flips == 0
        assert found.largest < 1e-12


ADABOOST: dict[str, Make] = {
    "stumps": lambda: AdaBoostClassifier(n_estimators=20, random_state=0),
    "trees": lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=10, random_state=0),
    "others": lambda: AdaBoostClassifier(GaussianNB(), n_estimators=5, random_state=0),
    "numbers": lambda: AdaBoostRegressor(n_estimators=20, random_state=0),
    "numbers-by-others": lambda: AdaBoostRegressor(Ridge(), n_estimators=5, random_state=0),
    "bagging-of-others": lambda: BaggingClassifier(GaussianNB(), n_estimators=4, max_features=0.5, random_state=0),
}


@pytest.mark.parametrize("make", ADABOOST.values(), ids=ADABOOST)
def test_adaboost_and_bagging_of_trees_and_of_others(make: Make) -> None:
    for frame, target in data_for(make()):
        found = difference(fitted(make(), (frame[::2], target[::2])), frame)
        assert found.flips == 0
        assert found.largest < 1e-12


def test_members_that_have_not_seen_a_class() -> None:
    """A tree gets rows that were not drawn with a weight of zero, and knows their class; others do not."""
    frame, target = three_classes()
    rare = np.concatenate([np.flatnonzero(target != "barolo"), np.flatnonzero(target == "barolo")[:2]])
    for member in (None, LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5)):
        model = BaggingClassifier(member, n_estimators=10, max_samples=0.1, random_state=0)
        model = fitted(model, (frame.iloc[rare], target[rare]))
        assert {len(one.classes_) for one in model.estimators_} == ({2, 3} if member else {3})
        found = difference(model, frame.iloc[rare])
        assert found.flips == 0
        assert found.largest < EXACT


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("leaf", [1, 2, 3])
def test_votes_are_counted_as_natively_to_the_last_bit(kind: Any, leaf: int) -> None:
    """Half of the votes is often half, and then the last bit of the sum decides about the label."""
    for frame, target in [two_classes(), three_classes()]:
        model = fitted(kind(10, min_samples_leaf=leaf, random_state=0), (frame[::3], target[::3]))
        graph, signature = exported(model, frame)
        answers = OnnxRuntime().load(graph, signature).predict({name: frame[name].to_numpy() for name in frame})
        native = model.predict_proba(frame)
        assert answers.probabilities is not None
        assert (answers.probabilities[:, 1] == native[:, 1]).all()
        assert difference(model, frame).flips == 0
        if leaf == 1 and len(model.classes_) == 2:
            assert (native[:, 1] == 0.5).sum() > 2, "else this test says nothing"


def test_ten_classes() -> None:
    frame = load_digits(as_frame=True).data.astype(float)
    found = difference(fitted(forest(20), (frame[::2], load_digits().target[::2])), frame)
    assert found.flips == 0
    assert found.largest < EXACT


def test_a_tree_of_one_leaf() -> None:
    frame, target = numbers()
    assert difference(fitted(DecisionTreeRegressor(min_samples_split=10_000), (frame, target)), frame).largest == 0
    frame, target = two_classes()
    assert difference(fitted(forest(5, max_depth=1, min_samples_leaf=250), (frame, target)), frame).largest < EXACT


def test_several_outputs_are_refused() -> None:
    frame, target = numbers()
    model = RandomForestRegressor(3, random_state=0).fit(frame, np.column_stack([target, target]))
    with pytest.raises(ParityError, match="several outputs"):
        exported(model, frame)


def test_a_graph_of_many_trees_is_made_in_little_more_than_their_size() -> None:
    """Arrays and no Python loop over nodes: three operators whatever the number of trees, and few bytes for a node."""
    frame, target = two_classes()
    model = fitted(forest(200), (frame, target))
    graph, _ = exported(model, frame)
    operators = [node.op_type for node in onnx.load_model_from_string(graph).graph.node]
    assert operators.count("TreeEnsemble") == 1
    assert len(operators) < 15
    nodes = sum(tree.tree_.node_count for tree in model.estimators_)
    assert len(graph) < 30 * nodes
