"""Settings that the format has and this version does not act on yet: a step that meets one refuses to run."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_ci.config.types import ModelConfig
from mlops_ci.errors import Problem

NOT_YET = "which this version of mlops-ci does not act on yet"


def unsupported(config: ModelConfig) -> list[Problem]:
    """What was declared for deployments and would be ignored. Empty where they do all that they are told."""
    return [Problem(where=config.path.name, what=f"{what}, {NOT_YET}", fix=fix) for what, fix in _deploy(config)]


def _deploy(config: ModelConfig) -> Iterator[tuple[str, str]]:
    for environment in config.environments:
        if environment.target not in ("process", "docker"):
            fix = "write target: process or target: docker, or remove the key"
            yield f"environments.{environment.name}.target is '{environment.target}'", fix
