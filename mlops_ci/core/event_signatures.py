"""Signatures on events: over an event's bytes without the signature, so that `openssl dgst -verify` can check one, too.

Through `previous` the signature of an event vouches for all events before it as well.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Protocol

from mlops_ci.core.events import Event, EventSignature


class Key(Protocol):
    """A public key, as `ports.PublicKey`."""

    @property
    def id(self) -> str: ...

    def verifies(self, message: bytes, signature: bytes) -> bool: ...


class PrivateKey(Protocol):
    """A private key, as `ports.Signer`."""

    @property
    def public_key(self) -> Key: ...

    def sign(self, message: bytes) -> bytes: ...


def signed(event: Event, key: PrivateKey) -> Event:
    """The event with the key's signature."""
    value = b64encode(key.sign(event.signed_bytes)).decode()
    return replace(event, signature=EventSignature(key=key.public_key.id, value=value))


def signature_fault(event: Event, key: Key, *, required: bool) -> str:
    """Why the event is not signed as it has to be; empty where it is, or where it need not be and is not."""
    if event.signature is None:
        return "is not signed, and events before it are" if required else ""
    if event.signature.key != key.id:
        return f"is signed by the key {event.signature.key[:12]!r}, and not by {key.id[:12]!r}"
    try:
        value = b64decode(event.signature.value, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if key.verifies(event.signed_bytes, value):
        return ""
    return f"has a signature that {key.id[:12]!r} did not make: the event or the signature was changed"
