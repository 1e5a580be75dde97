"""Rows that are made of real ones to be answered wrongly."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.adversarial import MOST, Change, changed, changes, near_misses, threshold_changes
from mlops_ci.core.signature import Column
from mlops_ci.core.thresholds import Edge

INPUTS = (Column(name="x", kind="number"), Column(name="y", kind="number"), Column(name="word", kind="text"))
COLUMNS: dict[str, Any] = {
    "x": np.array([1.0, np.nan, 3.0]),
    "y": np.array([-5.0, 0.0, 70.0]),
    "word": np.array(["Zürich", "Zürich", ""], dtype=object),
}


def made(kind: str) -> list[Change]:
    return [change for change in changes(COLUMNS, INPUTS) if change.kind == kind]


def values(kind: str, column: str) -> list[Any]:
    return [change.values[column] for change in made(kind) if list(change.values) == [column]]


def test_missing_in_each_column_and_in_all() -> None:
    assert [list(change.values) for change in made("missing")] == [["x"], ["y"], ["word"], ["x", "y", "word"]]
    assert all(
        value == "" if isinstance(value, str) else math.isnan(value) for value in made("missing")[-1].values.values()
    )


def test_extremes_of_each_number() -> None:
    found = values("extreme", "y")
    assert {1e6, -1e6, 2.0**53, 1e30, -1e30, 1e39, 1e300, 5e-324, -5e-324, -6.0, 71.0} <= set(found)
    assert [math.copysign(1, value) for value in found if value == 0] == [1, -1]
    assert float(np.finfo(np.float32).max) in found
    assert all(math.isfinite(value) for value in found)
    assert len(found) == len(values("extreme", "x"))


def test_unseen_categories_and_what_nearly_is_one() -> None:
    found = values("unseen", "word")
    assert {"Zürich ", " Zürich", "zÜRICH", unicodedata.normalize("NFD", "Zürich")} <= set(found)
    assert max(map(len, found)) >= 10_000
    assert "Zürich" not in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("text", ["", "a", "AA", "é", "e\u0301", "日本", " ", "1"])
def test_most_near_misses_are_another_text_whatever_the_text_is(text: str) -> None:
    found = near_misses(text)
    assert len(found) == len(near_misses("Oslo"))
    assert sum(miss != text for miss in found) >= 5
    assert found[4] != text
    assert unicodedata.normalize("NFC", found[4]) == unicodedata.normalize("NFC", text) or "\u0301" in found[4]


def test_empty_texts_are_empty_or_blank() -> None:
    assert values("empty", "word") == ["", " ", ""]


def test_a_row_is_a_real_one_but_for_what_is_changed() -> None:
    chosen = changes(COLUMNS, INPUTS)
    rows = changed(COLUMNS, chosen)
    for row, change in enumerate(chosen):
        for name, column in rows.items():
            expected = change.values.get(name, COLUMNS[name][change.base])
            assert column[row] == expected or (math.isnan(column[row]) and math.isnan(expected))
    assert {change.base for change in chosen} == {0, 1, 2}
    assert COLUMNS["x"][0] == 1.0, "the table is as it was"


def test_a_wide_table_has_no_more_of_a_kind_than_there_is_room_for() -> None:
    inputs = [Column(name=f"n{number}", kind="number") for number in range(300)]
    inputs += [Column(name=f"t{number}", kind="text") for number in range(300)]
    columns = {
        column.name: np.zeros(2) if column.kind == "number" else np.array(["a", "b"], dtype=object) for column in inputs
    }
    found = changes(columns, inputs)
    for kind, most in MOST.items():
        of_kind = [change for change in found if change.kind == kind]
        assert most - 5 <= len(of_kind) <= most
        assert len({name for change in of_kind for name in change.values}) > most // 2
    assert sum(MOST.values()) <= 1000


def test_columns_of_nothing() -> None:
    inputs = (Column(name="x", kind="number"), Column(name="word", kind="text"))
    columns = {"x": np.full(2, np.nan), "word": np.array(["", ""], dtype=object)}
    assert {change.kind for change in changes(columns, inputs)} == {"missing", "empty", "unseen", "extreme"}


def test_each_value_around_a_threshold_is_a_row() -> None:
    assert threshold_changes([Edge(base=4, column="x", values=(1.0, 1.5))]) == [
        Change(kind="threshold", base=4, values={"x": 1.0}),
        Change(kind="threshold", base=4, values={"x": 1.5}),
    ]
