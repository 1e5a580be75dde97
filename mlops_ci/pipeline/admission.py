"""May a release come into an environment at all? Asked before Git is changed, and again before anything serves."""

from __future__ import annotations

from mlops_ci.core.soak import unsoaked
from mlops_ci.core.state import obstacles
from mlops_ci.errors import ApprovalError, VerificationError
from mlops_ci.pipeline.site import Site


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
        raise VerificationError(why, where=where, fix="run the same command again then")
