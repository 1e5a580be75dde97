"""Rows that are made to be answered wrongly: real ones with a value that conversions to ONNX tend to get wrong.

Each is a real row with one column changed (or all columns of a kind), so that a wrong answer names its column.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.signature import Column
from mlops_ci.core.thresholds import Edge, evenly

Kind = Literal["holdout", "threshold", "missing", "unseen", "extreme", "empty"]
"""Where a row that is compared comes from: `holdout` rows are as they are, all others are made of real rows."""
Columns = Mapping[str, NDArray[Any]]

ROWS = 2_000
MOST: Mapping[Kind, int] = {"missing": 200, "empty": 100, "unseen": 200, "extreme": 500}
"""So many rows of a kind at most, where a table has many columns; what is left of ROWS is for thresholds."""

SINGLE = np.finfo(np.float32)
MAGNITUDES = (
    *(0.0, -0.0, 1.0, -1.0, 1e6, -1e6, 2.0**53, -(2.0**53), 1e30, -1e30),
    *(float(SINGLE.max), float(SINGLE.min), 1e39, -1e39, 1e300, -1e300),
    *(float(SINGLE.smallest_subnormal), -float(SINGLE.smallest_subnormal), 5e-324, -5e-324),
)
"""Signed zeros, what single precision holds as its largest and smallest, what is beyond it and beyond whole numbers."""
LONG = 10_000
"""Characters of a very long text."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The row at the position `base` of a table, with these values in place of its own."""

    kind: Kind
    base: int
    values: Mapping[str, float | str]


def changes(columns: Columns, inputs: Sequence[Column]) -> list[Change]:
    """Missing values, empty texts, unseen categories and extreme numbers; alike ones are neighbours.

    The rows to change are taken from the table in turn. Values that a record cannot hold (infinities) are not made.
    """
    count = len(next(iter(columns.values())))
    kinds: list[tuple[Kind, list[Mapping[str, float | str]]]] = [
        ("missing", list(_missing(inputs))),
        ("empty", list(_empty(inputs))),
        ("unseen", list(_unseen(columns, inputs))),
        ("extreme", list(_extreme(columns, inputs))),
    ]
    kept = [(kind, values[at]) for kind, values in kinds if values for at in evenly(len(values), MOST[kind])]
    return [Change(kind=kind, base=number % count, values=values) for number, (kind, values) in enumerate(kept)]


def threshold_changes(edges: Sequence[Edge]) -> list[Change]:
    """One for each value around each threshold."""
    return [
        Change(kind="threshold", base=edge.base, values={edge.column: value}) for edge in edges for value in edge.values
    ]


def changed(columns: Columns, made: Sequence[Change]) -> dict[str, NDArray[Any]]:
    """The table of the rows that the changes make."""
    base = np.array([change.base for change in made], dtype=np.int64)
    table = {name: values[base] for name, values in columns.items()}
    for row, change in enumerate(made):
        for name, value in change.values.items():
            table[name][row] = value
    return table


def _missing(inputs: Sequence[Column]) -> Iterator[Mapping[str, float | str]]:
    everywhere: dict[str, float | str] = {column.name: np.nan if column.kind == "number" else "" for column in inputs}
    yield from ({name: value} for name, value in everywhere.items())
    yield everywhere


def _empty(inputs: Sequence[Column]) -> Iterator[Mapping[str, float | str]]:
    """Texts of nothing, and of blanks, which is not the same."""
    texts = [column.name for column in inputs if column.kind == "text"]
    for text in ("", " "):
        yield from ({name: text} for name in texts)
    if texts:
        yield dict.fromkeys(texts, "")


def _unseen(columns: Columns, inputs: Sequence[Column]) -> Iterator[Mapping[str, float | str]]:
    texts = [column.name for column in inputs if column.kind == "text"]
    usual = {name: Counter(text for text in columns[name] if text).most_common(1) for name in texts}
    misses = {name: near_misses(found[0][0] if found else "") for name, found in usual.items()}
    for same in zip(*misses.values(), strict=True):
        yield from ({name: text} for name, text in zip(texts, same, strict=True))


def near_misses(text: str) -> tuple[str, ...]:
    """What people would say is the category, and what no model has seen.

    >>> near_misses("Oslo")[:4]
    ('Oslo ', ' Oslo', 'oSLO', 'Osloo')
    """
    normal = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    twin = next((other for other in normal if other != text), f"{text}\N{COMBINING ACUTE ACCENT}")
    wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)
    long = (text or "?") * (LONG // len(text or "?") + 1)
    return (f"{text} ", f" {text}", text.swapcase(), text + text[-1:], twin, wide, "\N{SNOWMAN} never seen", long)


def _extreme(columns: Columns, inputs: Sequence[Column]) -> Iterator[Mapping[str, float | str]]:
    names = [column.name for column in inputs if column.kind == "number"]
    for value in MAGNITUDES:
        yield from ({name: value} for name in names)
    for side, step in ((np.min, -1.0), (np.max, 1.0)):
        for name in names:
            finite = columns[name][np.isfinite(columns[name])]
            if len(finite):
                yield {name: float(side(finite)) + step}
