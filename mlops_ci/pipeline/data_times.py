"""The data's times against the clock: rows from the future, and data that have grown old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.schema_types import ColumnSchema
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import DataGateError, Problem
from mlops_ci.pipeline.canonical import canonical_times
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.places import Locate, such_as

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TOLERANCE = timedelta(days=1)
"""A time without a zone counts as UTC, which may be off by up to 14 hours."""


def stale_columns(frame: DataFrame, config: ModelConfig, now: datetime) -> Iterator[Problem]:
    """Columns whose newest value is older than their `freshness` in the schema."""
    for column in config.data.schema.columns if config.data.schema else ():
        if column.freshness is None or column.name not in frame.columns:
            continue
        moments = _moments(frame[column.name].dropna())
        if moments is None or not len(moments):
            continue
        newest = moments.max().astype(datetime).replace(tzinfo=UTC)
        if now - newest > column.freshness:
            shown = "" if column.private else f" ({newest:%Y-%m-%d %H:%M} UTC)"
            what = (
                f"the newest value{shown} is {_words(now - newest)} old, at most {_words(column.freshness)} is allowed"
            )
            where = f"{config.data.source} column {shown_name(column.name)}"
            yield Problem(where=where, what=what, fix="bring newer data", name="stale")


def future_rows(
    frame: DataFrame, config: ModelConfig, now: datetime, locate: Locate
) -> tuple[list[Problem], list[Problem]]:
    """Rows whose time has not come yet: a problem, or a warning where the schema allows them."""
    name = config.data.time
    moments = _moments(frame[name]) if name is not None and name in frame.columns else None
    if name is None or moments is None:
        return [], []
    later = moments > np.datetime64((now + TOLERANCE).astimezone(UTC).replace(tzinfo=None), "us")
    if not later.any():
        return [], []
    column = _declared(config, name)
    rows = such_as(later, locate, values=None if column is not None and column.private else frame[name])
    what = f"{int(later.sum())} of {len(frame)} rows are from the future"
    reason = column.allow.get("future-rows") if column is not None else None
    where = f"{config.data.source} column {shown_name(name)} (time)"
    if reason is not None:
        return [], [Problem(where=where, what=f"{what}{rows}; allowed because: {reason}", name="future-rows")]
    fix = "correct the times, or leave these rows out; or write `allow: {future-rows: why}` at the column in "
    fix += config.data.schema.path if config.data.schema else "data.schema.yaml"
    return [Problem(where=where, what=f"{what}{rows}", fix=fix, name="future-rows")], []


def rows_after(training: Dataset, holdout: Dataset) -> int:
    """How many training rows are not before all rows of a holdout that is meant to be later."""
    if training.times is None or holdout.times is None or not len(holdout):
        return 0
    return int((training.times >= holdout.times.min()).sum())


def _declared(config: ModelConfig, name: str) -> ColumnSchema | None:
    schema = config.data.schema
    return next((column for column in schema.columns if column.name == name), None) if schema else None


def _moments(series: Series) -> NDArray[Any] | None:
    """None where the column holds no moments; what is wrong with it is a finding of its own."""
    try:
        times = canonical_times(series)
    except DataGateError:
        return None
    return times if times.dtype.kind == "M" else None


def _words(span: timedelta) -> str:
    """
    >>> _words(timedelta(days=8, hours=3)), _words(timedelta(minutes=90))
    ('8.1 days', '1.5 hours')
    """
    days = span / timedelta(days=1)
    amount, unit = (days, "day") if days >= 1 else (days * 24, "hour")
    return f"{amount:.3g} {unit}{'' if amount == 1 else 's'}"
