"""`data.schema.yaml`: read as strictly as `mlops.yaml`, and complained of with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.config.schema_types import ChangeLimits, ColumnSchema, DataSchema

WITH_SCHEMA = "  target: late\n  schema: columns.yaml\n"
Problems = Callable[..., list[str]]


@pytest.fixture
def found(problems: Problems, minimal: str) -> Callable[[str], list[str]]:
    return lambda text: problems(minimal.replace("  target: late\n", WITH_SCHEMA), columns=text)


def test_everything_that_it_can_say(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "mlops.yaml").write_text(minimal.replace("  target: late\n", WITH_SCHEMA))
    (tmp_path / "columns.yaml").write_text(
        """\
schema: 1
rows: {min: 100, max: 1000}
columns:
  late: {type: boolean}
  distance: {type: number, min: 0.5, max: 5000, nullable: true}
  stops: {type: integer, categories: [0, 1, 2]}
  version: {type: text, categories: [3.10, 3.11, no, 2024-01-31], private: true}
  2013: {type: integer, unique: true}
  when: {type: timestamp}
"""
    )
    assert load(tmp_path / "mlops.yaml").data.schema == DataSchema(
        path="columns.yaml",
        min_rows=100,
        max_rows=1000,
        columns=(
            ColumnSchema(name="late", type="boolean"),
            ColumnSchema(name="distance", type="number", min=0.5, max=5000.0, nullable=True),
            ColumnSchema(name="stops", type="integer", categories=(0, 1, 2)),
            ColumnSchema(name="version", type="text", categories=("3.10", "3.11", "no", "2024-01-31"), private=True),
            ColumnSchema(name="2013", type="integer", unique=True),
            ColumnSchema(name="when", type="timestamp"),
        ),
    )


def test_limits_of_what_only_the_whole_table_shows(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "mlops.yaml").write_text(minimal.replace("  target: late\n", WITH_SCHEMA))
    (tmp_path / "columns.yaml").write_text(
        """\
schema: 1
rows: {max_duplicates: 0.01, max_shared: 0}
change: {missing: 0.05}
columns:
  late: {type: boolean}
  weight: {type: number, nullable: true, max_missing: 0.25, change: {distribution: 0.3}}
  when: {type: timestamp, freshness: 36h, allow: {future-rows: a timetable}, change: {missing: 1}}
