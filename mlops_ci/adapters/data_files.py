"""The team's data on this machine or in an object store: CSV and Parquet files, globs, and DVC pointers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from mlops_ci.adapters.csv_files import read_csv
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import ConfigurationError, DataGateError
from mlops_ci.ports import ObjectStore

if TYPE_CHECKING:
    from pandas import DataFrame, Series

CSV = (".csv",)
PARQUET = (".parquet", ".pq")
WILDCARDS = frozenset("*?[")
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of the source: `name` is its path relative to the model's folder, or its URL."""

    name: str
    path: Path | None = None
    store: ObjectStore | None = None
    key: str = ""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.key or self.name).suffix.lower()

    def open(self) -> IO[bytes]:
        try:
            if self.path is not None:
                return self.path.open("rb")
            return io.BytesIO(b"" if self.store is None else self.store.get(self.key))
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataGateError(f"cannot be read: {reason}", where=self.name, fix="make the file readable") from error


class LocalDataFiles:
    """Implements `ports.DataFiles`. `store_options` are the credentials and settings of an object store, if any."""

    def __init__(self, store_options: Mapping[str, str] | None = None) -> None:
        self._options = dict(store_options or {})

    def digests(self, source: str, root: Path) -> Mapping[str, str]:
        return {file.name: _digest(file, hashlib.sha256()) for file in self._files(source, root)}

    def read(self, source: str, root: Path) -> DataFrame:
        """All files as one frame. `frame.attrs["files"]` lists [name, rows, whether a row is a line of the file]."""
        files = self._files(source, root)
        read = [_read(file) for file in files]
        frame = _concatenated([file.name for file in files], [frame for frame, _ in read])
        frame.attrs["files"] = [[file.name, len(part), lines] for file, (part, lines) in zip(files, read, strict=True)]
        return frame

    def _files(self, source: str, root: Path) -> list[_File]:
        if "://" in source:
            return self._objects(source)
        if source.endswith(".dvc"):
            return [_behind_pointer(source, root)]
        paths = [root / source]
        if WILDCARDS & set(source):
            try:
                paths = sorted(path for path in root.glob(source) if path.is_file())
            except (ValueError, NotImplementedError) as error:
                raise ConfigurationError(f"data.source is no usable pattern: {error}", where=source) from error
        return _existing(source, [_File(name=_relative(path, root), path=path) for path in paths])

    def _objects(self, source: str) -> list[_File]:
        """Objects under the URL's folder whose name matches; the part before the first wildcard is listed."""
        scheme, _, rest = source.partition("://")
        bucket, _, pattern = rest.partition("/")
        fixed = pattern[: next((at for at, mark in enumerate(pattern) if mark in WILDCARDS), len(pattern))]
        folder = fixed.rpartition("/")[0]
        store = open_store(f"{scheme}://{bucket}/{folder}", options=self._options)
        prefix = f"{folder}/" if folder else ""
        keys = sorted(key for key in store.list("") if _matches(f"{prefix}{key}", pattern))
        return _existing(
            source, [_File(name=f"{scheme}://{bucket}/{prefix}{key}", store=store, key=key) for key in keys]
        )


