"""The data against `data.schema.yaml`, through pandera: all findings at once, with counts and a few examples."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mlops_ci.config.types import ColumnSchema, DataSchema
from mlops_ci.errors import Problem

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Locate = Callable[[int], str]
"""Says where a row of the frame comes from, such as `data/a.csv line 17`."""

EXAMPLES = 3


def schema_findings(
    frame: DataFrame, source: str, schema: DataSchema | None, locate: Locate
) -> tuple[list[Problem], list[Problem]]:
    """Problems, and warnings for columns that the schema does not name. Values of private columns are never shown."""
    if schema is None:
        return [], []
    declared = {column.name: column for column in schema.columns}
    problems = _row_bounds(frame, source, schema)
    names = [str(name) for name in frame.columns]
    for name in declared:
        if name not in frame.columns:
            near = get_close_matches(name, [other for other in names if other not in declared], n=1)
            fix = f"did {near[0]} take its place? " if near else ""
            fix += f"add the column, or remove it from {schema.path}"
            problems.append(Problem(where=f"{source} column {name}", what="is missing", fix=fix))
    present = [column for column in schema.columns if column.name in frame.columns]
    failures = _failures(frame, present) if len(frame) else None
    if failures is not None:
        for (name, reason), group in failures.groupby(["column", "check"], sort=False):
            column = declared[str(name)]
            what = f"{len(group)} of {len(frame)} values are {_what(column, str(reason), group, locate)}"
            fix = f"correct the data, or column {name} in {schema.path}"
            problems.append(Problem(where=f"{source} column {name}", what=what, fix=fix))
    warnings = [
        Problem(where=f"{source} column {name}", what=f"is not declared in {schema.path}", fix="declare it there")
        for name in names
        if name not in declared
    ]
    return problems, warnings


def _row_bounds(frame: DataFrame, source: str, schema: DataSchema) -> list[Problem]:
    rows, fix = len(frame), f"correct the data, or rows in {schema.path}"
    if rows < schema.min_rows:
        return [Problem(where=source, what=f"holds {rows} rows, at least {schema.min_rows} are demanded", fix=fix)]
    if schema.max_rows is not None and rows > schema.max_rows:
        return [Problem(where=source, what=f"holds {rows} rows, at most {schema.max_rows} are allowed", fix=fix)]
    return []


def _failures(frame: DataFrame, columns: list[ColumnSchema]) -> DataFrame | None:
    """One line for each value that fails: column, check, index (the row's position) and failure_case (the value)."""
    import pandera.pandas as pa

    frame = frame.reset_index(drop=True)
    schema = pa.DataFrameSchema(
        {
            column.name: pa.Column(
                checks=_checks(pa, frame[column.name], column),
                nullable=column.nullable,
                unique=column.unique,
                name=column.name,
            )
            for column in columns
        }
    )
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        return error.failure_cases
    return None


def _checks(pa: Any, series: Series, column: ColumnSchema) -> list[Any]:
    """The type first: where it is wrong, bounds and categories would only say the same again."""
    fits = _fits(series, column.type)
    if not fits.all():
        return [pa.Check(lambda _: fits, error=f"not {_TYPES[column.type]}", ignore_na=False)]
    checks = []
    if column.min is not None:
        checks.append(pa.Check.ge(_whole(column.min), error=f"below the minimum {_whole(column.min)}"))
    if column.max is not None:
        checks.append(pa.Check.le(_whole(column.max), error=f"above the maximum {_whole(column.max)}"))
    if column.categories:
        shown = ", ".join(map(str, column.categories[:10])) + (", ..." if len(column.categories) > 10 else "")
        checks.append(pa.Check.isin(list(column.categories), error=f"not among the categories {shown}"))
    return checks


_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "timestamp": "a timestamp",
}


def _fits(series: Series, declared: str) -> Series:
    """Which values are of the declared type; a missing value is of any."""
    import pandas as pd
    from pandas.api import types

    missing = series.isna()
    dtype = series.dtype.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if declared == "boolean":
        return missing | (types.is_bool_dtype(dtype) if dtype.kind != "O" else series.map(_is_bool))
    if declared == "text":
        return missing | (isinstance(dtype, pd.StringDtype) or (dtype.kind == "O" and series.map(_is_text)))
    if declared == "timestamp":
        if types.is_datetime64_any_dtype(dtype) or types.is_numeric_dtype(dtype):
            return missing | types.is_datetime64_any_dtype(dtype)
        return missing | pd.to_datetime(series, errors="coerce", utc=True, format="ISO8601").notna()
    if types.is_bool_dtype(dtype) or not types.is_numeric_dtype(dtype):
        return missing | _numeric_objects(series)
    if declared == "integer" and types.is_float_dtype(dtype):
        return missing | (series % 1 == 0)
    return missing | True


def _numeric_objects(series: Series) -> Series:
    """Which values of a column that is not numeric could be numbers; none, where all could: then its type is wrong.

    So a single `n/a` among ten thousand numbers is named, and not the numbers.
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(series.dtype):
        return series.isna() & False
    numeric = pd.to_numeric(series.astype(object), errors="coerce").notna()
    return numeric & ~(numeric | series.isna()).all()


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: float) -> float:
    """A bound as people write it: 12, not 12.0."""
    return int(value) if float(value).is_integer() else value


def _what(column: ColumnSchema, reason: str, group: DataFrame, locate: Locate) -> str:
    """What is wrong with the values, and a few of them with their places."""
    reason = {"not_nullable": "missing", "field_uniqueness": "not unique"}.get(reason, reason)
    examples = []
    for row, value in zip(group["index"].head(EXAMPLES), group["failure_case"].head(EXAMPLES), strict=True):
        shown = "" if column.private or reason == "missing" else f"{str(value)[:80]!r} in "
        examples.append(f"{shown}{locate(int(row))}")
    return f"{reason}, such as {', '.join(examples)}"
