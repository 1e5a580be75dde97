"""Tables larger than memory: CSV and Parquet read part by part, and Parquet that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from numpy.typing import NDArray

from mlops_ci.adapters.batch_csv import read_csv_parts, unreadable, without
from mlops_ci.adapters.batch_values import numbers_from_texts
from mlops_ci.core.signature import ColumnKind
from mlops_ci.errors import ConfigurationError, DataGateError, OutsideError
from mlops_ci.ports import BatchOutput, BatchRows

BATCH_ROWS = 16_384
GROUP_ROWS = 131_072
"""At least so many rows go into one row group of the output: small ones compress badly and are slow to read."""
WILDCARDS = frozenset("*?[")


class LocalBatchFiles:
    """Implements `ports.BatchFiles` with pyarrow."""

    def __init__(self, *, batch_rows: int = BATCH_ROWS) -> None:
        self._batch_rows = batch_rows

    def read(self, source: str, root: Path, kinds: Mapping[str, ColumnKind]) -> Iterator[BatchRows]:
        paths = _paths(source, root)
        names = [path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix() for path in paths]
        suffixes = {path.suffix.lower() for path in paths}
        files = list(zip(names, paths, strict=True))
        if suffixes == {".csv"}:
            return read_csv_parts(files, kinds, self._batch_rows)
        if suffixes <= {".parquet", ".pq"}:
            return _read_parquet_parts(files, kinds, self._batch_rows)
        fix = "score *.csv or *.parquet files, one kind at a time"
        raise ConfigurationError("the input is neither all CSV nor all Parquet", where=source, fix=fix)

    @contextmanager
    def write(self, scored: Path, rejected: Path) -> Iterator[BatchOutput]:
        if scored.is_dir():
            fix = "name a file, such as scored.parquet"
            raise ConfigurationError("the output is a folder", where=str(scored), fix=fix)
        # the scored rows come last: where they are, everything is
        with _whole_or_not_at_all(rejected, scored) as (reasons, answers):
            output = _ParquetOutput(answers, reasons)
            with closing(output):
                yield output


class _ParquetOutput:
    """Implements `ports.BatchOutput`. The columns of the output are those of the first part that is written."""

    def __init__(self, scored: Path, rejected: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._scored = scored
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._reasons = pa.schema([("file", pa.string()), ("row", pa.int64()), ("reason", pa.string())])
        self._rejected = pq.ParquetWriter(rejected, self._reasons)

    def scored(self, rows: BatchRows, kept: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = rows.table if len(kept) == rows.table.num_rows else rows.table.take(pa.array(kept))
        for name, values in answers.items():
            kind = {"O": pa.string(), "i": pa.int64(), "f": pa.float64()}[values.dtype.kind]
            table = table.append_column(name, pa.array(values, type=kind))
        self._waiting.append(table)
        if self._writer is None:
            with _writing(self._scored):
                self._writer = pq.ParquetWriter(self._scored, table.schema)
        if sum(part.num_rows for part in self._waiting) >= GROUP_ROWS:
            self._flush()

    def rejected(self, file: str, rows: Sequence[tuple[int, str]]) -> None:
        import pyarrow as pa

        if rows:
            columns = [[file] * len(rows), [row for row, _ in rows], [reason for _, reason in rows]]
            with _writing(self._scored):
                self._rejected.write_table(pa.table(columns, schema=self._reasons))

    def close(self) -> None:
        with _writing(self._scored):
            if self._writer is not None:
                self._flush()
                self._writer.close()
            self._rejected.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.concat_tables(self._waiting)
            with _writing(self._scored):
                self._writer.write_table(table, row_group_size=table.num_rows or None)
            self._waiting = []


def _paths(source: str, root: Path) -> list[Path]:
    if "://" in source:
        raise ConfigurationError(
            "only files on this machine can be scored", where=source, fix="copy the data here first"
        )
    paths = [root / source]
    if WILDCARDS & set(source) and not paths[0].exists():
        pattern = Path(source)
        folder = Path(pattern.anchor) if pattern.is_absolute() else root
        relative = pattern.relative_to(pattern.anchor) if pattern.is_absolute() else pattern
        paths = sorted(path for path in folder.glob(relative.as_posix()) if path.is_file())
        if not paths:
            raise DataGateError("no file matches", where=source)
    for path in paths:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "there is no such file"
            raise DataGateError(what, where=str(path), fix="name a file, or files by a pattern such as 'day/*.parquet'")
    return paths


def _read_parquet_parts(
    files: Sequence[tuple[str, Path]], kinds: Mapping[str, ColumnKind], batch_rows: int
) -> Iterator[BatchRows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _common_schema(files)
    for name, path in files:
        first = 1
        try:
            # pre-buffering keeps every row group that was read: 12 million rows took a gigabyte more
            with pq.ParquetFile(path, pre_buffer=False) as parquet:
                for batch in parquet.iter_batches(batch_size=batch_rows):
                    table = pa.Table.from_batches([batch]).select(schema.names)
                    yield _rows(name, first, table.replace_schema_metadata(None).cast(schema), kinds)
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise unreadable(name, "Parquet", error) from error
        if first == 1:
            yield _rows(name, first, schema.empty_table(), kinds)


def _common_schema(files: Sequence[tuple[str, Path]]) -> Any:
    """The columns of the first file, each of a type that holds those of all files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = []
    for name, path in files:
        try:
            # Without metadata: an index that pandas stored is an ordinary column to us, as it is in training.
            schemas.append(pq.read_schema(path).remove_metadata())
        except (pa.ArrowException, OSError) as error:
            raise unreadable(name, "Parquet", error) from error
        twice = sorted({column for column in schemas[-1].names if schemas[-1].names.count(column) > 1})
        if twice:
            raise DataGateError(f"has the column {twice[0]} twice", where=name, fix="rename one of them")
        if set(schemas[-1].names) != set(schemas[0].names):
            fix = f"the columns of {files[0][0]} are {', '.join(schemas[0].names)}"
            raise DataGateError("has other columns than the first file", where=name, fix=fix)
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        fix = "write each column with the same type in all files"
        raise DataGateError(f"the files do not go together: {error}", where=files[0][0], fix=fix) from error


