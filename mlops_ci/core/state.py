"""What serves where, what is eligible and what is on hold: a fold of the log's events, and questions to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_ci.core.events import Event

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
    """A rollout in progress: the new release, its share of the traffic in per cent, and what the last step found.

    `until` is when the outcome `comparing` ends, `evidence` the digests of what the step rests on.
    """

    release: str
    share: int
    outcome: str
    until: str = ""
    evidence: tuple[str, ...] = ()


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


class Folding:
    """The state while events are added one by one, in the order of the log and with well-formed subjects."""

    def __init__(self) -> None:
        self._count = 0
        self._releases: dict[str, Registered] = {}
        self._places: dict[str, _Place] = {}
        self._latest: dict[str, Event] = {}

    def add(self, event: Event) -> None:
        self._count += 1
        self._latest[event.kind] = event
        subject = event.subject
        if event.kind == "registered":
            self._releases[subject["release"]] = _registered(subject)
        elif isinstance(name := subject.get("environment"), str):
            if name not in self._places:
                self._places[name] = _Place(last=event)
            self._places[name].apply(event, subject)

    def state(self) -> ModelState:
        """The state after what was added; what is added later does not change it."""
        return ModelState(
            events=self._count,
            releases=dict(self._releases),
            versions={item.version: item.release for item in self._releases.values()},
            environments={name: place.frozen(name) for name, place in self._places.items()},
            latest=dict(self._latest),
        )


def fold(events: Iterable[Event]) -> ModelState:
    """The state after these events, given in the order of the log and with well-formed subjects (see `core.chain`)."""
    folding = Folding()
    for event in events:
        folding.add(event)
    return folding.state()


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
                if event.kind == "approved" and self.rollout and self.rollout.release == release:
                    self.rollout = None  # approved once more, so what was begun before is not gone on with
                self.promotion = Promotion(
                    release=release,
                    pull_request=subject["pull_request"],
                    head=subject["head"],
                    approved_by=tuple(subject.get("by", ())),
                )
            case "promotion-closed":
                if self.promotion and self.promotion.pull_request == subject["pull_request"]:
                    self.promotion = None
            case "rollout-step":
                self.rollout = Rollout(
                    release=release,
                    share=subject["share"],
                    outcome=subject["outcome"],
                    until=subject.get("until", ""),
                    evidence=event.evidence,
                )
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
    for place in (state.environments.get(before or ""), state.environments.get(environment)):
        if place and release in place.holds:
            found.append(f"{name} is on hold in {place.name}: {place.holds[release]}")
    return tuple(found)


def rollback_target(state: ModelState, environment: str) -> str | None:
    """The latest release that served here before the present one, is not on hold here, and is still vouched for."""
    place = state.environments.get(environment)
    if place is None:
        return None
    bad = {*place.holds, place.release or ""}
    return next((one for one in reversed(place.served) if one not in bad and not unfit(state, one)), None)


def unfit(state: ModelState, release: str) -> str:
    """Why no environment should go back to the release; empty where it was verified and that was revoked nowhere.

    Where it was verified does not matter: what serves was, and a chain of environments may be another one by now.
    """
    for place in state.environments.values():
        if release in place.revoked:
            return f"the verification of release {release[:12]} in {place.name} was revoked: {place.revoked[release]}"
    if any(release in place.verified for place in state.environments.values()):
        return ""
    return f"release {release[:12]} was never verified"
