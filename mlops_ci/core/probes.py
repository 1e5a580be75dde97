"""Adversarial rows with what the native model answered to them, as they are kept and asked again wherever it serves."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.adversarial import Change, Columns, Kind, changed
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

ASKED = 150
"""So often a batch that fails is divided; what is left of it then counts as refused."""


@dataclass(frozen=True, kw_only=True)
class Probes:
    """`columns` hold the rows; of each the `kinds` and `changes` (names of columns) say what was done to a real one.

    `refused` marks the rows that the native model did not answer (it raised): there is nothing to compare with.
    """

    columns: Columns
    kinds: Sequence[Kind]
    changes: Sequence[tuple[str, ...]]
    answers: Predictions
    refused: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: NDArray[Any]) -> Probes:
        """Some of the rows: positions, or a mask."""
        positions = np.arange(len(self))[rows]
        return Probes(
            columns={name: values[positions] for name, values in self.columns.items()},
            kinds=[self.kinds[row] for row in positions],
            changes=[self.changes[row] for row in positions],
            answers=self.answers.take(positions),
            refused=self.refused[positions],
        )

    @property
    def answered(self) -> NDArray[np.bool_]:
        """The rows to which the native model gave finite numbers: a service can answer those too, in JSON."""
        answered: NDArray[np.bool_] = ~self.refused & np.isfinite(self.answers.scores).all(axis=1)
        return answered

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows as a client sends them: null for what is missing, and "" for a text that was made empty."""
        return [
            {
                name: _said(values[row], self.kinds[row], name in self.changes[row])
                for name, values in self.columns.items()
            }
            for row in range(len(self))
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "columns": {name: [_plain(value) for value in values.tolist()] for name, values in self.columns.items()},
            "kinds": list(self.kinds),
            "changes": [list(names) for names in self.changes],
            "labels": None if self.answers.labels is None else self.answers.labels.tolist(),
            "scores": [[_plain(value) for value in row] for row in self.answers.scores.tolist()],
            "refused": np.flatnonzero(self.refused).tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], signature: Signature) -> Probes:
        """The types of columns and answers are those of the signature."""
        kinds = {column.name: column.kind for column in signature.inputs}
        scores = np.array([[_number(score) for score in row] for row in value["scores"]], dtype=np.float64)
        scores = scores.reshape(len(value["kinds"]), max(1, len(signature.classes)))
        refused = np.zeros(len(scores), dtype=np.bool_)
        refused[value["refused"]] = True
        if signature.task == "regression":
            answers = Predictions(values=scores[:, 0])
        else:
            answers = Predictions(labels=np.array(value["labels"], dtype=_kind(signature)), probabilities=scores)
        return cls(
            columns={
                name: np.array(values, dtype=object)
                if kinds[name] == "text"
                else np.array([_number(number) for number in values], dtype=np.float64)
                for name, values in value["columns"].items()
            },
            kinds=value["kinds"],
            changes=[tuple(names) for names in value["changes"]],
            answers=answers,
            refused=refused,
        )


def probe(
    columns: Columns, made: Sequence[Change], ask: Callable[[Columns], Predictions], signature: Signature
) -> Probes:
    """The rows that the changes make of the table, and what `ask`, the native model, answers to them."""
    rows = changed(columns, made)
    answers, refused = answer_apart(ask, rows, signature)
    return Probes(
        columns=rows,
        kinds=[change.kind for change in made],
        changes=[tuple(change.values) for change in made],
        answers=answers,
        refused=refused,
    )


def answer_apart(
    ask: Callable[[Columns], Predictions], columns: Columns, signature: Signature
) -> tuple[Predictions, NDArray[np.bool_]]:
    """The answers, and the rows for which `ask` fails (ValueError), whose scores are NaN.

    A batch that fails is halved until the rows that fail are found, or it was asked too often.
    """
    rows = len(next(iter(columns.values())))
    scores = np.full((rows, max(1, len(signature.classes))), np.nan)
    labels = None if signature.task == "regression" else np.full(rows, signature.classes[0], dtype=_kind(signature))
    failed = np.ones(rows, dtype=np.bool_)
    waiting, asked = deque([np.arange(rows)] if rows else []), 0
    while waiting and asked < ASKED:
        batch, asked = waiting.popleft(), asked + 1
        try:
            answers = ask({name: values[batch] for name, values in columns.items()})
        except ValueError:
            if len(batch) > 1:
                waiting.extend(np.array_split(batch, 2))
            continue
        scores[batch], failed[batch] = answers.scores, False
        if labels is not None and answers.labels is not None:
            labels[batch] = answers.labels
    if labels is None:
        return Predictions(values=scores[:, 0]), failed
    return Predictions(labels=labels, probabilities=scores), failed


def _kind(signature: Signature) -> Any:
    return object if isinstance(signature.classes[0], str) else np.int64


def _said(value: Any, kind: Kind, changed_here: bool) -> Any:
    if isinstance(value, str):
        return value if value or (kind == "empty" and changed_here) else None
    return None if math.isnan(value) else float(value)


def _plain(value: Any) -> Any:
    """JSON has no NaN, which is null here, and no infinities, which are texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else repr(value)
    return value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
