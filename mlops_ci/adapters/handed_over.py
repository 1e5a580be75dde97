"""Reads a folder that an untrusted job filled. No link is followed, nothing but plain files is opened for reading."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK to open a FIFO would wait for a writer for ever."""


class ArtifactFolder:
    """Implements `ports.HandedOver`. Each part of a path is opened from within the one before, and is never a link."""

    def __init__(self, root: Path) -> None:
        """Raises ConfigurationError where there is no such folder. The root itself was named by whoever runs this."""
        if not root.is_dir():
            raise ConfigurationError(f"there is no folder {root}", fix="name the folder of the downloaded artifacts")
        self._root = root.resolve()

    def names(self, folder: str, most: int) -> Sequence[str]:
        found: list[str] = []
        try:
            with self._opened(folder) as descriptor, os.scandir(descriptor) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        found.append(entry.name)
                    if len(found) > most:
                        raise IntegrityError(f"{folder or 'the artifact'} holds more than {most} files", where=self._at)
        except NotFoundError:
            return ()
        return sorted(found)

    def read(self, path: str, most: int) -> bytes:
        folder, _, name = path.rpartition("/")
        with self._opened(folder) as descriptor:
            file = self._open(name, _FILE, descriptor, path)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise self._refused(path, "is no plain file")
            if status.st_size > most:
                raise self._refused(path, f"has {status.st_size} bytes, and {most} are allowed")
            with os.fdopen(file, "rb", closefd=False) as stream:
                data = stream.read(most + 1)
        except OSError as error:
            raise OutsideError(f"cannot read {shown_name(path)}: {error.strerror}", where=self._at) from error
        finally:
            os.close(file)
        if len(data) > most:
            raise self._refused(path, f"has more than {most} bytes")
        return data

    @property
    def _at(self) -> str:
        return str(self._root)

    @contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in folder.split("/") if folder else ():
                below = self._open(part, _FOLDER, descriptor, folder)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int, descriptor: int, path: str) -> int:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise self._refused(path, "is no path in it")
        try:
            return os.open(name, flags, dir_fd=descriptor)
        except FileNotFoundError:
            raise NotFoundError(f"there is no {shown_name(path)} in the artifact", where=self._at) from None
        except OSError as error:  # a link, a socket, a file in a folder's place
            raise self._refused(path, f"cannot be opened ({error.strerror})") from error

    def _refused(self, path: str, what: str) -> IntegrityError:
        return IntegrityError(f"{shown_name(path)} {what}", where=self._at)
