"""What serves where, what is eligible and what is on hold: a fold of the log's events, and questions to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_ci.core.events import Event, timestamp

SERVING_KINDS = frozenset({"deployed", "promoted", "rolled-back"})
"""The kinds of event that change which release an environment serves."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A release as its registration described it."""

    release: str
    version: int
    commit: str
    lock: str
    verdict: str
    pull_request: int | None


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A proposal to promote, not finished and not aborted. `approved_by` is empty while nobody has approved `head`."""

    release: str
    pull_request: int | None
    head: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A rollout in progress: the new release, its share of the traffic in per cent, and what the last step found."""

    release: str
    share: int
    outcome: str


@dataclass(frozen=True, kw_only=True)
class EnvironmentState:
    """One environment. `served` holds what served here, oldest first; what was rolled back is not among it.

    `release` is the last of them, None before the first deployment; `since` is the time of the event that made it
    serve. `revoked` and `holds` map a release to the reason; a rollback and an aborted rollout are holds, too.
    """

    name: str
    release: str | None
    served: tuple[str, ...]
    since: str
    url: str
    verified: frozenset[str]
    revoked: Mapping[str, str]
    holds: Mapping[str, str]
    promotion: Promotion | None
    rollout: Rollout | None
    last: Event

    @property
    def previous(self) -> str | None:
        """What served before the present release."""
        return self.served[-2] if len(self.served) > 1 else None


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """All that the log says of a model. `versions` maps a number to its release, `latest` a kind to its last event."""

    events: int
    releases: Mapping[str, Registered]
    versions: Mapping[int, str]
    environments: Mapping[str, EnvironmentState]
    latest: Mapping[str, Event]


def fold(events: Iterable[Event]) -> ModelState:
    """The state after these events, given in the order of the log and with well-formed subjects (see `core.chain`)."""
    count = 0
    releases: dict[str, Registered] = {}
    places: dict[str, _Place] = {}
    latest: dict[str, Event] = {}
    for event in events:
        count += 1
        latest[event.kind] = event
        subject = event.subject
        if event.kind == "registered":
            releases[subject["release"]] = _registered(subject)
        elif "environment" in subject:
            name = subject["environment"]
            if name not in places:
                places[name] = _Place(last=event)
            places[name].apply(event, subject)
    return ModelState(
        events=count,
        releases=releases,
        versions={item.version: item.release for item in releases.values()},
        environments={name: place.frozen(name) for name, place in places.items()},
        latest=latest,
    )


def _registered(subject: Mapping[str, Any]) -> Registered:
    return Registered(
        release=subject["release"],
        version=subject["version"],
        commit=subject["commit"],
        lock=subject["lock"],
        verdict=subject["verdict"],
        pull_request=subject.get("pull_request"),
    )


@dataclass(kw_only=True)
class _Place:
    """An environment while the events go by."""

    last: Event
    served: list[str] = field(default_factory=list)
    since: str = ""
    url: str = ""
    verified: set[str] = field(default_factory=set)
    revoked: dict[str, str] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    promotion: Promotion | None = None
    rollout: Rollout | None = None

    def apply(self, event: Event, subject: Mapping[str, Any]) -> None:
        self.last = event
        release = subject.get("release", "")
        match event.kind:
            case "deployed" | "promoted":
                self._serve(release, event.time)
                self.url = subject["url"]
            case "verified":
                self.verified.add(release)
                self.revoked.pop(release, None)
            case "verification-revoked":
                self.verified.discard(release)
                self.revoked[release] = subject["reason"]
            case "promotion-opened" | "approved":
                self.promotion = Promotion(
                    release=release,
                    pull_request=subject["pull_request"],
                    head=subject["head"],
                    approved_by=tuple(subject.get("by", ())),
                )
            case "rollout-step":
                self.rollout = Rollout(release=release, share=subject["share"], outcome=subject["outcome"])
            case "rollout-aborted":
                self._settle(release)
                self.holds[release] = "; ".join(subject["reasons"]) or "its rollout was aborted"
            case "rolled-back":
                self._return_to(release, subject["from"], event.time)
                self.holds[subject["from"]] = subject["reason"]
            case "held":
                self.holds[release] = subject["reason"]
            case "hold-released":
                self.holds.pop(release, None)

    def _serve(self, release: str, time: str) -> None:
        if not self.served or self.served[-1] != release:
            self.served.append(release)
            self.since = time
        self._settle(release)

    def _return_to(self, release: str, bad: str, time: str) -> None:
        """Forgets what was served after `release`, so that a rollback is never rolled back."""
        if self.served[-1:] != [release]:  # after an aborted rollout it has never ceased to serve
            self.since = time
        for end in range(len(self.served), 0, -1):
            if self.served[end - 1] == release:
                del self.served[end:]
                break
        else:  # a release that has never served here
            if self.served[-1:] == [bad]:
                self.served.pop()
            self.served.append(release)
        self._settle(bad)

    def _settle(self, release: str) -> None:
        self.rollout = None
        if self.promotion and self.promotion.release == release:
            self.promotion = None

    def frozen(self, name: str) -> EnvironmentState:
        return EnvironmentState(
            name=name,
            release=self.served[-1] if self.served else None,
            served=tuple(self.served),
            since=self.since,
            url=self.url,
            verified=frozenset(self.verified),
            revoked=dict(self.revoked),
            holds=dict(self.holds),
            promotion=self.promotion,
            rollout=self.rollout,
            last=self.last,
        )


def champion(state: ModelState, environment: str) -> str | None:
    """The release that the environment serves; None before its first deployment."""
    place = state.environments.get(environment)
    return place.release if place else None


def eligible(state: ModelState, before: str | None, release: str) -> bool:
    """Is the release registered, and verified in the environment that comes before (None: there is none)?"""
    if before is None:
        return release in state.releases
    place = state.environments.get(before)
    return release in state.releases and place is not None and release in place.verified


def obstacles(state: ModelState, *, before: str | None, environment: str, release: str) -> tuple[str, ...]:
    """Each reason why the release must not go to `environment` now; empty where nothing is in its way."""
    found: list[str] = []
    name = f"release {release[:12]}"
    if release not in state.releases:
        found.append(f"{name} is not registered")
    elif before is not None and not eligible(state, before, release):
        place = state.environments.get(before)
        if place and release in place.revoked:
            found.append(f"the verification of {name} in {before} was revoked: {place.revoked[release]}")
        else:
            found.append(f"{name} was not verified in {before}")
    target = state.environments.get(environment)
    if target and release in target.holds:
        found.append(f"{name} is on hold in {environment}: {target.holds[release]}")
    return tuple(found)


def rollback_target(state: ModelState, environment: str) -> str | None:
    """The latest release that served here before the present one and is neither on hold here nor revoked anywhere."""
    place = state.environments.get(environment)
    if place is None:
        return None
    bad = {release for other in state.environments.values() for release in other.revoked}
    bad |= {*place.holds, place.release or ""}
    return next((release for release in reversed(place.served) if release not in bad), None)


def serving_at(events: Iterable[Event], environment: str, time: datetime) -> Event | None:
    """The event that made the environment serve what it served at that moment; its subject names the release."""
    moment = timestamp(time)
    found = None
    for event in events:
        if event.time > moment:
            break
        here = event.kind in SERVING_KINDS and event.subject["environment"] == environment
        if here and (found is None or found.subject["release"] != event.subject["release"]):
            found = event
    return found
