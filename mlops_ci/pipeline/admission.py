"""May a release come into an environment at all? Asked before Git is changed, and again before anything serves.

The order is: hold, eligibility, soak, then the calendar, and people last: nobody is asked in vain.
"""

from __future__ import annotations

from mlops_ci.core.calendar import Closed, closed
from mlops_ci.core.soak import unsoaked
from mlops_ci.core.state import obstacles, rollback_target
from mlops_ci.errors import ApprovalError, NotYet, VerificationError
from mlops_ci.pipeline.site import Site

_AT_REST = frozenset({"deployed", "promoted", "rolled-back", "rollout-aborted"})
_BEGINNINGS = frozenset({"approved", "rollout-step"})


def require_admitted(site: Site, release: str, *, where: str = "") -> None:
    """Raises ApprovalError where the release is on hold in the environment, and VerificationError where it is not
    registered, not verified in the environment before, or not signed as `image.public_key` demands; IntegrityError
    where what is signed is another release.
    """
    state = site.model_state()
    place = state.environments.get(site.name)
    if place and release in place.holds:
        raise ApprovalError(
            f"release {release[:12]} is on hold in {site.name}: {place.holds[release]}",
            where=where,
            fix=f"mlops-ci release-hold {site.model} --environment {site.name} --release {release[:12]} --reason ...",
        )
    in_the_way = obstacles(state, before=site.before, environment=site.name, release=release)
    if in_the_way:
        fix = f"bring it through {site.before} first" if site.before else f"mlops-ci release {site.model}"
        raise VerificationError("; ".join(in_the_way), where=where, fix=f"{fix}; see mlops-ci history {site.model}")
    site.require_signed(release)


def require_soaked(site: Site, release: str, *, where: str = "") -> None:
    """Raises VerificationError until the release has been verified in the environment before for `soak`.

    No approval replaces that time: what it may show is not known yet.
    """
    if site.before is None or not site.environment.soak:
        return
    events = site.log.read(site.model)
    soak, now = site.environment.soak, site.clock.now()
    why = unsoaked(events, environment=site.before, release=release, soak=soak, now=now)
    if why:
        raise NotYet(why, where=where, fix="run the same command again then")


def require_open(site: Site, *, where: str = "") -> None:
    """Raises ApprovalError while the environment is frozen or outside its windows, and says when it opens."""
    why = closed_now(site)
    if why:
        again = "run the same command again then" if why.opens else "change windows or freeze in mlops.yaml"
        raise ApprovalError(f"{site.name} takes no release now: {why}", where=where, fix=again)


def require_open_or_begun(site: Site, release: str, *, where: str = "") -> None:
    """As `require_open`, but what was begun may be finished, and the way back is always open.

    Begun is what `promote` let in, what has taken a step, or a service that runs, since the environment last came to
    rest. The way back is the release that a rollback would go to, where people made Git name it again.
    """
    if closed_now(site) and release != rollback_target(site.model_state(), site.name) and not _begun(site, release):
        require_open(site, where=where)


def closed_now(site: Site) -> Closed | None:
    """Why the site takes no release at this moment; None where it does."""
    return closed(site.clock.now(), windows=site.environment.windows, freezes=site.environment.freezes)


def _begun(site: Site, release: str) -> bool:
    begun = False
    for event in site.log.read(site.model):
        if event.subject.get("environment") != site.name:
            continue
        if event.kind in _AT_REST:
            begun = False
        elif event.kind in _BEGINNINGS and event.subject["release"] == release:
            begun = True
    return begun or any(one.release == release for one in site.target.instances(site.name, site.model))
