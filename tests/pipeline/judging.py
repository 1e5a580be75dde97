"""A candidate of a small team made a release, and judged on the parts of the team's data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE, Candidate, Release
from mlops_ci.pipeline.dataset import load_dataset
from mlops_ci.pipeline.division import Parts, divide
from mlops_ci.pipeline.evaluate import Evaluation, evaluate
from mlops_ci.scoring.model import OnnxRuntime
from tests.pipeline.team import Listener, Team, Ticking

CLOCK = Ticking()
"""One for all, so that what is judged later has a later time."""


def gate(team: Team, **changes: Any) -> None:
    team.config = replace(team.config, gate=replace(team.config.gate, **changes))


def parts_of(team: Team) -> Parts:
    return divide(load_dataset(team.config, team.data, team.code), team.config)


def judged(team: Team, candidate: Candidate, champion: Release | None = None, **ports: Any) -> Evaluation:
    parts = parts_of(team)
    used = {
        "training": parts.training, "holdout": parts.holdout, "validation": parts.validation,
        "registry": team.registry, "runtime": OnnxRuntime(), "clock": CLOCK, "console": Listener(),
    }  # fmt: skip
    return evaluate(team.config, candidate, champion=champion, **{**used, **ports})


def released(team: Team, candidate: Candidate, version: int = 1) -> Release:
    assert candidate.onnx is not None
    signature = team.registry.put_json(candidate.signature.to_json())
    return Release(
        model=candidate.model, version=version, lock=candidate.lock, commit=candidate.commit, image=None,
        files={MODEL_FILE: candidate.onnx, SIGNATURE_FILE: signature}, evidence={"lock": candidate.lock_record},
    )  # fmt: skip


def verdict(evaluation: Evaluation) -> tuple[str, bool]:
    return evaluation.judgement.verdict, evaluation.ships
