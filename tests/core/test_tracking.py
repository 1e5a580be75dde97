from __future__ import annotations

from math import inf, nan

from mlops_ci.core.records import Candidate
from mlops_ci.core.signature import Column, Signature
from mlops_ci.core.tracking import tracked_run

CANDIDATE = Candidate(
    model="late",
    lock="a" * 64,
    lock_record="b" * 64,
    signature=Signature(
        task="binary-classification", inputs=(Column(name="x", kind="number"),), classes=("Ada", "Grace")
    ),
    onnx="c" * 64,
    refusal="",
    reference="d" * 64,
    holdout="e" * 64,
    profile="f" * 64,
    metrics={"roc_auc": 0.75, "train.roc_auc": 0.8, "baseline.roc_auc": 0.5, "baseline.prior.Ada": 0.7},
    rows={"train": 80, "holdout": 20},
    commit="1" * 40,
    trained_at="2026-11-21T00:00:00.000000Z",
    seconds=1.5,
)
EVALUATION = {
    "verdict": "superior",
    "ships": True,
    "primary": {"difference": 0.02, "lower": 0.01, "upper": None, "alpha": 0.05},
    "measures": {"latency_p99_ms": 0.2, "model_mb": inf, "image_mb": nan},
    "champion_release": None,
}


def test_metrics_are_numbers_and_name_no_class() -> None:
    run = tracked_run(CANDIDATE, EVALUATION, params={}, files={})

    assert run.metrics == {
        "roc_auc": 0.75,
        "train.roc_auc": 0.8,
        "baseline.roc_auc": 0.5,
        "latency_p99_ms": 0.2,
        "gate.difference": 0.02,
        "gate.lower": 0.01,
        "gate.alpha": 0.05,
        "train.rows": 80.0,
        "train.seconds": 1.5,
    }


def test_the_tags_name_verdict_lock_and_commit() -> None:
    run = tracked_run(CANDIDATE, EVALUATION, params={}, files={"report.md": b"#"})

    assert run.tags == {
        "mlops_ci.verdict": "superior",
        "mlops_ci.ships": "true",
        "mlops_ci.lock": "a" * 64,
        "mlops_ci.onnx": "c" * 64,
        "mlflow.source.git.commit": "1" * 40,
        "mlflow.source.name": "mlops-ci",
        "mlflow.source.type": "JOB",
    }
    assert (run.model, run.name) == ("late", "aaaaaaaaaaaa superior")
    assert run.files == {"report.md": b"#"}


def test_nested_params_get_names_with_dots() -> None:
    params = {"depth": 4, "solver": {"name": "lbfgs", "steps": [1, 2], "none": None}, "empty": {}}
    run = tracked_run(CANDIDATE, {"verdict": "parity", "ships": False}, params=params, files={})

    assert run.params == {"depth": "4", "solver.name": "lbfgs", "solver.steps": "[1, 2]", "solver.none": "None"}
    assert run.tags["mlops_ci.ships"] == "false"
