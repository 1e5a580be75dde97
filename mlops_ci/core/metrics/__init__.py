"""Metrics of predictions: their names, whether more is better, and their values for any weights of the rows."""

from mlops_ci.core.metrics.catalogue import (
    LIMITED_ONLY,
    METRICS,
    Metric,
    compute,
    metrics_for,
    oriented,
    statistic,
    value_of,
    why_not_finite,
    why_undefined,
)

__all__ = [
    "LIMITED_ONLY",
    "METRICS",
    "Metric",
    "compute",
    "metrics_for",
    "oriented",
    "statistic",
    "value_of",
    "why_not_finite",
    "why_undefined",
]
