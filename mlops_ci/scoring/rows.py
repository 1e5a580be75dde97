"""Records or columns by name, as people send them, to the columns of a model; and a model's answers back to records.

What is taken depends on the signature alone: the types, ranges and categories of the model card are hints for people,
since rows that probe the model go beyond them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import ColumnKind, Signature

LARGEST_EXACT = 2**53
"""Beyond it float64, which is what the graph computes with, skips integers."""
REPORTED = 20
"""A wrong client is wrong in every row: more problems than this help nobody."""

COUNTED = 10_000
SHOWN_LENGTH = 100
WANTED = 'the body has to be a list of records, {"records": [...]} or {"columns": {"name": [...]}}'

NUMBER_TYPES = frozenset({float, int, bool, type(None)})
TEXT_TYPES = frozenset({str, type(None)})


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """One thing that is wrong. `row` counts from 0, None is for a whole column; `field` is empty for a whole record."""

    row: int | None
    field: str
    what: str


class TooManyRows(ValueError):
    """More rows in one request than are taken."""


class BadRows(ValueError):
    """Rows that cannot be scored: the first of the problems, and how many there are, as far as they are counted."""

    def __init__(self, what: str, problems: Iterable[RowProblem] = ()) -> None:
        super().__init__(what)
        counted = islice(problems, COUNTED)
        self.problems = tuple(islice(counted, REPORTED))
        self.total = len(self.problems) + sum(1 for _ in counted)


def read_rows(body: Any, signature: Signature, *, max_rows: int | None = None) -> dict[str, NDArray[Any]]:
    """The rows in the body of POST /score as one 1-D array a column.

    The body is a list of records, or an object with only `records` (such a list) or only `columns` (a list of values
    by name). Raises BadRows, and TooManyRows before any value is looked at.
    """
    if isinstance(body, dict) and body.keys() == {"columns"} and isinstance(body["columns"], dict):
        return columns_from_columns(body["columns"], signature, max_rows=max_rows)
    records = body["records"] if isinstance(body, dict) and body.keys() == {"records"} else body
    if not isinstance(records, list):
        raise BadRows(f"{WANTED}, not {_outline(body)}")
    require_rows(len(records), max_rows)
    return columns_from_records(records, signature)


def require_rows(rows: int, max_rows: int | None) -> None:
    """Raises TooManyRows."""
    if max_rows is not None and rows > max_rows:
        raise TooManyRows(f"{rows} rows in one request; at most {max_rows} are taken")


def columns_from_records(records: Sequence[Any], signature: Signature) -> dict[str, NDArray[Any]]:
    """The records as one 1-D array a column.

    Every record names every column; null says that a value is missing. A boolean counts as a number, a number never
    comes as a text. Raises BadRows.
    """
    names = {column.name for column in signature.inputs}
    columns = {}
    if all(type(record) is dict and record.keys() == names for record in records):
        for column in signature.inputs:
            values = [record[column.name] for record in records]
            if not value_problems(values, column.kind):
                columns[column.name] = array(values, column.kind)
    if len(columns) < len(names):
        raise BadRows("some records are not what the model takes", _record_problems(records, signature))
    return columns


def columns_from_columns(
    columns: Mapping[str, Any], signature: Signature, *, max_rows: int | None = None
) -> dict[str, NDArray[Any]]:
    """Lists of values by column name as one 1-D array a column; the rules are those of records. Raises BadRows."""
    lengths = {name: len(values) for name, values in columns.items() if isinstance(values, list)}
    require_rows(max(lengths.values(), default=0), max_rows)
    problems = _column_problems(columns, lengths, signature)
    for first in problems:
        raise BadRows("some columns are not what the model takes", chain([first], problems))
    return {column.name: array(columns[column.name], column.kind) for column in signature.inputs}


def value_problems(values: Sequence[Any], kind: ColumnKind) -> list[tuple[int, str]]:
    """What is wrong with which of a column's JSON values."""
    types = set(map(type, values))
    if kind == "text":
        return [] if types <= TEXT_TYPES else _find(values, _text_problem)
    # One pass for the usual case; what is not within these bounds (NaN never is) is looked at one by one.
    if types <= NUMBER_TYPES and all(value is None or -LARGEST_EXACT <= value <= LARGEST_EXACT for value in values):
        return []
    return _find(values, _number_problem)


