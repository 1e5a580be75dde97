from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.columns import records_from_columns
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.rows import (
    COUNTED,
    REPORTED,
    BadRows,
    TooManyRows,
    answers_from_predictions,
    columns_from_records,
    read_rows,
    require_finite,
)

SIGNATURE = Signature(
    task="binary-classification",
    inputs=(Column(name="age", kind="number"), Column(name="city", kind="text")),
    classes=("no", "yes"),
)


def problems_of(records: list[Any]) -> list[tuple[int, str, str]]:
    with pytest.raises(BadRows) as caught:
        columns_from_records(records, SIGNATURE)
    return [(problem.row, problem.field, problem.what) for problem in caught.value.problems]


def test_records_become_columns() -> None:
    records = [
        {"age": 3, "city": "Rom"},
        {"city": None, "age": None},
        {"age": True, "city": ""},
        {"age": -0.5, "city": "ż"},
    ]

    columns = columns_from_records(records, SIGNATURE)

    np.testing.assert_array_equal(columns["age"], [3.0, math.nan, 1.0, -0.5])
    assert columns["age"].dtype == np.float64
    assert columns["city"].tolist() == ["Rom", "", "", "ż"]
    assert columns["city"].dtype == object


def test_no_records_become_empty_columns() -> None:
    columns = columns_from_records([], SIGNATURE)

    assert {name: (len(values), values.dtype) for name, values in columns.items()} == {
        "age": (0, np.dtype(np.float64)),
        "city": (0, np.dtype(object)),
    }


@pytest.mark.parametrize(
    ("age", "what"),
    [
        ("3", "has to be a number or null, not a text"),
        ([3], "has to be a number or null, not a list"),
        ({}, "has to be a number or null, not an object"),
        (2**53 + 1, "is an integer beyond 2^53, which a float64 does not hold exactly"),
        (-(2**53) - 1, "is an integer beyond 2^53, which a float64 does not hold exactly"),
        (math.nan, "has to be a finite number or null"),
        (math.inf, "has to be a finite number or null"),
        (-math.inf, "has to be a finite number or null"),
    ],
)
def test_what_is_no_number(age: Any, what: str) -> None:
    assert problems_of([{"age": 1, "city": ""}, {"age": age, "city": ""}]) == [(1, "age", what)]


@pytest.mark.parametrize("age", [2**53, -(2**53), 1e300, -1e300, 5e-324, 0, False])
def test_what_is_a_number(age: float) -> None:
    assert columns_from_records([{"age": age, "city": None}], SIGNATURE)["age"].tolist() == [float(age)]


@pytest.mark.parametrize(
    ("city", "called"), [(3, "a number"), (1.5, "a number"), (True, "a boolean"), (["x"], "a list"), ({}, "an object")]
)
def test_what_is_no_text(city: Any, called: str) -> None:
    assert problems_of([{"age": 1, "city": city}]) == [(0, "city", f"has to be a text or null, not {called}")]


def test_every_problem_of_every_record_is_named() -> None:
    assert problems_of([{"age": 1, "city": "x"}, {"age": "1", "town": "x"}, [1], {}]) == [
        (1, "age", "has to be a number or null, not a text"),
        (1, "city", "is missing; null says so explicitly"),
        (1, "town", "is not a column of this model"),
        (2, "", "a record is an object of values by column name, not a list"),
        (3, "age", "is missing; null says so explicitly"),
        (3, "city", "is missing; null says so explicitly"),
    ]


def test_the_list_of_problems_ends_but_not_their_count() -> None:
    with pytest.raises(BadRows) as caught:
        columns_from_records([{}] * 1_000, SIGNATURE)

    assert len(caught.value.problems) == REPORTED
    assert caught.value.total == 2_000


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "age": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "city": st.none() | st.text(min_size=1),
            }
        )
    )
)
def test_columns_become_the_same_records_again(records: list[dict[str, Any]]) -> None:
    assert records_from_columns(columns_from_records(records, SIGNATURE)) == records


def test_the_answers_of_a_binary_classifier() -> None:
    predictions = Predictions(
        labels=np.array(["yes", "no"], dtype=object), probabilities=np.array([[0.25, 0.75], [1.0, 0.0]])
    )

    assert answers_from_predictions(predictions, SIGNATURE) == [
        {"label": "yes", "probability": 0.75, "probabilities": {"no": 0.25, "yes": 0.75}},
        {"label": "no", "probability": 0.0, "probabilities": {"no": 1.0, "yes": 0.0}},
    ]


