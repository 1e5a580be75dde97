"""Truth and the answers of two models, made by chance."""

from __future__ import annotations

import numpy as np

from mlops_ci.core.metrics import metrics_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature, Task

BINARY = Signature(task="binary-classification", inputs=(), classes=(0, 1))
MULTICLASS = Signature(task="multiclass-classification", inputs=(), classes=("a", "b", "c"))
REGRESSION = Signature(task="regression", inputs=())
SIGNATURES: dict[Task, Signature] = {one.task: one for one in (BINARY, MULTICLASS, REGRESSION)}
CASES = [(task, name) for task in SIGNATURES for name in metrics_for(task)]
Pair = tuple[np.ndarray, Predictions, Predictions]


def pair(task: Task, rows: int, seed: int | list[int], *, gap: float = 0.0) -> Pair:
    """Truth and two models of equal quality that agree in part; a `gap` makes the second one better."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        truth = rng.normal(size=rows)
        return truth, *(Predictions(values=truth + rng.normal(size=rows) * (1 - by)) for by in (0, gap))
    names = np.array(SIGNATURES[task].classes, dtype=object if task.startswith("multi") else np.int64)
    codes = rng.integers(0, len(names), rows)
    shared = rng.normal(size=(rows, len(names)))
    models = []
    for by in (0, gap):
        scores = np.exp(np.eye(len(names))[codes] * (1 + by) + shared + rng.normal(size=shared.shape))
        probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
        models.append(Predictions(labels=names[probabilities.argmax(axis=1)], probabilities=probabilities))
    return names[codes], models[0], models[1]


def scored(scores: np.ndarray) -> Predictions:
    """A binary model that gives these probabilities."""
    return Predictions(labels=(scores >= 0.5).astype(np.int64), probabilities=np.column_stack([1 - scores, scores]))


def labelled(labels: np.ndarray) -> Predictions:
    """A model that answers 0 or 1 with full confidence."""
    return scored(labels.astype(np.float64))
