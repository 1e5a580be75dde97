"""Does the ONNX graph answer as the native model does, row by row?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_ci.core.predictions import FloatArray, Predictions

OFFENDERS = 10


@dataclass(frozen=True, kw_only=True)
class Offender:
    """One row whose answers differ too much; an answer is the list of its probabilities, or the predicted value."""

    row: int
    native: tuple[float, ...]
    onnx: tuple[float, ...]
    native_label: str | int | None
    onnx_label: str | int | None

    @property
    def flipped(self) -> bool:
        return self.native_label != self.onnx_label

    def to_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "native": [_finite(value) for value in self.native],
            "onnx": [_finite(value) for value in self.onnx],
            "native_label": self.native_label,
            "onnx_label": self.onnx_label,
        }


@dataclass(frozen=True, kw_only=True)
class Parity:
    """`over` counts the rows that differ too much; `max_abs_diff` is infinite where an answer is not finite."""

    rows: int
    max_abs_diff: float
    flips: int
    over: int
    ok: bool
    offenders: tuple[Offender, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "max_abs_diff": _finite(self.max_abs_diff),
            "flips": self.flips,
            "over": self.over,
            "ok": self.ok,
            "offenders": [offender.to_json() for offender in self.offenders],
        }


def compare(native: Predictions, onnx: Predictions, *, atol: float, max_flips: int) -> Parity:
    """Compares the answers for the same rows in the same order.

    A row is over the limit where a probability differs by more than `atol`, or a predicted value by more than `atol`
    times the larger of 1 and the native value: a graph answers in single precision, whose error grows with the value.
    A label that differs is a flip. Both are fine where no row is over the limit and at most `max_flips` labels differ.
    Raises ValueError where the answers are not of the same rows and classes, or there are none.
    """
    ours, theirs = native.scores, onnx.scores
    if ours.shape != theirs.shape:
        raise ValueError(f"the native model answers {_shape(ours)}, the graph {_shape(theirs)}")
    if not len(ours):
        raise ValueError("there is no row to compare")
    finite = np.isfinite(ours) & np.isfinite(theirs)
    difference = np.full(ours.shape, np.inf)
    np.subtract(ours, theirs, out=difference, where=finite)
    np.abs(difference, out=difference)
    scale = np.maximum(1.0, np.abs(ours)) if native.values is not None else np.ones_like(ours)
    excess = (difference / np.where(np.isfinite(scale), scale, 1.0)).max(axis=1)
    flipped = np.zeros(len(ours), dtype=np.bool_)
    if native.labels is not None and onnx.labels is not None:
        flipped = np.array([a != b for a, b in zip(native.labels.tolist(), onnx.labels.tolist(), strict=True)])
    over = ~(excess <= atol)
    worst = np.lexsort((np.arange(len(excess)), -excess, ~flipped))[: min(OFFENDERS, int((over | flipped).sum()))]
    return Parity(
        rows=len(ours),
        max_abs_diff=float(difference.max()),
        flips=int(flipped.sum()),
        over=int(over.sum()),
        ok=not over.any() and int(flipped.sum()) <= max_flips,
        offenders=tuple(_offender(int(row), native, onnx) for row in worst),
    )


def _offender(row: int, native: Predictions, onnx: Predictions) -> Offender:
    def label(predictions: Predictions) -> str | int | None:
        return None if predictions.labels is None else predictions.labels[row : row + 1].tolist()[0]

    return Offender(
        row=row,
        native=tuple(native.scores[row].tolist()),
        onnx=tuple(onnx.scores[row].tolist()),
        native_label=label(native),
        onnx_label=label(onnx),
    )


def _shape(scores: FloatArray) -> str:
    return f"{scores.shape[0]} rows of {scores.shape[1]}"


def _finite(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if np.isfinite(value) else None
