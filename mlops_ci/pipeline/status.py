"""What serves where, compared with what Git says and what really answers; and what is on its way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlops_ci.core.calendar import closed
from mlops_ci.core.state import EnvironmentState, ModelState
from mlops_ci.errors import ConfigurationError, IntegrityError
from mlops_ci.pipeline.approvals import approval_of, demand_of
from mlops_ci.pipeline.deploy_proposal import deploy_branch
from mlops_ci.pipeline.desired_state import named_at, read_desired
from mlops_ci.pipeline.proposals import promotion_branch
from mlops_ci.pipeline.revert import needs_revert, revert_branch
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest


@dataclass(frozen=True, kw_only=True)
class OpenPromotion:
    """The pull request that proposes `release`, or that would deploy it where nobody may push to main: who has approved
    it so that it counts, and what is still missing.
    """

    pull_request: int
    title: str
    url: str
    head: str
    release: str | None
    version: int | None
    required: int
    approved_by: Sequence[str]
    missing: int
    reasons: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class OngoingRollout:
    """The release that gets traffic, how much in per cent, what was found; `until` is when an A/B test ends."""

    release: str
    version: int | None
    share: int
    outcome: str
    until: str


@dataclass(frozen=True, kw_only=True)
class EnvironmentStatus:
    """`release` serves according to the log, `desired` according to Git; `hold` says why `release` is on hold.

    `trouble` is what the target has to say against its service, empty where that is nothing. `closed` says why nothing
    may be promoted now, and until when. `revert` is the pull request that would put Git right and waits for people.
    `warnings` are what somebody should look at though all is settled.
    """

    model: str
    environment: str
    release: str | None
    version: int | None
    since: str | None
    url: str | None
    healthy: bool
    hold: str | None
    desired: str | None
    settled: bool
    trouble: str
    promotion: OpenPromotion | None = None
    rollout: OngoingRollout | None = None
    closed: str | None = None
    revert: int | None = None
    warnings: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def status(site: Site) -> EnvironmentStatus:
    """Reads the log, Git and its forge, and asks the service; changes nothing."""
    state = site.model_state()
    place = state.environments.get(site.name)
    release = place.release if place else None
    desired = read_desired(site.repository, site.name, site.model)
    instances = (
        {instance.release: instance for instance in site.target.instances(site.name, site.model)} if release else {}
    )
    shares = dict(site.target.shares(site.name, site.model)) if release else {}
    healthy = release in instances and instances[release].healthy and shares.get(release) == 100 if release else False
    wanted = desired.release if desired else None
    rollout = _rollout(state, place, wanted)
    calendar = closed(site.clock.now(), windows=site.environment.windows, freezes=site.environment.freezes)
    return EnvironmentStatus(
        model=site.model,
        environment=site.name,
        release=release,
        version=_version(state, release),
        since=place.since if place and release else None,
        url=site.url if release else None,
        healthy=healthy,
        hold=place.holds.get(release) if place and release else None,
        desired=wanted,
        settled=wanted == release and (release is None or healthy),
        trouble=instances[release].trouble if release in instances else "",
        promotion=_promotion(site, state),
        rollout=rollout,
        closed=str(calendar) if calendar else None,
        revert=_revert(site),
        warnings=warnings(state, release, before=site.before, environment=site.name),
    )


def warnings(state: ModelState, release: str | None, *, before: str | None, environment: str) -> list[str]:
    """What speaks against what serves: that its verification was revoked, here or in the environment before.

    It goes on serving all the same. Here, because there was nothing to go back to; and what was found in the
    environment before may be that environment's fault, so people decide.
    """
    found = []
    for name in (environment, before):
        place = state.environments.get(name or "")
        if place and release and release in place.revoked:
            found.append(f"what serves is not verified in {name} any more: {place.revoked[release]}")
    return found


def abandoned(state: ModelState, chain: Sequence[str]) -> Mapping[str, str]:
    """The release that serves, by environment, where mlops.yaml does not name that environment any more."""
    places = state.environments.values()
    return {place.name: place.release for place in places if place.release and place.name not in chain}


def _version(state: ModelState, release: str | None) -> int | None:
    return state.releases[release].version if release and release in state.releases else None


def _rollout(state: ModelState, place: EnvironmentState | None, wanted: str | None) -> OngoingRollout | None:
    """The rollout that was begun and not ended, of what Git still wants."""
    found = place.rollout if place else None
    if place is None or found is None or found.release != wanted or found.release in place.holds:
        return None
    return OngoingRollout(
        release=found.release, version=_version(state, found.release), share=found.share, outcome=found.outcome,
        until=found.until,
    )  # fmt: skip


def _promotion(site: Site, state: ModelState) -> OpenPromotion | None:
    branch_of = promotion_branch if site.before else deploy_branch
    pull = site.forge.open_pull_request(branch_of(site.name, site.model))
    if pull is None:
        return None
    release = named_at(site.repository, site.name, site.model, pull.head) or None
    required, approved_by, missing, reasons = _approvals(site, pull)
    return OpenPromotion(
        pull_request=pull.number, title=pull.title, url=pull.url, head=pull.head, release=release,
        version=_version(state, release), required=required, approved_by=approved_by, missing=missing, reasons=reasons,
    )  # fmt: skip


def _approvals(site: Site, pull: PullRequest) -> tuple[int, Sequence[str], int, Sequence[str]]:
    """How many are required, who has approved, how many are missing, and what does not count."""
    try:
        required, decision = demand_of(site).required, approval_of(site, pull)
    except (ConfigurationError, IntegrityError) as error:  # such as a CODEOWNERS that nobody can read
        required = site.environment.approvals.needed(site.risk)
        return required, (), required, (error.what,)
    return required, decision.by, decision.missing, decision.reasons


def _revert(site: Site) -> int | None:
    pull = site.forge.open_pull_request(revert_branch(site.name, site.model)) if needs_revert(site) else None
    return pull.number if pull else None
