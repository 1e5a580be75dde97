from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_ci.config.types import FairnessConfig, SliceConfig
from mlops_ci.core.digest import digest_of
from mlops_ci.core.serving import LogConfig, ServingConfig
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.pipeline.check import CheckResult, check
from tests.pipeline.team import Team, make_team, people, schema

COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "unique": True},
    "when": {"type": "timestamp"},
    "city": {"type": "text", "categories": ("Rome", "Oslo", "Bern", "Graz", "Lyon")},
    "height": {"type": "number", "nullable": True, "min": 100.0, "max": 250.0},
    "age": {"type": "integer", "min": 0.0, "max": 120.0},
    "colour": {"type": "text", "nullable": True},
    "late": {"type": "integer", "categories": (0, 1)},
}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = make_team(tmp_path)
    team.set(data__schema=schema(COLUMNS, min_rows=100))
    return team


def checked(team: Team, change: Callable[[pd.DataFrame], Any] | None = None) -> CheckResult:
    if change is not None:
        frame = people().astype({"height": object, "age": object, "late": object, "id": object, "when": str})
        changed = change(frame)
        team.write_data(frame if changed is None else changed)
    return check(team.config, team.data, team.code)


def lines(result: CheckResult) -> list[str]:
    return [f"{problem.where}: {problem.what}" for problem in result.problems]


def put(column: str, rows: int | list[int], value: Any) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[rows, column] = value

    return change


def test_good_data_pass(team: Team) -> None:
    result = checked(team)
    assert (result.ok, result.problems, result.warnings, result.rows, result.model) == (True, (), (), 300, "late")
    assert result.data_digest == digest_of(team.data.digests("data.csv", team.root))
    assert len(result.passed()) == 300


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            put("age", [1, 7], -3),
            [
                "data.csv column age: 2 of 300 values are below the minimum 0, such as "
                "'-3' in data.csv line 3, '-3' in data.csv line 9"
            ],
        ),
        (
            put("age", 4, 121),
            ["data.csv column age: 1 of 300 values are above the maximum 120, such as '121' in data.csv line 6"],
        ),
        (
            put("age", 0, 33.5),
            ["data.csv column age: 1 of 300 values are not an integer, such as '33.5' in data.csv line 2"],
        ),
        (put("age", 0, None), ["data.csv column age: 1 of 300 values are missing, such as data.csv line 2"]),
        (
            put("age", 2, "n. a."),
            ["data.csv column age: 1 of 300 values are not an integer, such as 'n. a.' in data.csv line 4"],
        ),
        (
            put("city", 3, "Atlantis"),
            [
                "data.csv column city: 1 of 300 values are not among the categories Rome, Oslo, Bern, Graz, Lyon, "
                "such as 'Atlantis' in data.csv line 5"
            ],
        ),
        (
            put("when", 3, "soon"),
            [
                "data.csv column when: 1 of 300 values are not a timestamp, such as 'soon' in data.csv line 5",
                "data.csv column when (time): is no time: Time data soon is not ISO8601 format",
            ],
        ),
        (
            put("id", 9, 8),
            [
                "data.csv column id: 2 of 300 values are not unique, such as "
                "'8' in data.csv line 10, '8' in data.csv line 11",
                "data.csv column id (id): 1 rows repeat the id of a row before, such as data.csv line 11",
            ],
        ),
        (
            lambda frame: frame.drop(columns=["colour"]),
            ["data.csv column colour: is missing"],
        ),
        (lambda frame: frame.head(50), ["data.csv: holds 50 rows, at least 100 are demanded"]),
    ],
    ids=["low", "high", "fraction", "missing", "text", "category", "time", "unique", "column", "rows"],
)
def test_each_thing_that_the_schema_forbids_is_said_with_count_and_place(
    team: Team, change: Callable[[pd.DataFrame], Any], said: list[str]
) -> None:
    result = checked(team, change)
    assert lines(result) == said
    assert all(problem.fix for problem in result.problems)
    with pytest.raises(DataGateError) as raised:
        result.passed()
    assert raised.value.problems == result.problems


def test_everything_is_said_at_once(team: Team) -> None:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, "age"] = 500
        frame.loc[1, "city"] = "Atlantis"
        frame.loc[2, "late"] = None
        return frame.rename(columns={"height": "heigth"})

    result = checked(team, spoil)
    told = "\n".join(map(str, result.problems))
    assert len(result.problems) == 5
    assert "did heigth take its place? add the column, or remove it from data.schema.yaml" in told
    assert [problem.what for problem in result.warnings] == ["is not declared in data.schema.yaml"]


def test_a_number_column_that_became_text_is_said_once_and_in_those_words(team: Team) -> None:
    result = checked(team, lambda frame: frame.assign(age="about " + frame["age"].astype(str)))
    assert len(result.problems) == 1
    assert result.problems[0].what.startswith("300 of 300 values are not an integer, such as 'about ")


