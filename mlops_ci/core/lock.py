"""The lock: everything that a training depends on, hashed before it starts and checked again after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from mlops_ci.core.digest import digest_of


@dataclass(frozen=True, kw_only=True)
class Lock:
    """What one training reads. Two equal locks train the same model, so the digest is the key of the train cache.

    `code` and `data` map a path relative to the model's folder to the SHA-256 of the file's bytes; `params` is the
    part of `mlops.yaml` that training reads; `environment` maps the interpreter, the platform and each distribution
    that the code imports to its version; `toolkit` is the version of mlops-ci.
    """

    model: str
    code: Mapping[str, str]
    data: Mapping[str, str]
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    toolkit: str

    @cached_property
    def digest(self) -> str:
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Lock:
        return cls(**{field.name: value[field.name] for field in fields(cls)})


def differences(before: Lock, after: Lock) -> list[str]:
    """What differs between two locks, a line each: `data data/a.csv changed`, `environment numpy 2.3 -> 2.4`."""
    lines: list[str] = []
    for part in ("code", "data"):
        old, new = getattr(before, part), getattr(after, part)
        for path in sorted({*old, *new}):
            if old.get(path) != new.get(path):
                what = "added" if path not in old else "removed" if path not in new else "changed"
                lines.append(f"{part} {path} {what}")
    for part in ("params", "environment"):
        old, new = _flat(getattr(before, part)), _flat(getattr(after, part))
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                lines.append(f"{part} {key} {old.get(key, 'absent')} -> {new.get(key, 'absent')}")
    for part in ("model", "toolkit"):
        if getattr(before, part) != getattr(after, part):
            lines.append(f"{part} {getattr(before, part)} -> {getattr(after, part)}")
    return lines


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = item
    return flat
