"""The answers of a model for some rows, the same type whether the native model, ONNX or a live service gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """A classifier fills `labels` [rows] and `probabilities` [rows, classes]; a regressor fills `values` [rows]."""

    labels: NDArray[Any] | None = None
    probabilities: FloatArray | None = None
    values: FloatArray | None = None

    def __len__(self) -> int:
        filled = self.values if self.labels is None else self.labels
        return 0 if filled is None else len(filled)

    def take(self, rows: NDArray[Any]) -> Predictions:
        """The answers for some of the rows: positions, or a mask."""
        return Predictions(
            labels=None if self.labels is None else self.labels[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            values=None if self.values is None else self.values[rows],
        )

    @property
    def scores(self) -> FloatArray:
        """The numbers that are compared in a parity check: probabilities [rows, classes], or values as [rows, 1]."""
        if self.probabilities is not None:
            return self.probabilities
        if self.values is None:
            raise ValueError("predictions hold either probabilities or values")
        return self.values.reshape(-1, 1)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The answers of all parts, of the same model, one after the other."""

    def together(arrays: list[Any]) -> Any:
        return None if arrays[0] is None else np.concatenate(arrays)

    return Predictions(
        labels=together([part.labels for part in parts]),
        probabilities=together([part.probabilities for part in parts]),
        values=together([part.values for part in parts]),
    )
