"""What a prediction log says of users' requests, and of one release's answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.logged_rows import LoggedRows, logged_rows
from mlops_ci.ports import PROBE

INPUTS = (Column(name="x", kind="number"), Column(name="carrier", kind="text"))
REGRESSION = Signature(task="regression", inputs=INPUTS)
BINARY = Signature(task="binary-classification", inputs=INPUTS, classes=("no", "yes"))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(*numbers: float | None, minute: int = 0, **more: Any) -> LogEntry:
    values: dict[str, Any] = {
        "time": NOON + timedelta(minutes=minute),
        "release": "new",
        "request_id": f"r{minute}",
        "records": [{"x": number, "carrier": "UA"} for number in numbers],
        "answers": [{"value": 2.0 * (number or 0)} for number in numbers],
    }
    return LogEntry(**values | more)


def collected(*entries: LogEntry, signature: Signature = REGRESSION) -> LoggedRows:
    return logged_rows(entries, signature, release="new")


def test_rows_are_in_the_order_of_the_log_with_their_place_in_the_request() -> None:
    rows = collected(entry(1, 2), entry(3, minute=1), entry(None, True, minute=2))

    np.testing.assert_array_equal(rows.columns["x"], [1, 2, 3, np.nan, 1])
    assert rows.columns["carrier"].tolist() == ["UA"] * 5
    assert rows.request_ids.tolist() == ["r0", "r0", "r1", "r2", "r2"]
    assert rows.positions.tolist() == [0, 1, 0, 0, 1]
    assert rows.sizes.tolist() == [2, 2, 1, 2, 2]
    assert rows.times[2] == np.datetime64("2026-01-31T12:01:00")
    assert rows.times.dtype == np.dtype("datetime64[us]")
    assert rows.answered.all()
    assert rows.predictions.values is not None
    assert rows.predictions.values.tolist() == [2, 4, 6, 0, 2]


def test_a_missing_text_is_the_empty_one_and_columns_that_nobody_reads_do_not_matter() -> None:
    rows = collected(entry(1, records=[{"x": 1, "carrier": None, "more": {}}]))

    assert rows.columns["carrier"].tolist() == [""]
    assert set(rows.columns) == {"x", "carrier"}


def test_another_releases_requests_count_as_data_and_its_answers_do_not() -> None:
    rows = collected(entry(1, release="old", answers=[{"other": 1}]), entry(2, minute=1))

    assert rows.columns["x"].tolist() == [1, 2]
    assert rows.answered.tolist() == [False, True]
    assert rows.summary.releases == {"old": 1, "new": 1}


def test_a_classifiers_answers_are_labels_and_probabilities_in_the_order_of_the_classes() -> None:
    answers = [{"label": "yes", "probability": 0.75, "probabilities": {"yes": 0.75, "no": 0.25}}]
    rows = collected(entry(1, release="old", answers=[{"value": 1.0}]), entry(1, answers=answers), signature=BINARY)

    assert rows.answered.tolist() == [False, True]
    assert rows.predictions.labels is not None
    assert rows.predictions.labels[1] == "yes"
    assert rows.predictions.scores[1].tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    "answer",
    [{}, {"label": "maybe", "probabilities": {}}, {"label": "yes", "probabilities": {"no": 1}}, {"label": ["yes"]},
     {"label": "yes", "probabilities": {"no": None, "yes": "1"}}, {"label": "yes", "probabilities": 3}],
)  # fmt: skip
def test_what_is_no_answer_of_such_a_model_is_none(answer: dict[str, Any]) -> None:
    rows = collected(entry(1, answers=[answer]), signature=BINARY)

    assert rows.answered.tolist() == [False]
    assert len(rows.predictions) == 1


@pytest.mark.parametrize(
    "record", [{"x": 1}, {"x": "1", "carrier": "UA"}, {"x": 1, "carrier": 2}, {"x": 10**400, "carrier": "UA"}, {}]
)
def test_requests_that_are_unlike_those_that_this_release_reads_are_left_out_and_counted(record: Any) -> None:
    rows = collected(entry(1, 2, records=[{"x": 1, "carrier": "UA"}, record]), entry(3, minute=1))

    assert rows.columns["x"].tolist() == [3]
    assert len(rows.times) == len(rows.predictions) == 1
    assert (rows.summary.requests, rows.summary.rows, rows.summary.left_out) == (2, 3, 2)


def test_all_may_be_left_out() -> None:
    rows = collected(entry(1, records=[{}]), signature=BINARY)

    assert len(rows.times) == 0
    assert rows.predictions.scores.shape == (0, 2)


def test_a_redacted_column_is_not_there_whether_or_not_older_requests_have_it() -> None:
    redacted = entry(2, minute=1, records=[{"x": 2}], redacted=("carrier",))
    rows = collected(entry(1), redacted)

    assert set(rows.columns) == {"x"}
    assert rows.columns["x"].tolist() == [1, 2]
    assert rows.summary.redacted == ("carrier",)
    assert rows.summary.left_out == 0


def test_the_sample_and_what_was_dropped_say_how_many_there_were() -> None:
    dropped = LogEntry(time=NOON, release="new", sample=0.5, dropped=3)
    rows = collected(entry(1, sample=0.5), entry(2, 2, minute=9, sample=0.25), dropped)

    assert rows.summary.to_json() == {
        "requests": 2,
        "rows": 3,
        "estimated_requests": 2 + 4 + 6,
        "dropped": 3,
        "first": "2026-01-31T12:00:00Z",
        "last": "2026-01-31T12:09:00Z",
        "releases": {"new": 2},
        "redacted": (),
        "left_out": 0,
    }


def test_our_own_probes_are_no_users() -> None:
    rows = collected(entry(1, request_id=f"{PROBE}1"), entry(2))
    assert rows.columns["x"].tolist() == [2]
    with pytest.raises(DataGateError, match="no request of a user"):
        collected(entry(1, request_id=f"{PROBE}1"))
    with pytest.raises(DataGateError, match="no request of a user"):
        collected()
