"""What the environment demands of a promotion's pull request before it is merged, and whether people have given it.

All that decides is the main branch's: who may approve, who owns the file, and what the pull request may change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlops_ci.core.approval import ApprovalDecision, Demand, Review, decide, teams_of
from mlops_ci.core.codeowners import LARGEST, PLACES, Ownership, owners_of
from mlops_ci.core.naming import one_line
from mlops_ci.errors import ApprovalError, ApprovalMissing, ConfigurationError, IntegrityError, Problem
from mlops_ci.pipeline.desired_state import changed_by, path_of, read_desired
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 10
"""So many paths are named; more would not tell people more."""


def require_approved(site: Site, pull: PullRequest) -> ApprovalDecision:
    """Raises ApprovalError with every reason why the pull request may not be merged as it is; ApprovalMissing where
    that is only for want of approvals.
    """
    surplus = list(_surplus(site, pull))
    if surplus:
        named = [Problem(where="", what=f"it changes {path!r}") for path in surplus[:_SHOWN]]
        more = [Problem(where="", what=f"and {len(surplus) - _SHOWN} more")] if len(surplus) > _SHOWN else []
        raise ApprovalError(
            f"pull request {pull.number} ({pull.title}) changes more than the line that names the release",
            where=pull.url,
            fix=f"propose that in a pull request of its own; delete branch {pull.branch} and run the command again",
            problems=[*named, *more],
        )
    decision = approval_of(site, pull)
    if not decision.granted:
        raise ApprovalMissing(
            f"pull request {pull.number} ({pull.title}) is not approved",
            where=pull.url,
            fix="have somebody who may approve review the commit that it shows now",
            problems=[Problem(where="", what=one_line(reason)) for reason in (*decision.reasons, *_skipped(site))],
        )
    return decision


def approval_of(site: Site, pull: PullRequest) -> ApprovalDecision:
    """May the pull request be merged, as far as people are concerned?

    Raises ConfigurationError where nobody can say who the owners are, and IntegrityError for a review without a time.
    """
    demand = demand_of(site)
    reviews = site.forge.reviews(pull.number) if demand.required else ()
    try:
        return decide(
            demand,
            head=pull.head,
            author=pull.author,
            last_pusher=site.forge.last_pusher(pull.number) if demand.required else "",
            reviews=reviews,
            members={team: site.forge.members(team) for team in teams_of(demand)},
            elsewhere=_elsewhere(site, pull, reviews),
        )
    except ValueError as error:
        raise IntegrityError(
            f"a review of pull request {pull.number} cannot be put in order: {error}",
            where=pull.url,
            fix="have that person review it again, or look at what the forge tells of it",
        ) from error


def demand_of(site: Site) -> Demand:
    """How many people have to approve what comes to the site, and who may: by configuration and by CODEOWNERS."""
    approvals = site.environment.approvals
    required = approvals.needed(site.risk)
    if not required:
        return Demand(required=0)
    why = "the model is marked as high risk" if site.risk == "high" and required > approvals.required else ""
    return Demand(required=required, people=approvals.people, owners=_ownership(site).owners, why=why)


def _ownership(site: Site) -> Ownership:
    """Who owns the site's file. Raises ConfigurationError for a CODEOWNERS file that the forge would not read."""
    main = site.repository.main
    for place in PLACES:
        content = site.repository.read(place, ref=main, from_top=True)
        if content is None:
            continue
        if len(content) > LARGEST:
            raise ConfigurationError(
                f"has {len(content):,} bytes, and GitHub reads none above {LARGEST:,}: nobody owns anything",
                where=place,
                fix="make it shorter: one pattern may cover many files",
            )
        path = site.repository.from_top(path_of(site.name, site.model))
        found = owners_of(path, content.decode("utf-8", "surrogateescape"))
        if found.sections and not found.owners:
            raise ConfigurationError(
                f"names no owner of {path} outside of its sections, and mlops-ci does not read those",
                where=place,
                fix="name the owners in a line above the first section, or in `approvals.from`",
            )
        return found
    return Ownership()


def _skipped(site: Site) -> Iterator[str]:
    """The lines of CODEOWNERS that do not count, which may be why the owners are not those that people expect."""
    if site.environment.approvals.needed(site.risk):
        for line in _ownership(site).skipped[:_SHOWN]:
            yield f"CODEOWNERS, {line}: skipped"


def _surplus(site: Site, pull: PullRequest) -> Iterator[str]:
    """What the merge would change besides the file that names the release, from the repository's top."""
    changed = changed_by(site.repository, pull.head)
    if changed is None:
        raise ApprovalError(
            f"pull request {pull.number} ({pull.title}) has no history in common with {site.repository.main}",
            where=pull.url,
            fix=f"delete the branch {pull.branch} and run the command again",
        )
    own = site.repository.from_top(path_of(site.name, site.model))
    return (path for path in changed if path != own)


def _elsewhere(site: Site, pull: PullRequest, reviews: Sequence[Review]) -> set[str]:
    """The commits that reviews are of and that propose another release than the pull request does now.

    One that cannot be found (such as in a shallow clone) is none of them: what was said against it stands.
    """
    proposed = _release_at(site, pull.head)
    commits = {review.commit for review in reviews if _COMMIT.fullmatch(review.commit)} - {pull.head}
    return {commit for commit in commits if _release_at(site, commit) not in ("", proposed)}


def _release_at(site: Site, commit: str) -> str:
    try:
        desired = read_desired(site.repository, site.name, site.model, ref=commit)
    except ConfigurationError:
        return ""
    return desired.release if desired else ""