def test_numbers_written_as_texts_are_no_numbers(team: Team) -> None:
    people().assign(age=people()["age"].astype(str)).to_parquet(team.root / "data.parquet")
    team.set(data__source="data.parquet")
    assert "300 of 300 values are not an integer" in checked(team).problems[0].what


@pytest.mark.parametrize(
    ("declared", "values", "bad"),
    [
        ("boolean", [True, False, None], 0),
        ("boolean", [1, 0, 1], 3),
        ("text", ["a", "b", None], 0),
        ("text", [1, 2, 3], 3),
        ("number", [1.5, None, np.inf], 0),
        ("number", [True, False, True], 3),
        ("integer", [1.0, 2.0, None], 0),
        ("timestamp", ["2026-01-01", "2026-01-02T03:04:05Z", None], 0),
        ("timestamp", [20260101, 20260102, 20260103], 3),
        ("timestamp", pd.to_datetime(["2026-01-01", None, "2026-01-03"]), 0),
        ("text", pd.Categorical(["a", "b", None]), 0),
    ],
)
def test_types(team: Team, declared: str, values: Any, bad: int) -> None:
    frame = people(3).assign(x=values, late=[0, 1, 1])
    frame.to_parquet(team.root / "data.parquet")
    team.set(
        data__source="data.parquet",
        data__schema=schema({"x": {"type": declared, "nullable": True}}),
        data__features=("age",),
    )
    found = [problem.what for problem in checked(team).problems if problem.where.endswith("column x")]
    assert len(found) == (1 if bad else 0), found
    if bad:
        assert found[0].startswith(f"{bad} of 3 values are not ")


def test_values_of_private_columns_are_never_shown(team: Team) -> None:
    columns = {name: {**each, "private": True} for name, each in COLUMNS.items()}
    team.set(data__schema=schema(columns))

    def spoil(frame: pd.DataFrame) -> None:
        frame.loc[0, ["age", "height", "city", "late", "when"]] = [987654, "SECRET1", "SECRET2", 777, "SECRET3"]

    result = checked(team, spoil)
    told = "\n".join(map(str, [*result.problems, *result.warnings]))
    assert len(result.problems) >= 6
    for secret in ("987654", "SECRET", "777"):
        assert secret not in told


def test_rows_of_several_files_are_found_in_theirs(team: Team) -> None:
    (team.root / "data").mkdir()
    frame = people()
    frame.loc[[100, 299], "age"] = 999
    frame[:100].to_csv(team.root / "data/a.csv", index=False)
    frame[100:200].to_csv(team.root / "data/b.csv", index=False)
    frame[200:].astype({"when": str}).to_parquet(team.root / "data/c.parquet", index=False)
    team.set(data__source="data/*")
    result = checked(team)
    assert result.problems[0].where == "data/* column age"
    assert "'999' in data/b.csv line 2, '999' in data/c.parquet row 100" in result.problems[0].what


def test_without_a_schema_the_data_still_have_to_be_usable(team: Team) -> None:
    team.set(data__schema=None)
    assert checked(team).ok


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            put("late", [3, 5], None),
            ["data.csv column late (target): 2 of 300 values are missing, such as data.csv line 5, data.csv line 7"],
        ),
        (put("late", slice(None), 1), ["data.csv column late (target): has one class only: 1"]),
        (put("late", slice(0, 9), 2), ["data.csv column late (target): has 3 classes, not two: 0, 1, 2"]),
        (
            put("late", slice(None), None),
            [
                "data.csv column late (target): 300 of 300 values are missing, such as "
                "data.csv line 2, data.csv line 3, data.csv line 4"
            ],
        ),
        (put("late", 0, 0.5), ["data.csv column late (target): has values that are not whole numbers, so no classes"]),
        (
            lambda frame: frame.assign(late=[1] + [0] * 299),
            ["data.csv column late (target): 1 classes have a single row, too few to train and to judge: 1"],
        ),
        (
            put("height", [0, 4], np.inf),
            ["data.csv column height: 2 values are infinite, such as data.csv line 2, data.csv line 6"],
        ),
        (put("height", slice(None), None), ["data.csv column height: has no value at all"]),
        (
            put("age", 1, 2**53 + 1),
            ["data.csv column age: 1 integers are beyond 2^53 and lose their last digits, such as data.csv line 3"],
        ),
        (put("city", 1, None), ["data.csv column city (group): 1 values are missing, such as data.csv line 3"]),
        (put("id", 1, None), ["data.csv column id (id): 1 values are missing, such as data.csv line 3"]),
        (
            put("when", 1, None),
            ["data.csv column when (time): 1 of 300 values are missing, such as data.csv line 3"],
        ),
        (lambda frame: frame.head(0), ["data.csv: holds no row"]),
    ],
)
def test_what_no_model_can_be_trained_on(team: Team, change: Callable[[pd.DataFrame], Any], said: list[str]) -> None:
    team.set(data__schema=None)
    assert lines(checked(team, change)) == said


