"""What the subject of each kind of event says. `docs/events.md` describes the same keys for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_ci.core.shape import misfits

Texts = tuple[str, ...]

SUBJECTS: Mapping[str, Mapping[str, Any]] = {
    "registered": {
        "version": int,
        "release": str,
        "lock": str,
        "commit": str,
        "verdict": str,
        "pull_request?": int | None,
    },
    "deployed": {"environment": str, "release": str, "previous": str | None, "url": str},
    "verified": {"environment": str, "release": str},
    "verification-revoked": {"environment": str, "release": str, "reason": str},
    "promotion-opened": {"environment": str, "release": str, "pull_request": int, "head": str},
    "approved": {
        "environment": str,
        "release": str,
        "pull_request": int | None,
        "head": str,
        "by": Texts,
        "commit": str,
    },
    "rollout-step": {"environment": str, "release": str, "share": int, "outcome": str, "reasons": Texts},
    "promoted": {"environment": str, "release": str, "previous": str | None, "commit": str, "url": str},
    "rollout-aborted": {
        "environment": str,
        "release": str,
        "rollback_to?": str | None,
        "share": int,
        "reasons": Texts,
    },
    "rolled-back": {"environment": str, "release": str, "from": str, "reason": str, "commit": str},
    "held": {"environment": str, "release": str, "reason": str, "rollback_to?": str},
    "hold-released": {"environment": str, "release": str, "reason": str},
    "drift-detected": {"windows": tuple[Any, ...], "features": Texts, "release": str | None},
    "retrain-opened": {"pull_request": int | None, "reason": str, "lock?": str | None},
    "waived": {"verdict": str, "reason": str, "approver": str, "expires": str, "lock": str, "findings?": Texts},
}
"""A key that ends in `?` may be left out. Further keys are allowed, and kept."""


def subject_misfits(kind: str, subject: Mapping[str, Any]) -> list[str]:
    """What the subject lacks to be one of this kind; a kind that is not known has no such thing as a subject."""
    if kind not in SUBJECTS:
        return [f"{kind!r} is no kind of event that this toolkit knows"]
    found: list[str] = []
    for key, hint in SUBJECTS[kind].items():
        name = key.rstrip("?")
        if name in subject:
            found += misfits(subject[name], hint, f"subject.{name}")
        elif name == key:
            found.append(f"subject.{name} is missing")
    return found
