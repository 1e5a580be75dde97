"""Promotion by pull request: one line of desired state, approved by people, then the rollout."""

from __future__ import annotations

from mlops_ci.core.approval import ApprovalDecision, decide
from mlops_ci.core.records import Release
from mlops_ci.core.state import obstacles
from mlops_ci.errors import ApprovalError, Problem, VerificationError
from mlops_ci.pipeline.desired_state import commit_desired, read_desired
from mlops_ci.pipeline.reconcile import Change, reconcile
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Forge, PullRequest


def promotion_branch(environment: str, model: str) -> str:
    return f"mlops-ci/promote/{environment}/{model}"


def open_promotion(site: Site, forge: Forge, release: Release, *, body: str) -> PullRequest | None:
    """The pull request that proposes the release for the site; None where the main branch names it already.

    An open one that proposes this release is reused; one that proposes another is brought to this release, which makes
    the approvals that it has stale.
    """
    _refuse_what_must_not_serve(site, release)
    desired = read_desired(site.repository, site.name, site.model)
    if desired and desired.release == release.id:
        return None
    branch = promotion_branch(site.name, site.model)
    existing = forge.open_pull_request(branch)
    if existing is not None:
        proposed = read_desired(site.repository, site.name, site.model, ref=existing.head)
        if proposed and proposed.release == release.id:
            return existing
    title = f"Promote {site.model} version {release.version} to {site.name}"
    commit_desired(
        site.repository, environment=site.name, model=site.model, release=release.id, version=release.version,
        branch=branch, message=f"{title}\n\n{site.anchor}\n",
    )  # fmt: skip
    pull = forge.propose(branch=branch, base=site.repository.main, title=title, body=body)
    site.record("promotion-opened", release=release.id, pull_request=pull.number, head=pull.head)
    return pull


def promote(site: Site, forge: Forge, release: Release, *, body: str) -> Change:
    """Merges the approved promotion of the release and rolls it out.

    Raises ApprovalError where an approval is missing, VerificationError where the release was not verified before.
    """
    pull = open_promotion(site, forge, release, body=body)
    if pull is not None:
        decision = approval_of(site, forge, pull)
        if not decision.granted:
            raise ApprovalError(
                f"pull request {pull.number} ({pull.title}) is not approved",
                where=pull.url,
                fix="have somebody who may approve review the commit that it shows now",
                problems=[Problem(where="", what=reason) for reason in decision.reasons],
            )
        site.record(
            "approved",
            release=release.id,
            pull_request=pull.number,
            head=pull.head,
            by=list(decision.by),
            commit=pull.head,
        )
        message = f"Merge pull request {pull.number}: {pull.title}\n\n{site.anchor}\n"
        forge.merge(pull.number, head=pull.head, message=message)
    return reconcile(site)


def approval_of(site: Site, forge: Forge, pull: PullRequest) -> ApprovalDecision:
    """May the pull request be merged, as far as people are concerned?"""
    approvals = site.environment.approvals
    return decide(
        required=approvals.required,
        people=approvals.people,
        head=pull.head,
        author=pull.author,
        last_pusher=forge.last_pusher(pull.number),
        reviews=forge.reviews(pull.number),
        members={name: forge.members(name) for name in approvals.people if "/" in name},
    )


def _refuse_what_must_not_serve(site: Site, release: Release) -> None:
    state = site.model_state()
    place = state.environments.get(site.name)
    if place and release.id in place.holds:
        raise ApprovalError(
            f"release {release.id[:12]} is on hold in {site.name}: {place.holds[release.id]}",
            fix=f"mlops-ci release-hold {site.model} --environment {site.name} --release {release.id[:12]} --reason ...",
        )
    in_the_way = obstacles(state, before=site.before, environment=site.name, release=release.id)
    if in_the_way:
        raise VerificationError("; ".join(in_the_way), fix=f"mlops-ci release {site.model}")
