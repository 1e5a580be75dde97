"""Windows, the alarm rule, performance when the truth is known, and the promised rate of false alarms."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops_ci.config.types import MonitorConfig
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.drift import profile
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.live_performance import Performance, WindowPerformance
from mlops_ci.pipeline.monitor import PREDICTION, Actuals, MonitorResult, monitor, prediction_column

DAILY = MonitorConfig(window=timedelta(days=1), false_alarms_per_month=1, min_rows=50)
INPUTS = [Column(name="x", kind="number"), Column(name="carrier", kind="text")]
BINARY = Signature(task="binary-classification", inputs=(), classes=(0, 1))


def rows(count: int, seed: int, shift: float = 0.0) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    return {
        "x": random.normal(shift, 1, count),
        "carrier": np.array(["AA", "UA", "B6"], dtype=object)[random.choice(3, count, p=[0.5, 0.3, 0.2])],
    }


TRAINED = np.datetime64("2026-01-05", "us") + np.repeat(np.arange(25), 200) * np.timedelta64(1, "D")
REFERENCE = profile(rows(5000, seed=1), INPUTS, times=TRAINED, window=DAILY.window)


def days(*shifts: float, count: int = 200, first: str = "2026-03-02") -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """One day after another, each with `count` rows of which x is shifted by so much."""
    parts = [rows(count, seed=100 + day, shift=shift) for day, shift in enumerate(shifts)]
    moments = np.datetime64(first, "us") + np.arange(len(shifts) * count) * (
        np.timedelta64(86_400_000_000, "us") // count
    )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, moments


def run(*shifts: float, config: MonitorConfig = DAILY, count: int = 200) -> MonitorResult:
    columns, times = days(*shifts, count=count)
    return monitor(REFERENCE, columns, times, config)


@pytest.mark.parametrize(
    ("shifts", "alarm"),
    [
        ((0, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 0, 1, 1), True),
        ((0, 1, 0, 0, 0, 1), True),  # the latest, and one of the four before
        ((1, 0, 0, 0, 0, 1), False),  # too long ago
        ((0, 0, 0, 0, 0, 1), False),  # a lone blip so far
        ((1, 1, 1, 1, 1, 0), False),  # over by now
        ((1, 1), True),
        ((1,), False),
    ],
)
def test_two_of_the_last_five_windows_and_the_latest(shifts: tuple[float, ...], alarm: bool) -> None:
    result = run(*shifts)
    assert result.alarm is alarm
    assert [(feature.name, feature.alarm) for feature in result.features] == [("x", alarm), ("carrier", False)]
    assert [window.drifted for window in result.windows] == [("x",) if shift else () for shift in shifts]


def test_windows_are_calendar_days_from_midnight() -> None:
    result = run(0, 0)
    assert [(window.start, window.end, window.rows) for window in result.windows] == [
        ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", 200),
        ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", 200),
    ]


def test_weeks_begin_on_monday_and_the_order_of_the_rows_does_not_matter() -> None:
    config = MonitorConfig(window=timedelta(days=7), false_alarms_per_month=1, min_rows=50)
    columns, times = days(0, 0, 0, 0, 0, 0, 0, 0, first="2026-03-05")
    order = np.random.default_rng(2).permutation(len(times))
    result = monitor(REFERENCE, {name: values[order] for name, values in columns.items()}, times[order], config)
    assert [(window.start, window.rows) for window in result.windows] == [
        ("2026-03-02T00:00:00Z", 800),
        ("2026-03-09T00:00:00Z", 800),
    ]
    assert monitor(REFERENCE, columns, times, config) == result


def test_moments_before_1970_and_in_nanoseconds() -> None:
    columns, _ = days(0)
    times = np.full(200, np.datetime64("1969-12-31T23:59:59.999999999", "ns"))
    assert monitor(REFERENCE, columns, times, DAILY).windows[0].start == "1969-12-31T00:00:00Z"


def test_small_windows_are_named_and_do_not_count() -> None:
    columns, times = days(1, 1, 1)
    keep = np.r_[0:200, 200:210, 400:600]
    result = monitor(REFERENCE, {name: values[keep] for name, values in columns.items()}, times[keep], DAILY)
    assert [(window.rows, window.judged) for window in result.windows] == [(200, True), (10, False), (200, True)]
    assert result.alarm
    assert result.notes == ("1 window was too small to judge, with fewer than 50 rows: 2026-03-03T00:00:00Z (10).",)


def test_nothing_to_judge_is_no_alarm_and_says_so() -> None:
    result = run(5, count=10)
    assert (result.alarm, result.features) == (False, ())
    assert "Nothing could be judged" in result.sentence()
    empty = monitor(REFERENCE, {name: values[:0] for name, values in rows(1, 1).items()}, np.array([], "M8[us]"), DAILY)
    assert (empty.alarm, empty.windows) == (False, ())


def test_without_times_the_one_window_decides() -> None:
    result = monitor(REFERENCE, rows(500, seed=3, shift=1), None, DAILY)
    assert result.alarm
    assert [(window.start, window.rows) for window in result.windows] == [(None, 500)]
    assert "one window" in result.notes[0]
    assert not monitor(REFERENCE, rows(500, seed=3), None, DAILY).alarm


def test_a_profile_that_knows_nothing_of_windows_is_named() -> None:
    columns, times = days(0, 0)
    (note,) = monitor(profile(rows(5000, seed=1), INPUTS), columns, times, DAILY).notes
    assert "rows are taken for independent" in note


def test_windows_of_another_length_than_those_learnt_from_are_named() -> None:
    config = MonitorConfig(window=timedelta(days=2), false_alarms_per_month=1, min_rows=50)
    (note,) = run(0, 0, 0, 0, config=config).notes
    assert "learnt from windows of 1 day, 0:00:00, not of 2 days, 0:00:00" in note


def test_numbers_are_no_moments() -> None:
    with pytest.raises(DataGateError, match="moments"):
        monitor(REFERENCE, rows(100, seed=3), np.arange(100.0), DAILY)


@pytest.mark.parametrize(
    ("window", "wanted", "expected"),
    [(1, 1.0, 1.0), (1, 0.1, 0.1), (30, 1.0, 0.05), (1, 100.0, 1.5), (7, 0.2, 0.2)],
)
def test_the_rate_that_is_stated_is_never_more_than_what_was_asked_for(
    window: int, wanted: float, expected: float
) -> None:
    config = MonitorConfig(window=timedelta(days=window), false_alarms_per_month=wanted, min_rows=50)
    assert run(0, config=config).expected_false_alarms_per_month == pytest.approx(expected)


def test_without_drift_there_are_no_more_false_alarms_than_stated() -> None:
    """Forty months of days: windows that drift by chance alone stay within the stated rate, and alarms far below."""
    reference = profile(rows(3000, seed=5), INPUTS)
    config = MonitorConfig(window=timedelta(days=1), false_alarms_per_month=1, min_rows=50)
    drifted = alarms = 0
    for month in range(40):
        columns = rows(30 * 80, seed=1000 + month)
        times = np.datetime64("2026-01-01", "us") + np.repeat(np.arange(30), 80) * np.timedelta64(86_400_000_000, "us")
        result = monitor(reference, columns, times, config)
        drifted += sum(len(window.drifted) for window in result.windows)
        for last in range(1, 31):
            recent = [window.drifted for window in result.windows[max(0, last - 5) : last]]
            alarms += sum(1 for name in recent[-1] if any(name in earlier for earlier in recent[:-1]))
    stated = result.expected_false_alarms_per_month * 40
    assert stated == 40
    # more than this has a probability of less than one in 10,000 if the rate is what is stated
    assert drifted <= stated + 4 * np.sqrt(stated)
    assert alarms <= stated / 4


def actuals(count: int, *, good: float = 2.0, known: float = 1.0, **options: Any) -> Actuals:
    random = np.random.default_rng(11)
    signal = random.normal(size=count)
    truth = (signal + random.normal(size=count) > 0).astype(np.int64)
    scores = 1 / (1 + np.exp(-good * signal))
    predictions = Predictions(
        labels=(scores >= 0.5).astype(np.int64), probabilities=np.column_stack([1 - scores, scores])
    )
    return Actuals(
        truth=truth,
        known=random.random(count) < known,
        predictions=predictions,
        signature=BINARY,
        metric="roc_auc",
        **{"reference": 0.84, "reference_rows": 2000, **options},
    )


def performance(good: float, **options: Any) -> Performance:
    columns, times = days(0, 0, 0)
    found = monitor(REFERENCE, columns, times, DAILY, actuals=actuals(600, good=good, **options)).performance
    assert found is not None
    return found


def test_performance_is_told_for_each_window_with_an_interval() -> None:
    found = performance(2.0)
    assert (found.metric, found.reference, found.alarm) == ("roc_auc", 0.84, False)
    assert [window.rows for window in found.windows] == [200, 200, 200]
    for window in found.windows:
        assert window.value is not None
        assert window.lower is not None
        assert window.upper is not None
        assert window.lower < window.value < window.upper < window.lower + 0.2


def test_a_model_that_has_become_useless_alarms() -> None:
    found = performance(-2.0)
    assert found.alarm
    assert [window.worse for window in found.windows] == [True, True, True]
    columns, times = days(0, 0, 0)
    result = monitor(REFERENCE, columns, times, DAILY, actuals=actuals(600, good=-2))
    assert result.alarm
    assert not any(feature.alarm for feature in result.features)
    assert "the performance (roc_auc)" in result.sentence()


def test_a_drop_within_the_margin_is_no_alarm() -> None:
    assert not performance(-2.0, margin=0.9).alarm


def test_windows_without_enough_actuals_are_left_out() -> None:
    assert [window.rows for window in performance(2.0, known=0.0).windows] == []
    assert len(performance(2.0, known=0.5).windows) == 3


def test_one_class_only_has_no_performance() -> None:
    columns, times = days(0)
    given = actuals(200)
    none = Actuals(**{**vars(given), "truth": np.zeros(200, dtype=np.int64)})
    found = monitor(REFERENCE, columns, times, DAILY, actuals=none).performance
    assert found is not None
    (window,) = found.windows
    assert window == WindowPerformance(
        start="2026-03-02T00:00:00Z", rows=200, value=None, lower=None, upper=None, worse=False
    )


def test_the_answers_drift_like_any_column() -> None:
    before, now = actuals(2000).predictions, actuals(600, good=0.2).predictions
    column, values = prediction_column(before, BINARY)
    reference = profile({**rows(2000, seed=1), column.name: values}, [*INPUTS, column])
    columns, times = days(0, 0, 0)
    result = monitor(reference, {**columns, PREDICTION: prediction_column(now, BINARY)[1]}, times, DAILY)
    assert [feature.name for feature in result.features if feature.alarm] == [PREDICTION]


def test_answers_of_other_tasks_as_columns() -> None:
    column, values = prediction_column(
        Predictions(labels=np.array(["a", "b"], dtype=object), probabilities=np.eye(2)),
        Signature(task="multiclass-classification", inputs=(), classes=("a", "b", "c")),
    )
    assert (column.kind, values.tolist()) == ("text", ["a", "b"])
    column, values = prediction_column(
        Predictions(values=np.array([1.5, 2.5])), Signature(task="regression", inputs=())
    )
    assert (column.kind, values.tolist()) == ("number", [1.5, 2.5])


def test_the_result_is_plain_json_with_the_agreed_fields() -> None:
    columns, times = days(0, 1, 1)
    told = monitor(REFERENCE, columns, times, DAILY, actuals=actuals(600)).to_json()
    canonical_json(told)
    assert {"windows", "features", "alarm", "expected_false_alarms_per_month", "performance"} <= told.keys()
    assert {"name", "statistic", "p_value", "alarm"} <= told["features"][0].keys()


def test_the_sentence_names_what_moved_and_how_often_to_expect_that_by_chance() -> None:
    assert run(0, 1, 1).sentence() == (
        "ALARM: x moved away from the training data in the window from 2026-03-04T00:00:00Z "
        "(expect at most 1 false alarm in 30 days)."
    )
    assert run(0, 0).sentence() == (
        "No alarm: none of 2 columns moved for good in the window from 2026-03-03T00:00:00Z "
        "(expect at most 1 false alarm in 30 days)."
    )


def test_many_windows_are_all_compared_but_not_all_listed() -> None:
    result = run(*[0] * 70, count=60)
    assert len(result.windows) == 60
    assert result.notes == ("10 older windows were compared but are not listed.",)


def test_a_column_whose_values_are_not_kept_is_not_watched_and_that_is_said() -> None:
    columns, times = days(0, 0)
    del columns["carrier"]
    assert "carrier" in monitor(REFERENCE, columns, times, DAILY).windows[-1].drifted, "it would count as missing"

    result = monitor(REFERENCE, columns, times, DAILY, unwatched=["carrier", "no column"])

    assert not result.alarm
    assert [feature.name for feature in result.features] == ["x"]
    assert result.notes[-1] == "carrier is not watched, because its values are not kept."


def test_nothing_may_be_left_to_watch_but_the_performance() -> None:
    _, times = days(0, 0)
    result = monitor(REFERENCE, {}, times, DAILY, unwatched=["x", "carrier"])

    assert [window.rows for window in result.windows] == [200, 200]
    assert result.features == ()
    assert not result.alarm
