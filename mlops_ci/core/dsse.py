"""Dead Simple Signing Envelope (DSSE v1): how a statement and its signatures travel together, and what is signed.

Source: the DSSE specification, protocol.md and envelope.md.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.shape import misfits

STATEMENT_TYPE = "application/vnd.in-toto+json"


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a signature is over: type and payload with their lengths, so that no two pairs look alike.

    >>> pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, kw_only=True)
class KeySignature:
    """A signature and the id of the key that is said to have made it: a hint, which nothing is believed for."""

    key: str
    value: bytes


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A payload of a type with the signatures over both; with none it is not signed."""

    payload_type: str
    payload: bytes
    signatures: tuple[KeySignature, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        return pre_authentication_encoding(self.payload_type, self.payload)

    def to_json(self) -> dict[str, Any]:
        return {
            "payloadType": self.payload_type,
            "payload": b64encode(self.payload).decode(),
            "signatures": [{"keyid": one.key, "sig": b64encode(one.value).decode()} for one in self.signatures],
        }

    @classmethod
    def from_json(cls, value: Any) -> Envelope:
        """Raises ValueError saying what keeps the value from being an envelope."""
        shape = Mapping[str, Any]
        if misfits(value, shape) or misfits(value.get("signatures"), tuple[shape, ...]):
            raise ValueError("it is no DSSE envelope")
        signatures = tuple(
            KeySignature(key=_text(one, "keyid", ""), value=_decoded(_text(one, "sig"))) for one in value["signatures"]
        )
        return cls(
            payload_type=_text(value, "payloadType"),
            payload=_decoded(_text(value, "payload")),
            signatures=signatures,
        )


def _text(value: Mapping[str, Any], key: str, default: str | None = None) -> str:
    found = value.get(key, default)
    if not isinstance(found, str):
        raise ValueError(f"it is no DSSE envelope: {key} is {'missing' if found is None else 'no text'}")
    return found


def _decoded(text: str) -> bytes:
    """Either alphabet of Base64, as the specification allows."""
    try:
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"it is no DSSE envelope: {error}") from error
