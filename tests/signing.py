"""Keys that tests sign with: made by `openssl`, as a team would make its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from mlops_ci.adapters.signing_keys import P256Signer, read_signer


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: Path

    @property
    def signer(self) -> P256Signer:
        return read_signer(str(self.private), password="", where="a test")


def openssl(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, arguments)], check=False, capture_output=True, **options)  # type: ignore[call-overload,no-any-return]


def key_pair(folder: Path, name: str = "signing") -> KeyPair:
    folder.mkdir(parents=True, exist_ok=True)
    pair = KeyPair(private=folder / f"{name}.key", public=folder / f"{name}.pub")
    made = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pair.private)
    assert made.returncode == 0, made.stderr
    assert openssl("pkey", "-in", pair.private, "-pubout", "-out", pair.public).returncode == 0
    return pair
