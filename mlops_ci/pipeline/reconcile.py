"""Brings an environment to what Git says it should serve: idempotent, and safe to kill at any point.

The order of things makes it so: traffic changes first, then Git where it has to be put right, and the log last. A run
that is killed leaves traffic that the log does not know of yet; the next run compares the three again and finishes.
"""

from __future__ import annotations

from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, IntegrityError, OutsideError, VerificationError
from mlops_ci.pipeline.admission import require_admitted, require_soaked
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.desired_state import DesiredState, path_of, read_desired
from mlops_ci.pipeline.rollback import begin_rollback, finish_rollback, return_to
from mlops_ci.pipeline.rollout import roll_out
from mlops_ci.pipeline.site import Site


def reconcile(site: Site) -> Change:
    """Makes the environment serve what the main branch names; puts Git right where it names what is on hold.

    Raises OutsideError where another command is at work on the environment, VerificationError where Git names a release
    that may not come here yet, or one that does not answer well, and ConfigurationError where it names none any more.
    """
    with site.exclusive():
        return settle(site)


def settle(site: Site) -> Change:
    """As `reconcile`, for a caller that has the environment to itself."""
    finished = finish_rollback(site)
    change = _follow_git(site)
    if change.release is not None:
        _require_verified(site, change.release)
    return finished if finished and change.outcome in {"unchanged", "nothing"} else change


def settle_on(site: Site, release: Release) -> Change:
    """As `settle`, for a caller that saw Git name the release just now. Raises OutsideError where it does no more."""
    change = settle(site)
    if release.id not in (change.release, change.rejected):
        raise OutsideError(
            f"{site.name} has another release than version {release.version} now: Git changed meanwhile",
            where=path_of(site.name, site.model),
            fix="look at what it names; run the command again if this release is still wanted",
        )
    return change


def _follow_git(site: Site) -> Change:
    state = site.state()
    serving = state.release if state else None
    desired = read_desired(site.repository, site.name, site.model)
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
        return return_to(site, serving, bad=desired.release, reason=reason, outcome="aborted")
    try:
        require_admitted(site, desired.release, where=path_of(site.name, site.model))
        require_soaked(site, desired.release, where=path_of(site.name, site.model))
    except (IntegrityError, VerificationError):
        _keep(site, serving)  # a rollout that was killed may have given it traffic while it was still eligible
        raise
    return _replace(site, desired, site.release(serving) if serving else None)


def _nothing(site: Site, serving: str | None) -> Change:
    if serving is not None:
        raise ConfigurationError(
            f"names no release, and release {serving[:12]} serves in {site.name}",
            where=path_of(site.name, site.model),
            fix="get the newest commits (git pull), or restore the line from Git's history",
        )
    _keep(site, None)
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
    if rollout.reasons:
        reason = "; ".join(rollout.reasons)
        site.record(
            "rollout-aborted", [site.registry.put_json(rollout.failed.to_json())] if rollout.failed else [],
            release=new.id, share=rollout.share, reasons=list(rollout.reasons), rollback_to=previous,
        )  # fmt: skip
        change = return_to(site, previous, bad=new.id, reason=reason, outcome="aborted", steps=rollout.steps)
        if rollout.failed is not None and site.before is None:
            rollout.failed.require()
        return change
    site.serve_only(new)
    if site.before is None:
        site.record("deployed", release=new.id, previous=previous, url=site.url)
    else:
        site.record("promoted", release=new.id, previous=previous, commit=desired.commit, url=site.url)
    return Change(
        model=site.model, environment=site.name, release=new.id, previous=previous,
        outcome="deployed" if site.before is None else "promoted", url=site.url, steps=rollout.steps,
    )  # fmt: skip


def _require_verified(site: Site, release: str) -> None:
    """Asks the live environment, once for each release, and records the answer: only then is it eligible to go on.

    Raises VerificationError where it does not answer well; the environment is then back on the release before, if
    there is one. Raises OutsideError, and changes nothing, where that says nothing of the release.
    """
    state = site.state()
    if state and release in state.verified:
        return
    record = site.release(release)
    verification = _decided(site, record, site.verify(record, site.url, under_load=True))
    evidence = [site.registry.put_json(verification.to_json())]
    if verification.ok:
        site.record("verified", evidence, release=release)
        return
    _take_back(site, release, verification, evidence)
    verification.require()


def _decided(site: Site, release: Release, verification: Verification) -> Verification:
    """What it says of the release. Raises OutsideError where it says nothing: the prober was too slow, or the address
    does not answer and the target says that no service runs there.
    """
    if not any(check.name == "health" for check in verification.failed):
        if verification.undecided:
            verification.require()
        return verification
    instances = site.target.instances(site.name, site.model)
    if not any(instance.release == release.id and instance.healthy for instance in instances):
        raise OutsideError(
            f"the service of version {release.version} does not run in {site.name}, so it was not verified",
            where=site.url,
            fix=f"mlops-ci reconcile {site.model} --environment {site.name}",
        )
    return verification.of_a_running_service()


def _take_back(site: Site, release: str, verification: Verification, evidence: list[str]) -> None:
    reason = verification.reason
    site.record("verification-revoked", evidence, release=release, reason=reason)
    try:
        begin_rollback(site, reason=f"verification failed: {reason}")
    except ConfigurationError:
        site.console.warn(f"{site.name}: there is no release before this one to go back to, so it keeps serving")
