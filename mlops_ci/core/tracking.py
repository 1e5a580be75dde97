"""What an experiment tracker is told of one judged candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from mlops_ci.core.metrics import METRICS
from mlops_ci.core.records import Candidate


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One run of the experiment `model`. `files` are artifacts by their names."""

    model: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def tracked_run(
    candidate: Candidate, evaluation: Mapping[str, Any], *, params: Mapping[str, Any], files: Mapping[str, bytes]
) -> TrackedRun:
    """The candidate and what `evaluate` said of it; `params` are those of the training, nested as they were written.

    What the dummy model remembers of the target is left out: it names classes, and is no metric.
    """
    primary = evaluation.get("primary") or {}
    measures = {
        **{name: value for name, value in candidate.metrics.items() if name.rpartition(".")[2] in METRICS},
        **(evaluation.get("measures") or {}),
        **{f"gate.{name}": primary.get(name) for name in ("difference", "lower", "upper", "alpha")},
        "train.rows": candidate.rows.get("train"),
        "train.seconds": candidate.seconds,
    }
    tags = {
        "mlops_ci.verdict": evaluation["verdict"],
        "mlops_ci.ships": str(bool(evaluation["ships"])).lower(),
        "mlops_ci.lock": candidate.lock,
        "mlops_ci.onnx": candidate.onnx or "",
        "mlops_ci.champion": str(evaluation.get("champion_release") or ""),
        "mlflow.source.git.commit": candidate.commit,
        "mlflow.source.name": "mlops-ci",
        "mlflow.source.type": "JOB",
    }
    return TrackedRun(
        model=candidate.model,
        name=f"{candidate.lock[:12]} {evaluation['verdict']}",
        params=dict(_flat(params)),
        metrics={name: float(value) for name, value in measures.items() if _is_number(value)},
        tags={name: value for name, value in tags.items() if value},
        files=files,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, item in value.items():
        flat += _flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) else [(f"{prefix}{key}", str(item))]
    return flat
