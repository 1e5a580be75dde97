"""What the gate looks for beyond single values: each planted defect is told by its own name, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from mlops_ci.config.schema_types import ChangeLimits
from mlops_ci.config.types import ValidationSetConfig
from mlops_ci.core import drift
from mlops_ci.core.data_change import AcceptedData
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.check import CheckResult, check
from tests.pipeline.team import Team, make_team, people, schema

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SOON = datetime(2026, 1, 15, tzinfo=UTC)
"""A day and a half after the last of 300 people, which is on 13 January at 11:00."""
COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "unique": True},
    "when": {"type": "timestamp"},
    "city": {"type": "text"},
    "height": {"type": "number", "nullable": True},
    "age": {"type": "integer"},
    "colour": {"type": "text", "nullable": True},
    "late": {"type": "integer"},
}


class Stopped:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = make_team(tmp_path)
    declare(team)
    return team


def declare(team: Team, *, rows: dict[str, Any] | None = None, **changes: dict[str, Any]) -> None:
    columns = {name: each | changes.get(name, {}) for name, each in COLUMNS.items()}
    team.set(data__schema=schema(columns, **(rows or {})))


def checked(team: Team, frame: pd.DataFrame | None = None, *, now: datetime = NOW, **options: Any) -> CheckResult:
    if frame is not None:
        team.write_data(frame)
    return check(team.config, team.data, team.code, clock=Stopped(now), **options)


def names(result: CheckResult) -> list[str]:
    return [problem.name for problem in result.problems]


def warned(result: CheckResult) -> list[str]:
    return [warning.name for warning in result.warnings]


def test_good_data_have_nothing_to_be_told(team: Team) -> None:
    result = checked(team)
    assert (result.problems, result.warnings, result.changes) == ((), (), ())
    assert result.divided().holdout.frame.index.size == 60


# Times


@pytest.mark.parametrize(("days", "closed"), [(1, True), (2, False)])
def test_data_grow_old(team: Team, days: int, closed: bool) -> None:
    declare(team, when={"freshness": timedelta(days=days)})
    result = checked(team, now=SOON)
    said = "the newest value (2026-01-13 11:00 UTC) is 1.54 days old, at most 1 day is allowed"
    assert [(each.name, each.where, each.what) for each in result.problems] == (
        [("stale", "data.csv column when", said)] if closed else []
    )


def test_without_a_clock_nothing_is_old(team: Team) -> None:
    declare(team, when={"freshness": timedelta(seconds=1)})
    assert check(team.config, team.data, team.code).ok


def test_a_freshness_longer_than_the_calendar(team: Team) -> None:
    declare(team, when={"freshness": timedelta(weeks=999_999)})
    assert checked(team).ok


def test_rows_from_the_future(team: Team) -> None:
    result = checked(team, now=datetime(2026, 1, 11, 12, tzinfo=UTC))
    (problem,) = result.problems
    assert (problem.name, problem.where) == ("future-rows", "data.csv column when (time)")
    assert problem.what.startswith(
        "23 of 300 rows are from the future, such as '2026-01-12 13:00:00' in data.csv line "
    )
    assert "allow: {future-rows: why}" in problem.fix
    declare(team, when={"allow": {"future-rows": "a timetable"}})
    result = checked(team, now=datetime(2026, 1, 11, 12, tzinfo=UTC))
    assert (names(result), warned(result)) == ([], ["future-rows"])
    assert result.warnings[0].what.endswith("allowed because: a timetable")


def test_zones_of_the_earth_are_no_future(team: Team) -> None:
    assert checked(team, now=datetime(2026, 1, 12, 22, tzinfo=UTC)).ok


# Missing values and changes


def test_too_much_is_missing(team: Team) -> None:
    declare(team, height={"max_missing": 0.05}, colour={"max_missing": 0.5})
    (problem,) = checked(team).problems
    assert problem.name == "missing-rate"
    assert problem.what == "38 of 300 values are missing (12.7%), at most 5.0% may be"


def accepted(team: Team) -> AcceptedData:
    training = checked(team, people(1500)).divided().training
    return AcceptedData(name="version 3", profile=drift.profile(training.columns, training.inputs))


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return frame.assign(
        age=frame["age"] + 15,
        height=frame["height"].mask(rng.random(len(frame)) < 0.3),
        colour=frame["colour"].where(rng.random(len(frame)) < 0.5, "violet"),
    )


def test_large_changes_are_warnings_that_say_the_numbers(team: Team) -> None:
    before = accepted(team)
    same = checked(team, people(1500, seed=1).assign(id=range(1500)), accepted=before)
    assert (same.problems, same.warnings, same.changes) == ((), (), ())
    result = checked(team, moved(people(1500, seed=1)), accepted=before)
    assert names(result) == []
    assert sorted(warned(result)) == ["distribution-change", "distribution-change", "missing-rate-change"]
    told = {warning.where: warning.what for warning in result.warnings}
    assert told["data.csv column age"].startswith("is distributed otherwise than in version 3 (distance 0.2")
    assert "the median is 6" in told["data.csv column age"]
    assert "were in version 3" in told["data.csv column height"]
    assert "violet " in told["data.csv column colour"]
    assert {(change.column, change.what) for change in result.changes} == {
        ("age", "distribution"),
        ("height", "missing-rate"),
        ("colour", "distribution"),
    }
    assert set(result.to_report_json()) == {"problems", "warnings", "changes"}
    assert set(result.to_report_json()["changes"][0]) == {"column", "what", "before", "after", "distance"}


def test_beyond_a_declared_limit_a_change_closes_the_gate(team: Team) -> None:
    before = accepted(team)
    declare(
        team,
        age={"change": ChangeLimits(distribution=0.1)},
        height={"change": ChangeLimits(missing=0.1, distribution=0.5)},
        colour={"change": ChangeLimits(missing=0.9, distribution=0.9)},
    )
    result = checked(team, moved(people(1500, seed=1)), accepted=before)
    assert (names(result), warned(result)) == (["missing-rate-change", "distribution-change"], [])
    assert "at most 0.1 is allowed" in result.problems[0].what


def test_columns_that_come_and_go_are_changes(team: Team) -> None:
    before = accepted(team)
    frame = people(1500, seed=1).rename(columns={"age": "years"}).assign(height="tall")
    team.set(data__schema=None)
    result = checked(team, frame, accepted=before)
    assert [(change.column, change.what) for change in result.changes] == [
        ("age", "removed"),
        ("height", "kind"),
        ("years", "added"),
    ]
    assert warned(result) == ["kind-change"]


# Rows that come more than once


def doubled(share: float) -> pd.DataFrame:
    frame = people(600)
    copies = frame.tail(round(share * len(frame)))
    return pd.concat([frame, copies.assign(id=range(1000, 1000 + len(copies)))])


def test_copied_rows_on_both_sides_of_the_split_close_the_gate(team: Team) -> None:
    result = checked(team, doubled(0.05))
    (problem,) = result.problems
    assert problem.name == "shared-rows"
    assert problem.what.startswith("the holdout shares rows with the training data: of 126 rows, ")
    assert " in data.csv line" in problem.what or "such as data.csv line" in problem.what
    assert warned(result) == ["duplicate-rows"]


def test_validation_sets_are_looked_at_too(team: Team) -> None:
    team.set(split__validation=(ValidationSetConfig(name="later", strategy="random", by=None, share=0.2, seed=1),))
    result = checked(team, doubled(0.3))
    assert names(result) == ["shared-rows", "shared-rows"]
    assert "validation set later shares rows" in result.problems[1].what


def test_copies_that_stay_together_are_only_duplicates(team: Team) -> None:
    team.set(split__strategy="time")
    result = checked(team, doubled(0.05))
    assert (names(result), warned(result)) == ([], ["duplicate-rows"])
    declare(team, rows={"max_duplicates": 0.01})
    result = checked(team)
    assert (names(result), warned(result)) == (["duplicate-rows"], [])
    assert "30 of 630 rows (4.76%) are equal to a row before but for the id, such as data.csv line 602" in (
        result.problems[0].what
    )


def test_a_declared_share_of_shared_rows(team: Team) -> None:
    declare(team, rows={"max_shared": 0.9})
    assert checked(team, doubled(0.05)).ok


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_real_data_pass(team: Team, load: Callable[..., Any]) -> None:
    task = {load_breast_cancer: "binary-classification", load_diabetes: "regression"}.get(
        load, "multiclass-classification"
    )
    team.set(task=task, data__target="target", data__id=None, data__time=None, data__group=None, data__schema=None)
    assert checked(team, load(as_frame=True).frame).ok


# Leakage


@pytest.mark.parametrize(
    ("leak", "measure"),
    [
        (lambda frame: frame["late"] * 2.5, "AUC 1.0000"),
        (lambda frame: frame["late"].map({0: "in time", 1: "late"}), "AUC 1.0000"),
        (lambda frame: frame["late"].where(frame["late"] == 1), "AUC 1.0000"),
    ],
    ids=["number", "text", "missing"],
)
def test_a_feature_that_gives_the_target_away_closes_the_gate(
    team: Team, leak: Callable[[pd.DataFrame], pd.Series], measure: str
) -> None:
    frame = people()
    result = checked(team, frame.assign(minutes=leak(frame)))
    (problem,) = result.problems
    assert (problem.name, problem.where) == ("target-leakage", "data.csv column minutes")
    assert problem.what == f"alone predicts late almost perfectly ({measure} out of sample, on 300 rows)"
    assert "`allow: {target-leakage: why}` at the column in data.schema.yaml" in problem.fix


def test_a_leak_is_allowed_by_name_with_its_reason(team: Team) -> None:
    team.write("features.py", "def prepare(frame):\n    return frame.assign(minutes=frame['late'] * 2)\n")
    team.set(data__prepare="features:prepare")
    assert names(checked(team)) == ["target-leakage"]
    columns = COLUMNS | {"minutes": {"type": "integer", "allow": {"target-leakage": "known at booking"}}}
    team.set(data__schema=schema(columns))
    result = checked(team)
    assert (names(result), warned(result)) == ([], ["target-leakage"])
    assert result.warnings[0].what.endswith("allowed because: known at booking")


def test_a_column_that_prepare_makes_is_held_against_its_declaration(team: Team) -> None:
    team.write("features.py", "def prepare(frame):\n    return frame.assign(decade=frame['age'] // 10)\n")
    columns = COLUMNS | {"decade": {"type": "integer", "max": 6.0}}
    team.set(data__prepare="features:prepare", data__schema=schema(columns))
    (problem,) = checked(team).problems
    assert (problem.name, problem.where) == ("out-of-range", "data.csv column decade")


# Bad input


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (people(0), ["row-count", "no-rows"]),
        (people(1), ["no-rows", "constant-target"]),
        (people().assign(late=1), ["constant-target"]),
        (people().assign(colour=None), ["empty-column"]),
        (people().assign(**dict.fromkeys(people().columns)), ["null"] * 5 + ["empty-column"] * 3 + ["null"] * 4),
        (people().assign(late=people()["late"].where(people()["id"] != 3)), ["null", "null"]),
        (people().assign(late=people()["id"] % 3), ["class-count"]),
        (people().assign(id=people()["id"].where(people()["id"] != 3)), ["null", "null"]),
        (people().assign(id=people()["id"].where(people()["id"] != 3, 4)), ["not-unique", "not-unique"]),
        (people().drop(columns="late"), ["column-missing", "column-missing"]),
        (people().assign(when=["2026-01-01", 7] * 150), ["wrong-type", "wrong-type"]),
        (people().assign(when=["2026-01-01", "soon"] * 150), ["wrong-type", "wrong-type"]),
        (people().assign(height=np.inf), ["infinite"]),
        (people().assign(age=2**60), ["large-integer"]),
    ],
)
def test_bad_input_has_a_name(team: Team, frame: pd.DataFrame, expected: list[str]) -> None:
    result = checked(team, frame)
    assert names(result) == expected
    assert all(problem.fix for problem in result.problems)


def test_a_regression_without_anything_to_predict(team: Team) -> None:
    team.set(task="regression", data__target="height", data__schema=None)
    assert names(checked(team, people().assign(height=3.5))) == ["constant-target"]


def test_data_that_cannot_be_divided_as_asked(team: Team) -> None:
    team.set(split__strategy="group", data__schema=None)
    with pytest.raises(ConfigurationError, match="all rows are of one group"):
        checked(team, people().assign(city="Rome"))


HOSTILE = [
    "new\nline",
    "\x1b[2Jcleared",
    "<script>alert(1)</script>",
    "**bold** | `x`",
    "y" * 10_000,
    "\u202ebidi",
    "ja: no",
]


def test_hostile_names_of_columns_are_shown_as_names(team: Team) -> None:
    frame = people().assign(**{name: [np.inf] * 300 for name in HOSTILE})
    result = checked(team, frame)
    assert names(result) == ["infinite"] * len(HOSTILE)
    assert warned(result) == ["undeclared-column"] * len(HOSTILE)
    for problem in [*result.problems, *result.warnings]:
        assert str(problem).replace("\n    fix: ", "").isprintable()
        assert len(problem.where) < 130


# Privacy

SECRET = "Jane-Doe-4711"
DEFECTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "wrong type": lambda frame: frame.astype({"age": object, "height": object}).assign(age=SECRET, height=SECRET),
    "unknown category": lambda frame: frame.assign(city=SECRET),
    "class": lambda frame: frame.assign(late=np.where(frame["id"] < 5, SECRET, frame["late"].astype(str))),
    "single row": lambda frame: frame.assign(late=np.where(frame["id"] < 1, SECRET, frame["late"].astype(str))),
    "one class": lambda frame: frame.assign(late=SECRET),
    "time": lambda frame: frame.assign(when=SECRET),
    "some times": lambda frame: frame.assign(when=frame["when"].astype(str).where(frame["id"] != 7, SECRET)),
    "doubled id": lambda frame: frame.assign(id=SECRET),
    "mixture": lambda frame: frame.assign(colour=[SECRET, 3] * 150),
    "leak": lambda frame: frame.assign(colour=np.where(frame["late"] == 1, SECRET, "x")),
    "duplicates": lambda frame: pd.concat([frame.assign(colour=SECRET)] * 2).assign(id=range(600)),
    "changed": lambda frame: frame.assign(colour=SECRET),
    "ragged": lambda frame: frame.assign(colour=f'{SECRET}", "'),
}


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_values_of_private_columns_are_shown_nowhere(
    team: Team, defect: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    before = accepted(team)
    declare(
        team,
        **{name: {"private": True} for name in COLUMNS if name not in {"city", "age"}},
        city={"private": True, "categories": ("Rome", "Category-4711")},
        age={"private": True, "min": 4711.0, "max": 47110.0},
    )
    result = checked(team, defect(people()), accepted=before)
    told = repr(result.to_json()) + repr(result.problems) + repr(result.warnings) + repr(result.changes)
    assert result.problems
    assert "4711" not in told
    assert "violet" not in told


def test_the_newest_moment_of_a_private_time_is_not_shown(team: Team) -> None:
    declare(team, when={"private": True, "freshness": timedelta(hours=1)})
    told = str(checked(team).problems) + str(checked(team, now=datetime(2026, 1, 3, tzinfo=UTC)).problems)
    assert "stale" in told
    assert "future-rows" in told
    assert "2026" not in told


def test_the_team_s_own_code_gives_no_private_value_away(team: Team) -> None:
    team.write("features.py", f"def prepare(frame):\n    return frame.assign(x=float('{SECRET}'))\n")
    team.set(data__prepare="features:prepare")
    with pytest.raises(ConfigurationError, match=SECRET):
        checked(team)
    declare(team, colour={"private": True})
    with pytest.raises(ConfigurationError) as raised:
        checked(team)
    assert SECRET not in str(raised.value)
    assert "ValueError" in str(raised.value)
    assert raised.value.where == "features.py line 2"
    assert raised.value.__cause__ is None
