"""The data against `data.schema.yaml`, through pandera's checks: all findings at once, with counts and examples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.schema_types import ColumnSchema, DataSchema
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import Problem
from mlops_ci.pipeline.places import Locate, such_as

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_UNDECLARED = 10
"""So many columns that the schema does not name are told one by one."""


def schema_findings(
    frame: DataFrame, source: str, schema: DataSchema | None, locate: Locate, *, prepared: DataFrame | None = None
) -> tuple[list[Problem], list[Problem]]:
    """Problems, and warnings for columns that the schema does not name.

    A declared column that the data have not, but `data.prepare` makes, is looked at in the `prepared` frame, which has
    the same rows. Values of private columns are never shown.
    """
    if schema is None:
        return [], []
    problems = list(_row_bounds(len(frame), source, schema))
    for column in schema.columns:
        held = next((each for each in (frame, prepared) if each is not None and column.name in each.columns), None)
        if held is None:
            problems.append(_missing_column(column.name, frame, source, schema))
        elif len(held):
            problems += _column_problems(held[column.name], column, source, schema.path, locate)
    return problems, _undeclared(frame, source, schema)


def fits(series: Series, declared: str) -> NDArray[np.bool_]:
    """Which values are of the declared type; a missing value is of any, and categories are of that of their values."""
    import pandas as pd
    from pandas.api import types

    missing, dtype = series.isna(), series.dtype
    if declared == "boolean":
        found = types.is_bool_dtype(dtype) if dtype.kind != "O" else series.map(_is_bool)
    elif declared == "text":
        found = isinstance(dtype, pd.StringDtype) or (dtype.kind == "O" and series.map(_is_text))
    elif declared == "timestamp":
        found = types.is_datetime64_any_dtype(dtype)
        if not found and not types.is_numeric_dtype(dtype):
            moments = series.where(series.map(_may_be_a_moment), None) if types.is_object_dtype(dtype) else series
            found = pd.to_datetime(moments, errors="coerce", utc=True, format="ISO8601").notna()
    elif types.is_bool_dtype(dtype) or not types.is_numeric_dtype(dtype):
        found = _numeric_objects(series, declared)
    elif types.is_complex_dtype(dtype):
        found = False
    else:
        found = series % 1 == 0 if declared == "integer" and types.is_float_dtype(dtype) else True
    return np.asarray(missing | found, dtype=np.bool_)


def _row_bounds(rows: int, source: str, schema: DataSchema) -> Iterator[Problem]:
    fix = f"correct the data, or rows in {schema.path}"
    if rows < schema.min_rows:
        what = f"holds {rows} rows, at least {schema.min_rows} are demanded"
        yield Problem(where=source, what=what, fix=fix, name="row-count")
    if schema.max_rows is not None and rows > schema.max_rows:
        what = f"holds {rows} rows, at most {schema.max_rows} are allowed"
        yield Problem(where=source, what=what, fix=fix, name="row-count")


def _missing_column(name: str, frame: DataFrame, source: str, schema: DataSchema) -> Problem:
    declared = {column.name for column in schema.columns}
    others = [str(other) for other in frame.columns if other not in declared and len(str(other)) < 200]
    near = get_close_matches(name, others, n=1) if len(name) < 200 else []
    fix = f"did {shown_name(near[0])} take its place? " if near else ""
    fix += f"add the column, or remove it from {schema.path}"
    return Problem(where=f"{source} column {shown_name(name)}", what="is missing", fix=fix, name="column-missing")


def _undeclared(frame: DataFrame, source: str, schema: DataSchema) -> list[Problem]:
    declared = {column.name for column in schema.columns}
    names = [shown_name(name) for name in frame.columns if name not in declared]
    what, fix = f"is not declared in {schema.path}", "declare it there"
    warnings = [
        Problem(where=f"{source} column {name}", what=what, fix=fix, name="undeclared-column")
        for name in names[:MOST_UNDECLARED]
    ]
    if (more := len(names) - MOST_UNDECLARED) > 0:
        what = f"{more} more columns are not declared in {schema.path}"
        warnings.append(Problem(where=source, what=what, fix="declare them there", name="undeclared-column"))
    return warnings


def _column_problems(series: Series, column: ColumnSchema, source: str, path: str, locate: Locate) -> Iterator[Problem]:
    where = f"{source} column {shown_name(column.name)}"
    fix = f"correct the data, or column {shown_name(column.name)} in {path}"
    series = plain(series)
    for name, check in _checks(series, column):
        wrong = ~np.asarray(check(series).check_output, dtype=np.bool_)
        if wrong.any():
            values = None if column.private or name == "null" else series
            what = (
                f"{int(wrong.sum())} of {len(series)} values are {check.error}{such_as(wrong, locate, values=values)}"
            )
            yield Problem(where=where, what=what, fix=fix, name=name)
    if column.max_missing is not None and (share := float(series.isna().mean())) > column.max_missing:
        missing = int(series.isna().sum())
        what = f"{missing} of {len(series)} values are missing ({share:.1%}), at most {column.max_missing:.1%} may be"
        yield Problem(where=where, what=what, fix=fix, name="missing-rate")


def _checks(series: Series, column: ColumnSchema) -> Iterator[tuple[str, Any]]:
    """Each check by its name. Where the type is wrong, bounds and categories would only say the same again."""
    import pandas as pd
    import pandera.pandas as pa

    if not column.nullable:
        yield "null", pa.Check(lambda values: values.notna(), error="missing", ignore_na=False)
    fitting = pd.Series(fits(series, column.type))
    if not fitting.all():
        yield "wrong-type", pa.Check(lambda _: fitting, error=f"not {_TYPES[column.type]}", ignore_na=False)
        return
    # The bounds and categories of a private column are values of it, as likely as not.
    if column.min is not None:
        limit = "" if column.private else f" {_whole(column.min)}"
        yield "out-of-range", pa.Check.ge(_whole(column.min), error=f"below the minimum{limit}")
    if column.max is not None:
        limit = "" if column.private else f" {_whole(column.max)}"
        yield "out-of-range", pa.Check.le(_whole(column.max), error=f"above the maximum{limit}")
    if column.categories:
        shown = ", ".join(map(shown_name, column.categories[:10])) + (", ..." if len(column.categories) > 10 else "")
        error = f"not among the categories{'' if column.private else f' {shown}'}"
        yield "unknown-category", pa.Check.isin(list(column.categories), error=error)
    if column.unique:
        yield "not-unique", pa.Check(lambda values: ~values.duplicated(keep=False) | values.isna(), error="not unique")


_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "timestamp": "a timestamp",
}


def _numeric_objects(series: Series, declared: str) -> Any:
    """Which values of a column that is not numeric are numbers; decimals are.

    Among texts those that could be numbers, so that a single `n/a` among ten thousand of them is named and not they;
    none, where all could: then it is the column's type that is wrong.
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(series.dtype):
        return False
    found = pd.api.types.infer_dtype(series, skipna=True)
    if found in {"decimal", "integer", "floating", "mixed-integer-float"}:
        return series.map(lambda value: value % 1 == 0) if declared == "integer" else True
    numeric = pd.to_numeric(series.astype(object), errors="coerce").notna()
    return numeric & ~(numeric | series.isna()).all()


def plain(series: Series) -> Series:
    """A category column as the values that it stands for, numbered from 0."""
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        return pd.Series(np.asarray(series), name=series.name)
    return series.reset_index(drop=True)


def _may_be_a_moment(value: Any) -> bool:
    return isinstance(value, str | date)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: float) -> float:
    """A bound as people write it: 12, not 12.0."""
    return int(value) if float(value).is_integer() else value
