"""Why an environment served what it served at a moment: the auditor's question, answered from log and store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlops_ci.core.digest import digest_of
from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.lock import Lock
from mlops_ci.core.records import Release
from mlops_ci.core.served import Served
from mlops_ci.core.state import SERVING_KINDS, ModelState, Registered, fold
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry

NOBODY_ASKED = "nobody had to be asked"
"""What `Why.note` says where no approval belongs to the deployment."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A release that served before or after, and since when."""

    release: str
    version: int | None
    since: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Who approved, when, the commit that they saw, and the pull request that showed it."""

    by: tuple[str, ...]
    at: str
    head: str
    pull_request: int | None


@dataclass(frozen=True, kw_only=True)
class Why:
    """What served in `environment` at `at`, and on whose word. Times are UTC.

    `since` is when it began to serve and `until` when it ceased to (None: it has not); `kind` is the event that began
    it. `approved_by` are the reviewers whose approval the promotion rested on, and `pull_request` is the one that they
    approved. `verdict` is the gate's about this version. `evidence` are digests of blobs of the store; those that the
    release itself names are also in `release_evidence`, by name. `desired_commit` is the commit of the desired state,
    `lock` and `data_digest` what it was trained from. `shares` divides the traffic at that moment. `note` says in words
    what the fields cannot: that nobody had to be asked, that it came back by a rollback, that a rollout is under way.
    """

    environment: str
    at: str
    since: str
    until: str | None
    kind: str
    release: str
    version: int
    commit: str
    approved_by: tuple[str, ...]
    pull_request: int | None
    approval: Approval | None
    verdict: str
    evidence: tuple[str, ...]
    release_evidence: Mapping[str, str]
    desired_commit: str | None
    lock: str
    data_digest: str | None
    image: str | None
    verifications: tuple[Mapping[str, Any], ...]
    waivers: tuple[Mapping[str, Any], ...]
    rollout: tuple[Mapping[str, Any], ...]
    shares: Mapping[str, int]
    holds: Mapping[str, str]
    previous: Service | None
    next: Service | None
    note: str

    def to_json(self) -> dict[str, Any]:
        return {key: list(item) if isinstance(item, tuple) else item for key, item in asdict(self).items()} | {
            "approval": None if self.approval is None else asdict(self.approval) | {"by": list(self.approval.by)}
        }


def why(log: EventLog, registry: Registry, model: str, environment: str, at: datetime | None = None) -> Why:
    """What served at that moment (None: now; without a zone: UTC), who approved it, and on which evidence.

    Raises NotFoundError where nothing served there then, saying since when something does, ConfigurationError for a
    moment that is still to come, and IntegrityError where the release's record is gone or contradicts the log.
    """
    events = log.read(model)
    now = timestamp(log.clock.now())
    newest = max([now, *(event.time for event in events[-1:])])  # later than now where somebody's clock was fast
    moment = newest if at is None else timestamp(at)
    if moment > newest:
        raise ConfigurationError(f"{moment} is still to come: it is {now}", fix="ask for a moment that has been (--at)")
    served = Served(events)
    began = served.serving(environment, moment)
    if began is None:
        what = _nothing_served(served, model, environment, moment)
        raise NotFoundError(what, fix="ask for a later time (--at) or another environment")
    told = bisect_right(events, moment, key=lambda event: event.time)
    state = log.state(model) if told == len(events) else fold(events[:told])
    return explain(served, state, registry, model, began, moment)


def explain(served: Served, state: ModelState, registry: Registry, model: str, began: Event, moment: str) -> Why:
    """The answer about what the event `began` brought, as it was at `moment`, when the model's state was `state`."""
    environment, release = began.subject["environment"], str(began.subject["release"])
    registered, record = _records(registry, state, model, release)
    about = served.about(release, up_to=began)
    approval = _approval(about, began)
    grounds = [event for event in about if event.kind in {"registered", "verified"} or _here(event, began)]
    said = (*record.evidence.values(), *(digest for event in grounds for digest in event.evidence))
    proposed = [event for event in grounds if event.subject.get("pull_request") is not None]
    before, following = served.beside(began)
    return Why(
        environment=environment,
        at=moment,
        since=began.time,
        until=following.time if following else None,
        kind=began.kind,
        release=release,
        version=record.version,
        commit=record.commit,
        approved_by=approval.by if approval else (),
        pull_request=approval.pull_request if approval else proposed[-1].subject["pull_request"] if proposed else None,
        approval=approval,
        verdict=registered.verdict,
        evidence=tuple(dict.fromkeys(said)),
        release_evidence=dict(record.evidence),
        desired_commit=began.subject.get("commit"),
        lock=record.lock,
        data_digest=_data_digest(record, registry),
        image=record.image,
        verifications=tuple(
            {"environment": one.subject["environment"], "at": one.time, "evidence": list(one.evidence)}
            for one in grounds
            if one.kind == "verified"
        ),
        waivers=tuple(
            {key: one.subject[key] for key in ("verdict", "reason", "approver", "expires")} | {"at": one.time}
            for one in served.waived
            if one.number <= began.number and one.subject["lock"] == record.lock
        ),
        rollout=tuple(
            {"at": one.time, **{key: one.subject.get(key) for key in ("stage", "share", "outcome", "reasons")}}
            for one in _steps(grounds, began)
        ),
        shares=_shares(state, environment, release),
        holds=dict(state.environments[environment].holds),
        previous=_service(served, before),
        next=_service(served, following),
        note=_note(state, began, approval),
    )


