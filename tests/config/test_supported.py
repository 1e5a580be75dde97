"""What the format has and no deployment acts on yet is refused, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.config.supported import unsupported

NOT_YET = "which this version of mlops-ci does not act on yet"


def said(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "mlops.yaml").write_text(text)
    problems = unsupported(load(tmp_path / "mlops.yaml"))
    assert all(each.fix and each.where == "mlops.yaml" for each in problems)
    return [each.what for each in problems]


@pytest.mark.parametrize(
    ("section", "whats"),
    [
        (
            "image: {repository: acme/late}\n"
            "environments: {qa: {}, staging: {target: terraform}, production: {target: kubernetes}}\n",
            ["environments.staging.target is 'terraform'", "environments.production.target is 'kubernetes'"],
        ),
    ],
)
def test_what_would_be_ignored(tmp_path: Path, minimal: str, section: str, whats: list[str]) -> None:
    assert said(tmp_path, minimal + section) == [f"{what}, {NOT_YET}" for what in whats]


@pytest.mark.parametrize(
    "section",
    [
        "",
        "  engine: tcp://host:8786\n  search: {space: {depth: [1, 2]}}\n",
        "gate: {guardrails: [{metric: latency_p99_ms, max: 9}, {metric: model_mb, max: 9}]}\n",
        "image: {repository: acme/late}\ngate: {guardrails: [{metric: image_mb, max: 250}]}\n",
        "gate: {fairness: [{by: sex, metric: accuracy_difference, max: 0.1}]}\n",
        "environments: {only: {target: process}}\n",
        "image: {repository: acme/late}\nenvironments: {only: {target: docker, limits: {cpus: 1}}}\n",
    ],
)
def test_what_is_acted_on(tmp_path: Path, minimal: str, section: str) -> None:
    assert said(tmp_path, minimal + section) == []
