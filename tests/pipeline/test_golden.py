"""Rows of the holdout with the native model's answers, kept and read again."""

from __future__ import annotations

import json

import numpy as np

from mlops_ci.core.predictions import Predictions
from mlops_ci.pipeline.golden import GoldenRows, choose_golden

COLUMNS = {
    "x": np.array([1.0, np.nan, 2.5, -3.0]),
    "colour": np.array(["red", "", "blue", "Ünicode"], dtype=object),
}
ANSWERS = Predictions(
    labels=np.array(["no", "yes", "no", "yes"], dtype=object),
    probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]),
)


def test_records_are_what_a_client_would_send() -> None:
    golden = choose_golden(COLUMNS, ANSWERS)
    assert golden.records[0] == {"x": 1.0, "colour": "red"}
    assert golden.records[1] == {"x": None, "colour": None}


def test_rows_are_spread_over_the_holdout_and_keep_their_answers() -> None:
    golden = choose_golden(COLUMNS, ANSWERS, rows=2)
    assert [record["x"] for record in golden.records] == [1.0, -3.0]
    assert golden.answers.labels is not None
    assert golden.answers.labels.tolist() == ["no", "yes"]
    assert golden.answers.scores.tolist() == [[0.9, 0.1], [0.4, 0.6]]


def test_they_are_the_same_after_a_journey_through_the_store() -> None:
    golden = choose_golden(COLUMNS, ANSWERS)
    again = GoldenRows.from_json(json.loads(json.dumps(golden.to_json())))
    assert again.to_json() == golden.to_json()
    assert again.records == golden.records
    regression = choose_golden({"x": np.array([1.0])}, Predictions(values=np.array([0.1 + 0.2])))
    again = GoldenRows.from_json(json.loads(json.dumps(regression.to_json())))
    assert again.answers.values is not None
    assert again.answers.values.tolist() == [0.1 + 0.2]
