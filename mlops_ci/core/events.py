"""One entry of the append-only log, and the hash chain that makes editing it visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, get_args

from mlops_ci.core.digest import canonical_json, sha256

EventKind = Literal[
    "registered",
    "deployed",
    "verified",
    "verification-revoked",
    "promotion-opened",
    "promotion-closed",
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
class EventSignature:
    """A signature in Base64, and the id of the key that is said to have made it: a hint, believed for nothing."""

    key: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a model.

    `time` is UTC in ISO 8601 with microseconds and a Z; it never runs backwards along the chain. `subject` says what
    it happened to; its keys depend on the kind (see `docs/events.md`). `nonce` makes two writers' events differ, so
    that a writer whose reply was lost can tell its own event from a rival's. An event without a `signature` has no
    such key in its JSON.
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
    signature: EventSignature | None = None

    @cached_property
    def digest(self) -> str:
        return sha256(self.raw)

    @property
    def raw(self) -> bytes:
        """The bytes under which the store keeps the event."""
        return canonical_json(self.to_json())

    @property
    def signed_bytes(self) -> bytes:
        """What its signature is over: its bytes without the signature."""
        return replace(self, signature=None).raw

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.time)

    def to_json(self) -> dict[str, Any]:
        value = {
            "model": self.model,
            "number": self.number,
            "kind": self.kind,
            "time": self.time,
            "actor": self.actor,
            "subject": dict(self.subject),
            "evidence": list(self.evidence),
            "previous": self.previous,
            "nonce": self.nonce,
        }
        if self.signature is not None:
            value["signature"] = {"key": self.signature.key, "value": self.signature.value}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Event:
        """The event that a JSON value of this shape (see `core.shape`) describes."""
        signature = value.get("signature")
        return cls(
            model=value["model"],
            number=value["number"],
            kind=value["kind"],
            time=value["time"],
            actor=value["actor"],
            subject=value["subject"],
            evidence=tuple(value["evidence"]),
            previous=value["previous"],
            nonce=value["nonce"],
            signature=None if signature is None else EventSignature(**signature),
        )


def timestamp(moment: datetime) -> str:
    """The spelling of a moment in the log, which sorts as text; a moment without a zone is taken as UTC.

    >>> timestamp(datetime(2026, 3, 1, 9))
    '2026-03-01T09:00:00.000000Z'
    """
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
