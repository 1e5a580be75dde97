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
LIMITED_ONLY = ("calibration_error", "latency_p99_ms", "model_mb", "image_mb")
FAIRNESS_METRICS: Mapping[Task, tuple[str, ...]] = {
    "binary-classification": (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equalized_odds_difference",
        "equalized_odds_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
        "selection_rate_difference",
        "selection_rate_ratio",
        "false_positive_rate_difference",
        "false_positive_rate_ratio",
        "false_negative_rate_difference",
        "false_negative_rate_ratio",
        "accuracy_difference",
        "accuracy_ratio",
    ),
    "multiclass-classification": (
        "accuracy_difference",
        "accuracy_ratio",
        "balanced_accuracy_difference",
        "balanced_accuracy_ratio",
        "macro_f1_difference",
        "macro_f1_ratio",
    ),
    "regression": ("mae_difference", "mae_ratio", "rmse_difference", "rmse_ratio", "mean_prediction_difference"),
}
"""Between groups: the largest difference of a measure, or its smallest share (`..._ratio`, 1 where all are equal)."""
SHIPPABLE_VERDICTS = ("first", "superior", "non-inferior", "inconclusive")
"""An inferior model never ships; a blocking verdict ships by a waiver only."""
BLOCKING_VERDICTS = (
    "metric-missing",
    "metric-not-finite",
    "slice-too-small",
    "validation-too-small",
    "group-too-small",
    "guardrail",
    "validation-regression",
    "slice-regression",
    "fairness",
    "champion-unloadable",
    "schema-changed",
    "leakage",
    "worse-than-baseline",
    "holdout-exhausted",
    "parity",
)
