"""What happened to a model, told to people; and why an environment serves what it serves, told to an auditor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.records import Release
from mlops_ci.core.state import SERVING_KINDS, Registered, fold, serving_at
from mlops_ci.errors import IntegrityError, NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry

NOBODY_ASKED = "nobody had to be asked"
"""What `Why.note` says where no approval belongs to the deployment."""

_SENTENCES: Mapping[str, str] = {
    "registered": "{release} was registered: {verdict}",
    "deployed": "{release} was deployed to {environment}, where {previous} had served",
    "verified": "{release} was verified in {environment}",
    "verification-revoked": "{release} is not verified in {environment} any more: {reason}",
    "promotion-opened": "{release} was proposed for {environment} by pull request {pull_request}",
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


@dataclass(frozen=True, kw_only=True)
class Why:
    """What served in `environment` at `at`, and on whose word. Times are UTC; `since` is when it began to serve.

    `approved_by` are the reviewers whose approval the promotion rested on, and `pull_request` is the one that they
    approved. `verdict` is the gate's about this version. `evidence` are digests of blobs of the store. `note` says in
    words what the fields cannot: that nobody had to be asked, that it came back by a rollback, that one is under way.
    """

    environment: str
    at: str
    since: str
    release: str
    version: int
    commit: str
    approved_by: tuple[str, ...]
    pull_request: int | None
    verdict: str
    evidence: tuple[str, ...]
    note: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"approved_by": list(self.approved_by), "evidence": list(self.evidence)}


def history(log: EventLog, model: str) -> list[dict[str, Any]]:
    """One entry an event, oldest first: the event as it stands in the log, its digest, and `text` for people."""
    events = log.read(model)
    versions = {item.release: item.version for item in fold(events).releases.values()}
    return [{**event.to_json(), "digest": event.digest, "text": sentence(event, versions)} for event in events]


def sentence(event: Event, versions: Mapping[str, int]) -> str:
    """What happened, in one line; `versions` maps a release to its version number."""

    def spelled(key: str, value: Any) -> str:
        if key in {"release", "previous", "from"}:
            return (
                f"version {versions[value]}" if value in versions else f"release {value[:12]}" if value else "nothing"
            )
        if isinstance(value, list):
            return ("; " if key == "reasons" else ", ").join(map(str, value)) or "none"
        return str(value)

    return _SENTENCES[event.kind].format_map({key: spelled(key, value) for key, value in event.subject.items()})


def why(log: EventLog, registry: Registry, model: str, environment: str, at: datetime | None = None) -> Why:
    """What served at that moment (None: now; without a zone: UTC), who approved it, and on which evidence.

    Raises NotFoundError where nothing served there then, saying since when something does, and IntegrityError where
    the release's record is gone or contradicts the log.
    """
    moment = log.clock.now() if at is None else at
    everything = log.read(model)
    events = [event for event in everything if event.time <= timestamp(moment)]
    began = serving_at(events, environment, moment)
    if began is None:
        what = _nothing_served(everything, model, environment, timestamp(moment))
        raise NotFoundError(what, fix="ask for a later time (--at) or another environment")
    release = str(began.subject["release"])
    registered, record = _records(registry, events, model, release)
    approval = _approval(events, began)
    grounds = _grounds(events, began)
    said = (*record.evidence.values(), *(digest for event in grounds for digest in event.evidence))
    proposed = [event for event in grounds if event.subject.get("pull_request") is not None]
    return Why(
        environment=environment,
        at=timestamp(moment),
        since=began.time,
        release=release,
        version=record.version,
        commit=record.commit,
        approved_by=tuple(approval.subject["by"]) if approval else (),
        pull_request=(approval or proposed[-1]).subject["pull_request"] if approval or proposed else None,
        verdict=registered.verdict,
        evidence=tuple(dict.fromkeys(said)),
        note=_note(events, began, approval),
    )


def _records(registry: Registry, events: Sequence[Event], model: str, release: str) -> tuple[Registered, Release]:
    """What log and store say of the release. Raises IntegrityError where they do not agree."""
    registered = fold(events).releases.get(release)
    try:
        record = registry.release(release)
    except NotFoundError as error:
        raise IntegrityError(f"release {release} has served, but its record is gone", where=error.where) from error
    said = registered and (registered.version, registered.commit, registered.lock)
    if registered is None or said != (record.version, record.commit, record.lock) or record.model != model:
        raise IntegrityError(
            f"the log and the record of release {release} contradict each other",
            fix=f"see `mlops-ci verify-log {model}`",
        )
    return registered, record


def _approval(events: Sequence[Event], began: Event) -> Event | None:
    """The approval on which the promotion rested that brought the release here.

    A rollback returns to a release that was promoted before, and so to the approval of then. An approval serves one
    promotion: what was approved before an earlier promotion of the same release does not count for a later one.
    """
    here = (began.subject["environment"], began.subject["release"])
    approved = used = None
    for event in events[: began.number]:
        if (event.subject.get("environment"), event.subject.get("release")) != here:
            continue
        if event.kind == "approved":
            approved = event
        elif event.kind in SERVING_KINDS and event.kind != "rolled-back":
            approved, used = None, approved
    return used


def _grounds(events: Sequence[Event], began: Event) -> list[Event]:
    """The events before the release began to serve that made it fit to: its own, and its verification anywhere."""
    subject = began.subject
    return [
        event
        for event in events[: began.number]
        if event.subject.get("release") == subject["release"]
        and (event.kind in {"registered", "verified"} or event.subject.get("environment") == subject["environment"])
    ]


def _note(events: Sequence[Event], began: Event, approval: Event | None) -> str:
    notes = [] if approval and approval.subject["by"] else [NOBODY_ASKED]
    subject = began.subject
    if began.kind == "rolled-back":
        notes.append(f"came back by a rollback from {subject['from'][:12]}: {subject['reason']}")
    place = fold(events).environments[subject["environment"]]
    if place.rollout:
        notes.append(f"release {place.rollout.release[:12]} was being rolled out, at {place.rollout.share} %")
    return "; ".join(notes)


def _nothing_served(events: Sequence[Event], model: str, environment: str, moment: str) -> str:
    first = next((e for e in events if e.kind in SERVING_KINDS and e.subject["environment"] == environment), None)
    if first:
        return f"nothing served {model} in {environment} at {moment}; the first deployment there was at {first.time}"
    return f"nothing has served {model} in {environment} yet"
