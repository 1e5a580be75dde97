"""What the format has and no step acts on yet is refused by the step that would ignore it, and by no other."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from mlops_ci.config.loading import load
from mlops_ci.config.supported import Step, unsupported

NOT_YET = "which this version of mlops-ci does not act on yet"


def said(tmp_path: Path, text: str) -> dict[str, list[str]]:
    (tmp_path / "mlops.yaml").write_text(text)
    config = load(tmp_path / "mlops.yaml")
    found = {step: unsupported(config, step) for step in get_args(Step)}
    assert all(each.fix and each.where == "mlops.yaml" for problems in found.values() for each in problems)
    return {step: [each.what for each in problems] for step, problems in found.items() if problems}


@pytest.mark.parametrize(
    ("section", "step", "whats"),
    [
        ("gate: {guardrails: [{metric: image_mb, max: 250}]}\n", "evaluate", ["gate.guardrails limits image_mb"]),
        (
            "environments: {production: {approvals: {required: 1}, soak: 1h}}\n",
            "deploy",
            [
                "environments.production is the first and asks for approvals",
                "environments.production is the first and asks for a soak",
            ],
        ),
        (
            "environments: {qa: {}, staging: {target: docker}, production: {target: kubernetes}}\n",
            "deploy",
            ["environments.staging.target is 'docker'", "environments.production.target is 'kubernetes'"],
        ),
    ],
)
def test_what_would_be_ignored(tmp_path: Path, minimal: str, section: str, step: str, whats: list[str]) -> None:
    assert said(tmp_path, minimal + section) == {step: [f"{what}, {NOT_YET}" for what in whats]}


@pytest.mark.parametrize(
    "section",
    [
        "",
        "  engine: tcp://host:8786\n  search: {space: {depth: [1, 2]}}\n",
        "gate: {guardrails: [{metric: latency_p99_ms, max: 9}, {metric: model_mb, max: 9}]}\n",
        "gate: {fairness: [{by: sex, metric: accuracy_difference, max: 0.1}]}\n",
        "environments: {only: {target: process}}\n",
    ],
)
def test_what_is_acted_on(tmp_path: Path, minimal: str, section: str) -> None:
    assert said(tmp_path, minimal + section) == {}
