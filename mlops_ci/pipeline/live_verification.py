"""Asks an environment whether what it serves is well, once deployed and again later, and takes back what is not.

What fails is not eligible for the next environment any more, until it is verified again.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, NotFoundError, OutsideError
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.rollback import begin_rollback, finish_rollback
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest


@dataclass(frozen=True, kw_only=True)
class Reverified:
    """What was found of the release that served, and what became of it.

    `change` is the rollback; None where it was verified, or where there was nothing to go back to. `closed` are the
    pull requests that are pointless by it.
    """

    release: Release
    verification: Verification
    change: Change | None = None
    closed: tuple[PullRequest, ...] = ()


def require_verified(site: Site, release: str) -> None:
    """Asks the live environment, once for each release, and records the answer: only then is it eligible to go on.

    Raises VerificationError where it does not answer well; the environment is then back on the release before, if
    there is one. Raises OutsideError, and changes nothing, where that says nothing of the release.
    """
    state = site.state()
    if state is None or release not in state.verified:
        verification, _ = _verify(site, site.release(release))
        verification.require()


def reverify(site: Site) -> Reverified:
    """Asks the live environment again, whatever is on record, and records the answer.

    Where it does not answer well the environment goes back to the last good release before; where there is none it
    keeps serving. Raises NotFoundError where nothing serves, and OutsideError, with nothing changed, where another
    command or a rollout is at work there, or where the answer says nothing of the release.
    """
    with site.exclusive(), closing_the_pointless(site) as closed:
        finish_rollback(site)
        state = site.state()
        if state is None or state.release is None:
            raise NotFoundError(f"nothing of {site.model} serves in {site.name}", fix=f"mlops-ci release {site.model}")
        shares = {release: share for release, share in site.target.shares(site.name, site.model).items() if share}
        if len(shares) > 1:
            raise OutsideError(
                f"{site.name} divides its traffic: a rollout is under way, so what answers there is no one release",
                where=site.url,
                fix=f"wait for its end, or finish it: mlops-ci reconcile {site.model} --environment {site.name}",
            )
        release = site.release(state.release)
        verification, change = _verify(site, release)
    return Reverified(release=release, verification=verification, change=change, closed=tuple(closed))


def _verify(site: Site, release: Release) -> tuple[Verification, Change | None]:
    verification = _decided(site, release, site.verify(release, site.url, under_load=True))
    evidence = [site.registry.put_json(verification.to_json())]
    if verification.ok:
        site.record("verified", evidence, release=release.id)
        return verification, None
    state, reason = site.state(), verification.reason
    if state is None or release.id not in state.revoked:  # said once: what keeps serving is asked again and again
        site.record("verification-revoked", evidence, release=release.id, reason=reason)
    try:
        return verification, begin_rollback(site, reason=f"verification failed: {reason}")
    except ConfigurationError:
        site.console.warn(f"{site.name}: there is no release before this one to go back to, so it keeps serving")
        return verification, None


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
