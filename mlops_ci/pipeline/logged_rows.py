"""A prediction log as columns: what users sent to a model, and what one release answered."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.log_entry import LogEntry, Record
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.ports import PROBE

NUMBER_TYPES = (float, int, type(None))  # a boolean is an int
TEXT_TYPES = (str, type(None))


@dataclass(frozen=True, kw_only=True)
class LogSummary:
    """What the log holds of users' requests. `estimated_requests` is what they come to without the sample and drops.

    `releases` counts the requests that each has answered, `left_out` the rows that are not like those that the watched
    release reads.
    """

    requests: int
    rows: int
    estimated_requests: int
    dropped: int
    first: str | None
    last: str | None
    releases: Mapping[str, int]
    redacted: tuple[str, ...]
    left_out: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoggedRows:
    """All arrays have one entry a row. `columns` are canonical; those of which any value was redacted are not there.

    `times` are datetime64[us] in UTC, `positions` where the row was in its request, which had `sizes` rows. `answered`
    says whether the watched release has answered the row; only there the `predictions` mean anything.
    """

    columns: Mapping[str, NDArray[Any]]
    times: NDArray[Any]
    request_ids: NDArray[np.object_]
    positions: NDArray[np.int64]
    sizes: NDArray[np.int64]
    answered: NDArray[np.bool_]
    predictions: Predictions
    summary: LogSummary


def logged_rows(entries: Iterable[LogEntry], signature: Signature, *, release: str) -> LoggedRows:
    """The requests that users sent, our own probes left out, as the model of that release reads them.

    A request that lacks one of its columns, as one to an older release may, or has other values in it, is left out and
    counted. Raises DataGateError where there is no request.
    """
    collected = _Collected(signature, release)
    for entry in entries:
        collected.add(entry)
    if not collected.requests:
        raise DataGateError("the prediction log holds no request of a user", fix="see docs/prediction-log.md")
    return collected.rows()


class _Collected:
    def __init__(self, signature: Signature, release: str) -> None:
        self._signature, self._release = signature, release
        self._columns: dict[str, Any] = {
            column.name: array("d") if column.kind == "number" else [] for column in signature.inputs
        }
        self._ids: list[str] = []
        self._moments: list[datetime] = []
        self._sizes: list[int] = []
        self._labels: list[Any] = []
        self._scores = array("d")
        self._answered: list[bool] = []
        self._redacted: set[str] = set()
        self._releases: Counter[str] = Counter()
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._estimated = 0.0
        self._dropped = self._left_out = 0
        self.requests = 0

    def add(self, entry: LogEntry) -> None:
        self._dropped += entry.dropped
        if entry.sample:
            self._estimated += entry.dropped / entry.sample
        if not entry.records or entry.request_id.startswith(PROBE):
            return
        self.requests += 1
        self._estimated += 1 / (entry.sample or 1)
        self._releases[entry.release] += 1
        self._redacted |= set(entry.redacted)
        self._first = min(self._first or entry.time, entry.time)
        self._last = max(self._last or entry.time, entry.time)
        try:
            values = [_values(entry, column) for column in self._signature.inputs]
        except (KeyError, ValueError, OverflowError):
            self._left_out += len(entry.records)
            return
        for column, some in zip(self._columns.values(), values, strict=True):
            column.extend(some)
        self._ids.append(entry.request_id)
        self._moments.append(entry.time)
        self._sizes.append(len(entry.records))
        self._add_answers(entry)

    def _add_answers(self, entry: LogEntry) -> None:
        rows, width = len(entry.answers), len(self._signature.classes) or 1
        try:
            if entry.release != self._release:
                raise ValueError("another release's answers")
            labels, scores = _answers(entry.answers, self._signature)
        except (KeyError, TypeError, ValueError):
            labels, scores = [next(iter(self._signature.classes), None)] * rows, array("d", [0.0]) * (rows * width)
            self._answered.append(False)
        else:
            self._answered.append(True)
        self._labels += labels
        self._scores.extend(scores)

    def rows(self) -> LoggedRows:
        sizes = np.array(self._sizes, dtype=np.int64)
        ends = np.cumsum(sizes)
        count = int(ends[-1]) if len(ends) else 0
        moments = np.array([moment.replace(tzinfo=None) for moment in self._moments], dtype="datetime64[us]")
        return LoggedRows(
            columns={
                column.name: _array(self._columns[column.name], column)
                for column in self._signature.inputs
                if column.name not in self._redacted
            },
            times=np.repeat(moments, sizes),
            request_ids=np.repeat(np.array(self._ids, dtype=object), sizes),
            positions=np.arange(count) - np.repeat(ends - sizes, sizes),
            sizes=np.repeat(sizes, sizes),
            answered=np.repeat(np.array(self._answered, dtype=np.bool_), sizes),
            predictions=_predictions(self._labels, self._scores, self._signature),
            summary=LogSummary(
                requests=self.requests,
                rows=count + self._left_out,
                estimated_requests=round(self._estimated),
                dropped=self._dropped,
                first=_text(self._first),
                last=_text(self._last),
                releases=dict(self._releases),
                redacted=tuple(sorted(self._redacted)),
                left_out=self._left_out,
            ),
        )


def _values(entry: LogEntry, column: Column) -> Sequence[Any]:
    """The column's values, canonical. Raises where they are not there or of another kind."""
    number = column.kind == "number"
    if column.name in entry.redacted:
        return [np.nan if number else ""] * len(entry.records)
    values = [record[column.name] for record in entry.records]
    if not all(isinstance(value, NUMBER_TYPES if number else TEXT_TYPES) for value in values):
        raise ValueError(f"{column.name} is no {column.kind}")
    if number:
        return [np.nan if value is None else float(value) for value in values]
    return [value or "" for value in values]


def _answers(answers: Sequence[Record], signature: Signature) -> tuple[list[Any], array[float]]:
    """Labels (None for a regression) and scores, row by row. Raises where they are not such a model's."""
    if signature.task == "regression":
        return [None] * len(answers), array("d", [answer["value"] for answer in answers])
    labels = [answer["label"] for answer in answers]
    if any(label not in signature.classes for label in labels):
        raise ValueError("another model's labels")
    names = [str(name) for name in signature.classes]
    return labels, array("d", [answer["probabilities"][name] for answer in answers for name in names])


def _array(values: Any, column: Column) -> NDArray[Any]:
    return np.array(values, dtype=np.float64 if column.kind == "number" else object)


def _predictions(labels: Sequence[Any], scores: array[float], signature: Signature) -> Predictions:
    if signature.task == "regression":
        return Predictions(values=np.array(scores, dtype=np.float64))
    kind = object if isinstance(signature.classes[0], str) else np.int64
    return Predictions(
        labels=np.array(labels, dtype=kind),
        probabilities=np.array(scores, dtype=np.float64).reshape(len(labels), len(signature.classes)),
    )


def _text(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
