"""Truth and predictions in the form that the formulas of the metrics take, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics.statistic import IntArray
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Label, Signature


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """A classifier fills `truth`, `labels` (positions among its classes) and `probabilities`, a regressor the rest."""

    classes: int = 0
    truth: IntArray
    labels: IntArray
    probabilities: FloatArray
    actual: FloatArray
    values: FloatArray

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Rows whose truth is the second of two classes."""
        return np.equal(self.truth, 1)

    @property
    def answered_positive(self) -> NDArray[np.bool_]:
        return np.equal(self.labels, 1)


FEW_CLASSES = 20
NO_INTEGERS = np.zeros(0, dtype=np.int64)
NO_FLOATS = np.zeros(0)


def read(truth: NDArray[Any], predictions: Predictions, signature: Signature) -> Answers | str:
    """The answers, or why no metric of them can be computed: a number that is not finite, an unknown class, no row.

    Raises ValueError where truth and predictions are not of the same number of rows.
    """
    if len(truth) != len(predictions):
        raise ValueError(f"there are {len(truth)} rows of truth and {len(predictions)} of predictions")
    if not len(truth):
        return "there is no row"
    if signature.task == "regression":
        return _regression(truth, predictions)
    return _classification(truth, predictions, signature)


def _regression(truth: NDArray[Any], predictions: Predictions) -> Answers | str:
    if predictions.values is None:
        return "the model answers no values"
    actual = np.asarray(truth, dtype=np.float64)
    values = np.asarray(predictions.values, dtype=np.float64)
    problem = _not_finite(actual, "actual values") or _not_finite(values, "predictions")
    if problem:
        return problem
    return Answers(truth=NO_INTEGERS, labels=NO_INTEGERS, probabilities=NO_FLOATS, actual=actual, values=values)


def _classification(truth: NDArray[Any], predictions: Predictions, signature: Signature) -> Answers | str:
    labels, probabilities = predictions.labels, predictions.probabilities
    if labels is None or probabilities is None:
        return f"the model answers no {'labels' if labels is None else 'probabilities'}"
    if probabilities.shape != (len(truth), len(signature.classes)):
        return f"the probabilities are of shape {probabilities.shape}, and the classes are {len(signature.classes)}"
    actual, answered = (_positions(values, signature.classes) for values in (truth, labels))
    problem = (
        _not_finite(probabilities, "probabilities")
        or _unknown(truth, actual, "rows are of a class")
        or _unknown(labels, answered, "answers are a class")
    )
    if problem:
        return problem
    return Answers(
        classes=len(signature.classes),
        truth=actual,
        labels=answered,
        probabilities=np.asarray(probabilities, dtype=np.float64),
        actual=NO_FLOATS,
        values=NO_FLOATS,
    )


def _positions(values: NDArray[Any], classes: tuple[Label, ...]) -> IntArray:
    """Each value's position among the classes, -1 where it is none of them."""
    values = np.asarray(values)
    if len(classes) <= FEW_CLASSES:
        # one comparison of the whole array a class is many times faster than looking each value up
        positions = np.full(len(values), -1, dtype=np.int64)
        for position, label in enumerate(classes):
            positions[values == label] = position
        return positions
    known = {label: position for position, label in enumerate(classes)}
    return np.fromiter((known.get(value, -1) for value in values.tolist()), np.int64, len(values))


def _unknown(values: NDArray[Any], positions: IntArray, what: str) -> str:
    unknown = np.flatnonzero(positions < 0)
    if not len(unknown):
        return ""
    return f"{len(unknown)} {what} that the model does not know, such as {np.asarray(values).tolist()[unknown[0]]!r}"


def _not_finite(numbers: FloatArray, what: str) -> str:
    finite = int(np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1).sum())
    return "" if finite == len(numbers) else f"{len(numbers) - finite} of {len(numbers)} {what} are not finite numbers"
