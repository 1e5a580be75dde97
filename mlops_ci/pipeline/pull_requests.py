"""Closes the pull requests of a model that nobody should merge any more, and says why; idempotent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlops_ci.core.state import obstacles
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.deploy_proposal import DEPLOYMENTS
from mlops_ci.pipeline.desired_state import named_at
from mlops_ci.pipeline.proposals import PROMOTIONS, close_promotion
from mlops_ci.pipeline.revert import REVERTS
from mlops_ci.pipeline.site import Site, before
from mlops_ci.ports import PullRequest


@contextmanager
def closing_the_pointless(site: Site) -> Iterator[list[PullRequest]]:
    """Closes what is pointless once the block is done, whether it went well or not; the list then names what was.

    A forge that fails here spoils nothing: `promote` refuses what is pointless, and the next command closes it.
    """
    closed: list[PullRequest] = []
    try:
        yield closed
    except MlopsError:
        closed += _close(site)
        raise
    closed += _close(site)


def close_pointless(site: Site) -> list[PullRequest]:
    """Closes the model's promotions, to whatever environment, that must not be merged, and the deployments and reverts
    that are not needed.

    What is open for releases that may go on stays as it is.
    """
    closed = []
    for pull in site.forge.open_pull_requests(PROMOTIONS):
        environment, _, model = pull.branch.removeprefix(PROMOTIONS).partition("/")
        if model != site.model:
            continue
        release = named_at(site.repository, environment, model, pull.head)
        reason = _pointless_promotion(site, environment, release)
        if reason:
            close_promotion(site, environment, pull, release=release, reason=reason)
            closed.append(pull)
    for prefix, pointless in ((REVERTS, _pointless_revert), (DEPLOYMENTS, _pointless_deployment)):
        for pull in site.forge.open_pull_requests(prefix):
            environment, _, model = pull.branch.removeprefix(prefix).partition("/")
            reason = pointless(site, environment, pull) if model == site.model else ""
            if reason:
                site.forge.close(pull.number, comment=f"Closed by mlops-ci: {reason}.")
                closed.append(pull)
    return closed


def _close(site: Site) -> list[PullRequest]:
    try:
        return close_pointless(site)
    except MlopsError as error:
        site.console.warn(f"pull requests that are pointless by now could not be closed: {error.what}")
        return []


def _pointless_promotion(site: Site, environment: str, release: str) -> str:
    """Why nobody should approve it any more; empty where somebody may."""
    if environment not in site.chain:
        return f"mlops.yaml has no environment {environment} any more"
    comes_after = before(site.chain, environment)
    if comes_after is None:
        return f"{environment} is the first environment now, and nothing is promoted to it"
    if not release:
        return ""
    return "; ".join(obstacles(site.model_state(), before=comes_after, environment=environment, release=release))


def _pointless_deployment(site: Site, environment: str, pull: PullRequest) -> str:
    if environment not in site.chain:
        return f"mlops.yaml has no environment {environment} any more"
    if before(site.chain, environment) is not None:
        return f"{environment} is not the first environment any more"
    release = named_at(site.repository, environment, site.model, pull.head)
    if release and release == named_at(site.repository, environment, site.model, site.repository.main):
        return f"{site.repository.main} names release {release[:12]} already"
    place = site.model_state().environments.get(environment)
    return f"release {release[:12]} is on hold in {environment}" if place and release in place.holds else ""


def _pointless_revert(site: Site, environment: str, _pull: PullRequest) -> str:
    if environment not in site.chain:
        return f"mlops.yaml has no environment {environment} any more"
    named = named_at(site.repository, environment, site.model, site.repository.main)
    place = site.model_state().environments.get(environment)
    if place and named in place.holds:
        return ""
    return f"{site.repository.main} names nothing any more that is on hold in {environment}"
