"""Writes a layer of an image as an archive whose bytes depend on its files' names and contents, and on nothing else.

The headers are written here and not by `tarfile`, which has changed them between versions of Python.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from mlops_ci.errors import OutsideError
from mlops_ci.ports.images import LayerFile

FILE_MODE, FOLDER_MODE = 0o644, 0o755
BLOCK = 512
CHUNK = 1 << 20


def write_layer(path: Path, files: Mapping[str, bytes]) -> LayerFile:
    """Writes the archive in one step; names are relative to the image's root. Raises OutsideError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
            try:
                for block in archive(files):
                    draft.write(block)
                draft.close()
                Path(draft.name).replace(path)
            except BaseException:
                Path(draft.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutsideError(
            f"a layer of the image cannot be written: {error.strerror or error}", where=str(path), fix="make room there"
        ) from error
    return read_layer(path)


def read_layer(path: Path) -> LayerFile:
    """The layer at `path`, its digest taken from what is there now. Raises OutsideError."""
    try:
        with path.open("rb") as content:
            return LayerFile(path=path, digest=_digest(content), size=path.stat().st_size)
    except OSError as error:
        raise OutsideError(f"cannot read a layer of the image: {error.strerror}", where=str(path)) from error


def stream(entries: Mapping[str, bytes | Path]) -> Iterator[bytes]:
    """The blocks of an archive of files in the order given, those on disk read while it goes."""
    for name, content in entries.items():
        if isinstance(content, bytes):
            yield _header(name, len(content), FILE_MODE, b"0")
            yield content + bytes(-len(content) % BLOCK)
            continue
        size = content.stat().st_size
        yield _header(name, size, FILE_MODE, b"0")
        with content.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        yield bytes(-size % BLOCK)
    yield bytes(2 * BLOCK)


def archive(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The blocks of a ustar archive: folders before what is in them, everything owned by root and from 1970.

    A name that leads out of the image is a ValueError.
    """
    for name in sorted({*files, *folders(files)}):
        content = files.get(name)
        if content is None:
            yield _header(f"{name}/", 0, FOLDER_MODE, b"5")
        else:
            yield _header(name, len(content), FILE_MODE, b"0")
            yield content
            yield bytes(-len(content) % BLOCK)
    yield bytes(2 * BLOCK)


def folders(names: Iterable[str]) -> set[str]:
    """All folders that the files are in. They are listed too: an engine makes up attributes for what is not."""
    found: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name or name == "." or "\0" in name:
            raise ValueError(f"{name!r} is no place for a file in an image")
        found |= {str(parent) for parent in path.parents if parent.name}
    return found


def _header(name: str, size: int, mode: int, kind: bytes) -> bytes:
    prefix, base = _split(name.encode())
    fields = [
        base.ljust(100, b"\0"),
        *(b"%07o\0" % value for value in (mode, 0, 0)),
        *(b"%011o\0" % value for value in (size, 0)),
        b" " * 8,  # the checksum, as it counts in the checksum
        kind + bytes(100),
        b"ustar\x0000",
        b"root".ljust(32, b"\0") * 2,
        b"%07o\0" % 0 * 2,
        prefix.ljust(155, b"\0") + bytes(12),
    ]
    header = b"".join(fields)
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _split(name: bytes) -> tuple[bytes, bytes]:
    """A long name goes into two fields, divided at a slash."""
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", len(name) - 101)
    if not 0 < cut <= 155 or cut == len(name) - 1:
        raise ValueError(f"{os.fsdecode(name)!r} is too long a name for a layer")
    return name[:cut], name[cut + 1 :]


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(CHUNK):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
