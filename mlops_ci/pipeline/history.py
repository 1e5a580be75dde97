"""What happened to a model, told to people: one line an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.naming import one_line
from mlops_ci.pipeline.event_log import EventLog

_RELEASES = ("release", "previous", "from", "rollback_to")
"""The keys of a subject that name a release."""
_WITHOUT_USERS = "{release} was tried in {environment} without an answer to any user ({stage}): {outcome}"
"""A step of a rollout in which the new release has no share."""
_SENTENCES: Mapping[str, str] = {
    "registered": "{release} was registered: {verdict}",
    "deployed": "{release} was deployed to {environment}, where {previous} had served",
    "verified": "{release} was verified in {environment}",
    "verification-revoked": "{release} is not verified in {environment} any more: {reason}",
    "promotion-opened": "{release} was proposed for {environment} by pull request {pull_request}",
    "promotion-closed": "pull request {pull_request}, which proposed {release} for {environment}, was closed: {reason}",
    "approved": "{release} was approved for {environment} by {by}",
    "rollout-step": "{release} took {share} % of the traffic of {environment}: {outcome}",
    "promoted": "{release} was promoted to {environment}, where {previous} had served",
    "rollout-aborted": "the rollout of {release} to {environment} was aborted at {share} %: {reasons}",
    "rolled-back": "{environment} went back to {release} from {from}: {reason}",
    "held": "{release} was put on hold in {environment}: {reason}",
    "hold-released": "{release} is not on hold in {environment} any more: {reason}",
    "drift-detected": "the data of {release} have drifted: {features}",
    "retrain-opened": "a retraining was proposed: {reason}",
    "waived": "{verdict} was waived by {approver} until {expires}: {reason}",
}


def history(
    log: EventLog,
    model: str,
    *,
    environment: str | None = None,
    release: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[dict[str, Any]]:
    """One entry an event, oldest first: the event as it stands in the log, its digest, and `text` for people.

    Only those of the environment, of the release (its id or the beginning of it), since and until the moments.
    """
    events = log.read(model)
    versions = {item.release: item.version for item in log.state(model).releases.values()}
    first, last = timestamp(since) if since else "", timestamp(until) if until else "~"
    return [
        {**event.to_json(), "digest": event.digest, "text": sentence(event, versions)}
        for event in events
        if first <= event.time <= last
        and environment in (None, event.subject.get("environment"))
        and (release is None or any(str(event.subject.get(key)).startswith(release) for key in _RELEASES))
    ]


def sentence(event: Event, versions: Mapping[str, int]) -> str:
    """What happened, in one line; `versions` maps a release to its version number."""

    def spelled(key: str, value: Any) -> str:
        if key in {"release", "previous", "from"}:
            return (
                f"version {versions[value]}" if value in versions else f"release {value[:12]}" if value else "nothing"
            )
        if isinstance(value, list):
            return one_line(("; " if key == "reasons" else ", ").join(map(str, value))) or "none"
        return one_line(str(value))

    form = _SENTENCES[event.kind]
    if event.kind == "rollout-step":
        form = _WITHOUT_USERS if event.subject["share"] == 0 and "stage" in event.subject else form
        form += " until {until}" if event.subject.get("until") else ""
    return form.format_map({key: spelled(key, value) for key, value in event.subject.items()})
