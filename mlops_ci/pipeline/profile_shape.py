"""The shape of a profile of training rows, as `core.drift.profile` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Variation:
    values: float
    missing: float


@dataclass(frozen=True, kw_only=True)
class NumberProfile:
    kind: Literal["number"]
    count: int
    missing: int
    values: tuple[float, ...]
    between: Variation


@dataclass(frozen=True, kw_only=True)
class TextProfile:
    kind: Literal["text"]
    count: int
    missing: int
    categories: Mapping[str, int]
    other: int
    between: Variation


@dataclass(frozen=True, kw_only=True)
class Profile:
    rows: int
    windows: int
    window_seconds: float | None
    columns: Mapping[str, NumberProfile | TextProfile]
