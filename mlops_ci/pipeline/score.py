"""Scores a table that may be larger than memory: every row is either answered or set aside with the reason."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.schema_types import DataSchema
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import ColumnKind, Signature
from mlops_ci.errors import DataGateError, Problem
from mlops_ci.pipeline.canonical import canonical_columns
from mlops_ci.ports import BatchFiles, BatchOutput, BatchRows, Clock, LoadedModel

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 5
KINDS: Mapping[str, ColumnKind] = {
    "integer": "number",
    "number": "number",
    "boolean": "number",
    "text": "text",
    "timestamp": "text",  # as training reads a CSV file
}


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """`rows` were scored into the file `output`, `rejected` set aside into `rejected_output`."""

    rows: int
    rejected: int
    output: str
    rejected_output: str
    seconds: float
    rows_per_second: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """The rows of a part, by position, that have answers, and the reasons for the others."""

    kept: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    reasons: Mapping[int, str]


def score(
    *,
    source: str,
    root: Path,
    output: Path,
    model: LoadedModel,
    signature: Signature,
    release: str,
    version: int,
    files: BatchFiles,
    clock: Clock,
    prepare: Callable[[DataFrame], DataFrame] | None = None,
    schema: DataSchema | None = None,
    threads: int = 2,
) -> ScoreResult:
    """Writes all columns of the input and, beside them, the answers, `model_version` and `release`, in constant memory.

    The answers are `prediction` (a label or a value) and, of a classifier, `probability` of the second of two
    classes, or `probability_<class>` of each of more. `source` is a CSV or Parquet file, or a pattern for several,
    relative to `root`. `prepare` is the team's own function, which sees a part of the rows at a time; `schema` says
    what it expects, without `prepare` the signature does. Rows that cannot be read or answered go to
    `<output>.rejected.parquet` (file, row from 1 on, reason). Raises DataGateError, and writes nothing, where columns
    are missing or of the wrong kind, where a column would be overwritten, and where no row at all can be scored.
    """
    started = clock.monotonic()
    kinds = {column.name: column.kind for column in signature.inputs}
    if prepare is not None:
        kinds = {column.name: KINDS[column.type] for column in schema.columns} if schema else {}
    beside = output.with_name(f"{output.name}.rejected.parquet")

    def answer(part: BatchRows, columns: Mapping[str, NDArray[Any]]) -> _Answers:
        return _named(_answered(columns, len(part.rows), model), signature, release, version)

    total = _Total(source)
    with files.write(output, beside) as written, ThreadPoolExecutor(threads) as pool:
        parts = ((part, _canonical(part, prepare, signature)) for part in files.read(source, root, kinds))
        for part, answers in _in_order(pool, answer, parts, ahead=2 * threads):
            total.add(part, answers, written)
        total.require_some()
    seconds = clock.monotonic() - started
    return ScoreResult(
        rows=total.rows,
        rejected=total.rejected,
        output=str(output),
        rejected_output=str(beside),
        seconds=seconds,
        rows_per_second=total.rows / seconds if seconds else 0.0,
    )


class _Total:
    """Counts what is written, and remembers the first reasons."""

    def __init__(self, source: str) -> None:
        self.rows = 0
        self.rejected = 0
        self._source = source
        self._problems: list[Problem] = []

    def add(self, part: BatchRows, answers: _Answers, written: BatchOutput) -> None:
        rejected = [*part.unreadable, *((int(part.rows[index]), why) for index, why in answers.reasons.items())]
        rejected.sort()
        written.scored(part, answers.kept, answers.columns)
        written.rejected(part.file, rejected)
        self.rows += len(answers.kept)
        self.rejected += len(rejected)
        for row, why in rejected[: SHOWN - len(self._problems)]:
            self._problems.append(Problem(where=f"{part.file} row {row}", what=why))

    def require_some(self) -> None:
        if self.rejected and not self.rows:
            what = f"none of the {self.rejected} rows can be scored"
            raise DataGateError(what, where=self._source, problems=self._problems)


def _canonical(
    part: BatchRows, prepare: Callable[[DataFrame], DataFrame] | None, signature: Signature
) -> dict[str, NDArray[Any]]:
    taken = [str(name) for name in part.frame.columns if name in answer_names(signature)]
    if taken:
        fix = "rename or remove these columns of the input"
        raise DataGateError(f"the answers would overwrite {', '.join(taken)}", where=part.file, fix=fix)
    frame = part.frame if prepare is None else prepare(part.frame)
    if len(frame) != len(part.rows):
        what = f"data.prepare returned {len(frame)} rows for {len(part.rows)}"
        raise DataGateError(what, where=part.file, fix="return the same rows in the same order")
    try:
        return canonical_columns(frame, signature.inputs)
    except DataGateError as error:
        raise DataGateError(error.what, where=part.file, fix=error.fix, problems=error.problems) from error


def _in_order(
    pool: ThreadPoolExecutor,
    answer: Callable[[BatchRows, Mapping[str, NDArray[Any]]], _Answers],
    parts: Iterable[tuple[BatchRows, Mapping[str, NDArray[Any]]]],
    *,
    ahead: int,
) -> Iterator[tuple[BatchRows, _Answers]]:
    """Answers the parts on the pool's threads, in their order, and never holds more than `ahead` of them."""
    waiting: deque[tuple[BatchRows, Future[_Answers]]] = deque()
    for part, columns in parts:
        waiting.append((part, pool.submit(answer, part, columns)))
        if len(waiting) == ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for part, future in waiting:
        yield part, future.result()


