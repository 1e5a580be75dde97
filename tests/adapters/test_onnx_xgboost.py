"""XGBoost's estimators against their graphs: every objective and way of boosting that converts, to the last float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_ci.errors import ParityError
from tests.adapters.exporting import data_for, difference, exported, fitted, numbers, two_classes, with_holes

xgboost = pytest.importorskip("xgboost", reason="the extra `xgboost` is not installed")

LAST_DIGIT = 1.3e-7
"""Of a float32: an exponential or a quotient may be rounded the other way."""


def classifier(**options: Any) -> Any:
    return xgboost.XGBClassifier(**{"n_estimators": 20, "n_jobs": 1} | options)


def regressor(**options: Any) -> Any:
    return xgboost.XGBRegressor(**{"n_estimators": 20, "n_jobs": 1} | options)


WAYS: dict[str, Callable[[], Any]] = {
    "plain": classifier,
    "base-score": lambda: classifier(base_score=0.3),
    "pruned": lambda: classifier(tree_method="exact", gamma=2.0),
    "approximate": lambda: classifier(tree_method="approx"),
    "best-first": lambda: classifier(grow_policy="lossguide", max_leaves=9, max_depth=0),
    "parallel-trees": lambda: classifier(num_parallel_tree=3, subsample=0.5, colsample_bynode=0.5),
    "softmax": lambda: classifier(objective="multi:softmax"),
    "forest": lambda: xgboost.XGBRFClassifier(n_estimators=20, n_jobs=1),
    "numbers": regressor,
    "numbers-forest": lambda: xgboost.XGBRFRegressor(n_estimators=20, n_jobs=1),
    "dropped": lambda: classifier(booster="dart", rate_drop=0.3),
    "scaled": lambda: make_pipeline(StandardScaler(), classifier()),
    "stacked": lambda: StackingClassifier([("a", classifier(n_estimators=5))], LogisticRegression(), cv=2),
}


def coded(target: Any) -> Any:
    """It takes no texts for labels."""
    return np.unique(target, return_inverse=True)[1] if target.dtype.kind == "O" else target


@pytest.mark.parametrize("name", WAYS)
def test_every_way_of_boosting(name: str) -> None:
    for frame, labels in data_for(WAYS[name]()):
        target = coded(labels)
        if name == "softmax" and len(np.unique(target)) == 2:
            continue
        holes = name != "stacked"
        model = fitted(WAYS[name](), (with_holes(frame)[::2] if holes else frame[::2], target[::2]))
        found = difference(model, with_holes(frame, seed=1) if holes else frame)
        assert found.flips == 0
        assert found.largest < LAST_DIGIT


@pytest.mark.parametrize(
    "objective",
    [
        *("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror", "reg:quantileerror"),
        *("count:poisson", "reg:gamma", "reg:tweedie", "reg:logistic"),
    ],
)
def test_every_objective_for_numbers(objective: str) -> None:
    frame, target = numbers()
    options = {"quantile_alpha": 0.8} if objective == "reg:quantileerror" else {}
    model = fitted(
        regressor(objective=objective, **options), (frame, target / 400 if objective == "reg:logistic" else target)
    )
    assert difference(model, frame).largest < LAST_DIGIT


def test_sums_of_float32_are_the_same_to_the_last_bit() -> None:
    frame, target = numbers()
    for options in ({}, {"booster": "dart", "rate_drop": 0.5}):
        model = fitted(regressor(n_estimators=100, **options), (frame, target))
        assert difference(model, frame).largest == 0


def test_a_mark_for_missing_values() -> None:
    frame, target = two_classes()
    marked = with_holes(frame).fillna(-999.25)
    model = fitted(classifier(missing=-999.25), (marked, target))
    found = difference(model, with_holes(marked, share=0.1, seed=1))
    assert found.flips == 0
    assert found.largest < LAST_DIGIT


def test_only_the_iterations_up_to_the_best_one_count() -> None:
    frame, target = two_classes()
    model = classifier(n_estimators=300, early_stopping_rounds=3)
    model.fit(frame[::2], target[::2], eval_set=[(frame[1::2], target[1::2])], verbose=False)
    assert model.best_iteration < 290
    assert difference(model, frame).largest < LAST_DIGIT


@pytest.mark.parametrize(
    ("make", "said", "instead"),
    [
        (lambda: regressor(booster="gblinear"), "gblinear", "gbtree"),
        (
            lambda: regressor(objective=lambda truth, found: (found - truth, np.ones_like(found))),
            "of your own",
            "objectives",
        ),
        (lambda: regressor(feature_types=["c"] + ["q"] * 9, enable_categorical=True), "categorical", "OrdinalEncoder"),
        (lambda: regressor(objective="binary:hinge"), "binary:hinge", "binary:logistic"),
    ],
    ids=["linear", "own-objective", "categories", "other-objective"],
)
def test_what_is_refused(make: Callable[[], Any], said: str, instead: str) -> None:
    frame, target = numbers()
    frame = frame.assign(age=np.arange(len(frame)) % 5.0)
    model = fitted(
        make(), (frame, (target > 100) * 1.0 + frame["age"].isin([1, 3]) * (make().objective != "binary:hinge"))
    )
    with pytest.raises(ParityError, match=said) as refused:
        exported(model, frame)
    assert instead in refused.value.fix


def test_the_same_bytes_for_the_same_training() -> None:
    frame, target = two_classes()
    graphs = [exported(fitted(classifier(), (frame, target)), frame)[0] for _ in range(2)]
    assert graphs[0] == graphs[1]
