"""Through the real library, which is left out where it is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops_ci.adapters.shap_values import MOST_EXPLAINED, ShapExplainer
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature

pytest.importorskip("shap", reason="the extra `shap` is not installed", exc_type=ImportError)

ROWS = 600
RNG = np.random.default_rng(6)
COLUMNS: dict[str, NDArray[Any]] = {
    "big": RNG.normal(size=ROWS),
    "small": RNG.normal(size=ROWS),
    "colour": RNG.choice(np.array(["red", "green", ""], dtype=object), ROWS),
    "idle": np.where(RNG.random(ROWS) < 0.5, np.nan, 1.0),
}
INPUTS = tuple(Column(name=name, kind="text" if name == "colour" else "number") for name in COLUMNS)
REGRESSION = Signature(task="regression", inputs=INPUTS)


def linear(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    return 3 * columns["big"] + columns["small"] + 2.0 * (columns["colour"] == "red")


def test_of_a_sum_they_are_the_distances_from_each_column_s_mean() -> None:
    sizes, rows = ShapExplainer().mean_absolute(
        lambda columns: Predictions(values=linear(columns)), COLUMNS, REGRESSION, seed=1
    )

    assert rows == MOST_EXPLAINED
    assert list(sizes) == list(COLUMNS)
    # the mean absolute deviation of a normal is 0.8 of its standard deviation; of a third of reds, 4/9
    assert sizes["big"] == pytest.approx(3 * 0.8, rel=0.2)
    assert sizes["small"] == pytest.approx(0.8, rel=0.2)
    assert sizes["colour"] == pytest.approx(2 * 4 / 9, rel=0.2)
    assert sizes["idle"] == pytest.approx(0, abs=1e-12)


def test_the_model_sees_only_values_that_the_columns_have() -> None:
    def watching(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        for name, values in columns.items():
            assert values.dtype == COLUMNS[name].dtype
            assert len(np.unique(np.concatenate([values, COLUMNS[name]]))) == len(np.unique(COLUMNS[name]))
        return Predictions(values=linear(columns))

    ShapExplainer().mean_absolute(watching, COLUMNS, REGRESSION, seed=1)


@pytest.mark.parametrize("classes", [(0, 1), ("a", "b", "c")])
def test_of_classes_they_are_in_units_of_probability(classes: tuple[str | int, ...]) -> None:
    def predict(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        share = 1 / (1 + np.exp(-columns["big"]))
        rest = [share / (len(classes) - 1)] * (len(classes) - 1)
        probabilities = np.stack([1 - share, *rest], axis=1)
        return Predictions(labels=probabilities.argmax(axis=1), probabilities=probabilities)

    task = "binary-classification" if len(classes) == 2 else "multiclass-classification"
    sizes, _ = ShapExplainer().mean_absolute(
        predict, COLUMNS, Signature(task=task, inputs=INPUTS, classes=classes), seed=1
    )

    assert 0.05 < sizes["big"] < 0.5
    assert sizes["small"] == sizes["colour"] == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_values_and_the_global_one_is_left_alone() -> None:
    state = np.random.get_state()[1].tolist()
    first, again = (
        ShapExplainer().mean_absolute(lambda columns: Predictions(values=linear(columns)), COLUMNS, REGRESSION, seed=2)
        for _ in range(2)
    )

    assert first == again
    assert np.random.get_state()[1].tolist() == state


def test_many_columns_are_explained_on_fewer_rows() -> None:
    columns = {f"x{number}": RNG.normal(size=ROWS) for number in range(100)}
    asked: list[int] = []

    def predict(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        asked.append(len(columns["x0"]))
        return Predictions(values=columns["x0"] - columns["x1"])

    signature = Signature(task="regression", inputs=tuple(Column(name=name, kind="number") for name in columns))
    _, rows = ShapExplainer().mean_absolute(predict, columns, signature, seed=1)

    assert rows == 39
    assert sum(asked) < 500_000


def test_one_column_and_few_rows_are_enough() -> None:
    columns = {"big": COLUMNS["big"][:3]}
    sizes, rows = ShapExplainer().mean_absolute(
        lambda asked: Predictions(values=asked["big"]),
        columns,
        Signature(task="regression", inputs=INPUTS[:1]),
        seed=1,
    )

    assert rows == 3
    assert sizes["big"] == pytest.approx(np.abs(columns["big"] - columns["big"].mean()).mean())


def test_a_model_that_cannot_answer_is_an_error() -> None:
    def failing(columns: Mapping[str, NDArray[Any]]) -> Predictions:
        raise AssertionError("Ada Lovelace")

    with pytest.raises(ValueError, match=r"^shap cannot explain this model: AssertionError$"):
        ShapExplainer().mean_absolute(failing, COLUMNS, REGRESSION, seed=1)
