"""The promotion pull request: proposed, kept up to date, taken over by a newer release, closed when it is pointless.

There is one for each model and environment. What people approve is the commit that it shows: one line of desired state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops_ci.core.events import EventKind
from mlops_ci.core.records import Release
from mlops_ci.core.state import EnvironmentState, ModelState
from mlops_ci.pipeline.admission import require_admitted
from mlops_ci.pipeline.desired_state import commit_desired, named_at, proposes, read_desired
from mlops_ci.pipeline.event_log import NewEvent
from mlops_ci.pipeline.proposal_text import describe
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest

PROMOTIONS = "mlops-ci/promote/"


def promotion_branch(environment: str, model: str) -> str:
    return f"{PROMOTIONS}{environment}/{model}"


def promotion_of(branch: str) -> tuple[str, str] | None:
    """The environment and the model whose promotions come from the branch; None where it is no such branch.

    >>> promotion_of("mlops-ci/promote/production/tides"), promotion_of("mallory:mlops-ci/promote/production/tides")
    (('production', 'tides'), None)
    """
    environment, _, model = branch.removeprefix(PROMOTIONS).partition("/")
    return (environment, model) if branch.startswith(PROMOTIONS) and environment and model else None


def open_promotion(site: Site, release: Release) -> PullRequest | None:
    """The pull request that proposes the release for the site; None where the main branch names it already.

    An open one that proposes this release in place of what main names now is reused; any other is brought to that,
    which makes the approvals that it has stale. Raises ApprovalError where the release is on hold, and
    VerificationError where it is not verified in the environment before.
    """
    require_admitted(site, release.id)
    branch, main = promotion_branch(site.name, site.model), site.repository.main
    existing = site.forge.open_pull_request(branch)
    where = (site.repository, site.name, site.model)
    wanted = read_desired(*where)
    if wanted is not None and wanted.release == release.id:
        if existing is not None and named_at(*where, existing.head) == release.id:  # squashed: Git does not see it
            reason = f"{main} names version {release.version} already"
            close_promotion(site, site.name, existing, release=release.id, reason=reason)
        return None
    title = f"Promote {site.model} version {release.version} to {site.name}"
    pull = existing if existing is not None and proposes(*where, release.id, head=existing.head) else None
    head = pull.head if pull else commit_desired(
        site.repository, environment=site.name, model=site.model, release=release.id, version=release.version,
        branch=branch, message=site.vouched(title),
    )  # fmt: skip
    reviews = site.forge.reviews(existing.number) if existing else ()
    stale = [review for review in reviews if review.verdict == "approved" and review.commit != head]
    body = describe(site, release, stale=stale)
    if pull is None or (pull.title, pull.body) != (title, body):
        pull = site.forge.propose(branch=branch, base=main, title=title, body=body)
    _record_opened(site, release.id, pull)
    return pull


def declined(site: Site, release: str) -> PullRequest | None:
    """The pull request by whose closing people have said no to the release; None where they have not.

    What mlops-ci closed itself is on record, and speaks for nobody.
    """
    state = site.state()
    proposed = state.promotion if state else None
    if proposed is None or proposed.release != release:
        return None
    pull = site.forge.latest_pull_request(promotion_branch(site.name, site.model))
    return pull if pull and pull.number == proposed.pull_request and pull.state == "closed" else None


def close_promotion(site: Site, environment: str, pull: PullRequest, *, release: str, reason: str) -> None:
    """Closes a promotion to that environment of the site's model, and tells people and the log why."""
    subject = {"release": release, "pull_request": pull.number, "reason": reason}

    def while_open(place: EnvironmentState | None) -> bool:
        return bool(place and place.promotion and place.promotion.pull_request == pull.number)

    # First the log: a closing that nobody put on record would count as that of a person.
    _record_if(site, environment, "promotion-closed", subject, while_open)
    site.console.say(f"{environment}: closing pull request {pull.number}: {reason}")
    site.forge.close(pull.number, comment=f"Closed by mlops-ci: {reason}.")


def _record_opened(site: Site, release: str, pull: PullRequest) -> None:
    subject = {"release": release, "pull_request": pull.number, "head": pull.head}

    def unless_known(place: EnvironmentState | None) -> bool:
        known = place.promotion if place else None
        return known is None or (known.release, known.pull_request, known.head) != (release, pull.number, pull.head)

    _record_if(site, site.name, "promotion-opened", subject, unless_known)


def _record_if(
    site: Site,
    environment: str,
    kind: EventKind,
    subject: Mapping[str, Any],
    due: Callable[[EnvironmentState | None], bool],
) -> None:
    """Puts it on record if it is due in the environment's state as the log has it at that very moment."""
    new = NewEvent(kind=kind, subject={"environment": environment, **subject}, actor=site.actor)

    def decide(state: ModelState) -> NewEvent | None:
        return new if due(state.environments.get(environment)) else None

    site.log.append(site.model, decide)
