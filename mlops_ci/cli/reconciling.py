"""`reconcile`: environments to what Git says; those of one model, or all of whose desired state a push has changed.

What the merge of a pull request has left to be done is done: the rollout, the verification, the next promotion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlops_ci.cli.changes import changed
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import site_after, site_of
from mlops_ci.cli.output import error_outcome
from mlops_ci.cli.publishing import propose_next
from mlops_ci.cli.telling import tell_deployment
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, VerificationError
from mlops_ci.pipeline.desired_state import named_at
from mlops_ci.pipeline.reconcile import reconcile
from mlops_ci.pipeline.site import Site
from mlops_ci.pipeline.status import warnings
from mlops_ci.ports import PullRequest

_FILE = re.compile(r"environments/(?P<environment>[^/]+)/(?P<model>[^/]+)\.yaml")


def reconcile_model(context: Context, config: ModelConfig, environment: str | None) -> Outcome:
    """One environment of the model, or each. What is wrong in one keeps no other from being mended."""
    names = [environment] if environment else [item.name for item in config.environments]
    outcomes: list[Outcome] = []
    errors: list[MlopsError] = []
    for site in [site_of(context, config, name) for name in names]:
        try:
            outcomes.append(_reconciled(context, config, site))
        except MlopsError as error:
            context.console.warn(f"{site.name}: {error.what}")
            errors.append(error)
    if errors:
        raise errors[0]
    if len(outcomes) == 1:
        return outcomes[0]
    return Outcome(
        value={"model": config.model, "environments": [outcome.value for outcome in outcomes]},
        text="\n".join(outcome.text for outcome in outcomes),
        code=max(outcome.code for outcome in outcomes),
    )


def reconcile_since(context: Context, since: str | None, environment: str | None = None) -> Outcome:
    """Every environment (or that one) of every model whose file in Git has changed since the commit (None: every one
    there is).
    """
    outcomes: list[Outcome] = []
    errors: list[tuple[_Named, MlopsError]] = []
    for each in _ordered(context, _files(context, since)):
        if environment not in (None, each.environment):
            continue
        try:
            config = context.config(each.model)
            outcomes.append(_reconciled(context, config, site_of(context, config, each.environment)))
        except MlopsError as error:
            context.console.warn(f"{each.model} in {each.environment}: {error.what}")
            errors.append((each, error))
    failed = [
        {"model": one.model, "environment": one.environment, **error_outcome(error).value} for one, error in errors
    ]
    lines = [outcome.text for outcome in outcomes]
    lines += [f"{one.model} in {one.environment}: {error.what}" for one, error in errors]
    return Outcome(
        value={"since": since, "changes": [outcome.value for outcome in outcomes], "errors": failed},
        text="\n".join(lines) or "no environment is to serve anything else than before",
        code=errors[0][1].exit_code if errors else max((outcome.code for outcome in outcomes), default=0),
        problems=[problem for _, error in errors for problem in error_outcome(error).problems],
    )


@dataclass(frozen=True, kw_only=True)
class _Named:
    """An environment of a model; `position` is where it comes in the model's chain."""

    model: str
    environment: str
    position: int


def _reconciled(context: Context, config: ModelConfig, site: Site) -> Outcome:
    change = reconcile(site)
    found = warnings(site.model_state(), change.release, before=site.before, environment=site.name)
    for warning in found:
        context.console.warn(f"{site.name}: {warning}")
    tell_deployment(context, site, change)
    outcome = changed(change, warnings=found)
    following = site_after(context, config, site.name)
    named = named_at(site.repository, site.name, site.model, site.repository.main)
    if following is None or change.release is None or change.release != named:
        return outcome
    pull, refused = _proposed(following, site.release(change.release))
    said = f"\n  pull request {pull.number}: {pull.title}" if pull else ""
    said += f"\n  not proposed for {following.name}, {refused}" if refused else ""
    value = {**outcome.value, "pull_request": pull.number if pull else None}
    return Outcome(value=value, text=outcome.text + said, code=outcome.code)


def _proposed(site: Site, release: Release) -> tuple[PullRequest | None, str]:
    """As `propose_next`; here it is no error either that the release may not go on, as where it was revoked."""
    try:
        return propose_next(site, release)
    except (ApprovalError, VerificationError) as error:
        return None, f"where it may not come: {error.what}"


def _ordered(context: Context, files: Iterator[tuple[str, str]]) -> list[_Named]:
    """Those that `mlops.yaml` knows, the earlier environments of a model first; the others are named and left alone."""
    found, models = [], set(context.models())
    for model, environment in files:
        names = [each.name for each in context.config(model).environments] if model in models else []
        if environment in names:
            found.append(_Named(model=model, environment=environment, position=names.index(environment)))
        else:
            context.console.warn(f"environments/{environment}/{model}.yaml belongs to no environment of mlops.yaml")
    return sorted(found, key=lambda each: (each.model, each.position))


def _files(context: Context, since: str | None) -> Iterator[tuple[str, str]]:
    """Model and environment of each file of desired state that the main branch has otherwise than the commit."""
    for path in _paths(context, since):
        match = _FILE.fullmatch(path)
        if match:
            yield match["model"], match["environment"]


def _paths(context: Context, since: str | None) -> list[str]:
    """Relative to the project's folder."""
    repository = context.shared_repository
    top = repository.from_top("")
    if since is None or not since.strip("0"):  # all zeros: what a push names that made the branch
        models = context.models()
        return [f"environments/{place.name}/{model}.yaml" for model in models
                for place in context.config(model).environments]  # fmt: skip
    before, after = repository.commit(since), repository.commit(repository.main)
    if before is None or after is None:
        raise ConfigurationError(
            f"there is no commit {since}", where="--since", fix="name a commit of the main branch, or use --all"
        )
    return [path.removeprefix(top) for path in repository.changed(before, after) if path.startswith(top)]