def _records(registry: Registry, state: ModelState, model: str, release: str) -> tuple[Registered, Release]:
    """What log and store say of the release. Raises IntegrityError where they do not agree."""
    registered = state.releases.get(release)
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


def _data_digest(record: Release, registry: Registry) -> str | None:
    """The digest of the data files' digests, as `check` and `train` state it."""
    if "lock" not in record.evidence:
        return None
    try:
        return digest_of(dict(Lock.from_json(registry.get_json(record.evidence["lock"])).data))
    except NotFoundError as error:
        raise IntegrityError(f"the lock of version {record.version} is gone", where=error.where) from error
    except (KeyError, TypeError):  # a lock of another toolkit
        return None


def _approval(about: Sequence[Event], began: Event) -> Approval | None:
    """The approval on which the promotion rested that brought the release here.

    A rollback returns to a release that was promoted before, and so to the approval of then. An approval serves one
    promotion: what was approved before an earlier promotion of the same release does not count for a later one.
    """
    approved: Event | None = None
    used: Event | None = None
    for event in about:
        if not _here(event, began):
            continue
        if event.kind == "approved":
            approved = event
        elif event.kind in SERVING_KINDS and event.kind != "rolled-back":
            approved, used = None, approved
    if used is None:
        return None
    subject = used.subject
    return Approval(by=tuple(subject["by"]), at=used.time, head=subject["head"], pull_request=subject["pull_request"])


def _here(event: Event, began: Event) -> bool:
    """Whether the event, about the same release, is about the same environment, too."""
    return bool(event.subject.get("environment") == began.subject["environment"])


def _steps(grounds: Sequence[Event], began: Event) -> list[Event]:
    """The steps of the rollout that the event ended."""
    steps: list[Event] = []
    for event in grounds:
        if event.kind == "rollout-step":
            steps.append(event)
        elif event.kind in {*SERVING_KINDS, "rollout-aborted"} and _here(event, began) and event != began:
            steps.clear()
    return steps


def _shares(state: ModelState, environment: str, release: str) -> dict[str, int]:
    """How the traffic was divided, as far as the log knows: a step is on record when it has been looked at."""
    rollout = state.environments[environment].rollout
    if rollout is None or rollout.release == release or not 0 < rollout.share < 100:
        return {release: 100}
    return {rollout.release: rollout.share, release: 100 - rollout.share}


def _service(served: Served, began: Event | None) -> Service | None:
    """What the event began, with the version that it was registered as."""
    if began is None:
        return None
    release = str(began.subject["release"])
    registered = next((event for event in served.about(release) if event.kind == "registered"), None)
    version = registered.subject["version"] if registered else None
    return Service(release=release, version=version, since=began.time)


def _note(state: ModelState, began: Event, approval: Approval | None) -> str:
    notes = [] if approval and approval.by else [NOBODY_ASKED]
    subject = began.subject
    if began.kind == "rolled-back":
        notes.append(f"came back by a rollback from {subject['from'][:12]}: {subject['reason']}")
    place = state.environments[subject["environment"]]
    if place.rollout:
        notes.append(f"release {place.rollout.release[:12]} was being rolled out, at {place.rollout.share} %")
    return "; ".join(notes)


def _nothing_served(served: Served, model: str, environment: str, moment: str) -> str:
    began = served.began.get(environment)
    if began:
        return f"nothing served {model} in {environment} at {moment}; the first deployment there was at {began[0].time}"
    return f"nothing has served {model} in {environment} yet"
