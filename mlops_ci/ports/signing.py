"""Keys: the private one that a release is signed with, and the public one that it is checked by."""

from __future__ import annotations

from typing import Protocol


class PublicKey(Protocol):
    @property
    def id(self) -> str:
        """The digest of the key itself (its DER encoding), by which signatures name it."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the owner of the private key signed these very bytes; False for whatever is no signature."""


class Signer(Protocol):
    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes: ...
