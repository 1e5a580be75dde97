"""Holds that people put on a release, to keep automation from bringing it to an environment, and lift again."""

from __future__ import annotations

from typing import Literal

from mlops_ci.core.events import EventKind
from mlops_ci.core.records import Release
from mlops_ci.core.state import ModelState, champion
from mlops_ci.errors import ApprovalError, VerificationError
from mlops_ci.pipeline.event_log import NewEvent
from mlops_ci.pipeline.proposals import declined, open_promotion
from mlops_ci.pipeline.pull_requests import closing_the_pointless
from mlops_ci.pipeline.site import Site
from mlops_ci.ports import PullRequest


def hold(site: Site, release: Release, *, reason: str) -> bool:
    """Puts the release on hold in the environment, deployed there or not; False where it is already.

    What proposes it is closed. What serves goes on to serve.
    """
    with closing_the_pointless(site):
        return _record(site, "held", release, reason, when="free")


def release_hold(site: Site, release: Release, *, reason: str) -> bool:
    """Lifts the hold; False where there is none."""
    return _record(site, "hold-released", release, reason, when="held")


def propose_again(site: Site, release: Release) -> PullRequest | None:
    """The promotion that a hold had closed, where the release may come here by now; None where it may not.

    It is proposed where the environment before serves it; an older release is promoted by hand.
    """
    before = site.before
    if before is None or champion(site.model_state(), before) != release.id:
        return None
    refused = declined(site, release.id)
    if refused:
        site.console.say(f"{site.name}: it is not proposed: people closed pull request {refused.number}")
        return None
    try:
        return open_promotion(site, release)
    except (ApprovalError, VerificationError) as error:
        site.console.say(f"{site.name}: it is not proposed: {error.what}")
        return None


def _record(site: Site, kind: EventKind, release: Release, reason: str, *, when: Literal["free", "held"]) -> bool:
    """Whether it was due. That is decided as the event is written, so that of two people one puts it on record."""
    subject = {"environment": site.name, "release": release.id, "reason": reason}
    new = NewEvent(kind=kind, subject=subject, actor=site.actor)

    def due(state: ModelState) -> NewEvent | None:
        place = state.environments.get(site.name)
        held = place is not None and release.id in place.holds
        return new if held == (when == "held") else None

    return site.log.append(site.model, due) is not None
