from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance as of_sklearn

from mlops_ci.core.importance import REPEATS, permutation_importance, rows_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature

ROWS = 800
RNG = np.random.default_rng(11)
COLUMNS: dict[str, NDArray[Any]] = {
    "strong": RNG.normal(size=ROWS),
    "weak": RNG.normal(size=ROWS),
    "colour": RNG.choice(np.array(["red", "green", ""], dtype=object), ROWS),
    "idle": np.full(ROWS, np.nan),
}
SIGNATURE = Signature(
    task="regression",
    inputs=tuple(Column(name=name, kind="text" if name == "colour" else "number") for name in COLUMNS),
)


def predict(columns: Mapping[str, NDArray[Any]]) -> Predictions:
    return Predictions(values=3 * columns["strong"] + columns["weak"] + 4.0 * (columns["colour"] == "red"))


TRUTH = np.asarray(predict(COLUMNS).values) + RNG.normal(scale=0.3, size=ROWS)


def test_the_columns_that_matter_come_first_and_the_idle_one_loses_nothing() -> None:
    found = permutation_importance("rmse", predict, COLUMNS, TRUTH, SIGNATURE, seed=1)

    assert [each.name for each in found] == ["strong", "colour", "weak", "idle"]
    assert (found[-1].mean, found[-1].lower, found[-1].upper) == (0.0, 0.0, 0.0)
    assert all(each.lower < each.mean < each.upper for each in found[:-1])


def test_it_agrees_with_scikit_learn() -> None:
    class Model(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Model:
            return self

        def predict(self, X: NDArray[Any]) -> NDArray[Any]:
            return 3 * X[:, 0] + X[:, 1]

    def two(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        return Predictions(values=3 * columns["strong"] + columns["weak"])

    columns = {name: COLUMNS[name] for name in ("strong", "weak")}
    truth = two(columns).values + RNG.normal(size=ROWS)
    ours = permutation_importance("r2", two, columns, truth, SIGNATURE, seed=1)
    theirs = of_sklearn(Model(), np.column_stack(list(columns.values())), truth, scoring="r2", n_repeats=200)

    for each, mean in zip(ours, theirs.importances_mean, strict=True):
        assert each.mean == pytest.approx(mean, rel=0.1)
        assert each.lower - 0.02 < mean < each.upper + 0.02


def test_a_loss_and_a_score_point_the_same_way() -> None:
    for metric in ("rmse", "mae", "r2", "median_absolute_error"):
        found = permutation_importance(metric, predict, COLUMNS, TRUTH, SIGNATURE, seed=1)
        assert found[0].name == "strong"
        assert found[0].lower > 0


def test_the_same_seed_shuffles_alike() -> None:
    first, again, other = (
        permutation_importance("rmse", predict, COLUMNS, TRUTH, SIGNATURE, seed=seed) for seed in (1, 1, 2)
    )

    assert first == again != other


def test_the_model_is_asked_once_a_column_and_the_rows_are_left_as_they_were() -> None:
    asked: list[int] = []

    def counting(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        asked.append(len(columns["strong"]))
        return predict(columns)

    before = {name: values.copy() for name, values in COLUMNS.items()}
    permutation_importance("rmse", counting, COLUMNS, TRUTH, SIGNATURE, seed=1)

    assert asked == [ROWS] + [ROWS * REPEATS] * len(COLUMNS)
    assert all(np.array_equal(COLUMNS[name], before[name], equal_nan=name == "idle") for name in COLUMNS)


def test_an_undefined_metric_gives_no_importance() -> None:
    binary = Signature(task="binary-classification", inputs=SIGNATURE.inputs, classes=(0, 1))

    def certain(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        rows = len(columns["strong"])
        return Predictions(labels=np.ones(rows, dtype=np.int64), probabilities=np.tile([0.4, 0.6], (rows, 1)))

    assert permutation_importance("roc_auc", certain, COLUMNS, np.ones(ROWS, dtype=np.int64), binary, seed=1) == ()


@pytest.mark.parametrize(("columns", "rows"), [(1, 3_000), (9, 3_000), (40, 1_000), (100, 400), (5_000, 200)])
def test_many_columns_are_shuffled_on_fewer_rows(columns: int, rows: int) -> None:
    assert rows_for(columns) == rows
