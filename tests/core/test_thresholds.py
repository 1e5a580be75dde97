"""Values of a column around the thresholds of trees, found through whatever comes before the trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlops_ci.core.thresholds import Edge, Ensemble, edges, evenly
from mlops_ci.core.trees import LEAF, Trees

Columns = Mapping[str, NDArray[Any]]
COLUMNS: Columns = {
    "a": np.array([0.1, 1.7, np.nan, 3.3]),
    "b": np.array([10.0, 20.0, 30.0, 40.0]),
    "word": np.array(["x", "y", "x", ""], dtype=object),
}


def stumps(*thresholds: float, feature: int = 0, mode: str = "<=") -> Ensemble:
    """A tree of one comparison for each threshold."""
    count = len(thresholds)
    return Ensemble(
        matrix="m",
        trees=Trees(
            feature=np.tile([feature, 0, 0], count),
            threshold=np.array([value for threshold in thresholds for value in (threshold, 0.0, 0.0)]),
            mode=np.tile([mode, LEAF, LEAF], count),
            yes=np.concatenate([[3 * tree + 1, 0, 0] for tree in range(count)]),
            no=np.concatenate([[3 * tree + 2, 0, 0] for tree in range(count)]),
            missing_yes=np.zeros(3 * count, dtype=np.bool_),
            roots=np.arange(0, 3 * count, 3),
        ),
    )


def through(function: Callable[[Columns], Any]) -> Callable[[Columns], dict[str, Any]]:
    def preprocessing(columns: Columns) -> dict[str, Any]:
        with np.errstate(over="ignore"):
            return {"m": np.asarray(function(columns), dtype=np.float64).reshape(len(columns["a"]), -1)}

    return preprocessing


def around(function: Callable[[Columns], Any], *ensembles: Ensemble, rows: int = 100) -> list[Edge]:
    return edges(through(function), ensembles, COLUMNS, rows=rows)


def test_at_a_threshold_and_one_float_on_either_side() -> None:
    (edge,) = around(lambda columns: columns["a"], stumps(1.5000000001))
    assert edge.column == "a"
    expected = {np.nextafter(1.5000000001, side) for side in (-np.inf, np.inf)} | {1.5000000001}
    assert set(edge.values) == expected


@pytest.mark.parametrize("mode", ["<=", "==", "<"])
def test_the_last_value_that_goes_one_way(mode: str) -> None:
    (edge,) = around(lambda columns: columns["a"], stumps(0.7, mode=mode))
    assert edge.values[0] == (np.nextafter(0.7, 0) if mode == "<" else 0.7)
    assert edge.values[1] == np.nextafter(edge.values[0], 1)


def test_where_values_are_cast_to_float32_the_neighbours_there_are_among_them() -> None:
    threshold = float(np.float32(0.1))
    (edge,) = around(lambda columns: columns["a"].astype(np.float32), stumps(threshold))
    inside, outside = edge.values[:2]
    assert np.float32(inside) == np.float32(threshold)
    assert np.float32(outside) == np.nextafter(np.float32(threshold), np.float32(1))
    assert outside == np.nextafter(inside, 1)
    assert {threshold, *(float(np.nextafter(np.float32(0.1), np.float32(to))) for to in (0, 1))} <= set(edge.values)


SCALERS: dict[str, Callable[[Any], Any]] = {
    "standard": lambda a: (a - 1.3) / 0.37,
    "falling": lambda a: 5.0 - 3.0 * a,
    "single": lambda a: ((a - 1.3) / 0.37).astype(np.float32),
    "steps": lambda a: np.digitize(np.nan_to_num(a), [0.5, 1.5, 2.5]),
    "clipped": lambda a: np.clip(a, -4, 4),
}
BENT: dict[str, Callable[[Any], Any]] = {
    "cube": lambda a: np.minimum(np.abs(a), 1e100) ** 3 * np.sign(a),
    "log": lambda a: np.log1p(np.maximum(a, 0.0)),
    "exp": lambda a: np.exp(np.minimum(a, 500.0)) / 10,
}


@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS.keys())
def test_the_value_before_the_preprocessing_is_found(scaler: Callable[[Any], Any]) -> None:
    (edge,) = around(lambda columns: scaler(columns["a"]), stumps(0.3))
    inside, outside = edge.values[:2]
    assert outside in {np.nextafter(inside, side) for side in (-np.inf, np.inf)}
    before, after = (float(scaler(np.array([value]))[0]) for value in (inside, outside))
    assert min(before, after) <= 0.3 < max(before, after)
    assert before <= 0.3


@pytest.mark.parametrize("function", BENT.values(), ids=BENT.keys())
def test_on_either_side_of_a_threshold_where_the_column_is_bent(function: Callable[[Any], Any]) -> None:
    """The last digit of such a function is not the same everywhere."""
    (edge,) = around(lambda columns: function(columns["a"]), stumps(0.3))
    inside, outside = edge.values
    assert function(np.array([inside]))[0] < 0.3 < function(np.array([outside]))[0]
    assert 1e-12 < outside - inside < 1e-8


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e299, max_value=1e299))
def test_any_threshold_is_found(threshold: float) -> None:
    (edge,) = around(lambda columns: columns["a"] + 0.0, stumps(threshold))
    assert edge.values[0] == threshold


@pytest.mark.parametrize(
    "function",
    [
        lambda columns: columns["a"] * columns["b"],
        lambda columns: (columns["word"] == "x").astype(float),
        lambda columns: columns["a"] + (columns["word"] == "x"),
        lambda columns: np.zeros(len(columns["a"])),
        lambda columns: np.abs(columns["a"]) + 1,
    ],
    ids=["two-columns", "text", "text-and-number", "constant", "never-crossed"],
)
def test_what_no_single_number_decides_is_left_out(function: Callable[[Columns], Any]) -> None:
    assert around(function, stumps(0.3)) == []


def test_missing_values_of_the_preprocessing_are_no_side() -> None:
    (edge,) = around(lambda columns: np.where(np.isnan(columns["a"]), -7.0, columns["a"]), stumps(0.3))
    assert edge.values[0] == 0.3


def test_thresholds_that_do_not_fit_are_chosen_evenly_over_columns_and_values() -> None:
    many, few = [value + 0.01 for value in range(60)], [15.01, 25.01]
    both = lambda columns: np.column_stack([columns["a"], columns["b"]])  # noqa: E731
    found = around(both, stumps(*many), stumps(*few, feature=1), rows=30)
    assert sum(len(edge.values) for edge in found) <= 30
    values = {name: sorted(edge.values[0] for edge in found if edge.column == name) for name in "ab"}
    assert values["b"] == few
    assert (values["a"][0], values["a"][-1], len(values["a"])) == (0.01, 59.01, 8)
    assert np.diff(values["a"]).max() < 10


def test_every_value_comes_once_before_any_comes_twice() -> None:
    found = around(lambda columns: columns["a"], stumps(0.3, 0.3, 0.3, 0.7, 0.9), rows=12)
    assert sorted(edge.values[0] for edge in found) == [0.3, 0.3, 0.7, 0.9]


def test_the_row_is_one_that_comes_past() -> None:
    """Behind `b <= 25`, whose other side is a leaf: only the first two rows come to the second comparison."""
    trees = Trees(
        feature=np.array([1, 0, 0, 0, 0]), threshold=np.array([25.0, 1.0, 0.0, 0.0, 0.0]),
        mode=np.array(["<=", "<=", LEAF, LEAF, LEAF]), yes=np.array([2, 3, 0, 0, 0]), no=np.array([1, 4, 0, 0, 0]),
        missing_yes=np.zeros(5, dtype=np.bool_), roots=np.array([0]),
    )  # fmt: skip
    both = lambda columns: np.column_stack([columns["a"], columns["b"]])  # noqa: E731
    found = {edge.column: edge.base for edge in around(both, Ensemble(matrix="m", trees=trees))}
    assert found == {"a": 2, "b": 0}


def test_nothing_fits_into_no_rows() -> None:
    assert around(lambda columns: columns["a"], stumps(0.3), rows=2) == []


def test_the_same_every_time() -> None:
    model = stumps(*np.random.default_rng(0).normal(size=50))
    first, second = (around(lambda columns: columns["a"], model, rows=60) for _ in range(2))
    assert len(first) == 20
    assert first == second


@pytest.mark.parametrize(
    ("length", "wanted", "positions"), [(3, 5, [0, 1, 2]), (9, 3, [0, 4, 8]), (1, 1, [0]), (0, 3, []), (5, 0, [])]
)
def test_evenly(length: int, wanted: int, positions: list[int]) -> None:
    assert evenly(length, wanted).tolist() == positions
