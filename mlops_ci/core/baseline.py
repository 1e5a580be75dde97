"""The dummy model that any challenger has to beat: it knows the training target's distribution and no feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

MEAN = "baseline.mean"
PRIOR = "baseline.prior."


def fit(target: NDArray[Any], signature: Signature) -> dict[str, float]:
    """What is to be remembered of the training target, as entries of a candidate's `metrics`."""
    if signature.task == "regression":
        return {MEAN: float(np.mean(target))}
    return {f"{PRIOR}{label}": float(np.mean(target == label)) for label in signature.classes}


def predict(metrics: Mapping[str, float], signature: Signature, rows: int) -> Predictions:
    """The same answer for every row: the training mean, or the share of each class and the label that follows from it.

    Raises KeyError where the metrics are not those of such a model.
    """
    if signature.task == "regression":
        return Predictions(values=np.full(rows, metrics[MEAN]))
    prior = np.array([metrics[f"{PRIOR}{label}"] for label in signature.classes])
    chosen = int(prior[1] >= signature.threshold) if signature.task == "binary-classification" else int(prior.argmax())
    labels = np.full(
        rows, signature.classes[chosen], dtype=object if isinstance(signature.classes[0], str) else np.int64
    )
    return Predictions(labels=labels, probabilities=np.tile(prior, (rows, 1)))
