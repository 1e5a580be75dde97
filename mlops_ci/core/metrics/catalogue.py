"""The metrics that the gate knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import formulas
from mlops_ci.core.metrics.answers import Answers, read
from mlops_ci.core.metrics.statistic import Statistic, Undefined
from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Signature, Task

BINARY: tuple[Task, ...] = ("binary-classification",)
CLASSIFICATION: tuple[Task, ...] = ("binary-classification", "multiclass-classification")
MULTICLASS: tuple[Task, ...] = ("multiclass-classification",)
REGRESSION: tuple[Task, ...] = ("regression",)
LIMITED_ONLY = ("calibration_error", "latency_p99_ms", "model_mb", "image_mb")
"""What limits are for and no comparison: of the service, and of how probabilities keep their word. Less is better."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`lower` and `upper` bound its values; `undefined` says when there is none though all numbers are finite.

    `of_labels` metrics see the answered labels only, not the probabilities.
    """

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    lower: float
    upper: float
    formula: Callable[[Answers], Statistic]
    of_labels: bool = False
    undefined: str = ""


def _score(formula: Callable[[Answers], Statistic], tasks: tuple[Task, ...], undefined: str = "") -> Metric:
    return Metric(
        name=formula.__name__,
        tasks=tasks,
        greater_is_better=True,
        lower=0.0,
        upper=1.0,
        formula=formula,
        undefined=undefined,
    )


def _loss(formula: Callable[[Answers], Statistic], tasks: tuple[Task, ...]) -> Metric:
    return Metric(name=formula.__name__, tasks=tasks, greater_is_better=False, lower=0.0, upper=inf, formula=formula)


ONE_CLASS, NO_POSITIVES = "all rows are of one class", "no row is of the positive class"
METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        _score(formulas.roc_auc, CLASSIFICATION, ONE_CLASS),
        _score(formulas.average_precision, BINARY, NO_POSITIVES),
        _loss(formulas.log_loss, CLASSIFICATION),
        replace(_loss(formulas.brier_score, BINARY), upper=1.0),
        replace(_score(formulas.accuracy, CLASSIFICATION), of_labels=True),
        replace(_score(formulas.balanced_accuracy, CLASSIFICATION, ONE_CLASS), of_labels=True),
        replace(_score(formulas.f1, BINARY, f"{NO_POSITIVES}, nor answered so"), of_labels=True),
        replace(_score(formulas.precision, BINARY), of_labels=True),
        replace(_score(formulas.recall, BINARY, NO_POSITIVES), of_labels=True),
        replace(_score(formulas.macro_f1, MULTICLASS), of_labels=True),
        _loss(formulas.mae, REGRESSION),
        _loss(formulas.rmse, REGRESSION),
        replace(_score(formulas.r2, REGRESSION, "the actual values do not vary"), lower=-inf),
        _loss(formulas.median_absolute_error, REGRESSION),
        _loss(formulas.mape, REGRESSION),
    )
}


def metrics_for(task: Task) -> tuple[str, ...]:
    """The names of the metrics that a task knows."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)


def oriented(name: str, value: float) -> float:
    """The value, with its sign turned where less is better: a metric, or an operational measure."""
    return value if name in METRICS and METRICS[name].greater_is_better else -value


def statistic(name: str, truth: NDArray[Any], predictions: Predictions, signature: Signature) -> Statistic:
    """The metric as a function of the rows' weights. Raises KeyError where there is no such metric."""
    metric = METRICS[name]
    if signature.task not in metric.tasks:
        return Undefined(reason=f"{name} is no metric of {signature.task}")
    answers = read(truth, predictions, signature)
    if isinstance(answers, str):
        return Undefined(reason=answers)
    # Numbers too large to be squared make the metric infinite, which is said where it is judged.
    with np.errstate(over="ignore", invalid="ignore"):
        return metric.formula(answers)


def compute(
    name: str,
    truth: NDArray[Any],
    predictions: Predictions,
    signature: Signature,
    weights: FloatArray | None = None,
) -> float:
    """The metric of the rows, each counting as its weight says; NaN, never an exception, where it is undefined.

    `truth` [rows] holds labels or numbers, `weights` [rows] numbers from zero up. `why_undefined` gives the reason for
    a NaN. Raises KeyError for an unknown name and ValueError where the numbers of rows differ.
    """
    of_rows = statistic(name, truth, predictions, signature)
    if weights is None:
        return value_of(of_rows, len(truth))
    return float(of_rows(np.asarray(weights)[np.newaxis])[0])


def value_of(of_rows: Statistic, rows: int) -> float:
    """The metric of the rows, each counting as one; NaN where it is undefined."""
    return float(of_rows(np.ones((1, rows), dtype=np.int64))[0])


def why_undefined(name: str, truth: NDArray[Any], predictions: Predictions, signature: Signature) -> str:
    """Why `compute` gives no finite number for these rows; empty where it does."""
    of_rows = statistic(name, truth, predictions, signature)
    return why_not_finite(name, of_rows, value_of(of_rows, len(truth)))


def why_not_finite(name: str, of_rows: Statistic, value: float) -> str:
    """The same for a statistic whose value is known."""
    if isinstance(of_rows, Undefined):
        return of_rows.reason
    if isfinite(value):
        return ""
    return METRICS[name].undefined or "the numbers are too large"
