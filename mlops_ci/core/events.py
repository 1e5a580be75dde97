"""One entry of the append-only log, and the hash chain that makes editing it visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, get_args

from mlops_ci.core.digest import digest_of

EventKind = Literal[
    "registered",
    "deployed",
    "verified",
    "verification-revoked",
    "promotion-opened",
    "approved",
    "rollout-step",
    "promoted",
    "rollout-aborted",
    "rolled-back",
    "held",
    "hold-released",
    "drift-detected",
    "retrain-opened",
    "waived",
]
KINDS: tuple[str, ...] = get_args(EventKind)
NO_EVENT = "0" * 64
"""What the first event names as the digest of the event before it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a model.

    `time` is UTC in ISO 8601 with microseconds and a Z; it never runs backwards along the chain. `subject` says what
    it happened to; its keys depend on the kind (see `docs/events.md`). `nonce` makes two writers' events differ, so
    that a writer whose reply was lost can tell its own event from a rival's.
    """

    model: str
    number: int
    kind: EventKind
    time: str
    actor: str
    subject: Mapping[str, Any]
    evidence: tuple[str, ...]
    previous: str
    nonce: str

    @cached_property
    def digest(self) -> str:
        return digest_of(self.to_json())

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.time)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"evidence": list(self.evidence), "subject": dict(self.subject)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Event:
        return cls(**{**value, "evidence": tuple(value["evidence"])})


def timestamp(moment: datetime) -> str:
    """The spelling of a moment in the log, which sorts as text; a moment without a zone is taken as UTC.

    >>> timestamp(datetime(2026, 3, 1, 9))
    '2026-03-01T09:00:00.000000Z'
    """
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
