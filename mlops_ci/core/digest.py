"""Canonical bytes of a JSON value, and SHA-256 digests: 64 lower-case hexadecimal digits without a prefix."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no white space, UTF-8, newline at the end; NaN is a ValueError.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}\\n'
    """
    return _CANONICAL.encode(value).encode() + b"\n"


def sha256(data: bytes) -> str:
    """The digest under which the store keeps `data`."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """The digest of a JSON value's canonical bytes."""
    return sha256(canonical_json(value))
