"""Short logs for tests: each event in one line, the chain made by the rules of the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.events import NO_EVENT, Event, EventKind, timestamp

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
A, B, C, D = (sha256(name.encode()).hexdigest() for name in "ABCD")
"""Ids of releases."""
Entry = tuple[str, dict[str, Any]]


def moment(number: int) -> datetime:
    """When event `number` of a test's log happened: one a minute."""
    return BEGIN + timedelta(minutes=number)


def registered(release: str, version: int, verdict: str = "superior", pull_request: int | None = None) -> Entry:
    lock = sha256(f"lock {version}".encode()).hexdigest()
    said = {"release": release, "version": version, "lock": lock, "commit": f"c{version}", "verdict": verdict}
    return "registered", {**said, "pull_request": pull_request}


def deployed(release: str, environment: str = "qa", previous: str | None = None) -> Entry:
    url = "http://127.0.0.1:8000"
    return "deployed", {"environment": environment, "release": release, "previous": previous, "url": url}


def verified(release: str, environment: str = "qa") -> Entry:
    return "verified", {"environment": environment, "release": release}


def opened(release: str, pull_request: int, head: str = "h1", environment: str = "production") -> Entry:
    said = {"environment": environment, "release": release, "pull_request": pull_request, "head": head}
    return "promotion-opened", said


def closed(release: str, pull_request: int, environment: str = "production") -> Entry:
    said = {"environment": environment, "release": release, "pull_request": pull_request, "reason": "on hold"}
    return "promotion-closed", said


def approved(release: str, by: Sequence[str], pull_request: int, environment: str = "production") -> Entry:
    said = {"environment": environment, "release": release, "pull_request": pull_request, "head": "h1"}
    return "approved", {**said, "by": list(by), "commit": "m1"}


def step(release: str, share: int, environment: str = "production") -> Entry:
    said = {"environment": environment, "release": release, "share": share, "outcome": "continue", "reasons": []}
    return "rollout-step", said


def promoted(release: str, previous: str | None = None, environment: str = "production") -> Entry:
    said = {"environment": environment, "release": release, "previous": previous, "commit": "m1"}
    return "promoted", {**said, "url": "http://127.0.0.1:9000"}


def aborted(release: str, reason: str = "slow", environment: str = "production") -> Entry:
    return "rollout-aborted", {"environment": environment, "release": release, "share": 10, "reasons": [reason]}


def rolled_back(to: str, bad: str, reason: str = "worse", environment: str = "production") -> Entry:
    said = {"environment": environment, "release": to, "from": bad, "reason": reason, "commit": "r1"}
    return "rolled-back", said


def held(release: str, reason: str = "wait", environment: str = "production") -> Entry:
    return "held", {"environment": environment, "release": release, "reason": reason}


def hold_released(release: str, environment: str = "production") -> Entry:
    return "hold-released", {"environment": environment, "release": release, "reason": "mended"}


def revoked(release: str, reason: str = "answers differ", environment: str = "qa") -> Entry:
    return "verification-revoked", {"environment": environment, "release": release, "reason": reason}


def log_of(*entries: Entry, model: str = "m") -> list[Event]:
    """The events, chained, each a minute after the one before."""
    events: list[Event] = []
    for number, (kind, subject) in enumerate(entries, start=1):
        event = Event(
            model=model,
            number=number,
            kind=cast("EventKind", kind),
            time=timestamp(moment(number)),
            actor="ci",
            subject=subject,
            evidence=(sha256(f"evidence {number}".encode()).hexdigest(),),
            previous=events[-1].digest if events else NO_EVENT,
            nonce=f"{number:032x}",
        )
        events.append(event)
    return events


def objects_of(events: Sequence[Event]) -> dict[int, bytes]:
    """The bytes under which the store keeps them."""
    return {event.number: canonical_json(event.to_json()) for event in events}