def _answered(
    columns: Mapping[str, NDArray[Any]], rows: int, model: LoadedModel
) -> tuple[list[tuple[NDArray[np.int64], Predictions]], dict[int, str]]:
    """The answers for those rows that have any, in order, and the reasons for the others by position."""
    reasons: dict[int, str] = {}
    for name, values in columns.items():
        if values.dtype.kind == "f":
            for index in np.flatnonzero(np.isinf(values)).tolist():
                reasons.setdefault(index, f"column {name} is infinite")
    good = np.delete(np.arange(rows), list(reasons))
    answers = list(_asked(columns, good, model, reasons))
    finite = []
    for indices, predictions in answers:
        fine = np.asarray(np.isfinite(predictions.scores).all(axis=1))
        reasons |= dict.fromkeys(indices[~fine].tolist(), "the model's answer is not a finite number")
        finite.append((indices[fine], predictions.take(fine)))
    return finite, reasons


def _asked(
    columns: Mapping[str, NDArray[Any]], indices: NDArray[np.int64], model: LoadedModel, reasons: dict[int, str]
) -> Iterator[tuple[NDArray[np.int64], Predictions]]:
    """Where the model refuses a part because of some row, its halves are asked, until the row itself is found."""
    try:
        yield indices, model.predict({name: values[indices] for name, values in columns.items()})
    except ValueError as error:
        if len(indices) <= 1:
            reasons.update(dict.fromkeys(indices.tolist(), str(error)))
            return
        yield from _asked(columns, indices[: len(indices) // 2], model, reasons)
        yield from _asked(columns, indices[len(indices) // 2 :], model, reasons)


def answer_names(signature: Signature) -> list[str]:
    """The columns that scoring adds, in their order."""
    names = ["prediction"]
    if signature.task == "binary-classification":
        names.append("probability")
    elif signature.task == "multiclass-classification":
        names += [f"probability_{label}" for label in signature.classes]
    return [*names, "model_version", "release"]


def _named(
    answered: tuple[list[tuple[NDArray[np.int64], Predictions]], dict[int, str]],
    signature: Signature,
    release: str,
    version: int,
) -> _Answers:
    parts, reasons = answered
    kept = np.concatenate([np.empty(0, dtype=np.int64), *(indices for indices, _ in parts)])
    regression = signature.task == "regression"
    text = not regression and isinstance(signature.classes[0], str)
    empty: NDArray[Any] = np.empty(0, dtype=np.float64 if regression else object if text else np.int64)
    prediction = np.concatenate([empty, *((p.values if regression else p.labels) for _, p in parts)]).astype(
        empty.dtype
    )
    columns = [prediction]
    if not regression:
        width = len(signature.classes)
        scores = np.concatenate([np.empty((0, width)), *(predictions.scores for _, predictions in parts)])
        columns += [scores[:, 1]] if signature.task == "binary-classification" else list(scores.T)
    columns += [np.full(len(kept), version), np.full(len(kept), release, dtype=object)]
    return _Answers(kept=kept, columns=dict(zip(answer_names(signature), columns, strict=True)), reasons=reasons)
