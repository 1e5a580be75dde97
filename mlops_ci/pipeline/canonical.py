"""The canonical form of a column: what a model is fitted on and asked with, in training and in serving alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.naming import shown_name
from mlops_ci.core.signature import Column, ColumnKind, Label, Task
from mlops_ci.errors import DataGateError, Problem

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def column_kind(series: Series) -> ColumnKind:
    """Whether the column is numbers (integers, floats, booleans, decimals) or texts. ValueError says why neither.

    A category column is of the kind of its categories. A column without any value is of the kind of its type, and
    numbers where that says nothing.
    """
    import pandas as pd
    from pandas.api import types

    values = series.dtype.categories if isinstance(series.dtype, pd.CategoricalDtype) else series
    if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
        return "number"
    found = types.infer_dtype(values, skipna=True)
    if found in {"boolean", "integer", "floating", "mixed-integer-float", "decimal"}:
        return "number"
    if found == "string":
        return "text"
    if found == "empty":
        return "text" if isinstance(values.dtype, pd.StringDtype) else "number"
    if found in {"mixed-integer", "mixed"} and any(isinstance(value, str) for value in values):
        raise ValueError("mixes texts with other values; write all of them as texts, or all as numbers")
    what = {"datetime64": "timestamps", "timedelta64": "durations", "date": "dates"}.get(found, f"{found} values")
    raise ValueError(f"holds {what}; derive numbers or texts from it in data.prepare, or leave it out of data.features")


def canonical_columns(frame: DataFrame, inputs: tuple[Column, ...]) -> dict[str, NDArray[Any]]:
    """The inputs' values as the model takes them: float64 with NaN, or object (str) with "", for missing.

    Training, batch scoring and monitoring all go through here. Raises DataGateError naming each column that is
    missing or of another kind than the input.
    """
    problems: list[Problem] = []
    columns: dict[str, NDArray[Any]] = {}
    for column in inputs:
        if column.name not in frame.columns:
            problems.append(Problem(where=f"column {shown_name(column.name)}", what="is missing"))
            continue
        series = frame[column.name]
        try:
            kind = column_kind(series) if series.notna().any() else column.kind
        except ValueError as error:
            problems.append(Problem(where=f"column {shown_name(column.name)}", what=str(error)))
            continue
        if kind != column.kind:
            problems.append(
                Problem(where=f"column {shown_name(column.name)}", what=f"is a {kind}, the model takes a {column.kind}")
            )
        else:
            columns[column.name] = _numbers(series) if kind == "number" else _texts(series)
    if problems:
        raise DataGateError("the columns are not those of the model", problems=problems)
    return columns


def features_frame(columns: Mapping[str, NDArray[Any]], inputs: tuple[Column, ...]) -> DataFrame:
    """Canonical columns as the frame that an estimator takes."""
    import pandas as pd

    types = {"number": np.float64, "text": object}
    return pd.DataFrame({column.name: pd.Series(columns[column.name], dtype=types[column.kind]) for column in inputs})


def canonical_target(series: Series, task: Task) -> tuple[NDArray[Any], tuple[Label, ...]]:
    """The target's values and, for a classification, its sorted labels. Raises DataGateError where it cannot be one."""
    where = f"target {shown_name(series.name)}"
    if series.isna().any():
        raise DataGateError(f"{int(series.isna().sum())} of {len(series)} values are missing", where=where)
    try:
        kind = column_kind(series)
    except ValueError as error:
        raise DataGateError(str(error), where=where) from error
    if task == "regression":
        if kind == "text":
            raise DataGateError(
                "is a text; a regression predicts a number", where=where, fix="correct task or data.target"
            )
        return _numbers(series), ()
    if kind == "text":
        labels: NDArray[Any] = _texts(series)
        return labels, tuple(sorted(set(labels.tolist())))
    numbers = _numbers(series)
    if not (np.isfinite(numbers) & (numbers == np.round(numbers))).all():
        fix = "use `task: regression`, or write the classes as whole numbers or texts"
        raise DataGateError("has values that are not whole numbers, so no classes", where=where, fix=fix)
    whole = numbers.astype(np.int64)
    return whole, tuple(np.unique(whole).tolist())


def canonical_times(series: Series) -> NDArray[Any]:
    """Moments as datetime64[us] in UTC, or numbers (a year, seconds) as float64. Raises DataGateError."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    where = f"time {shown_name(series.name)}"
    if series.isna().any():
        raise DataGateError(f"{int(series.isna().sum())} of {len(series)} values are missing", where=where)
    if is_numeric_dtype(series.dtype) and not is_bool_dtype(series.dtype):
        return _numbers(series)
    mixed = series.dtype == object and not series.map(lambda value: isinstance(value, str | date)).all()
    if mixed:
        fix = "write times as 2026-01-31T12:00:00, or all of them as numbers"
        raise DataGateError("is no time: holds values that are neither texts nor moments", where=where, fix=fix)
    try:
        moments = pd.to_datetime(series, utc=True, format=None if series.dtype.kind == "M" else "ISO8601")
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0].partition(". You might")[0]
        raise DataGateError(f"is no time: {reason}", where=where, fix="write times as 2026-01-31T12:00:00") from error
    values: NDArray[Any] = moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    return values


def _numbers(series: Series) -> NDArray[np.float64]:
    values: NDArray[np.float64] = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _texts(series: Series) -> NDArray[np.object_]:
    """Each distinct text is one Python object, however many rows share it: a tenth of the memory."""
    import pandas as pd

    codes, distinct = pd.factorize(series)
    table = np.array([*(str(value) for value in distinct), ""], dtype=object)
    texts: NDArray[np.object_] = table[codes]
    return texts
