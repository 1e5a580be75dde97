"""Chooses the target of an environment: where its services run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.config.types import EnvironmentConfig, ModelConfig

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.core.cluster_settings import KubernetesSettings, TerraformSettings
    from mlops_ci.ports import Target


def target_of(context: Context, config: ModelConfig, environment: EnvironmentConfig) -> Target:
    """Where the model's services of that environment run."""
    if environment.terraform is not None:
        return _terraform(context, config, environment, environment.terraform)
    if environment.kubernetes is not None:
        return _kubernetes(context, config, environment.kubernetes)
    return _on_this_machine(context, config, environment)


def _on_this_machine(context: Context, config: ModelConfig, environment: EnvironmentConfig) -> Target:
    folder = context.run_folder
    if context.environment.in_pipeline and not context.environment.run:
        context.console.warn(
            f"{environment.name}: services are kept in the checkout, which is gone after this job or cleaned by the "
            "next one; the variable MLOPS_RUN names a folder that stays, on a runner of your own"
        )
    processes = ProcessTarget(folder, console=context.console, serving=config.serving)
    if environment.limits is None:
        return processes
    from mlops_ci.adapters.docker_target import DockerTarget

    return DockerTarget(
        folder, images=context.images, limits=environment.limits, serving=config.serving, console=context.console,
        formerly=processes,
    )  # fmt: skip


def _terraform(
    context: Context, config: ModelConfig, environment: EnvironmentConfig, settings: TerraformSettings
) -> Target:
    from mlops_ci.adapters.terraform_target import TerraformTarget

    def releases() -> frozenset[str]:
        return frozenset(context.log.state(config.model).releases)

    return TerraformTarget(
        context.run_folder, environment=environment.name, model=config.model, root=config.root, settings=settings,
        serving=config.serving, console=context.console, keep=partial(_kept, context), releases=releases,
        must_count=needs_counts(environment),
    )  # fmt: skip


def _kubernetes(context: Context, config: ModelConfig, settings: KubernetesSettings) -> Target:
    from mlops_ci.adapters.kubernetes_overlay import Overlay

    folder = config.root / settings.overlay
    overlay = Overlay(folder, shown=settings.overlay, namespace=settings.namespace)
    if settings.mode == "commit":
        from mlops_ci.adapters.kubernetes_branch import KubernetesBranchTarget

        return KubernetesBranchTarget(
            context.run_folder, repository=context.shared_repository, overlay=overlay, settings=settings,
            serving=config.serving, console=context.console, clock=context.clock,
        )  # fmt: skip
    from mlops_ci.adapters.kubernetes_target import KubernetesTarget

    return KubernetesTarget(
        context.run_folder, overlay=overlay, settings=settings, serving=config.serving, console=context.console,
        clock=context.clock,
    )  # fmt: skip


def needs_counts(environment: EnvironmentConfig) -> bool:
    """Whether a rollout there is judged by what users are answered at a share of the traffic."""
    rollout = environment.rollout
    return len(rollout.steps) > 1 or rollout.ab is not None or rollout.min_requests > 0


def _kept(context: Context, record: object) -> str:
    return context.registry.put_json(record)
