"""The rollback drill: before users depend on the way back, it is gone once, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlops_ci.core.records import Release
from mlops_ci.errors import VerificationError
from mlops_ci.pipeline.checks import Check
from mlops_ci.pipeline.golden_check import ask_golden
from mlops_ci.pipeline.replay import Side
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import Instance


def require_stable(site: Site, stable: Release) -> Side:
    """All traffic to stable, which has to answer its golden rows at the environment's address.

    Raises VerificationError where it does not: then nothing is rolled out.
    """
    try:
        url = site.start(stable)
    except VerificationError as error:
        raise _no_way_back(site, stable, error.what) from error
    side = Side(url=url, release=stable, signature=site.signature(stable), golden=site.golden(stable))
    site.target.route(site.name, site.model, {stable.id: 100})
    _require_answers(site, side)
    return side


def drill(site: Site, new: Side, stable: Side, *, share: int) -> None:
    """Gives the new release the share, takes it away again, and asks stable at the environment's address once more.

    The share lasts only until the router has said that it is in force. Raises VerificationError where stable does not
    answer as it should afterwards; the new release's service is ended then.
    """
    site.target.route(site.name, site.model, {new.release.id: share, stable.release.id: 100 - share})
    revived(site, stable, site.running())
    site.target.route(site.name, site.model, {stable.release.id: 100})
    try:
        _require_answers(site, stable)
    except VerificationError:
        site.target.stop(site.name, site.model, new.release.id)
        raise


def revived(site: Site, side: Side, running: Mapping[str, Instance]) -> Side:
    """The same; its service is started again where it is not well among the `running`, and may have moved."""
    if side.release.id in running and running[side.release.id].healthy:
        return side
    return replace(side, url=site.start(side.release))


def golden_check(site: Site, side: Side, *, url: str = "") -> Check:
    """Does this very release answer its golden rows at the address (its own, where none is given)?"""
    return ask_golden(
        site.client, url or side.url, release=side.release, signature=side.signature, golden=side.golden,
        limits=site.parity,
    )  # fmt: skip


def _require_answers(site: Site, stable: Side) -> None:
    check = golden_check(site, stable, url=site.url)
    if not check.ok:
        raise _no_way_back(site, stable.release, f"{check.name}: {check.detail}")


def _no_way_back(site: Site, stable: Release, problem: str) -> VerificationError:
    return VerificationError(
        f"the rollback drill failed, so there would be no way back to version {stable.version}: {problem}",
        where=site.url,
        fix=f"mend that service; or say that nobody shall go back to it, and the new release is judged by itself: "
        f"mlops-ci hold {site.model} --environment {site.name} --release {stable.id[:12]} --reason ...",
    )
