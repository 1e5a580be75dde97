"""The shape of a candidate's diagnostics and of its search, as far as people are shown them.

See `pipeline.diagnostics` and `pipeline.search`, which make them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Number = float | None


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    rows: int
    train: float
    validation: float
    on: str = ""


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    metric: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class Gap:
    metric: str = ""
    text: str = ""
    reading: str | None = None


@dataclass(frozen=True, kw_only=True)
class Importance:
    name: str
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class Importances:
    metric: str
    rows: int
    features: tuple[Importance, ...]


@dataclass(frozen=True, kw_only=True)
class ShapValue:
    name: str
    mean_abs: float


@dataclass(frozen=True, kw_only=True)
class ShapValues:
    features: tuple[ShapValue, ...]


@dataclass(frozen=True, kw_only=True)
class Intervals:
    method: str
    level: float
    coverage: float
    mean_width: float
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Tried:
    params: Mapping[str, Any]
    mean: Number
    std: Number
    rank: int


@dataclass(frozen=True, kw_only=True)
class Search:
    method: str
    candidates: int
    best_params: Mapping[str, Any]
    results: tuple[Tried, ...]
    cv: Any = None


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    learning_curve: LearningCurve | None = None
    gap: Gap | None = None
    importance: Importances | None = None
    shap: ShapValues | None = None
    intervals: Intervals | None = None
    search: Search | None = None
    notes: tuple[str, ...] = ()
