"""Records by column name, as people send them, to the columns of a model; and a model's answers back to records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import ColumnKind, Signature

LARGEST_EXACT = 2**53
"""Beyond it float64, which is what the graph computes with, skips integers."""
REPORTED = 20
"""A wrong client is wrong in every row: more problems than this help nobody."""

NUMBER_TYPES = frozenset({float, int, bool, type(None)})
TEXT_TYPES = frozenset({str, type(None)})


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """One thing that is wrong with one record; `row` counts from 0, `field` is empty where it is the whole record."""

    row: int
    field: str
    what: str


class BadRows(ValueError):
    """Records that cannot be scored: the first of the problems, and how many there are."""

    def __init__(self, what: str, problems: Sequence[RowProblem]) -> None:
        super().__init__(what)
        self.problems = tuple(problems[:REPORTED])
        self.total = len(problems)


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
        raise BadRows("some records are not what the model takes", list(_record_problems(records, signature)))
    return columns


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
    finite = np.isfinite(predictions.scores).all(axis=1)
    if not finite.all():
        rows = np.flatnonzero(~finite).tolist()
        problems = [RowProblem(row=row, field="", what="the model's answer is not a finite number") for row in rows]
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
        return [
            {"label": label, "probability": row[1], "probabilities": dict(zip(names, row, strict=True))}
            for label, row in pairs
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


def json_type(value: Any) -> str:
    """What a JSON value is called.

    >>> [json_type(value) for value in ([], {}, "a", True, 1.5, None)]
    ['a list', 'an object', 'a text', 'a boolean', 'a number', 'null']
    """
    names = {list: "a list", dict: "an object", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
