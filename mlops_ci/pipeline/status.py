"""What serves where, compared with what Git says and what really answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.site import Site


@dataclass(frozen=True, kw_only=True)
class EnvironmentStatus:
    """`release` serves according to the log, `desired` according to Git; `hold` says why `release` is on hold.

    `trouble` is what the target has to say against its service, empty where that is nothing.
    """

    model: str
    environment: str
    release: str | None
    version: int | None
    since: str | None
    url: str | None
    healthy: bool
    hold: str | None
    desired: str | None
    settled: bool
    trouble: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def status(site: Site) -> EnvironmentStatus:
    """Reads the log and Git, and asks the service; changes nothing."""
    state = site.model_state()
    place = state.environments.get(site.name)
    release = place.release if place else None
    desired = read_desired(site.repository, site.name, site.model)
    instances = (
        {instance.release: instance for instance in site.target.instances(site.name, site.model)} if release else {}
    )
    shares = dict(site.target.shares(site.name, site.model)) if release else {}
    healthy = release in instances and instances[release].healthy and shares.get(release) == 100 if release else False
    wanted = desired.release if desired else None
    return EnvironmentStatus(
        model=site.model,
        environment=site.name,
        release=release,
        version=state.releases[release].version if release and release in state.releases else None,
        since=place.since if place and release else None,
        url=site.url if release else None,
        healthy=healthy,
        hold=place.holds.get(release) if place and release else None,
        desired=wanted,
        settled=wanted == release and (release is None or healthy),
        trouble=instances[release].trouble if release in instances else "",
    )
