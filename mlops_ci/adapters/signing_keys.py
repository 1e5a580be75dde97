"""ECDSA keys on the curve P-256 in PEM, as `openssl` makes them. Implements `ports.Signer` and `ports.PublicKey`.

No message of ours holds anything of a private key or of its password, and neither does a `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.core.digest import sha256
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

MAKE_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing.key"
EXTRACT_KEY = "openssl pkey -in signing.key -pubout -out signing.pub"


@dataclass(frozen=True)
class P256PublicKey:
    _key: EllipticCurvePublicKey = field(repr=False)

    @property
    def id(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def verifies(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class P256Signer:
    _key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_key(self) -> P256PublicKey:
        return P256PublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The same signature for the same message (RFC 6979), so that a release that is made again is the same."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(message, ECDSA(SHA256(), deterministic_signing=True))


def read_signer(given: str, *, password: str, where: str) -> P256Signer:
    """The key of a PEM file, or of the PEM text itself; `where` says who named it, such as `--signing-key`.

    Raises ConfigurationError, in words that hold nothing of what was given.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = given.encode() if "-----BEGIN" in given else _content(Path(given).expanduser(), where)
    try:
        key = load_pem_private_key(pem, password.encode() or None)
    except TypeError as error:  # a password is missing, or is not needed
        encrypted = b"ENCRYPTED" in pem
        what = "is encrypted, and there is no password" if encrypted else "has no password, and one is given"
        fix = "set MLOPS_SIGNING_PASSWORD" if encrypted else "unset MLOPS_SIGNING_PASSWORD"
        raise ConfigurationError(f"the signing key {what}", where=where, fix=fix) from error
    except Exception as error:
        what = "cannot be read: it is no private key in PEM, or the password is wrong"
        raise ConfigurationError(f"the signing key {what}", where=where, fix=f"make one: {MAKE_KEY}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"the signing key {_not_ours(key)}", where=where, fix=f"make one: {MAKE_KEY}")
    return P256Signer(key)


def read_public_key(path: Path, *, where: str) -> P256PublicKey:
    """Raises ConfigurationError where the file is missing or holds no such key."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _content(path, where)
    try:
        key = load_pem_public_key(pem)
    except Exception as error:
        private = b"PRIVATE KEY" in pem
        what = "is a PRIVATE key, which belongs into no repository" if private else "holds no public key in PEM"
        raise ConfigurationError(f"{path.name} {what}", where=where, fix=EXTRACT_KEY) from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"the key in {path.name} {_not_ours(key)}", where=where, fix=EXTRACT_KEY)
    return P256PublicKey(key)


def _content(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        what, fix = f"the key cannot be read: {reason}", "name a PEM file that is there"
        # What was given may be a key that lost its frame: it is not repeated, and the cause would repeat it.
        raise ConfigurationError(what, where=where, fix=fix) from None


def _not_ours(key: object) -> str:
    curve = getattr(getattr(key, "curve", None), "name", "")
    kind = type(key).__name__.lstrip("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"is of kind {kind}{f' on {curve}' if curve else ''}, and only ECDSA on P-256 is used"
