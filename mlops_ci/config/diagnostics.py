"""`train.diagnostics`: what is found out about a trained model beside its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DiagnosticsConfig:
    """`shap` and `prediction_intervals` need an extra each; the latter is their level, None where there are none."""

    learning_curve: bool = True
    shap: bool = False
    prediction_intervals: float | None = None


def with_diagnostics_defaults(diagnostics: Mapping[str, Any]) -> dict[str, Any]:
    return {"learning_curve": True, "shap": False} | dict(diagnostics)


def complete_diagnostics(diagnostics: Mapping[str, Any]) -> DiagnosticsConfig:
    level = diagnostics.get("prediction_intervals")
    return DiagnosticsConfig(
        learning_curve=diagnostics["learning_curve"],
        shap=diagnostics["shap"],
        prediction_intervals=None if level is None else float(level),
    )
