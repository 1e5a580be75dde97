"""Scikit-learn's two kinds of gradient boosting against their graphs: losses, missing values, categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

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

EXACT = 1e-14


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma", "quantile"])
def test_every_loss_of_histogram_boosting(loss: str) -> None:
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.8 if loss == "quantile" else None, max_iter=10)
    assert difference(fitted(model, numbers()), numbers()[0]).largest < EXACT


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_every_loss_of_boosting_for_numbers(loss: str) -> None:
    model = GradientBoostingRegressor(loss=loss, n_estimators=10, random_state=0)
    assert difference(fitted(model, numbers()), numbers()[0]).largest < EXACT


@pytest.mark.parametrize("options", [{"loss": "exponential"}, {"init": "zero"}, {"n_iter_no_change": 2}])
def test_ways_of_boosting_for_classes(options: dict[str, Any]) -> None:
    for frame, target in data_for(GradientBoostingClassifier()):
        if options.get("loss") == "exponential" and len(np.unique(target)) > 2:
            continue
        found = difference(
            fitted(GradientBoostingClassifier(n_estimators=15, random_state=0, **options), (frame, target)), frame
        )
        assert found.flips == 0
        assert found.largest < EXACT


def test_boosting_that_starts_from_another_estimator_is_refused() -> None:
    model = fitted(GradientBoostingRegressor(init=LinearRegression(), n_estimators=2), numbers())
    with pytest.raises(ParityError, match="init") as refused:
        exported(model, numbers()[0])
    assert "init=None" in refused.value.fix
    model = fitted(GradientBoostingRegressor(init=DummyRegressor(), n_estimators=2), numbers())
    with pytest.raises(ParityError, match="init"):
        exported(model, numbers()[0])


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_values_that_are_one_in_float32_are_told_apart(kind: Any) -> None:
    seconds = 1_700_000_000.0 + np.arange(4000)
    assert len(np.unique(seconds.astype(np.float32))) < 50, "else this test says nothing"
    frame = pd.DataFrame({"seconds": seconds, "latitude": 40.0 + np.arange(4000) * 1e-6})
    target = (np.arange(4000) // 37) % 2
    found = difference(fitted(kind(max_iter=20), (frame, target)), frame)
    assert found.flips == 0
    assert found.largest < EXACT


TEXTS = ["carrier", "origin", "dest"]


@pytest.mark.parametrize("by", ["name", "position", "mask"])
def test_texts_as_categorical_features(by: str) -> None:
    rows = flights()
    frame = rows.training[[*rows.numbers[:2], *TEXTS, *rows.numbers[2:]]]
    mask = [name in TEXTS for name in frame]
    chosen: Any = {"name": TEXTS, "position": np.flatnonzero(mask).tolist(), "mask": mask}[by]
    model = HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=5, categorical_features=chosen)
    model = fitted(model, (frame, rows.targets["two classes"]))
    assert any(tree.nodes["is_categorical"].any() for stage in model._predictors for tree in stage)
    asked = pd.concat([frame, rows.holdout[frame.columns]], ignore_index=True)
    asked.loc[asked.index[-60:-30], "dest"] = "never seen"
    asked.loc[asked.index[-30:], TEXTS] = ""
    found = difference(model, asked)
    assert found.flips == 0
    assert found.largest < EXACT


@pytest.mark.parametrize("holes", [True, False], ids=["missing-in-training", "missing-only-later"])
def test_numbers_as_categorical_features(holes: bool) -> None:
    """A number that was never seen is missing, however near it is to one that was; negative ones are categories too."""
    rng = np.random.default_rng(0)
    for data in (two_classes(), three_classes(), numbers()):
        frame = data[0].assign(kind=rng.integers(-5, 60, len(data[0])) / 2, flag=rng.integers(0, 2, len(data[0])) * 1.0)
        kind = HistGradientBoostingRegressor if data is numbers() else HistGradientBoostingClassifier
        model = kind(max_iter=20, min_samples_leaf=3, categorical_features=["kind", "flag"])
        lifted = data[1] + 40 * (frame["kind"] % 3 == 0) if data is numbers() else data[1]
        model = fitted(model, (with_holes(frame) if holes else frame, lifted))
        odd = rng.choice([np.nan, -2.5, 0.0, -0.0, 0.25, 29.5, 30.0, 1e9, 1e300], len(frame))
        for asked in (frame, with_holes(frame, seed=2), frame.assign(kind=odd)):
            found = difference(model, asked)
            assert found.flips == 0
            assert found.largest < EXACT


def test_boosting_inside_other_estimators() -> None:
    frame, target = two_classes()
    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    voting = VotingClassifier([("a", boosting), ("b", GaussianNB())], voting="soft")
    for estimator in (CalibratedClassifierCV(boosting, cv=2), voting):
        found = difference(fitted(estimator, (frame, target)), frame)
        assert found.flips == 0
        assert found.largest < 1e-12
