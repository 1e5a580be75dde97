"""CSV as people write it: what pandas would silently repair (short rows, doubled names) is an error with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Generator
from contextlib import closing
from typing import IO, TYPE_CHECKING

from mlops_ci.core.naming import shown_name
from mlops_ci.errors import DataGateError

if TYPE_CHECKING:
    from pandas import DataFrame

CHUNK = 1 << 20
UTF8 = "utf-8-sig"
"""UTF-8, with or without the mark at the beginning that spreadsheets write."""


def read_csv(opened: IO[bytes], *, name: str, texts: Collection[str] = ()) -> tuple[DataFrame, bool]:
    """The frame, and whether row i is exactly line i + 2. Comma-separated UTF-8 with a header line.

    The columns `texts` are as written. Missing values are what pandas takes for them: an empty field, NA, N/A, NaN,
    None, null and the like.
    Raises DataGateError with the line for everything that is no rectangular table.
    """
    import pandas as pd

    header, first = _beginning(opened, name)
    if len(first) > len(header):
        # pandas would take the first field of every row for an index and shift all columns by one
        raise _ragged(opened, header, name) or DataGateError("rows are longer than the header", where=name)
    opened.seek(0)
    try:
        frame = pd.read_csv(opened, low_memory=False, dtype=dict.fromkeys(texts, str))
    except UnicodeDecodeError as error:
        raise _wrong_encoding(opened, name) from error
    except (pd.errors.ParserError, ValueError) as error:
        raise _unparsable(error, opened, header, name) from error
    if len(frame) and frame.iloc[:, -1].isna().any():
        # A row that is too short is filled up at its end, so only then is the slow second look due.
        ragged = _ragged(opened, header, name)
        if ragged:
            raise ragged
    return frame, _lines(opened) == len(frame) + 1


def _beginning(opened: IO[bytes], name: str) -> tuple[list[str], list[str]]:
    """The header, once it is sure to be one, and the first row after it."""
    try:
        with closing(_numbered_rows(opened)) as rows:
            (_, header), (_, first) = next(rows, (0, [])), next(rows, (0, []))
    except UnicodeDecodeError as error:
        raise _wrong_encoding(opened, name) from error
    except csv.Error as error:
        raise DataGateError(f"is no CSV file: {error}", where=name) from error
    if not header:
        raise DataGateError("the file is empty", where=name, fix="write a header line and rows")
    if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise DataGateError(f"fields are separated by {mark!r}", where=f"{name} line 1", fix="separate them by commas")
    for number, column in enumerate(header, start=1):
        if not column.strip():
            fix = "name it, or write the file without an index: to_csv(path, index=False)"
            raise DataGateError(f"column {number} has no name", where=f"{name} line 1", fix=fix)
        if header.index(column) != number - 1:
            other = header.index(column) + 1
            what = f"columns {other} and {number} are both called {shown_name(column)}"
            raise DataGateError(what, where=f"{name} line 1", fix="rename or remove one of them")
    return header, first


def _numbered_rows(opened: IO[bytes]) -> Generator[tuple[int, list[str]], None, None]:
    """(line on which it ends, fields) of each row that is not blank. To be closed, since it holds on to the file."""
    opened.seek(0)
    text = io.TextIOWrapper(opened, encoding=UTF8, newline="")
    try:
        reader = csv.reader(text)
        for row in reader:
            if row:
                yield reader.line_num, row
    finally:
        text.detach()


def _ragged(opened: IO[bytes], header: list[str], name: str) -> DataGateError | None:
    with closing(_numbered_rows(opened)) as rows:
        for line, row in rows:
            if len(row) == len(header):
                continue
            what = f"has {len(row)} fields, the header has {len(header)}"
            return DataGateError(
                what, where=f"{name} line {line}", fix="quote fields that hold a comma; add missing ones"
            )
    return None


def _unparsable(error: Exception, opened: IO[bytes], header: list[str], name: str) -> DataGateError:
    try:
        ragged = _ragged(opened, header, name)
    except csv.Error as other:
        return DataGateError(f"is no CSV file: {other}", where=name)
    reason = re.sub(r"^Error tokenizing data\. C error: ", "", str(error).strip().splitlines()[0])
    return ragged or DataGateError(f"is no readable CSV file: {reason}", where=name)


def _wrong_encoding(opened: IO[bytes], name: str) -> DataGateError:
    """Names the first line and byte that is not UTF-8."""
    opened.seek(0)
    offset = 0
    for number, line in enumerate(opened, start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            what = f"byte {offset + error.start} (0x{line[error.start]:02x}) is not UTF-8"
            return DataGateError(what, where=f"{name} line {number}", fix="save the file as UTF-8")
        offset += len(line)
    return DataGateError("is not UTF-8", where=name, fix="save the file as UTF-8")


def _lines(opened: IO[bytes]) -> int:
    opened.seek(0)
    count, last = 0, b"\n"
    while chunk := opened.read(CHUNK):
        count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")
