"""The team's data on this machine or in an object store: CSV and Parquet files, globs, and DVC pointers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from mlops_ci.adapters.csv_files import read_csv
from mlops_ci.adapters.dvc import DvcPointer
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.naming import shown_name
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
    """One file of the source: `name` is its path relative to the model's folder, or its URL.

    `path` is where it is, or should be, on this machine; None for an object of a store.
    """

    name: str
    content: Callable[[], IO[bytes]]
    path: Path | None = None

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    def open(self) -> IO[bytes]:
        try:
            return self.content()
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataGateError(f"cannot be read: {reason}", where=self.name, fix="make the file readable") from error


class LocalDataFiles:
    """Implements `ports.DataFiles`. `store_options` are the credentials and settings of an object store, if any.

    With `own_endpoints` False no DVC remote may name another endpoint than these settings do: where nobody trusts the
    checkout, its `.dvc/config` must not say who gets requests with our credentials.
    """

    def __init__(self, store_options: Mapping[str, str] | None = None, *, own_endpoints: bool = True) -> None:
        self._options = dict(store_options or {})
        self._own_endpoints = own_endpoints

    def digests(self, source: str, root: Path) -> Mapping[str, str]:
        return {file.name: _digest(file, hashlib.sha256()) for file in self._files(source, root)}

    def read(self, source: str, root: Path, *, texts: Collection[str] = ()) -> DataFrame:
        """All files as one frame. `frame.attrs["files"]` lists [name, rows, whether a row is a line of the file]."""
        files = self._files(source, root)
        read = [_read(file, texts) for file in files]
        frame = _concatenated([file.name for file in files], [frame for frame, _ in read])
        frame.attrs["files"] = [[file.name, len(part), lines] for file, (part, lines) in zip(files, read, strict=True)]
        return frame

    def _files(self, source: str, root: Path) -> list[_File]:
        if "://" in source:
            return self._objects(source)
        if source.endswith(".dvc"):
            return self._behind_pointer(source, root)
        paths = [root / source]
        if WILDCARDS & set(source):
            try:
                paths = sorted(path for path in root.glob(source) if path.is_file())
            except (ValueError, NotImplementedError) as error:
                raise ConfigurationError(f"data.source is no usable pattern: {error}", where=source) from error
        return _existing(source, [_local(path, root) for path in paths])

    def _behind_pointer(self, source: str, root: Path) -> list[_File]:
        """The data that a DVC pointer stands for; of a folder only what is data by its name."""
        pointer = DvcPointer(root / source, name=source, options=self._options, own_endpoints=self._own_endpoints)
        files = [_File(name=_relative(file.path, root), content=partial(pointer.open, file)) for file in pointer.files]
        if len(files) > 1:
            files = [file for file in files if file.suffix in CSV + PARQUET]
        return _existing(source, files)

    def _objects(self, source: str) -> list[_File]:
        """Objects under the URL's folder whose name matches; the part before the first wildcard is listed."""
        scheme, _, rest = source.partition("://")
        bucket, _, pattern = rest.partition("/")
        fixed = pattern[: next((at for at, mark in enumerate(pattern) if mark in WILDCARDS), len(pattern))]
        folder = fixed.rpartition("/")[0]
        store = open_store(f"{scheme}://{bucket}/{folder}", options=self._options)
        prefix = f"{folder}/" if folder else ""
        keys = sorted(key for key in store.list("") if _matches(f"{prefix}{key}", pattern))
        place = f"{scheme}://{bucket}/{prefix}"
        return _existing(source, [_File(name=f"{place}{key}", content=partial(_get, store, key)) for key in keys])


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


def _local(path: Path, root: Path) -> _File:
    def content() -> IO[bytes]:
        return path.open("rb")

    return _File(name=_relative(path, root), content=content, path=path)


def _get(store: ObjectStore, key: str) -> IO[bytes]:
    return io.BytesIO(store.get(key))


def _digest(file: _File, state: hashlib._Hash) -> str:
    with file.open() as opened:
        while chunk := opened.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _read(file: _File, texts: Collection[str]) -> tuple[DataFrame, bool]:
    """The file's frame, and whether its row i is exactly line i + 2 of a text."""
    with file.open() as opened:
        if file.suffix in CSV:
            return read_csv(opened, name=file.name, texts=texts)
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
        raise DataGateError(
            f"has the column {shown_name(twice[0])} more than once", where=name, fix="rename one of them"
        )
    # An index that pandas stored is an ordinary column to us, so the file means the same to everybody who reads it.
    return table.replace_schema_metadata(None).to_pandas()


def _concatenated(names: Sequence[str], frames: Sequence[DataFrame]) -> DataFrame:
    import pandas as pd

    first = frames[0]
    for name, frame in zip(names[1:], frames[1:], strict=True):
        missing = [shown_name(column) for column in first.columns if column not in frame.columns]
        extra = [shown_name(column) for column in frame.columns if column not in first.columns]
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
            raise DataGateError(
                f"column {shown_name(column)} is {text}", where=names[0], fix="write it the same way in all files"
            )


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
