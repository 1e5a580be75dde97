"""Drift: agreement with scipy, honesty about few rows, indifference to trifles in many, no false alarms."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, ks_2samp

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.drift import FeatureDrift, compare, profile, window_numbers
from mlops_ci.core.signature import Column, ColumnKind


def texts(values: Any) -> NDArray[Any]:
    return np.array([str(value) for value in values], dtype=object)


def one(then: NDArray[Any], now: NDArray[Any], kind: ColumnKind = "number", alpha: float = 0.01) -> FeatureDrift:
    described = profile({"x": then}, [Column(name="x", kind=kind)])
    return compare(described, {"x": now}, rows=len(now), alpha=alpha)[0]


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("before", "after"), [(400, 300), (480, 90)])
def test_numbers_agree_with_scipys_exact_test(before: int, after: int, shift: float) -> None:
    generator = np.random.default_rng(3)
    then, now = generator.normal(size=before), generator.normal(shift, size=after)
    expected = ks_2samp(then, now, method="exact")
    found = one(then, now)
    assert found.test == "kolmogorov-smirnov"
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(min(1, 2 * expected.pvalue), rel=0.15)


def test_a_thinned_profile_says_almost_what_all_the_data_would_say_and_never_more() -> None:
    generator = np.random.default_rng(4)
    then, now = generator.gamma(2, size=100_000), generator.gamma(2.2, size=3000)
    exact = ks_2samp(then, now, method="asymp")
    found = one(then, now)
    assert exact.statistic - 0.0021 <= found.statistic <= exact.statistic
    assert len(profile({"x": then}, [Column(name="x", kind="number")])["columns"]["x"]["values"]) == 500


def test_texts_agree_with_scipys_chi_square() -> None:
    generator = np.random.default_rng(5)
    then, now = generator.choice(8, 3000), generator.choice(8, 400, p=[0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 0.15])
    table = np.array([np.bincount(then, minlength=8), np.bincount(now, minlength=8)])
    found = one(texts(then), texts(now), "text")
    assert found.test == "chi-square"
    assert found.p_value == pytest.approx(2 * chi2_contingency(table).pvalue)
    shares = table / table.sum(axis=1, keepdims=True)
    assert found.statistic == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)


def test_missing_values_agree_with_scipys_chi_square() -> None:
    then, now = np.repeat([np.nan, 1.0], [30, 970]), np.repeat([np.nan, 1.0], [30, 170])
    found = one(then, now)
    assert (found.test, found.missing_before, found.missing_now) == ("missing", 0.03, 0.15)
    assert found.p_value == pytest.approx(2 * chi2_contingency([[30, 970], [30, 170]]).pvalue)
    assert found.alarm


def each_day(numbers: NDArray[np.int64]) -> dict[str, Any]:
    """The arguments that tell a profile the day of each row."""
    day = timedelta(days=1)
    return {"times": np.datetime64("2026-01-05", "us") + numbers * np.timedelta64(day), "window": day}


def test_data_that_vary_from_window_to_window_anyway_raise_no_more_false_alarms_than_stated() -> None:
    """Weather: each day's rows share a level of their own. Tests that take rows for independent alarm all the time."""
    generator = np.random.default_rng(12)
    inputs = [Column(name="temp", kind="number"), Column(name="sky", kind="text")]

    def draw(days: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        levels = np.repeat(generator.normal(0, 0.4, days), 100)
        skies = [generator.choice(3, 100, p=generator.dirichlet([5, 5, 5])) for _ in range(days)]
        columns = {"temp": generator.normal(levels, 1), "sky": texts(np.concatenate(skies))}
        return columns, np.repeat(np.arange(days), 100)

    alarms = naive = 0
    for _ in range(30):
        columns, days = draw(40)
        learnt, ignorant = profile(columns, inputs, **each_day(days)), profile(columns, inputs)
        later, days = draw(20)
        for day in range(20):
            now = {name: values[days == day] for name, values in later.items()}
            alarms += any(found.alarm for found in compare(learnt, now, rows=100, alpha=0.02))
            naive += any(found.alarm for found in compare(ignorant, now, rows=100, alpha=0.02))
    assert alarms <= 600 * 0.02
    assert naive > 300


def test_a_change_beyond_the_usual_variation_still_alarms() -> None:
    generator = np.random.default_rng(13)
    levels = np.repeat(generator.normal(0, 0.3, 40), 100)
    described = profile(
        {"x": generator.normal(levels)}, [Column(name="x", kind="number")], **each_day(np.repeat(np.arange(40), 100))
    )
    assert (described["windows"], described["window_seconds"]) == (40, 86400)
    assert 0.08 < described["columns"]["x"]["between"]["values"] < 0.2
    (found,) = compare(described, {"x": generator.normal(1.5, 1, 100)}, rows=100, alpha=0.01)
    assert found.alarm


def test_from_few_or_small_windows_nothing_is_learnt() -> None:
    inputs = [Column(name="x", kind="number")]
    values = np.random.default_rng(14).normal(np.repeat(np.arange(11), 100))
    few = profile({"x": values}, inputs, **each_day(np.repeat(np.arange(11), 100)))
    small = profile({"x": values}, inputs, **each_day(np.arange(1100) // 10))
    assert few == small == profile({"x": values}, inputs)


@pytest.mark.parametrize(
    ("moment", "days", "number"),
    [
        ("1970-01-05T00:00", 1, 0),
        ("1970-01-04T23:59", 1, -1),
        ("2026-03-02T00:00", 7, 2930),
        ("2026-03-01T23:59", 7, 2929),
    ],
)
def test_windows_are_counted_from_a_monday(moment: str, days: int, number: int) -> None:
    numbers = window_numbers(np.array([moment], "M8[ns]"), timedelta(days=days))
    assert numbers is not None
    assert numbers.tolist() == [number]


def test_times_that_are_no_moments_teach_nothing() -> None:
    inputs, columns = [Column(name="x", kind="number")], {"x": np.arange(2000.0)}
    assert profile(columns, inputs, times=np.arange(2000.0), window=timedelta(days=1)) == profile(columns, inputs)


def test_a_shift_alarms() -> None:
    generator = np.random.default_rng(6)
    assert one(generator.normal(size=5000), generator.normal(0.5, size=500)).alarm
    assert one(texts(generator.choice(3, 5000)), texts(generator.choice(2, 500)), "text").alarm


def test_a_value_never_seen_before_alarms_when_it_is_common() -> None:
    then = texts(["a", "b"] * 500)
    assert one(then, texts(["a", "b"] * 60 + ["new"] * 40), "text").alarm
    assert not one(then, texts(["a", "b"] * 78 + ["new"] * 4), "text").alarm


def test_a_trifle_is_no_alarm_however_many_rows_prove_it() -> None:
    generator = np.random.default_rng(7)
    found = one(generator.normal(size=200_000), generator.normal(0.05, size=200_000))
    assert found.p_value < 1e-9
    assert not found.alarm
    then, now = np.array([0, 1] * 100_000), generator.choice(2, 200_000, p=[0.48, 0.52])
    found = one(texts(then), texts(now), "text")
    assert found.p_value < 1e-9
    assert not found.alarm


def test_a_large_difference_in_few_rows_is_no_alarm() -> None:
    generator = np.random.default_rng(8)
    found = one(generator.normal(size=5000), generator.normal(size=12))
    assert found.statistic > 0.1
    assert not found.alarm


def test_a_column_that_is_not_there_is_missing_in_every_row() -> None:
    described = profile({"x": np.arange(500.0)}, [Column(name="x", kind="number")])
    found = compare(described, {}, rows=200, alpha=0.01)[0]
    assert (found.test, found.statistic, found.missing_now, found.alarm) == ("missing", 1.0, 1.0, True)


def test_a_column_that_was_empty_and_now_is_not() -> None:
    found = one(np.full(300, np.nan), np.arange(100.0))
    assert (found.test, found.statistic, found.alarm) == ("missing", 1.0, True)


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_are_no_error(rows: int) -> None:
    assert not one(np.arange(500.0), np.arange(float(rows))).alarm
    assert not one(texts("abc" * 100), texts("a" * rows), "text").alarm
    assert not one(np.arange(float(rows)), np.arange(50.0)).alarm or rows == 0


def test_constants_and_infinities() -> None:
    assert one(np.full(2000, 0.1 + 0.2), np.full(300, 0.1 + 0.2)).p_value == 1
    found = one(np.arange(1000.0), np.repeat([np.inf, 500.0], [50, 50]))
    assert found.missing_now == 0.5


def test_the_profile_is_small_plain_and_does_not_depend_on_the_order_of_the_rows() -> None:
    generator = np.random.default_rng(9)
    columns = {"n": generator.normal(size=20_000), "t": texts(generator.zipf(1.3, 20_000))}
    inputs = [Column(name="n", kind="number"), Column(name="t", kind="text")]
    columns["n"][:100], columns["t"][:50] = np.nan, ""
    described = profile(columns, inputs)
    order = generator.permutation(20_000)
    assert canonical_json(profile({name: values[order] for name, values in columns.items()}, inputs)) == canonical_json(
        described
    )
    assert json.loads(canonical_json(described)) == described
    assert len(canonical_json(described)) < 14_000
    text = described["columns"]["t"]
    assert (len(text["categories"]), text["missing"], described["columns"]["n"]["missing"]) == (100, 50, 100)
    assert sum(text["categories"].values()) + text["other"] + text["missing"] == described["rows"] == 20_000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "", "|"]), max_size=60),
    st.lists(st.sampled_from(["a", "b", "c", "e", ""]), max_size=60),
)
def test_any_texts_give_a_probability_and_a_distance(then: list[str], now: list[str]) -> None:
    found = one(texts(then), texts(now), "text")
    assert 0 <= found.p_value <= 1
    assert 0 <= found.statistic <= 1


