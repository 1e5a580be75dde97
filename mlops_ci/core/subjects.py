"""What the subject of each kind of event says. `docs/events.md` describes the same keys for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_ci.core.shape import fits_plainly, misfits

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
    "promotion-closed": {"environment": str, "release": str, "pull_request": int, "reason": str},
    "approved": {
        "environment": str,
        "release": str,
        "pull_request": int | None,
        "head": str,
        "by": Texts,
        "commit": str,
    },
    "rollout-step": {
        "environment": str,
        "release": str,
        "share": int,
        "outcome": str,
        "reasons": Texts,
        "until?": str,
    },
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
    "retrain-opened": {"pull_request": int | None, "reason": str, "lock?": str | None, "head?": str | None},
    "waived": {"verdict": str, "reason": str, "approver": str, "expires": str, "lock": str, "findings?": Texts},
}
"""A key that ends in `?` may be left out. Further keys are allowed, and kept."""


_KEYS = {
    kind: tuple((key.rstrip("?"), key.endswith("?"), hint, fits_plainly(hint)) for key, hint in keys.items())
    for kind, keys in SUBJECTS.items()
}
"""For each kind: a key's name, whether it may be left out, what it holds, and the cheap question whether it does."""


def subject_misfits(kind: str, subject: Mapping[str, Any]) -> list[str]:
    """What the subject lacks to be one of this kind; a kind that is not known has no such thing as a subject."""
    if kind not in SUBJECTS:
        return [f"{kind!r} is no kind of event that this toolkit knows"]
    found: list[str] = []
    for name, optional, hint, fits in _KEYS[kind]:
        if name not in subject:
            if not optional:
                found.append(f"subject.{name} is missing")
        elif not fits(subject[name]):
            found += misfits(subject[name], hint, f"subject.{name}")
    return found