def test_a_timestamp_is_no_feature(team: Team) -> None:
    people().to_parquet(team.root / "data.parquet")
    team.set(data__schema=None, data__source="data.parquet", data__time=None)
    assert lines(checked(team)) == ["data.parquet column when: holds timestamps"]
    assert "derive numbers" in checked(team).problems[0].fix


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["a", "b", "c"] * 100, "is a text; a regression predicts a number"),
        ([np.inf, *range(299)], "1 values are infinite"),
    ],
)
def test_a_regression_needs_a_finite_number(team: Team, values: list[Any], what: str) -> None:
    team.set(data__schema=None, task="regression")
    result = checked(team, lambda frame: frame.assign(late=values))
    assert [problem.what for problem in result.problems] == [what]


def test_what_is_redacted_has_to_be_a_column_so_that_a_misspelt_one_is_not_logged(team: Team) -> None:
    team.set(serving=ServingConfig(log=LogConfig(redact=("age", "colr"))))
    assert lines(checked(team)) == ["mlops.yaml serving.log.redact: there is no column colr in the data"]


def test_private_columns_are_redacted_anyway_and_need_not_be_there_any_more(team: Team) -> None:
    columns = {**COLUMNS, "gone": {"type": "text", "private": True}}
    team.set(data__schema=schema(columns), serving=ServingConfig(log=LogConfig(redact=("gone",))))
    assert not [line for line in lines(checked(team)) if "serving" in line]


def test_columns_that_the_configuration_names_have_to_be_there(team: Team) -> None:
    team.set(
        data__target="lat",
        data__features=("height", "ages"),
        gate__slices=(SliceConfig(by="citi", metric="roc_auc", max_drop=0.1, min_rows=10),),
        gate__fairness=(FairnessConfig(by="sex", metric="equalized_odds_difference", min=None, max=0.1, min_rows=10),),
    )
    result = checked(team)
    assert lines(result) == [
        "mlops.yaml data.target: there is no column lat in the data",
        "mlops.yaml data.features: there is no column ages in the data",
        "mlops.yaml gate.slices: there is no column citi in the data",
        "mlops.yaml gate.fairness: there is no column sex in the data",
    ]
    assert [problem.fix.partition(",")[0] for problem in result.problems] == [
        "did you mean late?",
        "did you mean age?",
        "did you mean city?",
        "the columns are id",
    ]


@pytest.mark.parametrize("content", [None, "", "x,y\n1\n"], ids=["missing", "empty", "ragged"])
def test_a_file_that_cannot_be_read_is_a_problem_like_others(team: Team, content: str | None) -> None:
    path = team.root / "data.csv"
    path.unlink() if content is None else path.write_text(content)
    result = checked(team)
    assert (result.ok, result.rows, result.frame) == (False, 0, None)
    assert len(result.problems) == 1
    assert result.problems[0].where.startswith("data.csv")
    with pytest.raises(DataGateError):
        result.passed()


def test_equal_rows_are_told_and_close_nothing(team: Team) -> None:
    result = checked(team, lambda frame: pd.concat([frame, frame.tail(4).assign(id=range(300, 304))]))
    assert result.ok
    assert [problem.what for problem in result.warnings] == [
        "4 of 304 rows (1.32%) are equal to a row before but for the id, such as data.csv line 302, data.csv line 303, "
        "data.csv line 304"
    ]


def test_features_that_prepare_makes_are_checked_and_its_failure_is_not_the_data_s(team: Team) -> None:
    team.set(data__prepare="features:prepare", data__features=("age", "ratio"))
    team.write(
        "features.py",
        "def prepare(frame):\n    return frame.assign(ratio=frame['height'] / frame['age'].replace(18, 0))\n",
    )
    assert "values are infinite" in lines(checked(team))[0]
    team.write("features.py", "def prepare(frame):\n    return frame.assign(ratio=frame['age'] * 'x')\n")
    with pytest.raises(ConfigurationError, match="features:prepare"):
        checked(team)
    result = checked(team, put("age", 3, "many"))
    assert [problem.where for problem in result.problems] == ["data.csv column age", "features.py line 2"]


def test_a_list_in_a_cell_is_named_and_breaks_nothing(team: Team) -> None:
    people().assign(colour=[[1, 2]] * 300).to_parquet(team.root / "data.parquet")
    team.set(data__schema=None, data__source="data.parquet")
    assert lines(checked(team)) == ["data.parquet column colour: holds mixed values"]
