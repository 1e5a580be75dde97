from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.core.signature import Column
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline.dataset import build_dataset, canonical_columns, load_dataset, prepare, row_digest, split_dataset
from tests.pipeline.team import Team, make_team, people


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def test_features_are_all_columns_that_play_no_other_part(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code)
    assert [(column.name, column.kind) for column in dataset.inputs] == [
        ("height", "number"),
        ("age", "number"),
        ("colour", "text"),
    ]
    assert len(dataset) == 300
    assert dataset.classes == (0, 1)
    assert dataset.target.dtype == np.int64
    assert dataset.times is not None
    assert dataset.times[1] - dataset.times[0] == np.timedelta64(1, "h")
    assert dataset.groups is not None
    assert set(dataset.groups) == {"Rome", "Oslo", "Bern", "Graz", "Lyon"}
    assert dataset.ids is not None
    assert dataset.ids[-1] == 299


def test_the_estimator_gets_float64_and_texts_with_the_agreed_marks_for_missing(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code)
    frame = dataset.features_frame()
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "float64", "object"]
    assert frame["height"].isna().sum() == people()["height"].isna().sum() > 0
    assert {type(value) for value in frame["colour"]} == {str}
    assert (frame["colour"] == "").sum() == people()["colour"].isna().sum() > 0


def test_rows_are_taken_together(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code)
    part = dataset.take(np.array([5, 2]))
    assert part.ids is not None
    assert part.ids.tolist() == part.frame["id"].tolist() == [5, 2]
    assert part.columns["age"].tolist() == dataset.columns["age"][[5, 2]].tolist()
    assert part.target.tolist() == dataset.target[[5, 2]].tolist()


def test_csv_and_parquet_mean_the_same(team: Team) -> None:
    from_csv = load_dataset(team.config, team.data, team.code)
    people().to_parquet(team.root / "data.parquet")
    team.set(data__source="data.parquet")
    assert row_digest(load_dataset(team.config, team.data, team.code)) == row_digest(from_csv)


def test_the_digest_sees_every_value_and_the_order(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code)
    digest = row_digest(dataset)
    assert digest == row_digest(dataset.take(np.arange(300)))
    assert digest != row_digest(dataset.take(np.arange(300)[::-1]))
    for name, row in (("height", 3), ("colour", 299)):
        changed = dataset.columns[name].copy()
        changed[row] = 1.25 if name == "height" else "grue"
        assert digest != row_digest(replace(dataset, columns={**dataset.columns, name: changed}))
    assert digest != row_digest(replace(dataset, target=1 - dataset.target))


def test_the_digest_does_not_mistake_where_a_text_ends(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code).take(np.arange(2))
    digests = {
        row_digest(replace(dataset, columns={**dataset.columns, "colour": np.array(pair, dtype=object)}))
        for pair in (("ab", "c"), ("a", "bc"), ("", "abc"), ("a\0b", "c"), ("a", "b\0c"))
    }
    assert len(digests) == 5


def test_zero_has_one_spelling_and_so_has_nan(team: Team) -> None:
    dataset = load_dataset(team.config, team.data, team.code).take(np.arange(2))
    other_nan = np.array([0x7FF8000000000001, 0], dtype=np.uint64).view(np.float64)
    digests = {
        row_digest(replace(dataset, columns={**dataset.columns, "height": values}))
        for values in (np.array([np.nan, 0.0]), np.array([-np.nan, -0.0]), other_nan)
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("values", "kind", "canonical"),
    [
        ([1, 2], "number", [1.0, 2.0]),
        ([True, False], "number", [1.0, 0.0]),
        (np.array([True, None], dtype=object), "number", [1.0, np.nan]),
        (pd.array([3, None], dtype="Int64"), "number", [3.0, np.nan]),
        (pd.array([True, None], dtype="boolean"), "number", [1.0, np.nan]),
        (pd.array([1.5, None], dtype="Float32"), "number", [1.5, np.nan]),
        (pd.Categorical([2, None]), "number", [2.0, np.nan]),
        (pd.Categorical(["b", None], categories=["a", "b"]), "text", ["b", ""]),
        (np.array(["x", None], dtype=object), "text", ["x", ""]),
        (np.array(["x", np.nan], dtype=object), "text", ["x", ""]),
        (pd.array(["é", None], dtype="string"), "text", ["é", ""]),
        (pd.array([None, None], dtype="string"), "text", ["", ""]),
        ([np.nan, np.nan], "number", [np.nan, np.nan]),
        (np.array([None, None], dtype=object), "number", [np.nan, np.nan]),
    ],
)
def test_the_canonical_form_of_a_column(team: Team, values: Any, kind: str, canonical: list[Any]) -> None:
    frame = pd.DataFrame({"x": values, "late": [0, 1]})
    team.set(data__id=None, data__time=None, data__group=None)
    dataset = build_dataset(frame, team.config)
    assert dataset.inputs == (Column(name="x", kind=kind),)  # type: ignore[arg-type]
    assert dataset.columns["x"].dtype == (np.float64 if kind == "number" else object)
    assert str(dataset.columns["x"].tolist()) == str(canonical)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), "holds timestamps"),
        (pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True), "holds timestamps"),
        (pd.to_timedelta(["1h", "2h"]), "holds durations"),
        (np.array([1, "x"], dtype=object), "mixes texts with other values"),
        (np.array([b"a", b"b"], dtype=object), "holds bytes values"),
        ([1 + 2j, 3], "holds complex values"),
    ],
)
def test_what_can_be_no_feature_is_named(team: Team, values: Any, what: str) -> None:
    team.set(data__id=None, data__time=None, data__group=None)
    with pytest.raises(DataGateError) as raised:
        build_dataset(pd.DataFrame({"x": values, "late": [0, 1]}), team.config)
    assert raised.value.problems[0].where == "data.csv column x"
    assert raised.value.problems[0].what.startswith(what)