def _rows(name: str, first: int, table: Any, kinds: Mapping[str, ColumnKind]) -> BatchRows:
    """The part whose first row has the number `first`; texts where the model takes a number are read as such."""
    import numpy as np
    import pyarrow as pa

    frame, reasons = table, dict[int, list[str]]()
    for index, field in enumerate(table.schema):
        if kinds.get(field.name) != "number" or not _is_text(field.type):
            continue
        numbers, found = numbers_from_texts(table[field.name].combine_chunks().cast(pa.string()))
        frame = frame.set_column(index, field.name, numbers)
        for position, reason in found:
            reasons.setdefault(position, []).append(f"column {field.name} {reason}")
    return without(name, np.arange(first, first + table.num_rows), frame, table, reasons, ())


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(value) or types.is_large_string(value) or types.is_string_view(value))


@contextmanager
def _whole_or_not_at_all(*paths: Path) -> Iterator[list[Path]]:
    """Temporary files beside `paths` that take their places, in this order, if the block ends well."""
    temporary = [path.with_name(f".{path.name}.{uuid4().hex[:12]}.part") for path in paths]
    try:
        with _writing(paths[-1]):
            for path in temporary:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(exist_ok=False)
        yield temporary
        with _writing(paths[-1]):
            for before in temporary:
                # a power cut must not leave an empty file under the final name
                with before.open("rb") as opened:
                    os.fsync(opened.fileno())
            for before, path in zip(temporary, paths, strict=True):
                before.replace(path)
    finally:
        with suppress(OSError):
            for path in temporary:
                path.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutsideError(f"the output cannot be written: {reason}", where=str(path)) from error
