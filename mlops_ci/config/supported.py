"""Settings that the format has and this version does not act on yet: a step that meets one refuses to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mlops_ci.config.types import ModelConfig
from mlops_ci.errors import Problem

NOT_YET = "which this version of mlops-ci does not act on yet"
Step = Literal["evaluate", "deploy"]


def unsupported(config: ModelConfig, step: Step) -> list[Problem]:
    """What was declared for that step and would be ignored. Empty where the step does all that it was told."""
    rules = {"evaluate": _evaluate, "deploy": _deploy}
    return [Problem(where=config.path.name, what=f"{what}, {NOT_YET}", fix=fix) for what, fix in rules[step](config)]


def _evaluate(config: ModelConfig) -> Iterator[tuple[str, str]]:
    if any(guardrail.metric == "image_mb" for guardrail in config.gate.guardrails):
        yield "gate.guardrails limits image_mb", "remove that guardrail, or limit model_mb instead"


def _deploy(config: ModelConfig) -> Iterator[tuple[str, str]]:
    for environment in config.environments:
        if environment.target != "process":
            fix = "write target: process, or remove the key"
            yield f"environments.{environment.name}.target is '{environment.target}'", fix
    # `release` deploys to the first environment at once; to ignore what it asks for would be to fail open.
    first = config.environments[0]
    fix = "put an environment before it, or leave both out"
    if first.approvals.required:
        yield f"environments.{first.name} is the first and asks for approvals", fix
    if first.soak:
        yield f"environments.{first.name} is the first and asks for a soak", fix
