"""CSV read twice: once to learn what each column holds over all its rows, once to hand the rows out in typed parts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_ci.adapters.batch_values import TextColumn, typed
from mlops_ci.core.signature import ColumnKind
from mlops_ci.errors import DataGateError
from mlops_ci.ports import BatchRows

BLOCK_BYTES = 4 << 20
"""One row has to fit into it."""
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""What pandas, and so training, takes for a missing value."""


class _CsvPart:
    """The rows of one file as texts, and the rows that have too few or too many fields."""

    def __init__(self, name: str, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.csv

        self.name = name
        self.ragged: list[tuple[int, str]] = []
        self._path = path
        try:
            header = pa.csv.open_csv(path, *self._options(None)).schema.names
        except (pa.ArrowException, OSError) as error:
            raise unreadable(name, "CSV", error) from error
        self.columns = _checked(header, name)

    def parts(self, batch_rows: int) -> Iterator[Any]:
        """Tables of texts; a row's number is known from `numbers` once its part was handed out."""
        import pyarrow as pa
        import pyarrow.csv

        self.ragged.clear()
        try:
            with pa.csv.open_csv(self._path, *self._options(self.columns)) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, batch_rows):
                        yield pa.Table.from_batches([batch.slice(start, batch_rows)])
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.name, "CSV", error) from error

    def _options(self, columns: Sequence[str] | None) -> tuple[Any, Any, Any]:
        import pyarrow as pa
        import pyarrow.csv

        return (
            # one thread: only then does the parser say the number of a row that it cannot take
            pa.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._set_aside),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns or (), pa.string()), null_values=MISSING, strings_can_be_null=True
            ),
        )

    def _set_aside(self, row: Any) -> str:
        reason = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        self.ragged.append((row.number - 1, reason))  # the header is number 1
        return "skip"


def read_csv_parts(
    files: Sequence[tuple[str, Path]], kinds: Mapping[str, ColumnKind], batch_rows: int
) -> Iterator[BatchRows]:
    """The rows of all files, typed by what all of them hold; of a file without rows, a part of no rows."""
    parts = [_CsvPart(name, path) for name, path in files]
    for other in parts[1:]:
        if set(other.columns) != set(parts[0].columns):
            fix = f"the columns of {parts[0].name} are {', '.join(parts[0].columns)}"
            raise DataGateError("has other columns than the first file", where=other.name, fix=fix)
    seen = {name: TextColumn(declared=kinds.get(name)) for name in parts[0].columns}
    for part in parts:
        for table in part.parts(batch_rows):
            for name, column in seen.items():
                column.see(table[name])
    for part in parts:
        yield from _typed_parts(part, seen, batch_rows)


def _typed_parts(part: _CsvPart, seen: Mapping[str, TextColumn], batch_rows: int) -> Iterator[BatchRows]:
    import numpy as np
    import pyarrow as pa

    first, told = 1, 0
    for table in part.parts(batch_rows):
        numbers = _numbers(first, table.num_rows, [row for row, _ in part.ragged[told:]])
        first = int(numbers[-1]) + 1
        aside = bisect_left(part.ragged, first, key=lambda row: row[0])
        yield _rows(part.name, numbers, table, seen, part.ragged[told:aside])
        told = max(told, aside)
    if first == 1 or told < len(part.ragged):
        nothing = pa.table({name: pa.array([], pa.string()) for name in part.columns})
        yield _rows(part.name, np.empty(0, dtype=np.int64), nothing, seen, part.ragged[told:])


def _numbers(first: int, rows: int, ragged: Sequence[int]) -> Any:
    """The numbers of `rows` rows from `first` on, when those in `ragged` were left out."""
    import numpy as np

    numbers = np.arange(first, first + rows + len(ragged))
    return numbers[~np.isin(numbers, ragged)][:rows]


def _rows(
    name: str, numbers: Any, table: Any, seen: Mapping[str, TextColumn], ragged: Sequence[tuple[int, str]]
) -> BatchRows:
    import pyarrow as pa

    frame, kept, reasons = {}, {}, dict[int, list[str]]()
    for column, what in seen.items():
        texts = table[column].combine_chunks()
        frame[column], found = typed(texts, what.type)
        kept[column] = frame[column] if what.kept_type == what.type else typed(texts, what.kept_type)[0]
        for index, reason in found:
            reasons.setdefault(index, []).append(f"column {column} {reason}")
    return without(name, numbers, pa.table(frame), pa.table(kept), reasons, ragged)


def without(
    name: str,
    numbers: Any,
    frame: Any,
    kept: Any,
    reasons: Mapping[int, Sequence[str]],
    ragged: Sequence[tuple[int, str]],
) -> BatchRows:
    """The part of a file without the rows, by position, that there are reasons to set aside."""
    import numpy as np

    unread = [(int(numbers[index]), "; ".join(texts)) for index, texts in reasons.items()]
    if reasons:
        good = np.delete(np.arange(len(numbers)), list(reasons))
        numbers, frame, kept = numbers[good], frame.take(good), kept.take(good)
    return BatchRows(
        file=name, rows=numbers, frame=frame.to_pandas(), table=kept, unreadable=sorted([*ragged, *unread])
    )


def unreadable(name: str, kind: str, error: Exception) -> DataGateError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return DataGateError(f"is no readable {kind} file: {reason}", where=name)


def _checked(header: Sequence[str], name: str) -> list[str]:
    for number, column in enumerate(header, start=1):
        if not column.strip():
            fix = "name it, or write the file without an index: to_csv(path, index=False)"
            raise DataGateError(f"column {number} has no name", where=f"{name} line 1", fix=fix)
        if header.index(column) != number - 1:
            raise DataGateError(f"has the column {column} twice", where=f"{name} line 1", fix="rename one of them")
    return list(header)