def test_later_data_take_the_form_that_training_had() -> None:
    inputs = (Column(name="n", kind="number"), Column(name="t", kind="text"))
    columns = canonical_columns(pd.DataFrame({"t": [None, None], "n": [1, 2], "more": [0, 0]}), inputs)
    assert list(columns) == ["n", "t"]
    assert columns["t"].tolist() == ["", ""], "a column without any value is of the kind that it was"
    with pytest.raises(DataGateError) as raised:
        canonical_columns(pd.DataFrame({"n": ["one", "2"]}), inputs)
    assert [str(problem) for problem in raised.value.problems] == [
        "column n: is a text, the model takes a number",
        "column t: is missing",
    ]


def test_missing_columns_are_named_together(team: Team) -> None:
    with pytest.raises(DataGateError) as raised:
        build_dataset(people().drop(columns=["late", "city"]), team.config)
    assert [problem.where for problem in raised.value.problems] == ["data.csv column late", "data.csv column city"]


def test_prepare_makes_features_and_cannot_change_what_was_read(team: Team) -> None:
    team.write(
        "features.py",
        "def prepare(frame):\n    frame['hour'] = frame['when'].str.slice(11, 13).astype(int)\n"
        "    frame['age'] = 0\n    return frame\n",
    )
    team.set(data__prepare="features:prepare")
    raw = team.data.read("data.csv", team.root)
    prepared = prepare(raw, team.config, team.code)
    assert prepared["hour"].tolist()[:3] == [0, 1, 2]
    assert "hour" not in raw
    assert raw["age"].max() > 0


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return None", "returned NoneType, not a DataFrame"),
        ("return frame.dropna()", "returned other rows: 300 went in,"),
        ("return frame.iloc[::-1]", "returned other rows: 300 went in, 300 came out"),
        ("import pandas; return pandas.concat([frame, frame[['age']]], axis=1)", "returned the column age twice"),
        ("return frame['no such column']", "failed: KeyError: 'no such column'"),
    ],
)
def test_prepare_must_return_the_same_rows(team: Team, body: str, what: str) -> None:
    team.write("features.py", f"def prepare(frame):\n    {body}\n")
    team.set(data__prepare="features:prepare")
    with pytest.raises(ConfigurationError) as raised:
        load_dataset(team.config, team.data, team.code)
    assert what in raised.value.what


@pytest.mark.parametrize("strategy", ["random", "stratified", "group", "time"])
def test_every_strategy_divides_the_rows(team: Team, strategy: str) -> None:
    team.set(split__strategy=strategy)
    train, holdout = split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    assert train.ids is not None
    assert holdout.ids is not None
    assert sorted([*train.ids, *holdout.ids]) == list(range(300))
    if strategy == "time":
        assert train.ids.max() < holdout.ids.min()
    if strategy == "group":
        assert train.groups is not None
        assert holdout.groups is not None
        assert not set(train.groups) & set(holdout.groups)


def test_a_class_that_only_the_holdout_has_is_refused(team: Team) -> None:
    frame = people()
    frame["late"] = [0] * 280 + [1] * 20
    team.write_data(frame)
    team.set(split__strategy="time", split__holdout=0.2)
    with pytest.raises(DataGateError, match=r"1 classes \(such as 1\) have no training row"):
        split_dataset(load_dataset(team.config, team.data, team.code), team.config)


def test_a_holdout_of_one_class_is_refused(team: Team) -> None:
    frame = people()
    frame["late"] = [0, 1] * 100 + [1] * 100
    team.write_data(frame)
    team.set(split__strategy="time")
    with pytest.raises(DataGateError, match="all 60 rows of the holdout are of one class"):
        split_dataset(load_dataset(team.config, team.data, team.code), team.config)


def test_a_split_that_needs_what_is_not_declared_is_a_wrong_configuration(team: Team) -> None:
    team.set(split__strategy="time", data__time=None)
    team.set(data__features=("age",))
    with pytest.raises(ConfigurationError) as raised:
        split_dataset(load_dataset(team.config, team.data, team.code), team.config)
    assert raised.value.where == "mlops.yaml split"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01-01", "2026-01-02T06:00:00"], np.array(["2026-01-01", "2026-01-02T06"], dtype="datetime64[us]")),
        (
            ["2026-01-01T02:00:00+02:00", "2026-01-01T06:00:00Z"],
            np.array(["2026-01-01", "2026-01-01T06"], dtype="datetime64[us]"),
        ),
        (
            pd.to_datetime(["2026-01-01 01:00"] * 2).tz_localize("Europe/Rome"),
            np.array(["2026-01-01"] * 2, dtype="datetime64[us]"),
        ),
        (
            pd.to_datetime(["1500-01-01", "2400-01-01"]).as_unit("s"),
            np.array(["1500-01-01", "2400-01-01"], dtype="datetime64[us]"),
        ),
        ([2025, 2026], np.array([2025.0, 2026.0])),
    ],
    ids=["texts", "offsets", "zone", "far", "years"],
)
def test_times(team: Team, values: Any, expected: Any) -> None:
    frame = people(2).assign(when=values)
    times = build_dataset(frame, team.config).times
    assert times is not None
    assert times.dtype == expected.dtype
    assert times.tolist() == expected.tolist()


@pytest.mark.parametrize("values", [["yesterday", "today"], [True, False]])
def test_what_is_no_time_is_refused(team: Team, values: Any) -> None:
    with pytest.raises(DataGateError, match="is no time"):
        build_dataset(people(2).assign(when=values), team.config)
