"""Answers and what came true, brought together by request id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.known_actuals import KnownActuals, known_actuals, texts_of_actuals
from mlops_ci.pipeline.logged_rows import LoggedRows, logged_rows

INPUTS = (Column(name="x", kind="number"),)
REGRESSION = Signature(task="regression", inputs=INPUTS)
BINARY = Signature(task="binary-classification", inputs=INPUTS, classes=(0, 1))
WORDS = Signature(task="binary-classification", inputs=INPUTS, classes=("0", "1"))


def log(*requests: tuple[str, int], release: str = "new", signature: Signature = REGRESSION) -> LoggedRows:
    """Requests of so many rows, one a minute."""
    classes = [str(name) for name in signature.classes]
    answer: Any = {"value": 1.0}
    if classes:
        answer = {"label": signature.classes[0], "probabilities": dict.fromkeys(classes, 0.5)}
    entries = [
        LogEntry(
            time=datetime(2026, 1, 31, tzinfo=UTC) + timedelta(minutes=minute),
            release=release,
            request_id=name,
            records=[{"x": 1.0}] * rows,
            answers=[answer] * rows,
        )
        for minute, (name, rows) in enumerate(requests)
    ]
    return logged_rows(entries, signature, release="new")


def joined(logged: LoggedRows, signature: Signature = REGRESSION, **columns: Any) -> KnownActuals:
    return known_actuals(logged, pd.DataFrame(columns), target="late", signature=signature)


def test_each_actual_finds_its_answer() -> None:
    found = joined(log(("a", 1), ("b", 1), ("c", 1)), request_id=["c", "a", "z"], late=[3.0, 1.0, 9.0])

    assert found.known.tolist() == [True, False, True]
    assert found.truth[found.known].tolist() == [1.0, 3.0]
    assert found.notes == [
        "2 of 3 answers in the log have an actual.",
        "1 actuals belong to no answer of this release in the log.",
    ]


def test_rows_of_a_request_are_told_apart_by_their_number() -> None:
    found = joined(log(("a", 2), ("b", 1)), request_id=["a", "a", "b"], row=[1, 0, 0], late=[11.0, 10.0, 20.0])

    assert found.known.all()
    assert found.truth.tolist() == [10, 11, 20]


def test_without_the_number_only_requests_of_one_row_can_be_told() -> None:
    found = joined(log(("a", 2), ("b", 1)), request_id=["a", "b"], late=[1.0, 2.0])

    assert found.known.tolist() == [False, False, True]
    assert any("2 answers to requests of several rows need a column `row`" in note for note in found.notes)


def test_the_latest_answer_counts_where_an_id_comes_again() -> None:
    found = joined(log(("a", 1), ("b", 1), ("a", 1)), request_id=["a"], late=[1.0])

    assert found.known.tolist() == [False, False, True]
    assert any("1 answers have the id of a later request" in note for note in found.notes)


def test_actuals_that_are_not_known_yet_wait() -> None:
    found = joined(log(("a", 1), ("b", 1)), request_id=["a", "b", None], late=[1.0, np.nan, 3.0])
    assert found.known.tolist() == [True, False]


def test_an_actual_that_is_said_twice_is_one_and_one_that_contradicts_is_an_error() -> None:
    logged = log(("a", 1))
    assert joined(logged, request_id=["a", "a"], late=[1.0, 1.0]).known.all()
    with pytest.raises(DataGateError, match="1 requests have several actuals that differ"):
        joined(logged, request_id=["a", "a"], late=[1.0, 2.0])


def test_ids_that_are_whole_numbers_are_their_digits() -> None:
    assert joined(log(("12", 1)), request_id=[12], late=[1.0]).known.all()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["a"], "late": [1.0]}, "no table of actuals"),
        ({"request_id": ["a"]}, "no table of actuals"),
        ({"request_id": [1.5], "late": [1.0]}, "neither texts nor whole numbers"),
        ({"request_id": [["a"]], "late": [1.0]}, "neither texts nor whole numbers"),
        ({"request_id": ["a"], "row": ["0"], "late": [1.0]}, "whole numbers"),
        ({"request_id": ["a"], "row": [0.5], "late": [1.0]}, "whole numbers"),
        ({"request_id": ["a"], "row": [None], "late": [1.0]}, "whole numbers"),
        ({"request_id": ["a"], "late": ["x"]}, "a regression predicts a number"),
        ({"request_id": ["z"], "late": [1.0]}, "none of 1 actuals belongs to one of 1 answers"),
        ({"request_id": [], "late": []}, "none of 0 actuals"),
    ],
)
def test_what_is_no_table_of_actuals_is_refused(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(DataGateError, match=said):
        joined(log(("a", 1)), **columns)


def test_another_releases_answers_have_no_actuals() -> None:
    with pytest.raises(DataGateError, match="belongs to one of 0 answers"):
        joined(log(("a", 1), release="old"), request_id=["a"], late=[1.0])


def test_classes_are_those_of_the_model() -> None:
    logged = log(("a", 1), ("b", 1), signature=BINARY)
    found = joined(logged, BINARY, request_id=["a", "b"], late=[True, False])
    assert found.truth.tolist() == [1, 0]
    with pytest.raises(DataGateError, match="1 actuals are none of the 2 classes"):
        joined(logged, BINARY, request_id=["a", "b"], late=[1, 2])


def test_classes_that_are_texts_stay_texts() -> None:
    logged = log(("a", 1), signature=WORDS)
    assert joined(logged, WORDS, request_id=["a"], late=[1]).truth.tolist() == ["1"]
    assert texts_of_actuals("late", WORDS) == ["request_id", "late"]
    assert texts_of_actuals("late", BINARY) == texts_of_actuals("late", REGRESSION) == ["request_id"]