def _matches(path: str, pattern: str) -> bool:
    """Whether each part of the path matches its part of the pattern."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(fnmatchcase(*pair) for pair in zip(parts, patterns, strict=True))


def _existing(source: str, files: Sequence[_File]) -> list[_File]:
    if not files:
        raise DataGateError("no file matches", where=source, fix="correct data.source in mlops.yaml, or add the data")
    for file in files:
        if file.path is not None and not file.path.exists():
            fix = "correct data.source in mlops.yaml, or add the file"
            raise DataGateError("there is no such file", where=file.name, fix=fix)
        if file.path is not None and file.path.is_dir():
            fix = f"name the files in data.source, such as {source.rstrip('/')}/*.parquet"
            raise DataGateError("is a folder, not a file", where=file.name, fix=fix)
        if file.suffix not in CSV + PARQUET:
            raise DataGateError(
                f"is neither CSV nor Parquet by its name ({file.suffix or 'no suffix'})",
                where=file.name,
                fix="data.source names *.csv, *.parquet or a .dvc pointer to one",
            )
    return list(files)


def _behind_pointer(source: str, root: Path) -> _File:
    """The file that a DVC pointer names, once its digest is proved to be the pointer's."""
    import yaml

    try:
        pointer = yaml.load((root / source).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        (out,) = pointer["outs"]
        md5, name = str(out["md5"]), str(out["path"])
    except OSError as error:
        raise DataGateError("there is no such DVC pointer", where=source, fix="dvc add the data") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise DataGateError("is no DVC pointer to one file (outs: md5, path)", where=source) from error
    if md5.endswith(".dir"):
        raise DataGateError("points to a folder; only a file is supported", where=source, fix="dvc add the file itself")
    path = (root / source).parent / name
    fix = f"dvc pull {source}"
    if not path.is_file():
        raise DataGateError(f"points to {name}, which is not here", where=source, fix=fix)
    (file,) = _existing(source, [_File(name=_relative(path, root), path=path)])
    if md5 not in (_digest(file, hashlib.md5(usedforsecurity=False)), _dos2unix_md5(path, out)):
        raise DataGateError(f"{name} is not the file that the pointer names (MD5)", where=source, fix=fix)
    return file


def _dos2unix_md5(path: Path, out: Mapping[str, Any]) -> str:
    """DVC before 3 (no `hash` in the pointer) took the MD5 of a text with Unix line ends, whatever it has on disk."""
    if "hash" in out:
        return ""
    return hashlib.md5(path.read_bytes().replace(b"\r\n", b"\n"), usedforsecurity=False).hexdigest()


def _digest(file: _File, state: hashlib._Hash) -> str:
    with file.open() as opened:
        while chunk := opened.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _read(file: _File) -> tuple[DataFrame, bool]:
    """The file's frame, and whether its row i is exactly line i + 2 of a text."""
    with file.open() as opened:
        if file.suffix in CSV:
            return read_csv(opened, name=file.name)
        return _read_parquet(opened, name=file.name), False


def _read_parquet(opened: IO[bytes], *, name: str) -> DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.PythonFile(opened, mode="r"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataGateError(f"is no readable Parquet file: {_first_line(error)}", where=name) from error
    twice = sorted({column for column in table.column_names if table.column_names.count(column) > 1})
    if twice:
        raise DataGateError(f"has the column {twice[0]} more than once", where=name, fix="rename one of them")
    # An index that pandas stored is an ordinary column to us, so the file means the same to everybody who reads it.
    return table.replace_schema_metadata(None).to_pandas()


def _concatenated(names: Sequence[str], frames: Sequence[DataFrame]) -> DataFrame:
    import pandas as pd

    first = frames[0]
    for name, frame in zip(names[1:], frames[1:], strict=True):
        missing = [str(column) for column in first.columns if column not in frame.columns]
        extra = [str(column) for column in frame.columns if column not in first.columns]
        if missing or extra:
            what = "; ".join(
                f"{verb} {', '.join(columns)}" for verb, columns in (("lacks", missing), ("adds", extra)) if columns
            )
            fix = "all files of data.source must have the same columns"
            raise DataGateError(f"other columns than {names[0]}: {what}", where=name, fix=fix)
    _same_kinds(names, frames)
    if len(frames) == 1:
        return first.reset_index(drop=True)
    return pd.concat([frame[first.columns] for frame in frames], ignore_index=True)


def _same_kinds(names: Sequence[str], frames: Sequence[DataFrame]) -> None:
    """A column that is a number in one file and a text in another would become a mixture without a word."""
    for column in frames[0].columns:
        kinds = {
            name: _kind(frame[column]) for name, frame in zip(names, frames, strict=True) if frame[column].notna().any()
        }
        if len(set(kinds.values())) > 1:
            text = ", ".join(f"{kind} in {name}" for name, kind in kinds.items())
            raise DataGateError(f"column {column} is {text}", where=names[0], fix="write it the same way in all files")


def _kind(series: Series) -> str:
    from pandas.api.types import infer_dtype, is_datetime64_any_dtype, is_numeric_dtype

    # True and False with gaps between them are objects to pandas
    if is_numeric_dtype(series.dtype) or infer_dtype(series, skipna=True) == "boolean":
        return "a number"
    return "a timestamp" if is_datetime64_any_dtype(series.dtype) else "a text"


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
