"""How far a rollout has come, from one command to the next: it stands in the evidence of its latest step.

An A/B test lasts for days, and no command does; and a rollout that was killed goes on after its last step. What was
learnt of the release is carried over, so that looking again is no second chance and no second doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_ci.core.events import timestamp
from mlops_ci.core.records import Release
from mlops_ci.core.rollout import RolloutState
from mlops_ci.core.rollout_plan import Plan
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import IntegrityError, NotFoundError
from mlops_ci.pipeline.site import Site

GOING_ON = frozenset({"continue", "comparing"})
"""The outcomes of a step after which there is another one."""

Counts = Mapping[str, LiveCounts]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`began` is when the present stage did. `counted` is what the router had counted of either release (cumulative)
    at the last look, and `live` what came in this stage. `asked` names the live records that both were asked.
    """

    stable: str
    state: RolloutState
    tolerance: float
    asked: tuple[str, ...]
    began: datetime
    counted: Counts
    live: Counts

    def to_json(self) -> dict[str, Any]:
        return {
            "stable": self.stable,
            "state": self.state.to_json(),
            "tolerance": self.tolerance,
            "asked": list(self.asked),
            "began": timestamp(self.began),
            "counted": {release: counts.to_json() for release, counts in self.counted.items()},
            "live": {release: counts.to_json() for release, counts in self.live.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Progress:
        """Raises ValueError where it is no such thing."""
        try:
            counts = [
                {release: LiveCounts.from_json(one) for release, one in value[key].items()}
                for key in ("counted", "live")
            ]
            return cls(
                stable=value["stable"],
                state=RolloutState.from_json(value["state"]),
                tolerance=float(value["tolerance"]),
                asked=tuple(value["asked"]),
                began=datetime.fromisoformat(value["began"]),
                counted=counts[0],
                live=counts[1],
            )
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"no progress of a rollout: {type(error).__name__}") from error


def progress_of(site: Site, new: Release, stable: Release) -> Progress | None:
    """That of the same rollout: this release against this stable one, by the plan of today. None: it begins anew."""
    state = site.state()
    latest = state.rollout if state else None
    if latest is None or latest.release != new.id or latest.outcome not in GOING_ON or not latest.evidence:
        return None
    try:
        progress = Progress.from_json(site.registry.get_json(latest.evidence[0]))
    except (ValueError, NotFoundError, IntegrityError) as error:
        site.console.warn(f"{site.name}: the rollout begins anew, as what its last step rested on is gone: {error}")
        return None
    return progress if (progress.stable, progress.state.plan) == (stable.id, plan_of(site)) else None


def plan_of(site: Site) -> Plan:
    """What `rollout` says in mlops.yaml, in seconds."""
    rollout = site.environment.rollout
    return Plan(
        steps=rollout.steps,
        window=rollout.window.total_seconds(),
        deadline=max(rollout.window, rollout.deadline).total_seconds(),
        min_requests=rollout.min_requests,
        shadow=rollout.shadow.total_seconds(),
        comparison=(rollout.ab.share, rollout.ab.duration.total_seconds()) if rollout.ab else None,
        false_aborts=rollout.false_aborts,
    )
