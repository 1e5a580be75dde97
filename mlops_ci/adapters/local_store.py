"""The store in a folder of this machine: an object is there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlops_ci.core.layout import checked_path
from mlops_ci.errors import NotFoundError, OutsideError

_PARTIAL = ".partial"
"""Where objects are written before they get their name. No path of the store begins with a dot."""
_FIXES = {
    errno.EACCES: "let this user write there, or choose another store (MLOPS_STORE or --store)",
    errno.EPERM: "the file system must allow hard links; choose a folder on another one, or an object store",
    errno.ENOTSUP: "the file system must allow hard links; choose a folder on another one, or an object store",
    errno.EROFS: "the file system is read-only; choose another store (MLOPS_STORE or --store)",
    errno.ENOSPC: "free some space on the disk; nothing was half written",
    errno.EDQUOT: "free some of this user's quota; nothing was half written",
    errno.EFBIG: "raise this process's limit of the size of a file; nothing was half written",
    errno.ENOTDIR: "a file stands where the store needs a folder; choose another store (MLOPS_STORE or --store)",
    errno.EEXIST: "a file stands where the store needs a folder; choose another store (MLOPS_STORE or --store)",
}


class LocalStore:
    """An `ObjectStore` below one folder, which comes into being with the first write; before, the store is empty.

    The object store library's own local store does not flush to the disk, so that after a power cut an object may be
    there and be empty. Here the bytes are flushed before the name appears.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return str(self._root)

    def get(self, path: str) -> bytes:
        file = self._file(path)
        with self._failures("read", file):
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                pass
        raise NotFoundError(f"there is no {path} in the store", where=self.url)

    def create(self, path: str, data: bytes) -> bool:
        file = self._file(path)
        with self._failures("write", file):
            if file.exists():  # spares a second writing of what is there; the link below decides
                return False
            _make_folder(file.parent)
            partial = self._root / _PARTIAL / secrets.token_hex(16)
            _make_folder(partial.parent)
            try:
                _write(partial, data)
                os.link(partial, file)  # fails where the name is taken, whoever comes second
            except FileExistsError:
                return False
            finally:
                partial.unlink(missing_ok=True)
            _flush_folder(file.parent)
        return True

    def list(self, prefix: str) -> list[str]:
        folder = self._file(prefix) if prefix else self._root
        with self._failures("list", folder):
            return list(_paths_below(str(folder), f"{prefix}/" if prefix else ""))

    def folders(self, prefix: str) -> Sequence[str]:
        folder = self._file(prefix) if prefix else self._root
        with self._failures("list", folder):
            return sorted(entry.name for entry in _entries(str(folder)) if entry.is_dir())

    def _file(self, path: str) -> Path:
        return self._root / checked_path(path)

    @contextmanager
    def _failures(self, verb: str, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            fix = _FIXES.get(error.errno or 0, "mend what the system says, and try again")
            raise OutsideError(f"the store cannot {verb} {file}: {reason}", where=self.url, fix=fix) from error


def _write(file: Path, data: bytes) -> None:
    """Without permission to write, as a guard against editing by hand: an object never changes."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _make_folder(folder: Path) -> None:
    """Makes the folder and those above it, and flushes each new name to the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what file systems say that have no such thing
            raise
    finally:
        os.close(descriptor)


def _paths_below(folder: str, prefix: str) -> Iterator[str]:
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _paths_below(entry.path, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
