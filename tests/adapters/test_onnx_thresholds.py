"""Rows at every threshold of a fitted model, and the smallest steps on either side of it: no comparison may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from tests.adapters.exporting import data_for, difference, fitted, with_holes

Thresholds = list[tuple[int, float]]
"""Positions of features, and values that they are compared with."""
AT_MOST = 3000
LARGEST = float(np.finfo(np.float32).max)
EXTREMES = [*(sign * LARGEST for sign in (1, -1)), 1e-40, -1e-40, 5e-324, 0.0, -0.0]


def of_tree(tree: Any) -> Thresholds:
    inner = tree.children_left >= 0
    return list(zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True))


def of_sklearn(model: Any) -> Thresholds:
    if hasattr(model, "tree_"):
        return of_tree(model.tree_)
    if hasattr(model, "_predictors"):
        nodes = np.concatenate([tree.nodes for stage in model._predictors for tree in stage])
        nodes = nodes[nodes["is_leaf"] == 0]
        return list(zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True))
    return [pair for tree in np.ravel(model.estimators_) for pair in of_tree(tree.tree_)]


def of_lightgbm(model: Any) -> Thresholds:
    table = model.booster_.trees_to_dataframe().dropna(subset=["threshold"])
    names = model.booster_.feature_name()
    return [(names.index(name), float(t)) for name, t in zip(table.split_feature, table.threshold, strict=True)]


def of_xgboost(model: Any) -> Thresholds:
    table = model.get_booster().trees_to_dataframe().dropna(subset=["Split"])
    names = model.get_booster().feature_names
    return [(names.index(name), float(t)) for name, t in zip(table.Feature, table.Split, strict=True)]


def beside(value: float) -> list[float]:
    """The value, and its neighbours among the floats of both sizes. (A threshold beyond them is for missing values.)"""
    if not abs(value) < LARGEST:
        return []
    single = np.float32(value)
    return [
        *(value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)),
        float(single),
        *(float(np.nextafter(single, np.float32(side))) for side in (-np.inf, np.inf)),
    ]


def rows_at(frame: pd.DataFrame, pairs: Thresholds, extremes: list[float]) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    pairs = list(dict.fromkeys(pairs))
    pairs = [pairs[at] for at in rng.permutation(len(pairs))[:AT_MOST]]
    changes = [(feature, value) for feature, threshold in pairs for value in beside(threshold)]
    changes += [(feature, value) for feature in range(frame.shape[1]) for value in extremes]
    rows = frame.to_numpy()[rng.integers(0, len(frame), len(changes))]
    rows[np.arange(len(changes)), [feature for feature, _ in changes]] = [value for _, value in changes]
    return pd.DataFrame(rows, columns=frame.columns)


SKLEARN: dict[str, Callable[[], Any]] = {
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "random-tree": lambda: ExtraTreeClassifier(random_state=0),
    "tree-of-numbers": lambda: DecisionTreeRegressor(random_state=0),
    "forest": lambda: RandomForestClassifier(15, random_state=0, min_samples_leaf=2),
    "forest-of-numbers": lambda: RandomForestRegressor(10, random_state=0),
    "extra-trees": lambda: ExtraTreesClassifier(10, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=20, random_state=0),
    "boosting-of-numbers": lambda: GradientBoostingRegressor(n_estimators=20, random_state=0),
    "adaboost": lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=20, random_state=0),
    "bagging": lambda: BaggingClassifier(n_estimators=10, random_state=0),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5),
    "histogram-of-numbers": lambda: HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5),
}
TAKE_MISSING = ("tree", "random-tree", "forest", "extra-trees", "bagging", "histogram")
TAKE_INFINITE = ("histogram",)


@pytest.mark.parametrize("name", SKLEARN)
def test_at_the_thresholds_of_scikit_learn(name: str) -> None:
    make = SKLEARN[name]
    kind = name.removesuffix("-of-numbers")
    for frame, target in data_for(make()):
        extremes = EXTREMES + [np.nan] * (kind in TAKE_MISSING) + [np.inf, -np.inf] * (kind in TAKE_INFINITE)
        model = fitted(make(), (with_holes(frame) if kind in TAKE_MISSING else frame, target))
        found = difference(model, rows_at(frame, of_sklearn(model), extremes))
        assert found.flips == 0
        assert found.largest < 1e-13


@pytest.mark.parametrize("name", ["tree", "forest", "boosting", "histogram"])
@pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler])
def test_at_the_thresholds_behind_a_scaler(scaler: Any, name: str) -> None:
    """The scaler's result for the last digit of its input decides."""
    make = SKLEARN[name]
    for data in data_for(make()):
        pipeline = fitted(make_pipeline(scaler(), make()), data)
        scale = pipeline[0].scale_ if scaler is StandardScaler else 1 / pipeline[0].scale_
        start = pipeline[0].mean_ if scaler is StandardScaler else -pipeline[0].min_ * scale
        pairs = [(at, float(start[at] + scale[at] * value)) for at, value in of_sklearn(pipeline[1])]
        steps = [(at, float(value + step * np.spacing(value))) for at, value in pairs for step in (-2, 2)]
        found = difference(pipeline, rows_at(data[0], pairs + steps, []))
        assert found.flips == 0
        assert found.largest < 1e-13


def test_at_the_thresholds_of_lightgbm() -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra `lightgbm` is not installed")
    for kind in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        for holes in (False, True):
            for frame, target in data_for(kind()):
                model = kind(n_estimators=20, min_child_samples=5, n_jobs=1, verbose=-1)
                model.fit(with_holes(frame) if holes else frame, target)
                asked = rows_at(frame, of_lightgbm(model), [*EXTREMES, np.nan, np.inf, -np.inf])
                found = difference(model, asked)
                assert found.flips == 0
                assert found.largest < 1e-13


def test_at_the_thresholds_of_xgboost() -> None:
    xgboost = pytest.importorskip("xgboost", reason="the extra `xgboost` is not installed")
    for kind in (xgboost.XGBClassifier, xgboost.XGBRegressor):
        for scaled in (False, True):
            for frame, target in data_for(kind()):
                labels = np.unique(target, return_inverse=True)[1] if target.dtype.kind == "O" else target
                model = fitted(kind(n_estimators=20, n_jobs=1), (with_holes(frame), labels))
                asked = rows_at(frame, of_xgboost(model), [*EXTREMES, np.nan])
                if scaled:
                    model = fitted(make_pipeline(StandardScaler(), kind(n_estimators=20, n_jobs=1)), (frame, labels))
                    mean, scale = model[0].mean_, model[0].scale_
                    pairs = [(at, float(mean[at] + scale[at] * value)) for at, value in of_xgboost_behind(model[1])]
                    asked = rows_at(frame, pairs, [])
                found = difference(model, asked)
                assert found.flips == 0
                assert found.largest < 2e-7  # float32: the last digit of an exponential


def of_xgboost_behind(model: Any) -> Thresholds:
    """A matrix has no names of columns."""
    table = model.get_booster().trees_to_dataframe().dropna(subset=["Split"])
    return [(int(name[1:]), float(t)) for name, t in zip(table.Feature, table.Split, strict=True)]
