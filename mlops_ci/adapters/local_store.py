"""The store in a folder of this machine: an object is there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mlops_ci.core.layout import checked_path
from mlops_ci.errors import NotFoundError, OutsideError
from mlops_ci.ports import Entry

_PARTIAL = ".partial"
"""Where objects are written before they get their name. No path of the store begins with a dot."""
_MODE = 0o444
"""Without permission to write, as a guard against editing by hand: an object never changes."""
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
    """A `KeptStore` below one folder, which comes into being with the first write; before, the store is empty.

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
            drafts = self._root / _PARTIAL
            _make_folder(drafts)
            try:
                if not _put_unnamed(drafts, file, data):
                    _put_draft(drafts / secrets.token_hex(16), file, data)
            except FileExistsError:  # the link fails where the name is taken, whoever comes second
                return False
            _flush_folder(file.parent)
        return True

    def list(self, prefix: str) -> list[str]:
        folder = self._file(prefix) if prefix else self._root
        with self._failures("list", folder):
            return [path for path, _ in _files_below(str(folder), f"{prefix}/" if prefix else "")]

    def folders(self, prefix: str) -> Sequence[str]:
        folder = self._file(prefix) if prefix else self._root
        with self._failures("list", folder):
            return sorted(entry.name for entry in _entries(str(folder)) if entry.is_dir())

    def entries(self, prefix: str) -> Iterator[Entry]:
        folder = self._file(prefix) if prefix else self._root
        with self._failures("list", folder):
            for path, file in _files_below(str(folder), f"{prefix}/" if prefix else ""):
                try:
                    status = file.stat(follow_symlinks=False)
                except FileNotFoundError:  # deleted since it was listed
                    continue
                yield Entry(path=path, size=status.st_size, modified=datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, path: str) -> None:
        file = self._file(path)
        with self._failures("delete", file):
            file.unlink(missing_ok=True)
            if file.parent.is_dir():
                _flush_folder(file.parent)

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


def _put_unnamed(folder: Path, file: Path, data: bytes) -> bool:
    """Writes a file that has no name, so that a kill leaves nothing, and gives it its name; False where it cannot be.

    Linux has such files, and not on every file system.
    """
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, _MODE)
    except (AttributeError, OSError):
        return False
    try:
        # Python follows the link to the open file only where it is given a folder to begin at, which it then ignores.
        opened = f"/proc/self/fd/{descriptor}"
        if not Path(opened).exists():
            return False
        _write(os.dup(descriptor), data)
        os.link(opened, file, src_dir_fd=descriptor)
    finally:
        os.close(descriptor)
    return True


def _put_draft(draft: Path, file: Path, data: bytes) -> None:
    try:
        _write(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), data)
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
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


def _files_below(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Each file with its path in the store."""
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _files_below(entry.path, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