def array(values: Sequence[Any], kind: ColumnKind) -> NDArray[Any]:
    """Values that have no problems as an array; a missing number becomes NaN, a missing text the empty one."""
    if kind == "text":
        return np.array([value or "" for value in values], dtype=object)
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def require_finite(predictions: Predictions) -> None:
    """Raises BadRows where an answer is not a finite number, which JSON cannot express."""
    finite = np.isfinite(predictions.scores)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1)).tolist()
        problems = (RowProblem(row=row, field="", what="the model's answer is not a finite number") for row in rows)
        raise BadRows("the model has no answer for some records", problems)


def answers_from_predictions(predictions: Predictions, signature: Signature) -> list[dict[str, Any]]:
    """One JSON object a row.

    A regressor gives `value`; a classifier gives `label` and `probabilities` by class; a binary one gives
    `probability` too, that of its second class, which the threshold is compared with.
    """
    if predictions.labels is None or predictions.probabilities is None:
        return [{"value": value} for value in predictions.scores[:, 0].tolist()]
    names = [str(label) for label in signature.classes]
    pairs = zip(predictions.labels.tolist(), predictions.probabilities.tolist(), strict=True)
    if signature.task == "binary-classification":
        first, second = names
        return [
            {"label": label, "probability": other, "probabilities": {first: one, second: other}}
            for label, (one, other) in pairs
        ]
    return [{"label": label, "probabilities": dict(zip(names, row, strict=True))} for label, row in pairs]


def _record_problems(records: Sequence[Any], signature: Signature) -> Iterator[RowProblem]:
    kinds = {column.name: column.kind for column in signature.inputs}
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            what = f"a record is an object of values by column name, not {json_type(record)}"
            yield RowProblem(row=row, field="", what=what)
            continue
        for name, kind in kinds.items():
            if name not in record:
                yield RowProblem(row=row, field=name, what="is missing; null says so explicitly")
            elif problem := value_problems([record[name]], kind):
                yield RowProblem(row=row, field=name, what=problem[0][1])
        for name in sorted(record.keys() - kinds.keys()):
            yield RowProblem(row=row, field=name, what="is not a column of this model")


def _column_problems(
    columns: Mapping[str, Any], lengths: Mapping[str, int], signature: Signature
) -> Iterator[RowProblem]:
    kinds = {column.name: column.kind for column in signature.inputs}
    first = next((name for name in kinds if name in lengths), "")
    for name, kind in kinds.items():
        if name not in columns:
            yield RowProblem(row=None, field=name, what="is missing; a list of nulls says so explicitly")
        elif name not in lengths:
            what = f"has to be a list of values, not {json_type(columns[name])}"
            yield RowProblem(row=None, field=name, what=what)
        elif lengths[name] != lengths[first]:
            what = f"has {lengths[name]} values, and {first} has {lengths[first]}"
            yield RowProblem(row=None, field=name, what=what)
        else:
            for row, what in value_problems(columns[name], kind):
                yield RowProblem(row=row, field=name, what=what)
    for name in sorted(columns.keys() - kinds.keys()):
        yield RowProblem(row=None, field=name, what="is not a column of this model")


def _outline(body: Any) -> str:
    return f"an object with {shown(sorted(body)[:5])}" if isinstance(body, dict) else json_type(body)


def _find(values: Sequence[Any], problem: Callable[[Any], str]) -> list[tuple[int, str]]:
    return [(row, what) for row, value in enumerate(values) if (what := problem(value))]


def _text_problem(value: Any) -> str:
    return "" if type(value) in TEXT_TYPES else f"has to be a text or null, not {json_type(value)}"


def _number_problem(value: Any) -> str:
    if type(value) not in NUMBER_TYPES:
        return f"has to be a number or null, not {json_type(value)}"
    if type(value) is int and abs(value) > LARGEST_EXACT:
        return "is an integer beyond 2^53, which a float64 does not hold exactly"
    if type(value) is float and not math.isfinite(value):
        return "has to be a finite number or null"
    return ""


def shown(value: Any) -> str:
    """A client's own words, as an error repeats them."""
    text = str(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def json_type(value: Any) -> str:
    """What a JSON value is called.

    >>> [json_type(value) for value in ([], {}, "a", True, 1.5, None)]
    ['a list', 'an object', 'a text', 'a boolean', 'a number', 'null']
    """
    names = {list: "a list", dict: "an object", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
