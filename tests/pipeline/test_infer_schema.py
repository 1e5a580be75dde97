from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from mlops_ci.config.loading import read_data_schema
from mlops_ci.config.schema_types import ChangeLimits, ColumnSchema, DataSchema
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.data_schema import schema_findings
from mlops_ci.pipeline.infer_schema import Draft, infer_schema
from tests.pipeline.team import Team, make_config, make_team, people


class Frame:
    """Data files that hold one frame."""

    def __init__(self, frame: pd.DataFrame, name: str = "data.parquet") -> None:
        self._frame = frame
        self._frame.attrs["files"] = [[name, len(frame), False]]

    def read(self, source: str, root: Path, *, texts: Collection[str] = ()) -> pd.DataFrame:
        return self._frame

    def digests(self, source: str, root: Path) -> dict[str, str]:
        raise AssertionError


def drafted(frame: pd.DataFrame, *, known: DataSchema | None = None, name: str = "data.parquet", **roles: Any) -> Draft:
    config = make_config(Path())
    config = replace(config, data=replace(config.data, **roles))
    return infer_schema(config, Frame(frame, name), path="data.schema.yaml", known=known)


def column(values: Any, **options: Any) -> ColumnSchema | str:
    """What is drafted for a column of these values, or why nothing is."""
    draft = drafted(pd.DataFrame({"x": values, "other": range(len(values))}), **options)
    return draft.notes["x"] if "x" in draft.notes else draft.schema.columns[0]


def read_again(draft: Draft, folder: Path) -> DataSchema:
    path = folder / "data.schema.yaml"
    path.write_text(draft.text, encoding="utf-8")
    return read_data_schema(path, root=folder)


def test_the_draft_of_people(tmp_path: Path) -> None:
    team = make_team(tmp_path)
    draft = infer_schema(team.config, team.data, path="data.schema.yaml", known=None)
    assert (
        draft.text[draft.text.index("schema: 1") :]
        == """\
schema: 1
rows: {min: 100}
columns:
  id: {type: integer, unique: true}
  when: {type: timestamp}
  city: {type: text, categories: [Bern, Graz, Lyon, Oslo, Rome]}
  height: {type: number, nullable: true, min: 132, max: 201}
  age: {type: integer, min: 18, max: 79}
  colour: {type: text, nullable: true, categories: [blue, green, red]}
  late: {type: integer, categories: [0, 1]}
"""
    )
    assert draft.text.startswith("# What the data must look like")
    assert "you know how data\n# may be" in draft.text
    assert read_again(draft, tmp_path) == draft.schema


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False] * 50, ColumnSchema(name="x", type="boolean")),
        ([True, None] * 50, ColumnSchema(name="x", type="boolean", nullable=True)),
        ([1, 12] * 50, ColumnSchema(name="x", type="integer", min=1, max=12)),
        ([-43, 1301] * 50, ColumnSchema(name="x", type="integer", min=-100, max=1400)),
        ([0.0123, 0.987] * 50, ColumnSchema(name="x", type="number", min=0.01, max=0.99)),
        ([0.1, 0.7] * 50, ColumnSchema(name="x", type="number", min=0.1, max=0.7)),
        ([5.0] * 100, ColumnSchema(name="x", type="number")),
        ([1.5, np.inf] * 50, ColumnSchema(name="x", type="number")),
        ([2**60, 5] * 50, ColumnSchema(name="x", type="integer")),
        ([Decimal("1.5"), Decimal("2.5")] * 50, ColumnSchema(name="x", type="number", min=1.5, max=2.5)),
        (pd.Categorical(["a", "b"] * 50), ColumnSchema(name="x", type="text", categories=("a", "b"))),
        ([f"text {each}" for each in range(100)], ColumnSchema(name="x", type="text", unique=True)),
        ([f"text {each % 30}" for each in range(100)], ColumnSchema(name="x", type="text")),
        (["long" * 30, "b"] * 50, ColumnSchema(name="x", type="text")),
        (["2013", "2014"] * 50, ColumnSchema(name="x", type="text", categories=("2013", "2014"))),
        (["2026-01-01", "2026-01-02T03:04:05Z"] * 50, ColumnSchema(name="x", type="timestamp")),
        ([date(2026, 1, 1), None] * 50, ColumnSchema(name="x", type="timestamp", nullable=True)),
        ([None] * 100, "has no value at all"),
        ([[1], [2]] * 50, "holds values of several kinds, or of a kind that no type is for"),
        (["a", 2] * 50, "holds values of several kinds, or of a kind that no type is for"),
        (pd.to_timedelta(range(100), unit="s"), "holds values of several kinds, or of a kind that no type is for"),
    ],
)
def test_each_kind_of_column(values: Any, expected: Any) -> None:
    assert column(values) == expected


def test_integers_with_gaps_are_integers_in_a_csv_file_and_floats_where_the_file_says_so() -> None:
    values = [1.0, 2.0, None, 4.0] * 25
    assert column(values, name="data.csv").type == "integer"  # type: ignore[union-attr]
    assert column(values).type == "number"  # type: ignore[union-attr]
    assert column([1.0, 2.0] * 50, name="data.csv").type == "number"  # type: ignore[union-attr]


