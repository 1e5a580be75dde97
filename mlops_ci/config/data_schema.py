"""`data.schema.yaml`: its rules, and its completion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_ci.config.document import Complaint
from mlops_ci.config.types import ColumnSchema, DataSchema
from mlops_ci.config.wording import shown

Values = Mapping[str, Any]
_WITH_BOUNDS = ("integer", "number")
_WITH_CATEGORIES = ("integer", "number", "text")


def bounds_are_in_order(schema: Values) -> Iterator[Complaint]:
    rows = schema.get("rows") or {}
    ranges = [(("rows",), rows), *((("columns", name), column) for name, column in _columns(schema))]
    for path, limits in ranges:
        low, high = limits.get("min"), limits.get("max")
        if low is not None and high is not None and low > high:
            what = f"{shown(path)} has min {low} above max {high}, which nothing can meet"
            yield Complaint(path=path, what=what, fix="exchange the two")


def limits_suit_the_type(schema: Values) -> Iterator[Complaint]:
    allowed = {"min": _WITH_BOUNDS, "max": _WITH_BOUNDS, "categories": _WITH_CATEGORIES}
    for name, column in _columns(schema):
        for key, types in allowed.items():
            kind = column.get("type")
            if kind is not None and key in column and kind not in types:
                path = ("columns", name, key)
                what = f"{shown(path)} has no meaning for a column of type {kind}"
                yield Complaint(path=path, what=what, fix=f"remove it; it belongs to: {', '.join(types)}")


DATA_SCHEMA_RULES = (bounds_are_in_order, limits_suit_the_type)


def complete_data_schema(value: Values, *, path: str) -> DataSchema:
    """A valid schema with its defaults; `path` is where it was read from, relative to the model's folder."""
    rows = value.get("rows", {})
    columns = tuple(_column(name, column) for name, column in value["columns"].items())
    limit = rows.get("max")
    return DataSchema(
        path=path,
        columns=columns,
        min_rows=int(rows.get("min", 1)),
        max_rows=None if limit is None else int(limit),
    )


def _column(name: str, column: Values) -> ColumnSchema:
    low, high = column.get("min"), column.get("max")
    return ColumnSchema(
        name=name,
        type=column["type"],
        nullable=column.get("nullable", False),
        min=None if low is None else float(low),
        max=None if high is None else float(high),
        categories=tuple(column.get("categories", ())),
        unique=column.get("unique", False),
        private=column.get("private", False),
    )


def _columns(schema: Values) -> Iterator[tuple[str, Values]]:
    return ((name, column) for name, column in (schema.get("columns") or {}).items() if column is not None)
