"""Promotion by pull request: one line of desired state, approved by people, then the rollout."""

from __future__ import annotations

from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ApprovalMissing
from mlops_ci.pipeline.admission import require_open, require_soaked
from mlops_ci.pipeline.approvals import require_approved
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.proposals import open_promotion
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.reconcile import settle_on
from mlops_ci.pipeline.rollback import finish_rollback
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest


def promote(site: Site, release: Release) -> Change:
    """Merges the approved promotion of the release and rolls it out; what a killed run began is finished first.

    Raises ApprovalError where an approval is missing or the environment takes none now, VerificationError where the
    release was not verified before, or not for long enough, and OutsideError where another command is at work on the
    environment.
    """
    with site.exclusive(), closing_the_pointless(site):
        finished = finish_rollback(site)
        if finished is not None and finished.rejected == release.id:
            return finished
        pull = open_promotion(site, release)
        if pull is not None:
            require_soaked(site, release.id)
            require_open(site)
            _merge(site, release, pull)
        return settle_on(site, release)


def _merge(site: Site, release: Release, pull: PullRequest) -> None:
    decision = require_approved(site, pull)
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
    try:
        site.forge.merge(pull.number, head=pull.head, message=message)
    except ApprovalError as error:  # the forge has rules of its own
        raise ApprovalMissing(
            error.what, where=error.where or pull.url, fix=error.fix or "run the command again once it may be merged"
        ) from error
