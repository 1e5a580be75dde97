"""A ZIP archive: there whole or not at all, never in place of another file, the same bytes for the same content."""

from __future__ import annotations

import errno
import io
import os
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from mlops_ci.errors import ConfigurationError, OutsideError

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format has: when it was written is no part of the content."""
_READABLE = 0o644 << 16


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Writes the members in their order, uncompressed: compressors of another version make other bytes.

    Raises ConfigurationError where there is a file already, OutsideError where it cannot be written; then, and when it
    is interrupted, nothing is left but, after a kill, a hidden folder beside it. What `members` raises goes on.
    """
    taken = ConfigurationError("there is a file already, which is not overwritten", where=str(path), fix="name another")
    if path.exists() or path.is_symlink():
        raise taken
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / path.name
            with draft.open("wb") as stream:
                _write(stream, members)
                stream.flush()
                os.fsync(stream.fileno())
            try:
                os.link(draft, path)  # fails where a file has come into being meanwhile
            except FileExistsError:
                raise taken from None
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP):
                    raise
                draft.replace(path)  # a file system without hard links
    except OSError as error:
        raise OutsideError(
            f"the archive cannot be written: {error.strerror or error}", where=str(path),
            fix="free some space, or name a folder that is there and may be written to",
        ) from error  # fmt: skip


def archive_bytes(members: Iterable[tuple[str, bytes]]) -> bytes:
    """The archive in memory, the same bytes for the same members."""
    stream = io.BytesIO()
    _write(stream, members)
    return stream.getvalue()


def _write(stream: object, members: Iterable[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, data in members:
            about = zipfile.ZipInfo(name, _EARLIEST)
            about.external_attr = _READABLE
            about.create_system = 3  # Unix, whatever system writes it
            archive.writestr(about, data)
