"""Brings an environment to what Git says it should serve: idempotent, and safe to kill at any point.

The order of things makes it so: traffic changes first, then Git where it has to be put right, and the log last. A run
that is killed leaves traffic that the log does not know of yet; the next run compares the three again and finishes.
"""

from __future__ import annotations

from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ConfigurationError, IntegrityError, OutsideError, VerificationError
from mlops_ci.pipeline.admission import require_admitted, require_open_or_begun, require_soaked
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import DesiredState, path_of, read_desired
from mlops_ci.pipeline.live_verification import require_verified
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.rollback import finish_rollback, keep_out, return_to
from mlops_ci.pipeline.rollout import roll_out
from mlops_ci.pipeline.site import Site

_QUIET = frozenset({"unchanged", "nothing", "reverting"})
"""Outcomes that say less than that something was finished."""


def reconcile(site: Site) -> Change:
    """Makes the environment serve what the main branch names; puts Git right where it names what is on hold.

    Raises OutsideError where another command is at work on the environment, VerificationError where Git names a release
    that may not come here yet, or one that does not answer well, ApprovalError where the environment takes none now,
    and ConfigurationError where Git names none any more.
    """
    with site.exclusive(), closing_the_pointless(site):
        return settle(site)


def settle(site: Site) -> Change:
    """As `reconcile`, for a caller that has the environment to itself."""
    finished = finish_rollback(site)
    change = _follow_git(site)
    if change.release is not None:
        require_verified(site, change.release)
    return finished if finished and change.outcome in _QUIET else change


def settle_on(site: Site, release: Release) -> Change:
    """As `settle`, for a caller that saw Git name the release just now. Raises OutsideError where it does no more."""
    change = settle(site)
    if release.id not in (change.release, change.rejected, change.comparing):
        raise OutsideError(
            f"{site.name} has another release than version {release.version} now: Git changed meanwhile",
            where=path_of(site.name, site.model),
            fix="look at what it names; run the command again if this release is still wanted",
        )
    return change


def _follow_git(site: Site) -> Change:
    state = site.state()
    serving = state.release if state else None
    try:
        desired = read_desired(site.repository, site.name, site.model)
    except ConfigurationError:
        _keep(site, serving)  # whatever has a share of the traffic besides, Git does not name it any more
        raise
    if desired is None:
        return _nothing(site, serving)
    if desired.release == serving:
        changed = site.serve_only(site.release(serving))
        return Change(
            model=site.model, environment=site.name, release=serving, previous=serving,
            outcome="restored" if changed else "unchanged", url=site.url,
        )  # fmt: skip
    if state and desired.release in state.holds:
        reason = f"Git named a release that is on hold: {state.holds[desired.release]}"
        return keep_out(site, serving, bad=desired.release, reason=reason)
    try:
        require_admitted(site, desired.release, where=path_of(site.name, site.model))
        require_soaked(site, desired.release, where=path_of(site.name, site.model))
        require_open_or_begun(site, desired.release, where=path_of(site.name, site.model))
    except (ApprovalError, IntegrityError, VerificationError):
        _keep(site, serving)  # a rollout that was killed may have given it traffic while it was still eligible
        raise
    return _replace(site, desired, site.release(serving) if serving else None)


def _nothing(site: Site, serving: str | None) -> Change:
    _keep(site, serving)
    if serving is not None:
        raise ConfigurationError(
            f"names no release, and release {serving[:12]} serves in {site.name}",
            where=path_of(site.name, site.model),
            fix="get the newest commits (git pull), or restore the line from Git's history",
        )
    return Change(model=site.model, environment=site.name, release=None, previous=None, outcome="nothing")


def _keep(site: Site, serving: str | None) -> None:
    """All traffic to what serves according to the log, and nothing else running."""
    if serving is not None:
        site.serve_only(site.release(serving))
    else:
        site.serve_nothing()


def _replace(site: Site, desired: DesiredState, stable: Release | None) -> Change:
    new = site.release(desired.release)
    previous = stable.id if stable else None
    rollout = roll_out(site, new, stable)
    reasons = rollout.reasons or _held_meanwhile(site, new)
    if reasons:
        reason = "; ".join(reasons)
        site.record(
            "rollout-aborted", [site.registry.put_json(rollout.failed.to_json())] if rollout.failed else [],
            release=new.id, share=rollout.share, reasons=list(reasons), rollback_to=previous,
        )  # fmt: skip
        change = return_to(site, previous, bad=new.id, reason=reason, outcome="aborted", steps=rollout.steps)
        if rollout.failed is not None and site.before is None:
            rollout.failed.require()
        return change
    if rollout.comparing:  # an A/B test goes on: the router keeps the division, and nobody waits
        site.stop_others({new.id, previous or new.id})
        return Change(
            model=site.model, environment=site.name, release=previous, previous=previous, outcome="comparing",
            url=site.url, comparing=new.id, steps=rollout.steps,
        )  # fmt: skip
    site.serve_only(new)
    if site.before is None:
        site.record("deployed", release=new.id, previous=previous, url=site.url)
    else:
        site.record("promoted", release=new.id, previous=previous, commit=desired.commit, url=site.url)
    return Change(
        model=site.model, environment=site.name, release=new.id, previous=previous,
        outcome="deployed" if site.before is None else "promoted", url=site.url, steps=rollout.steps,
    )  # fmt: skip


def _held_meanwhile(site: Site, release: Release) -> tuple[str, ...]:
    """A person who puts on hold what is being rolled out wants it to stop."""
    state = site.state()
    held = state.holds.get(release.id) if state else None
    return () if held is None else (f"it was put on hold meanwhile: {held}",)
