"""Drafts a data schema from data: what these rows are like, for a person to say what rows may be like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import numpy as np

from mlops_ci.config.schema_text import schema_text
from mlops_ci.config.schema_types import ChangeLimits, ColumnSchema, ColumnType, DataSchema
from mlops_ci.config.types import ModelConfig
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.data_schema import fits, plain
from mlops_ci.ports import DataFiles

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_CATEGORIES = 20
ROWS_FOR_EACH_CATEGORY = 10
"""With fewer rows for each text, the texts that were seen are not likely to be all there are."""
LONGEST_CATEGORY = 60
FEWEST_UNIQUE = 50
"""Fewer values may well be distinct by chance."""
EXACT = 2**53
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_TYPES: tuple[ColumnType, ...] = ("boolean", "integer", "number", "timestamp", "text")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """`schema` allows the data that it was made from; `notes` says of each column that it leaves out why."""

    schema: DataSchema
    rows: int
    notes: Mapping[str, str]
    text: str


def infer_schema(config: ModelConfig, data: DataFiles, *, path: str, known: DataSchema | None) -> Draft:
    """The draft for a model's data, to be written to `path`.

    What only a person can say is taken from the schema that is `known` already: which columns are private, what they
    may fail, how fresh and how steady they have to be. Neither ranges nor categories of a private column are written.
    Raises DataGateError where there are no data to learn from.
    """
    frame = data.read(config.data.source, config.root)
    if not len(frame):
        raise DataGateError("holds no row, so nothing can be learned from it", where=config.data.source, fix="add data")
    before = {column.name: column for column in known.columns} if known else {}
    whole = known.change if known else ChangeLimits()
    columns, notes = [], {}
    for name in frame.columns:
        drafted = _column(str(name), frame[name], config, whole_floats=_may_be_integers(frame))
        if isinstance(drafted, str):
            notes[str(name)] = drafted
        else:
            columns.append(_with_decisions(drafted, before.get(drafted.name), whole))
    notes |= {name: "was declared, and is not in the data any more" for name in before if name not in frame.columns}
    if not columns:
        raise DataGateError("holds no column that could be declared", where=config.data.source, fix="add data")
    schema = DataSchema(path=path, columns=tuple(columns), min_rows=_fewest(len(frame)))
    if known is not None:
        schema = replace(schema, max_duplicates=known.max_duplicates, max_shared=known.max_shared, change=known.change)
    text = schema_text(schema, source=config.data.source, rows=len(frame), notes=notes)
    return Draft(schema=schema, rows=len(frame), notes=notes, text=text)


def _column(name: str, series: Series, config: ModelConfig, *, whole_floats: bool) -> ColumnSchema | str:
    """The column as it is, or why it cannot be declared."""
    if not _writable(name):
        return "has a name that cannot be written down"
    series = plain(series)
    present = series.dropna().reset_index(drop=True)
    if not len(present):
        return "has no value at all"
    kind = _kind(present, whole_floats=whole_floats and len(present) < len(series))
    if kind is None:
        return "holds values of several kinds, or of a kind that no type is for"
    distinct = present.nunique()
    is_id = name == config.data.id
    unique = distinct == len(series) and (is_id or (kind in {"integer", "text"} and distinct >= FEWEST_UNIQUE))
    column = ColumnSchema(name=name, type=kind, nullable=len(present) < len(series), unique=unique)
    if unique or is_id:
        return column
    is_class = name == config.data.target and config.task != "regression" and kind in {"integer", "text"}
    if is_class and distinct <= MOST_CATEGORIES and all(_writable(str(each)) for each in _categories(present)):
        return replace(column, categories=_categories(present))
    if kind in {"integer", "number"}:
        low, high = _range(present, whole=kind == "integer")
        return replace(column, min=low, max=high)
    if kind == "text" and distinct <= min(MOST_CATEGORIES, len(present) // ROWS_FOR_EACH_CATEGORY):
        categories = _categories(present)
        if all(len(str(each)) <= LONGEST_CATEGORY and _writable(str(each)) for each in categories):
            return replace(column, categories=categories)
    return column


def _with_decisions(column: ColumnSchema, before: ColumnSchema | None, whole: ChangeLimits) -> ColumnSchema:
    if before is None:
        return replace(column, change=whole)
    column = replace(
        column,
        private=before.private,
        allow=before.allow,
        change=before.change,
        max_missing=before.max_missing if column.nullable else None,
        freshness=before.freshness if column.type == "timestamp" else None,
    )
    return replace(column, min=None, max=None, categories=()) if column.private else column


def _kind(present: Series, *, whole_floats: bool) -> ColumnType | None:
    """The narrowest type that every value is of."""
    for kind in _TYPES:
        if kind == "integer" and present.dtype.kind == "f" and not whole_floats:
            continue
        if kind == "timestamp" and present.dtype.kind == "O" and not _like_moments(present):
            continue
        if fits(present, kind).all():
            return kind
    return None


def _like_moments(present: Series) -> bool:
    """Texts such as 2013 could be read as a time, and are none."""
    texts = (value for value in present.head(1000) if isinstance(value, str))
    return all(_MOMENT.fullmatch(text) for text in texts)


def _may_be_integers(frame: DataFrame) -> bool:
    """In a CSV file a column of integers with gaps is read as floats; other files say what their columns are."""
    return any(name.lower().endswith(".csv") for name, _, _ in frame.attrs.get("files", []))


def _categories(present: Series) -> tuple[str | int, ...]:
    return tuple(sorted(int(value) if not isinstance(value, str) else value for value in present.unique().tolist()))


def _writable(text: str) -> bool:
    """A configuration is read without control characters, escaped or not."""
    return not any((each < " " and each not in "\n\t") or each == "\x7f" for each in text)


def _range(present: Series, *, whole: bool) -> tuple[float | None, float | None]:
    """The bounds, rounded outward to two digits of their distance; none where they would mean nothing.

    That is where all values are the same, and where floats cannot hold them.
    """
    values = present.to_numpy(dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(values).all() or max(abs(low), abs(high)) >= EXACT or low == high:
        return None, None
    power = int(np.floor(np.log10(high - low))) - 1
    step = Decimal(1).scaleb(max(power, 0) if whole else power)
    bounds = (
        float((Decimal(repr(low)) / step).to_integral_value(ROUND_FLOOR) * step),
        float((Decimal(repr(high)) / step).to_integral_value(ROUND_CEILING) * step),
    )
    return min(bounds[0], low), max(bounds[1], high)


def _fewest(rows: int) -> int:
    """Half of the rows, rounded down to one digit."""
    half = max(rows // 2, 1)
    digit: int = 10 ** (len(str(half)) - 1)
    return half // digit * digit
