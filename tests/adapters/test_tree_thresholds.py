"""Trees read from the graphs of real estimators, and what comes before them run by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.adapters.tree_thresholds import trees_in
from mlops_ci.core.signature import Column, Signature
from mlops_ci.core.thresholds import TreesInGraph, edges
from mlops_ci.core.trees import LEAF, first_rows
from mlops_ci.scoring.model import OnnxRuntime

ROWS = load_breast_cancer(as_frame=True).data.iloc[:, :6].astype(float)
TARGET = load_breast_cancer().target
COLUMNS = {str(name): ROWS[name].to_numpy() for name in ROWS}


def exported(estimator: Any, frame: pd.DataFrame = ROWS) -> TreesInGraph | None:
    estimator.fit(frame, TARGET[: len(frame)])
    inputs = tuple(Column(name=str(name), kind="number" if frame[name].dtype.kind == "f" else "text") for name in frame)
    signature = Signature(task="binary-classification", inputs=inputs, classes=(0, 1))
    return trees_in(SklearnExporter().export(estimator, signature))


def native_thresholds(estimator: Any) -> set[float]:
    if isinstance(estimator, DecisionTreeClassifier):
        trees = [estimator.tree_]
    else:
        trees = [tree.tree_ for tree in np.ravel(estimator.estimators_)]
    return {float(value) for tree in trees for value in tree.threshold[tree.children_left >= 0]}


@pytest.mark.parametrize(
    "make",
    [
        lambda: DecisionTreeClassifier(random_state=0),
        lambda: RandomForestClassifier(5, random_state=0),
        lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    ],
    ids=["tree", "forest", "boosting"],
)
def test_thresholds_are_those_of_the_native_trees(make: Callable[[], Any]) -> None:
    estimator = make()
    found = exported(estimator)
    assert found is not None
    thresholds = {
        float(value) for ensemble in found.ensembles for value in ensemble.trees.threshold[ensemble.trees.branches]
    }
    native = native_thresholds(estimator)
    assert len(thresholds) > 5
    # a comparison whose two sides answer the same may be left out of the graph; one with zero may be put in
    closest = [min(abs(value - other) / max(1.0, abs(value)) for other in native) for value in thresholds - {0.0}]
    assert max(closest) < 1e-6


def test_all_nodes_are_reached_by_some_row_as_in_training() -> None:
    found = exported(DecisionTreeClassifier(random_state=0))
    assert found is not None
    (ensemble,) = found.ensembles
    matrix = OnnxRuntime().function(found.preprocessing)(COLUMNS)[ensemble.matrix]
    assert (first_rows(ensemble.trees, matrix) >= 0).all()
    assert (ensemble.trees.mode == LEAF).any()


def test_what_comes_before_the_trees_is_run_by_itself() -> None:
    estimator = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5))
    found = exported(estimator)
    assert found is not None
    matrices = OnnxRuntime().function(found.preprocessing)(COLUMNS)
    assert matrices.keys() == {ensemble.matrix for ensemble in found.ensembles}
    for matrix in matrices.values():
        np.testing.assert_allclose(matrix, estimator[0].transform(ROWS), rtol=1e-14)


def test_edges_of_a_scaled_model_are_edges_of_the_native_one() -> None:
    """Every pair of neighbouring floats is told apart by the native scaler and trees too."""
    estimator = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    found = exported(estimator)
    assert found is not None
    made = edges(OnnxRuntime().function(found.preprocessing), found.ensembles, COLUMNS, rows=600)
    assert len(made) > 10
    for edge in made:
        pair = ROWS.iloc[[edge.base, edge.base]].assign(**{edge.column: list(edge.values[:2])})
        one, other = estimator[-1].apply(estimator[0].transform(pair))
        assert one != other


def test_without_trees_there_is_nothing() -> None:
    assert exported(LogisticRegression(max_iter=10_000)) is None


def test_texts_that_are_encoded_before_the_trees_stay_inputs() -> None:
    frame = ROWS.iloc[:, :2].assign(word=np.where(ROWS.iloc[:, 1] > 20, "many", "few").astype(object))
    encoder = make_column_transformer((OrdinalEncoder(), ["word"]), remainder="passthrough")
    found = exported(make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=5)), frame)
    assert found is not None
    columns = {str(name): frame[name].to_numpy() for name in frame}
    made = edges(OnnxRuntime().function(found.preprocessing), found.ensembles, columns, rows=300)
    assert {edge.column for edge in made} == {str(name) for name in ROWS.columns[:2]}
