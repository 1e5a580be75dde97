"""The completed data schema of a model: what its data must look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

ColumnType = Literal["integer", "number", "text", "boolean", "timestamp"]


@dataclass(frozen=True, kw_only=True)
class ChangeLimits:
    """How far data may be from those accepted last, each between 0 and 1; None says that nothing closes the gate.

    `missing` is for the change of the share of missing values, `distribution` for the distance of the distributions.
    """

    missing: float | None = None
    distribution: float | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnSchema:
    """What one column of the data must look like. Bounds are inclusive; `categories` empty means any.

    `max_missing` is the largest share of missing values; `freshness` how old the newest value may be; `change` what
    this column may differ from the data accepted last; `allow` has the reason by each check that the column may fail.
    """

    name: str
    type: ColumnType
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    categories: tuple[str | int | float | bool, ...] = ()
    unique: bool = False
    private: bool = False
    max_missing: float | None = None
    freshness: timedelta | None = None
    change: ChangeLimits = ChangeLimits()
    allow: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataSchema:
    """`data.schema.yaml`: `path` is where it was read from, relative to the model's folder.

    `max_duplicates` is the largest share of rows that equal a row before, `max_shared` that of holdout rows that equal
    a training row; None leaves it to the check. `change` holds for each column that says nothing of its own.
    """

    path: str
    columns: tuple[ColumnSchema, ...]
    min_rows: int = 1
    max_rows: int | None = None
    max_duplicates: float | None = None
    max_shared: float | None = None
    change: ChangeLimits = ChangeLimits()

    @property
    def limits_change(self) -> bool:
        """Whether anything closes the gate because it is other than in the data accepted last."""
        return any(limits != ChangeLimits() for limits in (self.change, *(column.change for column in self.columns)))
