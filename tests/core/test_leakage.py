from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import roc_auc_score

from mlops_ci.core.leakage import (
    ClassTarget,
    NumberTarget,
    fold_numbers,
    fold_numbers_of_groups,
    fold_numbers_of_times,
)

RNG = np.random.default_rng(0)


def alone(target: NDArray[Any], values: NDArray[Any], folds: NDArray[np.int64] | None = None) -> float:
    """How well the values predict the target: classes where it holds integers or texts, else numbers."""
    chosen = fold_numbers(len(target), 5, seed=1) if folds is None else folds
    kind = "text" if values.dtype == object else "number"
    number = target.dtype.kind == "f"
    made = NumberTarget(target, chosen) if number else ClassTarget(target, chosen)
    return made.predicted_by(values, kind).value


def classes(count: int, rows: int = 600) -> NDArray[np.int64]:
    return RNG.integers(0, count, rows)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_target_s_own_copies_are_found_whatever_they_look_like(count: int) -> None:
    target = classes(count)
    codes = RNG.permutation(count)  # no order that a threshold could follow
    flipped = np.where(RNG.random(600) < 0.01, RNG.permutation(target), target)
    for copy in (
        target.astype(float),
        codes[target].astype(float),
        target + RNG.normal(0, 0.05, 600),
        np.array([f"class {each}" for each in target], dtype=object),
        flipped.astype(float),
    ):
        assert alone(target, copy) > 0.98


def test_a_value_that_is_missing_exactly_where_the_answer_is_no_gives_it_away() -> None:
    target = classes(2)
    assert alone(target, np.where(target == 0, np.nan, RNG.normal(size=600))) == 1.0
    assert alone(target, np.where(target == 0, "", "2026-01-01").astype(object)) == 1.0


def test_numbers_copied_scaled_or_bent() -> None:
    target = np.exp(RNG.normal(0, 3, 400))
    for copy in (target, -3 * target, np.log(target), target**2, target + 0.01 * RNG.normal(size=400) * target):
        assert alone(target, copy) > 0.98
    plain = RNG.normal(size=400)
    assert alone(plain, plain + RNG.normal(0, 0.05, 400)) > 0.98
    assert alone(plain, plain + RNG.normal(0, 1, 400)) < 0.7


@pytest.mark.parametrize("target", [classes(2), classes(4), RNG.normal(size=600)], ids=["two", "four", "numbers"])
def test_noise_ids_and_texts_that_come_once_predict_nothing(target: NDArray[Any]) -> None:
    for values in (
        RNG.normal(size=600),
        np.arange(600.0),
        np.array([f"id-{each}" for each in range(600)], dtype=object),
        np.array([f"id-{each // 2}" for each in range(600)], dtype=object),
        np.full(600, np.nan),
        np.zeros(600),
        np.full(600, "", dtype=object),
    ):
        assert alone(target, values) < 0.62


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_no_feature_of_the_toy_sets_is_a_leak(load: Any) -> None:
    data, target = load(return_X_y=True)
    strongest = max(alone(target, column) for column in data.T)
    assert strongest < 0.95


def test_the_area_is_that_of_scikit_learn_where_each_value_is_its_own_score() -> None:
    target = classes(2, 20_000)
    values = np.round(RNG.normal(0, 2, 20_000) + target).clip(-5, 6)
    # enough rows in each of the twelve bins that all folds order them alike
    assert alone(target, values) == pytest.approx(roc_auc_score(target, values), abs=0.003)


def test_an_entity_s_name_is_no_leak_where_entities_are_judged_whole() -> None:
    entity = RNG.integers(0, 60, 600)
    target = (entity * 7919 % 2).astype(np.int64)
    name = np.array([f"customer {each}" for each in entity], dtype=object)
    assert alone(target, name) == 1.0
    assert alone(target, name, fold_numbers_of_groups(entity, 5, seed=0)) == 0.5


def test_a_running_number_is_no_leak_where_the_future_is_judged() -> None:
    target = np.repeat(RNG.integers(0, 2, 30), 20)
    number = np.arange(600.0)
    assert alone(target, number) > 0.9
    assert alone(target, number, fold_numbers_of_times(np.arange(600), 5)) < 0.75


def test_the_value_before_is_a_fair_feature_of_a_time_series_and_the_value_itself_is_not() -> None:
    series = np.cumsum(RNG.normal(size=1000))
    before = np.concatenate([[0.0], series[:-1]])
    order = np.arange(1000)
    folds = fold_numbers_of_times(order, 5)
    unaware, aware = NumberTarget(series, folds), NumberTarget(series, folds, order=order)
    assert unaware.predicted_by(before, "number").value > 0.98
    assert aware.predicted_by(before, "number").value < 0.2
    assert aware.predicted_by(series, "number").value > 0.98


def test_folds() -> None:
    assert sorted(np.bincount(fold_numbers(103, 5, seed=3))) == [20, 20, 21, 21, 21]
    assert fold_numbers_of_times(np.array([3, 1, 0, 2]), 2).tolist() == [1, 0, 1, 0]
    groups = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    assert (fold_numbers_of_groups(groups, 5, seed=0)[:5] == fold_numbers_of_groups(groups, 5, seed=0)[5:]).all()