def test_the_answers_of_a_classifier_of_integers() -> None:
    signature = Signature(task="multiclass-classification", inputs=SIGNATURE.inputs, classes=(1, 2, 4))
    predictions = Predictions(labels=np.array([4]), probabilities=np.array([[0.25, 0.25, 0.5]]))

    assert answers_from_predictions(predictions, signature) == [
        {"label": 4, "probabilities": {"1": 0.25, "2": 0.25, "4": 0.5}}
    ]


def test_the_answers_of_a_regressor() -> None:
    signature = Signature(task="regression", inputs=SIGNATURE.inputs)

    assert answers_from_predictions(Predictions(values=np.array([1.5, -2.0])), signature) == [
        {"value": 1.5},
        {"value": -2.0},
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_no_number_is_none(value: float) -> None:
    require_finite(Predictions(values=np.array([1.0])))

    with pytest.raises(BadRows) as caught:
        require_finite(Predictions(values=np.array([1.0, value])))

    assert [problem.row for problem in caught.value.problems] == [1]


RECORDS = [{"age": 3, "city": "Rom"}, {"age": None, "city": None}]


@pytest.mark.parametrize(
    "body", [RECORDS, {"records": RECORDS}, {"columns": {"city": ["Rom", None], "age": [3, None]}}]
)
def test_the_ways_to_send_rows_say_the_same(body: Any) -> None:
    columns = read_rows(body, SIGNATURE)

    assert list(columns) == ["age", "city"]
    np.testing.assert_array_equal(columns["age"], [3.0, math.nan])
    assert columns["city"].tolist() == ["Rom", ""]


@pytest.mark.parametrize(
    ("columns", "problems"),
    [
        ({}, [(None, "age", "is missing; a list of nulls says so"), (None, "city", "is missing")]),
        ({"age": 3, "city": ["Rom"]}, [(None, "age", "has to be a list of values, not a number")]),
        ({"age": [3, 4], "city": ["Rom"]}, [(None, "city", "has 1 values, and age has 2")]),
        (
            {"age": [3, "4"], "city": [5, "Rom"], "id": [1, 2]},
            [
                (1, "age", "has to be a number or null, not a text"),
                (0, "city", "has to be a text or null, not a number"),
                (None, "id", "is not a column of this model"),
            ],
        ),
        ({"age": [2**53 + 1], "city": ["Rom"]}, [(0, "age", "is an integer beyond 2^53")]),
        ({"age": [[3]], "city": ["Rom"]}, [(0, "age", "has to be a number or null, not a list")]),
    ],
)
def test_what_is_wrong_with_columns_is_said_by_row_and_field(
    columns: dict[str, Any], problems: list[tuple[int | None, str, str]]
) -> None:
    with pytest.raises(BadRows) as caught:
        read_rows({"columns": columns}, SIGNATURE)

    assert caught.value.total == len(problems)
    for problem, (row, field, what) in zip(caught.value.problems, problems, strict=True):
        assert (problem.row, problem.field) == (row, field)
        assert what in problem.what


def test_empty_columns_are_no_rows() -> None:
    assert [len(values) for values in read_rows({"columns": {"age": [], "city": []}}, SIGNATURE).values()] == [0, 0]


@pytest.mark.parametrize(
    "body",
    [
        *(5, "x", None, {}, {"records": 5}, {"records": [], "columns": {}}, {"columns": []}, {"columns": None}),
        {"records": [], "more": 1},
    ],
)
def test_other_bodies_are_told_what_is_wanted(body: Any) -> None:
    with pytest.raises(BadRows, match=r"the body has to be a list of records, \{\"records\""):
        read_rows(body, SIGNATURE)


@pytest.mark.parametrize("body", [[{}] * 4, {"records": [{}] * 4}, {"columns": {"age": [1], "x": [1, 2, 3, 4]}}])
def test_too_many_rows_are_refused_before_they_are_looked_at(body: Any) -> None:
    with pytest.raises(TooManyRows, match="4 rows in one request; at most 3 are taken"):
        read_rows(body, SIGNATURE, max_rows=3)


def test_problems_are_counted_only_so_far() -> None:
    with pytest.raises(BadRows) as caught:
        read_rows([{}] * COUNTED, SIGNATURE)

    assert (len(caught.value.problems), caught.value.total) == (REPORTED, COUNTED)


def test_the_client_s_own_words_are_repeated_in_short() -> None:
    with pytest.raises(BadRows) as caught:
        read_rows({"x" * 10_000: 1}, SIGNATURE)

    assert len(str(caught.value)) < 300
