"""Signing keys: what `openssl` made is read, what we sign it verifies and the reverse, and no key is ever told."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

import pytest

from mlops_ci.adapters.signing_keys import EXTRACT_KEY, MAKE_KEY, read_public_key, read_signer
from mlops_ci.errors import ConfigurationError
from tests.signing import KeyPair, key_pair, openssl

MESSAGE = b"DSSEv1 4 type 7 payload"
PASSWORD = "a-password-of-nobody-9"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def encrypted(keys: KeyPair) -> Path:
    path = keys.private.with_name("encrypted.key")
    arguments = ["pkcs8", "-topk8", "-in", keys.private, "-out", path, "-passout", f"pass:{PASSWORD}"]
    assert openssl(*arguments).returncode == 0
    return path


def test_the_lines_that_people_are_told_make_keys_that_are_read(tmp_path: Path) -> None:
    for line in (MAKE_KEY, EXTRACT_KEY):
        program, *arguments = line.split()
        assert program == "openssl"
        assert openssl(*arguments, cwd=tmp_path).returncode == 0
    signer = read_signer(str(tmp_path / "signing.key"), password="", where="")
    assert read_public_key(tmp_path / "signing.pub", where="").id == signer.public_key.id


def test_openssl_verifies_what_we_sign(keys: KeyPair, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(keys.signer.sign(MESSAGE))
    verify = ["dgst", "-sha256", "-verify", keys.public, "-signature", "signature", "message"]
    assert b"Verified OK" in openssl(*verify, cwd=tmp_path).stdout
    (tmp_path / "message").write_bytes(MESSAGE + b" ")
    assert b"Verified OK" not in openssl(*verify, cwd=tmp_path).stdout


def test_we_verify_what_openssl_signs(keys: KeyPair, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    signature = openssl("dgst", "-sha256", "-sign", keys.private, tmp_path / "message").stdout
    public = read_public_key(keys.public, where="")
    assert public.verifies(MESSAGE, signature)
    assert not public.verifies(MESSAGE + b"!", signature)
    assert not key_pair(tmp_path, "other").signer.public_key.verifies(MESSAGE, signature)


@pytest.mark.parametrize("signature", [b"", b"\x00", b"0" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00", b"x" * 10_000])
def test_what_is_no_signature_verifies_nothing(keys: KeyPair, signature: bytes) -> None:
    assert not keys.signer.public_key.verifies(MESSAGE, signature)


def test_a_key_is_named_by_the_digest_of_its_public_half(keys: KeyPair) -> None:
    der = openssl("pkey", "-pubin", "-in", keys.public, "-outform", "DER").stdout
    assert keys.signer.public_key.id == hashlib.sha256(der).hexdigest()


def test_the_same_message_has_the_same_signature(keys: KeyPair) -> None:
    assert keys.signer.sign(MESSAGE) == keys.signer.sign(MESSAGE)
    assert keys.signer.sign(MESSAGE) != keys.signer.sign(MESSAGE + b"!")


def test_a_key_is_given_as_a_file_or_as_its_text_with_or_without_a_password(keys: KeyPair, encrypted: Path) -> None:
    text = keys.private.read_text()
    for given, password in [
        (str(keys.private), ""),
        (text, ""),
        (f"\n{text}\n", ""),
        (text.replace("\n", "\r\n"), ""),
        (str(encrypted), PASSWORD),
        (encrypted.read_text(), PASSWORD),
    ]:
        assert read_signer(given, password=password, where="").public_key.id == keys.signer.public_key.id


def bad_keys(keys: KeyPair, encrypted: Path, folder: Path) -> dict[str, tuple[str, str]]:
    """What was given, and the password, by what has to be said of it."""
    kinds = {"RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "Ed25519": ["ED25519"]}
    kinds["EC on secp384r1"] = ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]
    for name, arguments in kinds.items():
        openssl("genpkey", "-algorithm", *arguments, "-out", folder / name)
    text = keys.private.read_text()
    (folder / "empty").write_text("")
    (folder / "binary").write_bytes(bytes(range(256)))
    return {
        **{f"is of kind {name}": (str(folder / name), "") for name in kinds},
        "No such file": (str(folder / "nowhere"), ""),
        "Is a directory": (str(folder), ""),
        "that is no path": ("a\0b", ""),
        "it is no private key in PEM": (str(folder / "empty"), ""),
        "no private key in PEM": (str(folder / "binary"), ""),
        "private key in PEM, or": (str(keys.public), ""),
        "is no private key in PEM, or": (text[:100], ""),
        "is encrypted, and there is no password": (str(encrypted), ""),
        "or the password is wrong": (str(encrypted), "wrong-password-of-nobody"),
        "has no password, and one is given": (text, PASSWORD),
    }


def test_a_bad_key_is_refused_in_words_that_do_not_hold_it(keys: KeyPair, encrypted: Path, tmp_path: Path) -> None:
    secrets = [line for path in (keys.private, encrypted) for line in path.read_text().splitlines()[1:-1]]
    for said, (given, password) in bad_keys(keys, encrypted, tmp_path).items():
        with pytest.raises(ConfigurationError) as raised:
            read_signer(given, password=password, where="--signing-key")
        assert said in str(raised.value), said
        assert raised.value.where == "--signing-key"
        assert raised.value.fix
        told = "".join(traceback.format_exception(raised.value))
        assert not [secret for secret in (*secrets, PASSWORD, "wrong-password-of-nobody") if secret in told], said


def test_a_key_that_lost_its_frame_is_taken_for_a_path_and_not_repeated(keys: KeyPair) -> None:
    body = "".join(keys.private.read_text().splitlines()[1:-1])
    with pytest.raises(ConfigurationError) as raised:
        read_signer(body, password="", where="MLOPS_SIGNING_KEY")
    assert body not in "".join(traceback.format_exception(raised.value))


def test_a_private_key_in_the_place_of_the_public_one_is_called_that(keys: KeyPair, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PRIVATE key, which belongs into no repository"):
        read_public_key(keys.private, where="mlops.yaml")
    (tmp_path / "x.pub").write_text("ssh-ed25519 AAAA")
    with pytest.raises(ConfigurationError, match=r"x\.pub holds no public key"):
        read_public_key(tmp_path / "x.pub", where="mlops.yaml")
    openssl("genpkey", "-algorithm", "ED25519", "-out", tmp_path / "e.key")
    openssl("pkey", "-in", tmp_path / "e.key", "-pubout", "-out", tmp_path / "e.pub")
    with pytest.raises(ConfigurationError, match=r"e\.pub is of kind Ed25519, and only ECDSA on P-256"):
        read_public_key(tmp_path / "e.pub", where="mlops.yaml")
    with pytest.raises(ConfigurationError, match="No such file"):
        read_public_key(tmp_path / "nowhere.pub", where="mlops.yaml")


def test_nothing_of_a_key_is_in_its_repr(keys: KeyPair) -> None:
    assert "PrivateKey" not in repr(keys.signer)
    assert repr(keys.signer) == "P256Signer()"
