"""A disk that takes no more, or nothing from us, told as an error that a person can act upon."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_ci.errors import OutsideError

ROOM = 1_000_000
"""Bytes that a service needs before it is started, for its announcement and the beginning of its logs."""
_FIXES = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "free some of this user's quota",
    errno.EROFS: "make the file system writable, or work on another one",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
}


@contextmanager
def refusals_named(folder: Path) -> Iterator[None]:
    """Turns what a disk refuses within the block into an OutsideError, about `folder` if the system does not say."""
    try:
        yield
    except OSError as error:
        fix = _FIXES.get(error.errno or 0)
        if fix is None:
            raise
        where = error.filename or str(folder)
        raise OutsideError(
            f"cannot write: {error.strerror}", where=str(where), fix=f"{fix}, and run the same command again"
        ) from error


def require_room(folder: Path) -> None:
    """Raises OutsideError where the disk is as good as full: what is started then fails for no fault of its own."""
    if shutil.disk_usage(folder).free < ROOM:
        raise OutsideError(
            "the disk is full", where=str(folder), fix="free some space on it, and run the same command again"
        )