@pytest.mark.parametrize("rows", [100, 1000])
def test_without_drift_the_chance_of_any_alarm_in_a_window_is_at_most_alpha(rows: int) -> None:
    """600 windows of eight columns; the bound is exceeded by chance with a probability of less than one in 10,000."""
    generator = np.random.default_rng(10)
    kinds: dict[str, ColumnKind] = {**dict.fromkeys("abcde", "number"), **dict.fromkeys("xyz", "text")}

    def draw(size: int) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {name: generator.normal(size=size) for name in "abcd"}
        columns["e"] = generator.integers(0, 5, size).astype(float)
        columns["a"][generator.random(size) < 0.1] = np.nan
        return columns | {name: texts(generator.geometric(0.2, size)) for name in "xyz"}

    described = profile(draw(4000), [Column(name=name, kind=kind) for name, kind in kinds.items()])
    alarms = [any(found.alarm for found in compare(described, draw(rows), rows=rows, alpha=0.05)) for _ in range(600)]
    assert sum(alarms) <= 600 * 0.05 + 4 * np.sqrt(600 * 0.05)


@pytest.mark.parametrize(("celsius", "alarm"), [(False, False), (True, True)])
def test_a_change_of_unit_alarms_even_where_weeks_are_as_unlike_as_weather(celsius: bool, alarm: bool) -> None:
    generator = np.random.default_rng(11)
    weeks, rows = 20, 200
    levels = np.linspace(30.0, 75.0, weeks)
    then = (levels[:, None] + generator.normal(0, 6, (weeks, rows))).ravel()
    times = np.datetime64("2013-01-07") + np.repeat(np.arange(weeks) * 7, rows).astype("timedelta64[D]")
    described = profile({"temp": then}, [Column(name="temp", kind="number")], times=times, window=timedelta(days=7))
    warm = 62 + generator.normal(0, 6, rows)
    now = (warm - 32) / 1.8 if celsius else warm
    assert compare(described, {"temp": now}, rows=rows, alpha=0.01)[0].alarm is alarm
