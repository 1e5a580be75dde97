"""The latest A/B test of an environment, as the log tells it, and what users' requests have met since it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.records import Release
from mlops_ci.core.state import SERVING_KINDS
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import IntegrityError, NotFoundError
from mlops_ci.pipeline.progress import Progress
from mlops_ci.pipeline.rollout import COMPARING
from mlops_ci.pipeline.site import Site

ENDING = SERVING_KINDS | {"rollout-step", "rollout-aborted"}
"""The kinds of event by which an A/B test is over, unless they are a further look at it."""


@dataclass(frozen=True, kw_only=True)
class AbTest:
    """`outcome` is that of the latest look; `ended` is None while the test goes on."""

    stable: Release
    new: Release
    share: int
    until: str
    ended: datetime | None
    outcome: str
    progress: Progress

    @property
    def sides(self) -> Mapping[str, Release]:
        return {"stable": self.stable, "new": self.new}

    def covers(self, moment: datetime) -> bool:
        return self.progress.began <= moment and (self.ended is None or moment <= self.ended)

    def to_json(self) -> dict[str, Any]:
        sides = {side: {"release": one.id, "version": one.version} for side, one in self.sides.items()}
        return {
            **sides,
            "share": self.share,
            "began": timestamp(self.progress.began),
            "until": self.until,
            "ended": None if self.ended is None else timestamp(self.ended),
            "outcome": self.outcome,
        }


def latest_test(site: Site) -> AbTest:
    """Raises NotFoundError where there was none, and IntegrityError where its evidence is no such thing."""
    look: Event | None = None
    end: Event | None = None
    for event in site.log.read(site.model):
        if event.subject.get("environment") != site.name:
            continue
        if event.kind == "rollout-step" and event.subject["outcome"] == COMPARING:
            look, end = event, None
        elif look is not None and end is None and event.kind in ENDING:
            end = event
    if look is None:
        raise NotFoundError(
            f"there was no A/B test of {site.model} in {site.name} yet",
            where="mlops.yaml",
            fix=f"environments.{site.name}.rollout.ab: {{share: 20, duration: 7d}}, and the next promotion begins one",
        )
    # The look that ended it has counted the last requests.
    last = end if end is not None and end.subject.get("stage") == "comparison" else look
    try:
        progress = Progress.from_json(site.registry.get_json(last.evidence[0]))
    except (LookupError, ValueError) as error:
        what = f"what event {last.number} of {site.model} rests on is no progress of an A/B test"
        raise IntegrityError(what, fix=f"mlops-ci verify-log {site.model}") from error
    return AbTest(
        stable=site.release(progress.stable),
        new=site.release(look.subject["release"]),
        share=look.subject["share"],
        until=look.subject["until"],
        ended=end.at if end else None,
        outcome=str(last.subject["outcome"]),
        progress=progress,
    )


def live_counts(site: Site, test: AbTest) -> Mapping[str, LiveCounts]:
    """What the router has counted of both sides since the test began; by now, where it goes on."""
    progress, nothing = test.progress, LiveCounts()
    counts = {side: progress.live.get(release.id, nothing) for side, release in test.sides.items()}
    if test.ended is not None:
        return counts
    now = site.target.traffic(site.name, site.model)
    return {
        side: counts[side] + now.get(release.id, nothing).since(progress.counted.get(release.id, nothing))
        for side, release in test.sides.items()
    }
