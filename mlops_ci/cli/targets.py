"""Chooses the target of an environment: where its services run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.config.types import EnvironmentConfig
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.core.serving import ServingConfig
    from mlops_ci.ports import Target


def target_of(context: Context, environment: EnvironmentConfig, serving: ServingConfig) -> Target:
    """Raises ConfigurationError for a kind of target that this version does not have yet."""
    folder = context.run_folder
    if context.environment.in_actions and not context.environment.run:
        context.console.warn(
            f"{environment.name}: services are kept in the checkout, which is gone after this job or cleaned by the "
            "next one; the variable MLOPS_RUN names a folder that stays, on a runner of your own"
        )
    processes = ProcessTarget(folder, console=context.console, serving=serving)
    if environment.target == "docker" and environment.limits is not None:
        from mlops_ci.adapters.docker_target import DockerTarget

        return DockerTarget(
            folder, images=context.images, limits=environment.limits, serving=serving, console=context.console,
            formerly=processes,
        )  # fmt: skip
    if environment.target != "process":
        raise ConfigurationError(
            f"environment {environment.name}: target {environment.target} is not available yet",
            fix="use `target: process` or `target: docker`, which run the service on this machine",
        )
    return processes
