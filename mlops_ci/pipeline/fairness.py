"""How unlike the groups of a column are treated: measures of each group and between them, through fairlearn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.fairness import FairnessEvidence
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature, Task

if TYPE_CHECKING:
    from pandas import DataFrame

Measure = Callable[..., float]
"""Takes truth, answers and `sample_weight`."""

COMPOUND: Mapping[str, tuple[str, ...]] = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("true_positive_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
}
"""Names of the field for measures of one group: of several the worst difference or ratio counts."""


@dataclass(frozen=True, kw_only=True)
class GroupMeasures:
    """`table` has one row a group, by name, with its measures; NaN where one is undefined. `rows` counts by group.

    There are no measures at all where some answer is no finite number.
    """

    by: str
    rows: Mapping[str, int]
    table: DataFrame

    def between(self, metric: str) -> tuple[float, str]:
        """The largest difference or the smallest ratio between groups; NaN with the reason where there is none.

        fairlearn leaves groups without a value out; here one such group makes the whole undefined.
        """
        name, _, how = metric.rpartition("_")
        found = []
        for measure in COMPOUND.get(name, (name,)):
            if measure not in self.table:
                return nan, "the answers are not all finite numbers"
            values = self.table[measure]
            undefined = [str(group) for group in values.index[~np.isfinite(values)]]
            if undefined:
                return nan, f"{measure} is undefined in {', '.join(undefined[:5])}: {WHY_UNDEFINED.get(measure, '')}"
            if how == "ratio" and not values.max() > 0:
                return nan, f"{measure} is 0 in every group, so there is no ratio"
            found.append(float(values.min() / values.max() if how == "ratio" else values.max() - values.min()))
        return (min(found) if how == "ratio" else max(found)), ""

    def to_json(self) -> dict[str, Any]:
        groups = [
            {
                "value": name,
                "rows": rows,
                "measures": {
                    measure: float(value) if isfinite(value) else None
                    for measure, value in self.table.loc[name].to_dict().items()
                },
            }
            for name, rows in self.rows.items()
        ]
        return {"by": self.by, "groups": groups}


WHY_UNDEFINED: Mapping[str, str] = {
    "true_positive_rate": "no row is of the positive class",
    "false_negative_rate": "no row is of the positive class",
    "false_positive_rate": "no row is of the negative class",
    "balanced_accuracy": "all rows are of one class",
}


def measure_groups(
    by: str, groups: NDArray[Any], truth: NDArray[Any], answers: Predictions, signature: Signature
) -> GroupMeasures:
    """The measures of each group; `groups` [rows] names the group of each row.

    Labels are those that the graph answers at its threshold; the positive class is the second one.
    """
    import pandas as pd
    from fairlearn.metrics import MetricFrame

    names, counts = np.unique(groups, return_counts=True)
    rows = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    if not np.isfinite(answers.scores).all():
        return GroupMeasures(by=by, rows=rows, table=pd.DataFrame(index=list(rows)))
    predicted: NDArray[Any] = np.asarray(answers.labels if answers.values is None else answers.values)
    actual: NDArray[Any] = truth
    if signature.task == "binary-classification":
        positive = signature.classes[1]
        actual, predicted = (np.equal(values, positive).astype(np.int64) for values in (truth, predicted))
    measures, weights = _measures(signature.task), np.ones(len(groups))
    if signature.task != "regression":
        # MetricFrame handles each row by itself, in seconds a metric for a million; few of them are not alike.
        groups, actual, predicted, weights = _alike(groups, actual, predicted)
    frame = MetricFrame(
        metrics=measures,
        y_true=actual,
        y_pred=predicted,
        sensitive_features={by: groups},
        sample_params={name: {"sample_weight": weights} for name in measures},
    )
    return GroupMeasures(by=by, rows=rows, table=frame.by_group.astype(np.float64))


def fairness_evidence(measured: GroupMeasures, metrics: Sequence[str]) -> list[FairnessEvidence]:
    """What the gate is told of these metrics between the groups."""
    found = []
    for metric in metrics:
        value, reason = measured.between(metric)
        found.append(FairnessEvidence(by=measured.by, metric=metric, value=value, groups=measured.rows, reason=reason))
    return found


def _measures(task: Task) -> dict[str, Measure]:
    from fairlearn import metrics as fairlearn
    from sklearn import metrics as sklearn

    if task == "binary-classification":
        return {
            "selection_rate": fairlearn.selection_rate,
            "true_positive_rate": _with(1, fairlearn.true_positive_rate),
            "false_positive_rate": _with(0, fairlearn.false_positive_rate),
            "false_negative_rate": _with(1, fairlearn.false_negative_rate),
            "accuracy": sklearn.accuracy_score,
        }
    if task == "multiclass-classification":
        return {
            "accuracy": sklearn.accuracy_score,
            "balanced_accuracy": _balanced_accuracy,
            "macro_f1": partial(sklearn.f1_score, average="macro"),
        }
    return {
        "mae": sklearn.mean_absolute_error,
        "rmse": sklearn.root_mean_squared_error,
        "mean_prediction": fairlearn.mean_prediction,
    }


def _with(label: int, rate: Callable[..., float]) -> Measure:
    """The rate where some row is of the class that it divides by: scikit-learn would say 0 of no rows at all."""

    def measure(actual: Any, predicted: Any, sample_weight: Any) -> float:
        if not (np.asarray(actual) == label).any():
            return nan
        return float(rate(actual, predicted, pos_label=1, sample_weight=sample_weight))

    return measure


def _balanced_accuracy(actual: Any, predicted: Any, sample_weight: Any) -> float:
    from sklearn.metrics import recall_score

    classes = np.unique(actual)
    if len(classes) < 2:
        return nan
    return float(recall_score(actual, predicted, labels=classes, average="macro", sample_weight=sample_weight))


def _alike(*columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """One row of each kind there is among the rows of these columns, and last how many there are of each."""
    tables, codes = zip(*(np.unique(column, return_inverse=True) for column in columns), strict=True)
    sizes = tuple(len(table) for table in tables)
    kinds, counts = np.unique(np.ravel_multi_index(codes, sizes), return_counts=True)
    places = np.unravel_index(kinds, sizes)
    return *(table[place] for table, place in zip(tables, places, strict=True)), counts
