"""Does the ONNX graph answer as the native model does, row by row?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.adversarial import Kind
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.suspects import suspects

OFFENDERS = 10
SHOWN = 5
"""Columns in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Row by row: how far the answers are from each other, whether that is too far, and whether the label is another.

    `distance` is the largest over the classes, or that of the values in units of the larger of 1 and the native value;
    infinite where one of the two is no finite number and the other is not the same.
    """

    distance: FloatArray
    over: NDArray[np.bool_]
    flipped: NDArray[np.bool_]

    @property
    def offending(self) -> NDArray[np.bool_]:
        return self.over | self.flipped


@dataclass(frozen=True, kw_only=True)
class Offender:
    """One row whose answers differ too much; an answer is the list of its probabilities, or the predicted value.

    `row` is its position among the holdout's rows, or among those that were made.
    """

    kind: Kind
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
            "kind": self.kind,
            "row": self.row,
            "native": [_finite(value) for value in self.native],
            "onnx": [_finite(value) for value in self.onnx],
            "native_label": self.native_label,
            "onnx_label": self.onnx_label,
        }


@dataclass(frozen=True, kw_only=True)
class KindParity:
    """The rows of one kind."""

    kind: Kind
    rows: int
    max_abs_diff: float
    flips: int
    over: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"max_abs_diff": _finite(self.max_abs_diff)}


@dataclass(frozen=True, kw_only=True)
class Parity:
    """`over` counts the rows that differ too much; `max_abs_diff` is infinite where an answer is not finite.

    `refused` counts rows that the native model itself refuses, and which are not among the `rows`; `columns` are the
    features that matter for the rows that differ (see `core.suspects`), the most suspect first.
    """

    rows: int
    max_abs_diff: float
    flips: int
    over: int
    ok: bool
    offenders: tuple[Offender, ...]
    kinds: tuple[KindParity, ...]
    columns: tuple[str, ...] = ()
    refused: int = 0

    @property
    def text(self) -> str:
        """What differs, in a sentence; never a value of a row."""
        said = f"{self.over} of {self.rows} rows differ too much (by up to {self.max_abs_diff:.3g}), "
        said += f"{self.flips} labels are others"
        bad = [f"{kind.kind} {kind.over} and {kind.flips}" for kind in self.kinds if kind.over or kind.flips]
        said += f"; by kind of row: {', '.join(bad)}" if bad else ""
        return said + (f"; columns that matter: {', '.join(self.columns[:SHOWN])}" if self.columns else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "max_abs_diff": _finite(self.max_abs_diff),
            "flips": self.flips,
            "over": self.over,
            "ok": self.ok,
            "offenders": [offender.to_json() for offender in self.offenders],
            "kinds": [kind.to_json() for kind in self.kinds],
            "columns": list(self.columns),
            "refused": self.refused,
        }


def compare(
    native: Predictions,
    onnx: Predictions,
    *,
    atol: float,
    max_flips: int,
    probes: Probes | None = None,
    columns: Mapping[str, NDArray[Any]] | None = None,
) -> Parity:
    """Compares the answers for the same rows in the same order: those of the holdout, then those of the `probes`.

    A row is over the limit where a probability differs by more than `atol`, or a predicted value by more than `atol`
    times the larger of 1 and the native value: a graph answers in single precision, whose error grows with the value.
    A label that differs is a flip. Both are fine where no row is over the limit and at most `max_flips` labels differ.
    `columns` are the holdout's, for those that matter. Raises ValueError where the answers are not of the same rows and
    classes, or there are none.
    """
    found = differences(native, onnx, atol=atol)
    rows = len(native) - (len(probes) if probes else 0)
    kinds: list[Kind] = ["holdout"] * rows
    made: list[tuple[str, ...]] = []
    if probes:
        kinds += probes.kinds
        made = [probes.changes[int(row)] for row in np.flatnonzero(found.offending[rows:])]
    matter = suspects(made, columns or {}, found.offending[:rows])
    return _summary(found, native, onnx, kinds=np.array(kinds), max_flips=max_flips, columns=matter)


def differences(native: Predictions, onnx: Predictions, *, atol: float) -> Differences:
    """As `compare`, row by row."""
    ours, theirs = native.scores, onnx.scores
    if ours.shape != theirs.shape:
        raise ValueError(f"the native model answers {_shape(ours)}, the graph {_shape(theirs)}")
    if not len(ours):
        raise ValueError("there is no row to compare")
    finite = np.isfinite(ours) & np.isfinite(theirs)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    difference = np.where(same, 0.0, np.inf)
    with np.errstate(over="ignore"):
        np.subtract(ours, theirs, out=difference, where=finite)
    np.abs(difference, out=difference)
    if native.values is not None:
        difference /= np.where(np.isfinite(ours), np.maximum(1.0, np.abs(ours)), 1.0)
    distance = difference.max(axis=1)
    flipped = np.zeros(len(ours), dtype=np.bool_)
    if native.labels is not None and onnx.labels is not None:
        flipped = np.array([a != b for a, b in zip(native.labels.tolist(), onnx.labels.tolist(), strict=True)])
    return Differences(distance=distance, over=~(distance <= atol), flipped=flipped)


def _summary(
    found: Differences,
    native: Predictions,
    onnx: Predictions,
    *,
    kinds: NDArray[Any],
    max_flips: int,
    columns: tuple[str, ...],
) -> Parity:
    """What the differences come to, with the worst rows: flips first."""
    real = kinds == "holdout"
    number = np.where(real, np.cumsum(real), np.cumsum(~real)) - 1
    order = np.lexsort((np.arange(len(kinds)), -found.distance, ~found.flipped))
    flips = int(found.flipped.sum())
    return Parity(
        rows=len(kinds),
        max_abs_diff=float(found.distance.max()),
        flips=flips,
        over=int(found.over.sum()),
        ok=not found.over.any() and flips <= max_flips,
        offenders=tuple(
            _offender(int(row), str(kinds[row]), int(number[row]), native, onnx)
            for row in order[: min(OFFENDERS, int(found.offending.sum()))]
        ),
        kinds=tuple(_of_kind(name, kinds == name, found) for name in get_args(Kind) if (kinds == name).any()),
        columns=columns,
    )


def _of_kind(kind: Kind, rows: NDArray[np.bool_], found: Differences) -> KindParity:
    return KindParity(
        kind=kind,
        rows=int(rows.sum()),
        max_abs_diff=float(found.distance[rows].max()),
        flips=int(found.flipped[rows].sum()),
        over=int(found.over[rows].sum()),
    )


def _offender(row: int, kind: Any, number: int, native: Predictions, onnx: Predictions) -> Offender:
    def label(predictions: Predictions) -> str | int | None:
        return None if predictions.labels is None else predictions.labels[row : row + 1].tolist()[0]

    return Offender(
        kind=kind,
        row=number,
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