def test_what_only_a_person_can_say_is_kept_and_private_values_are_not_written(tmp_path: Path) -> None:
    known = DataSchema(
        path="data.schema.yaml",
        max_duplicates=0.01,
        max_shared=0.001,
        change=ChangeLimits(missing=0.05),
        columns=(
            ColumnSchema(name="city", type="text", private=True, change=ChangeLimits(missing=0.05)),
            ColumnSchema(name="age", type="integer", private=True, change=ChangeLimits(missing=0.05)),
            ColumnSchema(
                name="height", type="number", nullable=True, max_missing=0.2, change=ChangeLimits(missing=0.9)
            ),
            ColumnSchema(
                name="when",
                type="timestamp",
                freshness=timedelta(days=7),
                allow={"future-rows": "why: not"},
                change=ChangeLimits(missing=0.05),
            ),
            ColumnSchema(name="gone", type="text", private=True),
        ),
    )
    draft = drafted(people(), known=known)
    found = {each.name: each for each in draft.schema.columns}
    assert found["city"] == ColumnSchema(name="city", type="text", private=True, change=ChangeLimits(missing=0.05))
    assert (found["age"].private, found["age"].min, found["age"].max) == (True, None, None)
    assert (found["height"].max_missing, found["height"].change.missing) == (0.2, 0.9)
    assert found["when"].freshness == timedelta(days=7)
    assert draft.notes == {"gone": "was declared, and is not in the data any more"}
    for value in ("Rome", "Oslo", "18", "79"):
        assert value not in draft.text
    assert read_again(draft, tmp_path) == draft.schema


HOSTILE = [
    *("no", "2013", "3.10", "null", "~", "a: b", "a #b", "- x", "new\nline", "\ttab", "\u2028", '"', "\\", "?"),
    *("<script>", "x" * 1500, "\U0001f600", "é", " padded ", "{a}", "&anchor", "yes", "0x1F", "\u202ebidi", "\x85"),
]
UNWRITABLE = ["\x1b[31m", "\x7f"]


def test_hostile_names_and_values_come_back_as_they_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({name: [each for each in HOSTILE[:15] for _ in range(20)] for name in HOSTILE + UNWRITABLE})
    frame["colour"] = ["\x1b[31m", "b"] * 150
    draft = drafted(frame)
    again = read_again(draft, tmp_path)
    assert again == draft.schema
    assert [each.name for each in again.columns] == [*HOSTILE, "colour"]
    assert again.columns[0].categories == tuple(sorted(HOSTILE[:15]))
    assert again.columns[-1].categories == ()
    assert draft.notes == dict.fromkeys(UNWRITABLE, "has a name that cannot be written down")
    assert "\x1b" not in draft.text


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_diabetes])
def test_real_data_pass_their_own_draft(load: Any, tmp_path: Path) -> None:
    frame = load(as_frame=True).frame
    draft = drafted(frame, target="target")
    assert schema_findings(frame, "data", read_again(draft, tmp_path), str) == ([], [])


VALUES = {
    "integers": st.integers(-(2**62), 2**62),
    "small": st.integers(-5, 5),
    "floats": st.floats(allow_nan=True, allow_infinity=True),
    "texts": st.text(max_size=20),
    "few": st.sampled_from(["a", "no", "1", " "]),
    "moments": st.datetimes(min_value=pd.Timestamp("1700-01-01"), max_value=pd.Timestamp("2200-01-01")),
    "booleans": st.booleans(),
    "decimals": st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    "mixed": st.one_of(st.integers(), st.text(), st.booleans(), st.none()),
}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_data_pass_their_own_draft(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 40))
    kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    gaps = data.draw(st.booleans())
    frame = pd.DataFrame(
        {
            f"column {number}": pd.Series(
                data.draw(
                    st.lists(st.one_of(st.none(), VALUES[kind]) if gaps else VALUES[kind], min_size=rows, max_size=rows)
                )
            )
            for number, kind in enumerate(kinds)
        }
    )
    frame["always"] = 1
    draft = drafted(frame)
    problems, warnings = schema_findings(frame, "data", draft.schema, str)
    assert problems == []
    assert len(warnings) == len(draft.notes)


def test_without_rows_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataGateError, match="holds no row"):
        drafted(people(0))


@pytest.mark.parametrize("source", ["data.csv", "data/*.csv", "data.parquet", "*.csv.dvc"])
def test_every_kind_of_source(tmp_path: Path, source: str) -> None:
    import hashlib

    team: Team = make_team(tmp_path)
    content = (team.root / "data.csv").read_bytes()
    (team.root / "data").mkdir()
    people().head(150).to_csv(team.root / "data/a.csv", index=False)
    people().tail(150).to_csv(team.root / "data/b.csv", index=False)
    people().to_parquet(team.root / "data.parquet")
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    team.write("data.csv.dvc", f"outs:\n- md5: {digest}\n  hash: md5\n  path: data.csv\n")
    team.set(data__source=source.replace("*.csv.dvc", "data.csv.dvc"))
    draft = infer_schema(team.config, team.data, path="data.schema.yaml", known=None)
    assert [each.type for each in draft.schema.columns] == [
        "integer", "timestamp", "text", "number", "integer", "text", "integer"
    ]  # fmt: skip
