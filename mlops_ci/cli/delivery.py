"""Puts together what the commands that deliver need: the sites of a model, and the release that the arguments name."""

from __future__ import annotations

import argparse
from dataclasses import replace

from mlops_ci.cli.context import Context
from mlops_ci.cli.signing import public_key_of
from mlops_ci.config.loading import committed
from mlops_ci.config.types import EnvironmentConfig, ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.core.state import champion
from mlops_ci.errors import ConfigurationError, NotFoundError
from mlops_ci.pipeline.site import Site


def site_of(context: Context, config: ModelConfig, name: str) -> Site:
    """The site of the environment of that name. Raises ConfigurationError naming those there are.

    What a release has to pass to come there is as the main branch has it, whatever the work tree says by now.
    """
    require_kept_store(context)
    environment = named_environment(config, name)
    rules = _as_main_has_it(context, config)
    ruling = rules.environment(name)
    if ruling is None:  # the main branch does not know the environment yet, so nothing of it is there
        rules, ruling = config, environment
    environment = replace(
        environment, approvals=ruling.approvals, soak=ruling.soak, windows=ruling.windows, freezes=ruling.freezes
    )
    return Site(
        model=config.model,
        environment=environment,
        chain=tuple(each.name for each in rules.environments),
        parity=config.parity,
        verification=config.verification,
        registry=context.registry,
        log=context.log,
        repository=context.shared_repository,
        forge=context.forge,
        target=context.target(config, environment),
        client=context.client,
        clock=context.clock,
        console=context.console,
        actor=context.actor,
        public_key=public_key_of(config),
        risk=rules.risk,
    )


def require_kept_store(context: Context) -> None:
    """Raises ConfigurationError in a forge's pipeline that names no store: a folder of its checkout would be lost."""
    if context.environment.in_pipeline and context.on_forge and not context.store_named:
        raise ConfigurationError(
            "no store is named, and what is written into the checkout of a run is lost",
            fix="set the variable MLOPS_STORE in the repository's settings, and give it to the step; or --store",
        )


def site_after(context: Context, config: ModelConfig, name: str) -> Site | None:
    """The site of the environment that comes next; None for the last."""
    names = [environment.name for environment in config.environments]
    following = names[names.index(name) + 1 :]
    return site_of(context, config, following[0]) if following else None


def _as_main_has_it(context: Context, config: ModelConfig) -> ModelConfig:
    """The model's configuration on the main branch; the given one where that has no such file.

    Raises ConfigurationError where the file there cannot be used.
    """
    repository, path = context.shared_repository, config.path.resolve()
    if not path.is_relative_to(repository.root):
        return config
    place = path.relative_to(repository.root).as_posix()
    content = repository.read(place, ref=repository.main)
    if content is None or content == path.read_bytes():
        return config
    return committed(content, path=config.path, name=f"{repository.main}:{place}")


def named_environment(config: ModelConfig, name: str) -> EnvironmentConfig:
    """Raises ConfigurationError naming those there are."""
    environment = config.environment(name)
    if environment is None:
        names = ", ".join(environment.name for environment in config.environments)
        raise ConfigurationError(f"{config.model} has no environment {name!r}", fix=f"one of {names}")
    return environment


def chosen_release(
    context: Context, config: ModelConfig, arguments: argparse.Namespace, *, serving_in: str | None = None
) -> Release:
    """The release that `--release` or `--version` names; else what serves in `serving_in`; else see `newest_release`.

    Raises NotFoundError where there is no such release.
    """
    if arguments.release:
        release = context.registry.release(arguments.release)
        if release.model != config.model:
            raise NotFoundError(f"release {release.id[:12]} is of {release.model}, not of {config.model}")
        return release
    state = context.log.state(config.model)
    if arguments.model_version is not None:
        found = state.versions.get(arguments.model_version)
        if found is None:
            raise NotFoundError(
                f"{config.model} has no released version {arguments.model_version}",
                fix=f"one of {', '.join(map(str, state.versions)) or 'none yet: mlops-ci release'}",
            )
        return context.registry.release(found)
    if serving_in is None:
        return newest_release(context, config)
    serving = champion(state, serving_in)
    if serving is None:
        raise NotFoundError(f"nothing of {config.model} serves in {serving_in}", fix=f"mlops-ci release {config.model}")
    return context.registry.release(serving)


def newest_release(context: Context, config: ModelConfig) -> Release:
    """The champion, or the newest version where there is none yet. Raises NotFoundError where there is neither."""
    state = context.log.state(config.model)
    chosen = champion(state, config.environments[-1].name)
    if chosen is None and state.versions:
        chosen = state.versions[max(state.versions)]
    if chosen is None:
        raise NotFoundError(f"{config.model} has no release yet", fix=f"mlops-ci release {config.model}")
    return context.registry.release(chosen)
