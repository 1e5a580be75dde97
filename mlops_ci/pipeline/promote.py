"""Promotion by pull request: one line of desired state, approved by people, then the rollout."""

from __future__ import annotations

from mlops_ci.core.approval import ApprovalDecision, decide
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, Problem
from mlops_ci.pipeline.admission import require_admitted, require_soaked
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import commit_desired, path_of, read_desired
from mlops_ci.pipeline.reconcile import settle_on
from mlops_ci.pipeline.rollback import finish_rollback
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Forge, PullRequest


def promotion_branch(environment: str, model: str) -> str:
    return f"mlops-ci/promote/{environment}/{model}"


def open_promotion(site: Site, forge: Forge, release: Release, *, body: str) -> PullRequest | None:
    """The pull request that proposes the release for the site; None where the main branch names it already.

    An open one that proposes this release in place of what main names now is reused; any other is brought to that,
    which makes the approvals that it has stale. Raises ApprovalError where the release is on hold, and
    VerificationError where it is not verified in the environment before.
    """
    require_admitted(site, release.id)
    branch = promotion_branch(site.name, site.model)
    existing = forge.open_pull_request(branch)
    same = existing is not None and _names(site, release, existing.head)
    if _names(site, release, site.repository.main):
        if existing is not None and same:  # merged in a way that Git does not see, such as squashed
            forge.close(existing.number, comment=f"{site.repository.main} names version {release.version} already.")
        return None
    if existing is not None and same and _up_to_date(site, existing):
        pull = existing
    else:
        title = f"Promote {site.model} version {release.version} to {site.name}"
        commit_desired(
            site.repository, environment=site.name, model=site.model, release=release.id, version=release.version,
            branch=branch, message=site.vouched(title),
        )  # fmt: skip
        pull = forge.propose(branch=branch, base=site.repository.main, title=title, body=body)
    site.record_once("promotion-opened", release=release.id, pull_request=pull.number, head=pull.head)
    return pull


def promote(site: Site, forge: Forge, release: Release, *, body: str) -> Change:
    """Merges the approved promotion of the release and rolls it out; what a killed run began is finished first.

    Raises ApprovalError where an approval is missing, VerificationError where the release was not verified before, or
    not for long enough, and OutsideError where another command is at work on the environment.
    """
    with site.exclusive():
        finished = finish_rollback(site)
        if finished is not None and finished.rejected == release.id:
            return finished
        pull = open_promotion(site, forge, release, body=body)
        if pull is not None:
            require_soaked(site, release.id)
            _merge(site, forge, release, pull)
        return settle_on(site, release)


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


def _merge(site: Site, forge: Forge, release: Release, pull: PullRequest) -> None:
    decision = approval_of(site, forge, pull)
    if not decision.granted:
        raise ApprovalError(
            f"pull request {pull.number} ({pull.title}) is not approved",
            where=pull.url,
            fix="have somebody who may approve review the commit that it shows now",
            problems=[Problem(where="", what=reason) for reason in decision.reasons],
        )
    # Before the merge: after it a run that was killed would find nothing left to approve, and the log would never say.
    site.record_once(
        "approved",
        release=release.id,
        pull_request=pull.number,
        head=pull.head,
        by=list(decision.by),
        commit=pull.head,
    )
    message = site.vouched(f"Merge pull request {pull.number}: {pull.title}")
    forge.merge(pull.number, head=pull.head, message=message)


def _names(site: Site, release: Release, ref: str) -> bool:
    desired = read_desired(site.repository, site.name, site.model, ref=ref)
    return desired is not None and desired.release == release.id


def _up_to_date(site: Site, pull: PullRequest) -> bool:
    """Does main's file say what it said when the branch left it? Else people approved another change than this."""
    path, main = path_of(site.name, site.model), site.repository.main
    base = site.repository.merge_base(pull.head, main)
    return base is not None and site.repository.read(path, ref=base) == site.repository.read(path, ref=main)
