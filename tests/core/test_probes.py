"""Adversarial rows with their answers: asked in batches that may fail, kept, and read again."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.adversarial import Change
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import ASKED, Probes, answer_apart, probe
from mlops_ci.core.signature import Column, Signature

INPUTS = (Column(name="x", kind="number"), Column(name="word", kind="text"))
REGRESSION = Signature(task="regression", inputs=INPUTS)
TEXTS = Signature(task="binary-classification", inputs=INPUTS, classes=("no", "yes"))
COLUMNS: dict[str, Any] = {"x": np.array([1.0, 2.0]), "word": np.array(["a", "b"], dtype=object)}
AWKWARD = [-0.0, 5e-324, -5e-324, 1e300, 2.0**53, 2.0**53 + 2, 0.1 + 0.2, 1e39, 3.4028234663852886e38, 1 / 3, math.nan]
CHANGES = [
    *(Change(kind="extreme", base=0, values={"x": value}) for value in AWKWARD),
    Change(kind="missing", base=1, values={"word": ""}),
    Change(kind="empty", base=1, values={"word": ""}),
    Change(kind="unseen", base=1, values={"word": "ü\u0000\u2603 \n"}),
]


class Model:
    """Answers x; cannot answer NaN, and gives infinity beyond 1e200."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, columns: Any) -> Predictions:
        self.asked.append(len(columns["x"]))
        if np.isnan(columns["x"]).any():
            raise ValueError("Input contains NaN")
        return Predictions(values=np.where(columns["x"] > 1e200, np.inf, columns["x"]))


def bits(values: Any) -> list[str]:
    return [float(value).hex() for value in values]


def test_rows_that_the_model_refuses_are_found_and_the_others_answered() -> None:
    found = probe(COLUMNS, CHANGES, Model(), REGRESSION)
    assert np.flatnonzero(found.refused).tolist() == [10]
    assert np.flatnonzero(~found.answered).tolist() == [3, 10]
    assert found.answers.values is not None
    assert bits(found.answers.values[:3]) == bits(AWKWARD[:3])
    assert found.answers.values[3] == np.inf
    assert found.kinds[10:13] == ["extreme", "missing", "empty"]
    assert found.changes[10:12] == [("x",), ("word",)]


@pytest.mark.parametrize("bad", [[], [0], [7], [0, 99], list(range(40, 60)), list(range(100))])
def test_a_batch_that_fails_is_halved(bad: list[int]) -> None:
    x = np.arange(100.0)
    x[bad] = np.nan
    answers, refused = answer_apart(Model(), {"x": x}, REGRESSION)
    assert np.flatnonzero(refused).tolist() == bad if len(bad) < 50 else refused.all()
    assert answers.values is not None
    np.testing.assert_array_equal(answers.values[~refused], x[~refused])


def test_the_model_is_not_asked_without_end() -> None:
    model, x = Model(), np.where(np.arange(2000) % 2, np.nan, 1.0)
    _, refused = answer_apart(model, {"x": x}, REGRESSION)
    assert len(model.asked) == ASKED
    assert refused[1::2].all(), "what is left counts as refused"
    assert answer_apart(model, {"x": np.empty(0)}, REGRESSION)[0].values is not None


def test_they_are_the_same_bit_for_bit_after_a_journey_through_the_store() -> None:
    found = probe(COLUMNS, CHANGES, Model(), REGRESSION)
    again = Probes.from_json(json.loads(canonical_json(found.to_json())), REGRESSION)
    assert bits(again.columns["x"]) == bits(found.columns["x"])
    assert again.columns["word"].tolist() == found.columns["word"].tolist()
    assert again.columns["word"].dtype == object
    assert again.answers.values is not None
    assert found.answers.values is not None
    assert bits(again.answers.values) == bits(found.answers.values)
    assert again.to_json() == found.to_json()


def test_answers_of_a_classifier_after_the_journey() -> None:
    def ask(columns: Any) -> Predictions:
        return Predictions(
            labels=np.array(["yes"] * len(columns["x"]), dtype=object),
            probabilities=np.tile([0.1, 0.9], (len(columns["x"]), 1)),
        )

    found = probe(COLUMNS, CHANGES[:2], ask, TEXTS)
    again = Probes.from_json(json.loads(canonical_json(found.to_json())), TEXTS)
    assert again.answers.labels is not None
    assert again.answers.labels.tolist() == ["yes", "yes"]
    assert again.answers.labels.dtype == object
    assert again.answers.scores.tolist() == [[0.1, 0.9], [0.1, 0.9]]
    nothing = Probes.from_json(json.loads(canonical_json(probe(COLUMNS, [], ask, TEXTS).to_json())), TEXTS)
    assert len(nothing) == 0
    assert nothing.answers.scores.shape == (0, 2)


def test_records_are_what_a_client_would_send() -> None:
    records = probe(COLUMNS, CHANGES, Model(), REGRESSION).records
    assert math.copysign(1, records[0]["x"]) == -1
    assert records[10] == {"x": None, "word": "a"}
    assert records[11] == {"x": 2.0, "word": None}
    assert records[12] == {"x": 2.0, "word": ""}
    sent = json.loads(json.dumps(records, allow_nan=False))
    assert bits(record["x"] for record in sent[:10]) == bits(AWKWARD[:10])


def test_some_of_the_rows() -> None:
    found = probe(COLUMNS, CHANGES, Model(), REGRESSION)
    some = found.take(np.array([11, 0]))
    assert (some.kinds, some.columns["word"].tolist(), len(some)) == (["missing", "extreme"], ["", "a"], 2)
    assert len(found.take(~found.refused)) == len(CHANGES) - 1