"""
    )
    schema = load(tmp_path / "mlops.yaml").data.schema
    assert schema is not None
    assert schema == DataSchema(
        path="columns.yaml",
        max_duplicates=0.01,
        max_shared=0.0,
        change=ChangeLimits(missing=0.05),
        columns=(
            ColumnSchema(name="late", type="boolean", change=ChangeLimits(missing=0.05)),
            ColumnSchema(
                name="weight",
                type="number",
                nullable=True,
                max_missing=0.25,
                change=ChangeLimits(missing=0.05, distribution=0.3),
            ),
            ColumnSchema(
                name="when",
                type="timestamp",
                freshness=timedelta(hours=36),
                allow={"future-rows": "a timetable"},
                change=ChangeLimits(missing=1.0),
            ),
        ),
    )
    assert schema.limits_change


def test_no_schema_is_none(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "mlops.yaml").write_text(minimal)
    assert load(tmp_path / "mlops.yaml").data.schema is None


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("{}", ["columns must not be empty | write something into it, or remove the key"]),
        (
            "{a: {typ: text}}",
            [
                "unknown key 'typ' in columns.a | did you mean 'type'? (one of: type, nullable, min, max, categories, "
                "unique, private, max_missing, freshness, change, allow)"
            ],
        ),
        ("{a: {}}", ["key 'type' is missing in columns.a | add it: What the values are."]),
        ("{a: integer}", ["columns.a must be a mapping of keys, but is the text 'integer' | *"]),
        ("{'': {type: text}}", ["'' in columns is not a valid column name | write the name of a column"]),
        (
            "{a: {type: string}}",
            [
                "columns.a.type is 'string', which is not allowed | use one of: integer, number, text, boolean, "
                "timestamp"
            ],
        ),
        (
            "{a: {type: text, nullable: yes}}",
            ["columns.a.nullable must be true or false, but is the text 'yes' | write true, without quotes"],
        ),
        (
            "{a: {type: integer, min: 3, max: 2}}",
            ["columns.a has min 3 above max 2, which nothing can meet | exchange the two"],
        ),
        (
            "{a: {type: timestamp, min: 3, categories: [1]}}",
            [
                "columns.a.min has no meaning for a column of type timestamp | remove it; it belongs to: integer, "
                "number",
                "columns.a.categories has no meaning for a column of type timestamp | remove it; it belongs to: "
                "integer, number, text",
            ],
        ),
        (
            "{a: {type: integer, categories: [1, x, 1.5]}}",
            [
                "columns.a.categories[1] must be a whole number, but is the text 'x' | *",
                "columns.a.categories[2] must be a whole number, but is the number 1.5 | *",
            ],
        ),
        ("{a: {type: text, categories: [x, 1, '1']}}", ["columns.a.categories has the same item twice | *"]),
        ("{a: {type: text, categories: []}}", ["columns.a.categories must not be empty | *"]),
        (
            "{a: {type: text, max_missing: 0.1}}",
            ["columns.a.max_missing has no meaning where no value may be missing | add nullable: true, or remove it"],
        ),
        (
            "{a: {type: text, freshness: 7d}}",
            ["columns.a.freshness has no meaning for a column of type text | remove it; it belongs to: timestamp"],
        ),
        (
            "{a: {type: timestamp, freshness: a week}}",
            ["columns.a.freshness is 'a week', which is not a valid duration | *"],
        ),
        (
            "{a: {type: text, allow: {target-leak: x, future-rows: ' '}}}",
            [
                "unknown key 'target-leak' in columns.a.allow | did you mean 'target-leakage'? (one of: "
                "target-leakage, future-rows)",
                "columns.a.allow.future-rows is ' ', which is not a valid reason | write why it is right nevertheless",
            ],
        ),
        (
            "{a: {type: text, change: {missing: 2, distribution: -1}}}",
            [
                "columns.a.change.missing must be at most 1, but is 2 | *",
                "columns.a.change.distribution must be at least 0, but is -1 | *",
            ],
        ),
        ("{a: {type: text, change: {}}}", ["columns.a.change must not be empty | *"]),
        (
            "{a: {type: text}, a: {type: text}}",
            ["key 'a' is written twice in columns, first on line 2 | keep one of the two"],
        ),
    ],
)
def test_mistakes_are_named_with_their_file(found: Callable[[str], list[str]], columns: str, said: list[str]) -> None:
    problems = found(f"schema: 1\ncolumns: {columns}\n")
    shortened = [
        f"{problem.partition(' | ')[0]} | *" if expected.endswith("| *") else problem
        for problem, expected in zip(problems, said, strict=False)
    ]
    assert shortened == [f"columns.yaml:2: {each}" for each in said]
    assert len(problems) == len(said)


def test_rows_in_order(found: Callable[[str], list[str]]) -> None:
    text = "schema: 1\nrows:\n  min: 5\n  max: 4\ncolumns: {a: {type: text}}\n"
    assert found(text) == ["columns.yaml:2: rows has min 5 above max 4, which nothing can meet | exchange the two"]


def test_an_unreadable_schema_is_told_together_with_the_models_own_problems(problems: Problems, minimal: str) -> None:
    text = minimal.replace("  target: late\n", WITH_SCHEMA) + "split: {seed: -1}\n"
    assert problems(text, columns="- a\n") == [
        "10: split.seed must be at least 0, but is -1 | write a number that is at least 0",
        "columns.yaml:1: the top level is not a mapping | write `key: value` lines",
    ]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("absent.yaml", "'absent.yaml', which cannot be read: No such file or directory"),
        (".", "'.', which cannot be read: it is no regular file"),
        ("mlops.yaml/x", "'mlops.yaml/x', which cannot be read: Not a directory"),
    ],
)
def test_a_schema_that_is_not_there_is_the_declaring_lines_problem(
    problems: Problems, minimal: str, written: str, reason: str
) -> None:
    text = minimal.replace("  target: late\n", f"  target: late\n  schema: {written}\n")
    fix = "correct the path, or draft the file with `mlops-ci infer-schema`"
    assert problems(text) == [f"7: data.schema is {reason} | {fix}"]
