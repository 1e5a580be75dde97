"""Data behind a `.dvc` pointer: beside it, in DVC's cache, or in its remote; the content is always proved by its MD5.

The layout is DVC's own: an object lies at `files/md5/<aa>/<rest>` (version 3) or `<aa>/<rest>` (before, and where the
pointer names no `hash`). A folder's object ends with `.dir` and lists the MD5 and path of each of its files as JSON.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import DataGateError, NotFoundError
from mlops_ci.ports import ObjectStore

_MD5 = re.compile(r"[0-9a-f]{32}")
_REMOTES = {"s3": "s3", "gs": "gs", "azure": "az", "az": "az"}
_SETTINGS = {
    "endpointurl": "AWS_ENDPOINT_URL",
    "region": "AWS_REGION",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
    "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
    "sas_token": "AZURE_STORAGE_SAS_TOKEN",
    "credentialpath": "GOOGLE_APPLICATION_CREDENTIALS",
}
"""DVC's names of what an object store has to be told, and ours."""


@dataclass(frozen=True, kw_only=True)
class TrackedFile:
    """One file that a pointer stands for; `path` is where it belongs in the work tree."""

    path: Path
    md5: str
    legacy: bool


class DvcPointer:
    """A pointer and the DVC repository around it, if there is one. `options` are an object store's settings.

    `own_endpoints`: whether the repository may say which server is asked (`endpointurl`).
    """

    def __init__(self, pointer: Path, *, name: str, options: Mapping[str, str], own_endpoints: bool = True) -> None:
        self._pointer, self._name, self._options = pointer, name, options
        self._own_endpoints = own_endpoints
        self._out = _read_pointer(pointer, name)

    @cached_property
    def files(self) -> tuple[TrackedFile, ...]:
        """What the pointer stands for: one file, or all of a folder in the order of their paths."""
        md5, legacy = str(self._out["md5"]), "hash" not in self._out
        target = self._pointer.parent / str(self._out.get("wdir", ".")) / str(self._out["path"])
        whole = TrackedFile(path=target, md5=md5, legacy=legacy)
        if not md5.endswith(".dir"):
            return (whole,)
        # The work tree's folder is as good as the list of its files, where it is exactly what was added.
        listing = _listing(target)
        if _md5(listing) != md5.removesuffix(".dir"):
            listing = self._object(whole)
        found = [
            TrackedFile(path=target / relative, md5=each, legacy=legacy)
            for relative, each in _folder(listing, md5, self._name)
        ]
        return tuple(sorted(found, key=lambda file: file.path.as_posix()))

    def open(self, file: TrackedFile) -> IO[bytes]:
        """The file, once its MD5 is proved, from the work tree, the cache or the remote.

        Raises DataGateError where it is in none of them, or is another file than the pointer names.
        """
        if not file.path.is_file():
            return io.BytesIO(self._object(file))
        opened = file.path.open("rb")
        if hashlib.file_digest(opened, _new_md5).hexdigest() == file.md5 or (
            file.legacy and _unix_md5(file) == file.md5
        ):
            opened.seek(0)
            return opened
        opened.close()
        what = f"{file.path.name} is not the file that the pointer names (MD5)"
        raise DataGateError(what, where=self._name, fix=f"dvc pull {self._name}, or dvc add the new file")

    def _object(self, file: TrackedFile) -> bytes:
        """The content of that MD5, from the cache or the remote."""
        for place in self._places():
            for key in _keys(file):
                try:
                    content = place.get(key)
                except NotFoundError:
                    continue
                if _md5(content) == file.md5.removesuffix(".dir"):
                    return content
                what = f"{place.url} holds other bytes than the pointer names (MD5) for {file.path.name}"
                raise DataGateError(what, where=self._name, fix=f"remove that object, then dvc push {self._name} again")
        what = f"points to {file.path.name}, which is not here, and neither in DVC's cache nor in its remote"
        raise DataGateError(what, where=self._name, fix=f"dvc pull {self._name}, or dvc push it where it was made")

    def _places(self) -> Iterator[ObjectStore]:
        """Where objects may be: the cache, then the remote."""
        folder = next((each / ".dvc" for each in self._pointer.resolve().parents if (each / ".dvc").is_dir()), None)
        if folder is None:
            return
        repository = _Repository(folder=folder)
        yield open_store(str(repository.cache))
        remote = repository.remote(str(self._out.get("remote", "")))
        if remote is not None:
            if not self._own_endpoints:
                remote.require_no_endpoint(self._options, self._name)
            yield remote.open(self._options, self._name)


