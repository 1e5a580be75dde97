"""The names that `mlops.yaml` may use: metrics by task, operational measures, verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_ci.core.signature import Task

METRICS: Mapping[Task, tuple[str, ...]] = {
    "binary-classification": (
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier_score",
        "accuracy",
        "balanced_accuracy",
        "f1",
        "precision",
        "recall",
    ),
    "multiclass-classification": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"),
    "regression": ("mae", "rmse", "r2", "median_absolute_error", "mape"),
}
DEFAULT_METRIC: Mapping[Task, str] = {
    "binary-classification": "roc_auc",
    "multiclass-classification": "accuracy",
    "regression": "rmse",
}
OPERATIONAL = ("latency_p99_ms", "model_mb", "image_mb")
FAIRNESS_METRICS = ("demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference")
SHIPPABLE_VERDICTS = ("first", "superior", "non-inferior", "inconclusive")
"""An inferior model never ships; a blocking verdict ships by a waiver only."""
BLOCKING_VERDICTS = (
    "metric-missing",
    "metric-not-finite",
    "slice-too-small",
    "guardrail",
    "slice-regression",
    "fairness",
    "champion-unloadable",
    "schema-changed",
    "leakage",
    "worse-than-baseline",
    "holdout-exhausted",
    "parity",
)
