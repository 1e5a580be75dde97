from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops_ci.core.data_change import AcceptedData, Change, changes
from mlops_ci.core.drift import profile
from mlops_ci.core.signature import Column

INPUTS = (Column(name="height", kind="number"), Column(name="colour", kind="text"))


def data(rows: int = 2000, seed: int = 0, **shift: Any) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    height = rng.normal(170 + shift.get("taller", 0), 10, rows)
    height[rng.random(rows) < shift.get("missing", 0.1)] = np.nan
    colour = rng.choice(
        ["red", "green", "blue"], rows, p=[shift.get("red", 1 / 3), 1 / 3, 2 / 3 - shift.get("red", 1 / 3)]
    )
    return {"height": height, "colour": colour.astype(object)}


def since(columns: dict[str, NDArray[Any]], inputs: tuple[Column, ...] = INPUTS, **options: Any) -> list[Change]:
    before = AcceptedData(name="version 1", profile=profile(data(), INPUTS))
    return changes(before, columns, inputs, rows=len(columns["height"]), **options)


def told(found: list[Change]) -> set[tuple[str, str]]:
    return {(change.column, change.what) for change in found if change.worth_telling}


def test_the_same_data_have_not_changed() -> None:
    assert told(since(data())) == set()


@pytest.mark.parametrize("seed", range(1, 9))
def test_another_sample_of_the_same_source_has_nothing_worth_telling(seed: int) -> None:
    assert told(since(data(seed=seed))) == set()
    assert told(since(data(rows=3000, seed=seed))) == {("", "rows")}


@pytest.mark.parametrize(
    ("shift", "column", "what", "distance"),
    [
        ({"taller": 5}, "height", "distribution", 0.2),
        ({"missing": 0.4}, "height", "missing-rate", 0.3),
        ({"red": 0.6}, "colour", "distribution", 0.27),
    ],
)
def test_a_planted_change_is_told_with_its_size(shift: Any, column: str, what: str, distance: float) -> None:
    found = since(data(seed=1, **shift))
    assert told(found) == {(column, what)}
    (change,) = [each for each in found if each.worth_telling]
    assert change.distance == pytest.approx(distance, abs=0.05)


def test_what_was_typical_and_what_is() -> None:
    (height,) = [each for each in since(data(seed=1, taller=5)) if each.worth_telling]
    assert (height.before, height.after) == (pytest.approx(170, abs=1), pytest.approx(175, abs=1))
    (colour,) = [each for each in since(data(seed=1, red=0.6)) if each.worth_telling]
    assert colour.before[:6] in {"red 33", "red 32", "red 34", "blue 3"}
    (hidden,) = [each for each in since(data(seed=1, red=0.6), private={"colour"}) if each.worth_telling]
    assert (hidden.before, hidden.after) == (None, None)
    assert hidden.to_json() == {
        "column": "colour",
        "what": "distribution",
        "before": None,
        "after": None,
        "distance": colour.distance,
    }


def test_columns_that_come_go_and_turn_into_others() -> None:
    columns = data(seed=1)
    other = {"height": np.array(["tall"] * 2000, dtype=object), "weight": columns["height"]}
    inputs = (Column(name="height", kind="text"), Column(name="weight", kind="number"))
    assert [(each.column, each.what, each.before, each.after) for each in since(other, inputs)] == [
        ("colour", "removed", "text", None),
        ("height", "kind", "number", "text"),
        ("weight", "added", None, "number"),
    ]


def test_a_column_without_any_value_is_only_missing() -> None:
    columns = data(seed=1) | {"height": np.full(2000, np.nan), "colour": np.full(2000, "", dtype=object)}
    assert told(since(columns)) == {("height", "missing-rate"), ("colour", "missing-rate")}
