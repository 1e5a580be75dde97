"""A file that lines are appended to, put aside when it is full, and made again when it was taken away."""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path


class RotatingFile:
    """Before the file exceeds `max_bytes` it becomes `<name>.1`, that one `<name>.2`, up to `keep` older files.

    There may be another writer for a while, such as the service that this one replaces.
    """

    longest: int | None = None
    """A line may have any length."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._file: FileIO | None = None

    def append(self, data: bytes) -> None:
        """Appends whole lines, all or none of them. Raises OSError where they cannot be written."""
        try:
            self._write(data)
        except OSError:
            self.close()  # the next attempt begins anew: there may be room again, or another folder
            raise

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, data: bytes) -> None:
        file = self._open()
        size = os.fstat(file.fileno()).st_size
        if size and size + len(data) > self._max_bytes:
            self.close()
            self._rotate()
            file = self._open()
            size = os.fstat(file.fileno()).st_size
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            data = b"\n" + data  # a writer before this one was killed within a line
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            done = len(data) - len(rest)
            if done and os.fstat(file.fileno()).st_size == size + done:  # nobody else has written meanwhile
                with suppress(OSError):
                    file.truncate(size)
            raise

    def _open(self) -> FileIO:
        """The file at the path as it is now: what was opened may have been removed or put aside by somebody else."""
        if self._file is not None and not _is_at(self._file, self._path):
            self.close()
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b", buffering=0)
        return self._file

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            before = self._older(number - 1)
            if before.exists():
                before.replace(self._older(number))
        if not self._keep:
            self._path.unlink(missing_ok=True)
        number = self._keep + 1
        while self._older(number).exists():  # more were kept before
            self._older(number).unlink(missing_ok=True)
            number += 1

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
