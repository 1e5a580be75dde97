"""LightGBM's estimators against their graphs: every objective, way of boosting, and way with missing values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from mlops_ci.errors import ParityError
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
from tests.estimators.data import flights

lightgbm = pytest.importorskip("lightgbm", reason="the extra `lightgbm` is not installed")

EXACT = 1e-14


def classifier(**options: Any) -> Any:
    return lightgbm.LGBMClassifier(**{"n_estimators": 20, "n_jobs": 1, "verbose": -1, "min_child_samples": 5} | options)


def regressor(**options: Any) -> Any:
    return lightgbm.LGBMRegressor(**{"n_estimators": 20, "n_jobs": 1, "verbose": -1, "min_child_samples": 5} | options)


BAGGED = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
WAYS: dict[str, Callable[[], Any]] = {
    "plain": classifier,
    "sigmoid": lambda: classifier(sigmoid=0.7),
    "dropped": lambda: classifier(boosting_type="dart"),
    "bagged": lambda: classifier(**BAGGED),
    "one-side": lambda: classifier(data_sample_strategy="goss"),
    "unbalanced": lambda: classifier(class_weight="balanced"),
    "one-against-the-rest": lambda: classifier(objective="multiclassova"),
    "numbers": regressor,
    "numbers-bagged": lambda: regressor(**BAGGED),
    "numbers-dropped": lambda: regressor(boosting_type="dart"),
    "numbers-square-root": lambda: regressor(reg_sqrt=True),
    "a-stump-and-less": lambda: regressor(n_estimators=3, min_child_samples=10_000),
    "scaled": lambda: make_pipeline(StandardScaler(), classifier()),
    "stacked": lambda: StackingClassifier([("a", classifier(n_estimators=5))], LogisticRegression(), cv=2),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_of_boosting(name: str) -> None:
    for frame, target in data_for(WAYS[name]()):
        if name == "one-against-the-rest" and len(np.unique(target)) == 2:
            continue
        model = fitted(WAYS[name](), (frame[::2], target[::2]))
        found = difference(model, frame)
        assert found.flips == 0
        assert found.largest < EXACT


@pytest.mark.parametrize(
    "objective",
    ["regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie", "cross_entropy"],
)
def test_every_objective_for_numbers(objective: str) -> None:
    frame, target = numbers()
    model = fitted(regressor(objective=objective), (frame, target / 400 if objective == "cross_entropy" else target))
    assert difference(model, frame).largest < EXACT


@pytest.mark.parametrize("zero", [True, False], ids=["zero-is-missing", "zero-is-zero"])
@pytest.mark.parametrize("use", [True, False], ids=["missing-used", "missing-not-used"])
@pytest.mark.parametrize("trained", [True, False], ids=["in-training", "only-later"])
def test_missing_numbers_and_zeros(trained: bool, use: bool, zero: bool) -> None:
    frame, target = two_classes()
    frame = frame.mask(np.random.default_rng(3).random(frame.shape) < 0.2, 0.0)
    asked = with_holes(frame, seed=1)
    asked.iloc[:40, 0] = np.repeat([0.0, -0.0, 1e-36, -1e-34], 10)
    model = fitted(classifier(use_missing=use, zero_as_missing=zero), (with_holes(frame) if trained else frame, target))
    found = difference(model, asked)
    assert found.flips == 0
    assert found.largest < EXACT


def test_categories() -> None:
    """As whole numbers; one never seen, negative, missing or far too large goes right."""
    rows = flights()
    names = ["carrier", "origin", "dest"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("texts", encoder, names), ("numbers", "passthrough", rows.numbers)])
    model = make_pipeline(columns, classifier(categorical_feature=[0, 1, 2], min_child_samples=2, cat_smooth=1.0))
    model = fitted(model, (rows.training, rows.targets["two classes"]))
    assert "cat_threshold" in model[1].booster_.model_to_string()
    asked = rows.holdout.copy()
    asked.loc[asked.index[:50], "dest"] = "never seen"
    assert difference(model, asked).flips == 0
    assert difference(model, asked).largest < EXACT


@pytest.mark.parametrize("apart", [4, 200], ids=["sets", "one-by-one"])
def test_categories_that_are_odd_numbers(apart: int) -> None:
    rng = np.random.default_rng(0)
    frame, target = two_classes()
    frame = frame.assign(kind=rng.integers(0, 6, len(frame)).astype(float))
    options = {"min_child_samples": 2, "cat_smooth": 1.0, "min_data_per_group": 1, "max_cat_to_onehot": apart}
    model = classifier(categorical_feature=[frame.shape[1] - 1], **options)
    model = fitted(model, (frame, target ^ (frame["kind"] % 3 == 0).to_numpy(np.int64)))
    odd = [-1, -0.5, 0.5, 1.5, 3.9, 5.5, 6, 2.0**31, 1e12, np.nan, np.inf]
    for rows in (frame, frame.assign(kind=rng.choice(odd, len(frame)))):
        found = difference(model, rows)
        assert found.flips == 0
        assert found.largest < EXACT


def test_only_the_iterations_up_to_the_best_one_count() -> None:
    frame, target = two_classes()
    model = classifier(n_estimators=200, early_stopping_round=3)
    model.fit(frame[::2], target[::2], eval_X=frame[1::2], eval_y=target[1::2])
    assert model.best_iteration_ < 190
    assert difference(model, frame).largest < EXACT


@pytest.mark.parametrize(
    ("make", "said", "instead"),
    [
        (lambda: regressor(linear_tree=True), "linear_tree=True", "linear_tree=False"),
        (
            lambda: regressor(objective=lambda truth, found: (found - truth, np.ones_like(found))),
            "of your own",
            "objectives",
        ),
        (lambda: regressor(objective="cross_entropy_lambda"), "cross_entropy_lambda", "cross_entropy"),
    ],
    ids=["linear-trees", "own-objective", "other-objective"],
)
def test_what_is_refused(make: Callable[[], Any], said: str, instead: str) -> None:
    frame, target = numbers()
    model = fitted(make(), (frame, target / 400))
    with pytest.raises(ParityError, match=said) as refused:
        exported(model, frame)
    assert instead in refused.value.fix


def test_the_same_bytes_for_the_same_training() -> None:
    frame, target = three_classes()
    graphs = [exported(fitted(classifier(), (frame, target)), frame)[0] for _ in range(2)]
    assert graphs[0] == graphs[1]
    assert {node.op_type for node in onnx.load_model_from_string(graphs[0]).graph.node} >= {"TreeEnsemble", "Softmax"}