@dataclass(frozen=True, kw_only=True)
class _Remote:
    url: str
    folder: Path
    settings: Mapping[str, str] = field(repr=False)

    def require_no_endpoint(self, options: Mapping[str, str], name: str) -> None:
        """Raises DataGateError where the repository would have another server asked than `options` do."""
        named = self.settings.get("endpointurl")
        if named is not None and named not in (options.get("AWS_ENDPOINT_URL"), options.get("AWS_ENDPOINT_URL_S3")):
            raise DataGateError(
                "DVC's remote names a server of its own (endpointurl), which is not asked with this job's credentials",
                where=name,
                fix="set AWS_ENDPOINT_URL to it where the job gets its credentials",
            )

    def open(self, options: Mapping[str, str], name: str) -> ObjectStore:
        scheme, separator, rest = self.url.partition("://")
        if not separator:
            return open_store(str((self.folder / self.url).resolve()))
        if scheme == "file":
            return open_store(self.url)
        if scheme not in _REMOTES:
            what = f"DVC's remote is of the kind {scheme}://, which cannot be read from here"
            raise DataGateError(what, where=name, fix="dvc pull before; local paths, s3, gs and azure can be read")
        known = {_SETTINGS[key]: value for key, value in self.settings.items() if key in _SETTINGS}
        return open_store(f"{_REMOTES[scheme]}://{rest}", options={**options, **known})


class _Repository:
    """DVC's settings in `.dvc/config`, over which go those of this machine in `.dvc/config.local`."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder
        self._config = configparser.ConfigParser(interpolation=None, strict=False)
        for name in ("config", "config.local"):
            try:
                self._config.read(folder / name, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError) as error:
                reason = str(error).splitlines()[0]
                raise DataGateError(f"cannot be read: {reason}", where=str(folder / name)) from None

    @property
    def cache(self) -> Path:
        return (self._folder / self._config.get("cache", "dir", fallback="cache")).resolve()

    def remote(self, name: str) -> _Remote | None:
        """The remote of that name, or the default one."""
        name = name or self._config.get("core", "remote", fallback="")
        section = next((each for each in self._config.sections() if each.strip("'") == f'remote "{name}"'), None)
        if section is None or "url" not in self._config[section]:
            return None
        settings = dict(self._config[section])
        return _Remote(url=settings.pop("url"), folder=self._folder, settings=settings)


def _read_pointer(pointer: Path, name: str) -> Mapping[str, Any]:
    """The pointer's one output, with the `wdir` of the whole."""
    import yaml

    try:
        # Every scalar stays a text: a digest may look like a number.
        value = yaml.load(pointer.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506 - makes texts only
        (out,) = value["outs"]
        md5, path = str(out["md5"]), str(out["path"])
    except OSError as error:
        raise DataGateError("there is no such DVC pointer", where=name, fix="dvc add the data") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise DataGateError("is no DVC pointer to one file or folder (outs: md5, path)", where=name) from error
    if not _MD5.fullmatch(md5.removesuffix(".dir")) or not path:
        raise DataGateError("is no DVC pointer: its md5 is none", where=name)
    return {"wdir": value.get("wdir", "."), **out}


def _folder(listing: bytes, md5: str, name: str) -> Iterator[tuple[str, str]]:
    """(path, MD5) of each file of a folder."""
    try:
        entries = [(str(entry["relpath"]), str(entry["md5"])) for entry in json.loads(listing)]
    except (ValueError, KeyError, TypeError) as error:
        raise DataGateError(f"object {md5} is no list of a folder's files", where=name) from error
    for path, each in entries:
        if not _MD5.fullmatch(each) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise DataGateError(f"object {md5} lists a file that cannot be in the folder", where=name)
        yield path, each


def _keys(file: TrackedFile) -> tuple[str, ...]:
    old = f"{file.md5[:2]}/{file.md5[2:]}"
    return (old, f"files/md5/{old}") if file.legacy else (f"files/md5/{old}", old)


def _listing(folder: Path) -> bytes:
    """The list of a folder's files as DVC writes it."""
    paths = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return json.dumps([{"md5": _md5(path.read_bytes()), "relpath": relative} for relative, path in paths]).encode()


def _unix_md5(file: TrackedFile) -> str:
    """DVC before 3 took the MD5 of a text with Unix line ends, whatever it has on disk."""
    return _md5(file.path.read_bytes().replace(b"\r\n", b"\n"))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _new_md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
