"""A release's files on this disk, as the services read them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlops_ci.adapters.file_lock import locked
from mlops_ci.core.digest import sha256
from mlops_ci.core.records import Release
from mlops_ci.errors import IntegrityError, Problem

PATIENCE = 60.0
_DRAFT = ".draft-"


def materialise(folder: Path, release: Release, files: Mapping[str, bytes]) -> Path:
    """Puts the release's files into `folder/<release id>`, all or nothing, and returns that folder.

    A folder that is there already is kept if every file in it is what the release says. Raises IntegrityError where
    `files` are not the release's.
    """
    _require_digests(release, files)
    place = folder / release.id
    if _is_intact(place, release):
        return place
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")
    with locked(lock, what="another command is at work on the files of releases", wait=PATIENCE):
        for left in folder.glob(f"{_DRAFT}*"):  # of a command that was killed
            shutil.rmtree(left)
        if not _is_intact(place, release):  # by now
            _put(place, files)
    return place


def _put(place: Path, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=place.parent) as name:
        draft = Path(name) / "files"
        draft.mkdir()
        for file, data in files.items():
            (draft / file).write_bytes(data)
        if place.exists():
            place.rename(Path(name) / "damaged")
        draft.rename(place)


def _require_digests(release: Release, files: Mapping[str, bytes]) -> None:
    problems = [
        Problem(where=name, what="is not a plain file name")
        for name in release.files
        if not name or name != Path(name).name or name.startswith(".")
    ]
    for name in sorted({*release.files, *files}):
        if name not in files or name not in release.files:
            what = "is missing" if name in release.files else "is not a file of the release"
            problems.append(Problem(where=name, what=what))
        elif sha256(files[name]) != release.files[name]:
            problems.append(
                Problem(where=name, what=f"has the digest {sha256(files[name])}, not {release.files[name]}")
            )
    if problems:
        raise IntegrityError(f"the files are not those of release {release.id[:12]}", problems=problems)


def _is_intact(place: Path, release: Release) -> bool:
    try:
        return all(sha256((place / name).read_bytes()) == digest for name, digest in release.files.items())
    except OSError:
        return False
