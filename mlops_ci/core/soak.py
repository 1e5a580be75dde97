"""How long a release has been good in the environment before: time finds what no check looks for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from mlops_ci.core.events import Event, timestamp


def verified_since(events: Iterable[Event], environment: str, release: str) -> datetime | None:
    """Since when the release has been verified there without a break; None where it is not verified now."""
    since = None
    for event in events:
        if (event.subject.get("environment"), event.subject.get("release")) != (environment, release):
            continue
        if event.kind == "verified":
            since = since or event.at
        elif event.kind == "verification-revoked":
            since = None
    return since


def unsoaked(events: Iterable[Event], *, environment: str, release: str, soak: timedelta, now: datetime) -> str:
    """Why the release has not been verified in `environment` for as long as `soak`; empty where it has."""
    since = verified_since(events, environment, release)
    name = f"release {release[:12]}"
    if since is None:
        return f"{name} is not verified in {environment}"
    if now - since >= soak:
        return ""
    return (
        f"{name} has been verified in {environment} since {timestamp(since)}, and has to be for {soak}: "
        f"that is until {timestamp(since + soak)}"
    )
