"""`data.schema.yaml`: its rules, and its completion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_ci.config.document import Complaint
from mlops_ci.config.durations import duration
from mlops_ci.config.schema_types import ChangeLimits, ColumnSchema, DataSchema
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
    allowed = {
        "min": _WITH_BOUNDS,
        "max": _WITH_BOUNDS,
        "categories": _WITH_CATEGORIES,
        "freshness": ("timestamp",),
    }
    for name, column in _columns(schema):
        for key, types in allowed.items():
            kind = column.get("type")
            if kind is not None and key in column and kind not in types:
                path = ("columns", name, key)
                what = f"{shown(path)} has no meaning for a column of type {kind}"
                yield Complaint(path=path, what=what, fix=f"remove it; it belongs to: {', '.join(types)}")


def shares_of_missing_values_need_some(schema: Values) -> Iterator[Complaint]:
    for name, column in _columns(schema):
        if column.get("max_missing") is not None and column.get("nullable", False) is False:
            path = ("columns", name, "max_missing")
            what = f"{shown(path)} has no meaning where no value may be missing"
            yield Complaint(path=path, what=what, fix="add nullable: true, or remove it")


DATA_SCHEMA_RULES = (bounds_are_in_order, limits_suit_the_type, shares_of_missing_values_need_some)


def complete_data_schema(value: Values, *, path: str) -> DataSchema:
    """A valid schema with its defaults; `path` is where it was read from, relative to the model's folder."""
    rows = value.get("rows", {})
    change = _change(value, ChangeLimits())
    columns = tuple(_column(name, column, change) for name, column in value["columns"].items())
    limit = rows.get("max")
    return DataSchema(
        path=path,
        columns=columns,
        min_rows=int(rows.get("min", 1)),
        max_rows=None if limit is None else int(limit),
        max_duplicates=_share(rows.get("max_duplicates")),
        max_shared=_share(rows.get("max_shared")),
        change=change,
    )


def _column(name: str, column: Values, change: ChangeLimits) -> ColumnSchema:
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
        max_missing=_share(column.get("max_missing")),
        freshness=duration(column["freshness"]) if "freshness" in column else None,
        change=_change(column, change),
        allow=dict(column.get("allow", {})),
    )


def _change(value: Values, otherwise: ChangeLimits) -> ChangeLimits:
    limits = value.get("change", {})
    return ChangeLimits(
        missing=_share(limits.get("missing", otherwise.missing)),
        distribution=_share(limits.get("distribution", otherwise.distribution)),
    )


def _share(value: float | None) -> float | None:
    return None if value is None else float(value)


def _columns(schema: Values) -> Iterator[tuple[str, Values]]:
    return ((name, column) for name, column in (schema.get("columns") or {}).items() if column is not None)
