"""The wheels that a scoring image is made of: fetched by pip as their lock file pins them, and kept by digest."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from mlops_ci.adapters import processes
from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.adapters.environment import installer_variables
from mlops_ci.core.digest import digest_of, sha256
from mlops_ci.errors import IntegrityError, OutsideError

LOCK_FILE = "image-requirements.lock"
GLIBC = (2, 28)
"""The oldest C library that the pinned wheels run on."""
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
PATIENCE = 900.0
PIN = re.compile(r"(?m)^([A-Za-z0-9._-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)")


class Wheelhouse:
    """Wheels in a folder, each in one of its digest. What is there is never trusted: it is hashed at every use."""

    def __init__(self, folder: Path, *, lock: str | None = None) -> None:
        self._folder = folder
        self._lock = (files("mlops_ci.resources") / LOCK_FILE).read_text("utf-8") if lock is None else lock

    @property
    def lock_digest(self) -> str:
        return sha256(self._lock.encode())

    def wheels(self, platform: str, python: str) -> Mapping[str, Path]:
        """The pinned wheels for a platform (`linux/amd64`) and a Python (`3.11`) by digest, in the lock's order.

        Needs the network only where one is missing. Raises OutsideError where it cannot be fetched.
        """
        record = self._folder / "resolved" / f"{digest_of([self.lock_digest, platform, python])}.json"
        known = self._known(record)
        if known is not None:
            return known
        with tempfile.TemporaryDirectory(prefix="mlops-ci-wheels-") as folder:
            fetched = self._fetch(Path(folder), platform, python)
            for digest, wheel in fetched.items():
                self._keep(digest, wheel)
        write_atomically(record, json.dumps({digest: wheel.name for digest, wheel in fetched.items()}))
        return {digest: self._place(digest, wheel.name) for digest, wheel in fetched.items()}

    def _known(self, record: Path) -> Mapping[str, Path] | None:
        try:
            resolved = json.loads(record.read_bytes())
            wheels = {digest: self._place(digest, name) for digest, name in resolved.items()}
            intact = all(_digest(wheel) == digest for digest, wheel in wheels.items())
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return wheels if intact and len(wheels) == len(_pins(self._lock)) else None

    def _fetch(self, folder: Path, platform: str, python: str) -> dict[str, Path]:
        lock = folder / LOCK_FILE
        lock.write_text(self._lock, encoding="utf-8")
        target = ["--implementation", "cp", "--python-version", python]
        target += [word for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for word in ("--abi", abi)]
        target += [word for kind in MANYLINUX for word in ("--platform", f"{kind}_{MACHINES[platform]}")]
        try:
            processes.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
                    *("--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder / "wheels")),
                    *(*target, "--requirement", str(lock)),
                ],
                env=installer_variables(),
                timeout=PATIENCE,
            )
        except OutsideError as error:
            raise OutsideError(
                f"the wheels for the image ({platform}, Python {python}) cannot be fetched: {error.what}",
                fix="see to it that pip reaches a package index from here (its own configuration applies); with the "
                "wheels in the cache no network is needed",
            ) from error
        return self._in_order(list((folder / "wheels").glob("*.whl")))

    def _in_order(self, wheels: list[Path]) -> dict[str, Path]:
        """Those that the lock names, by digest. pip has checked the hashes; what goes into an image is checked here."""
        by_digest = {_digest(wheel): wheel for wheel in wheels}
        found = {}
        for name, allowed in _pins(self._lock).items():
            digest = next((digest for digest in by_digest if digest in allowed), None)
            if digest is None:
                raise IntegrityError(f"pip brought no wheel of {name} that {LOCK_FILE} allows")
            found[digest] = by_digest[digest]
        return found

    def _keep(self, digest: str, wheel: Path) -> None:
        place = self._place(digest, wheel.name)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".draft-") as folder:
                shutil.copyfile(wheel, Path(folder) / wheel.name).replace(place)
        except OSError as error:
            raise OutsideError(f"cannot keep a wheel: {error.strerror}", where=str(place), fix="make room") from error

    def _place(self, digest: str, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or Path(name).name != name:
            raise ValueError("not a record of wheels")
        return self._folder / "wheels" / digest / name


def _pins(lock: str) -> dict[str, frozenset[str]]:
    """The digests that the lock allows for each package."""
    return {name: frozenset(re.findall(r"sha256:([0-9a-f]{64})", hashes)) for name, _, hashes in PIN.findall(lock)}


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
