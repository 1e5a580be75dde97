"""Golden rows: a sample of the holdout with the native model's own answers, to be asked again wherever it is served.

To these come the adversarial rows (`core.probes`) that the candidate was compared on, where it has any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.columns import records_from_columns
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.thresholds import evenly

ROWS = 500
"""Enough to see a wrong model at once, few enough to be asked in one request."""


@dataclass(frozen=True, kw_only=True)
class GoldenRows:
    """Records as a client sends them (None for missing) and the answers that the native model gave.

    These are rows of the holdout; `probes`, which are kept by themselves, are not.
    """

    records: Sequence[Mapping[str, Any]]
    answers: Predictions
    probes: Probes | None = None

    def to_json(self) -> dict[str, Any]:
        answers = {
            name: None if values is None else values.tolist()
            for name, values in (
                ("labels", self.answers.labels),
                ("probabilities", self.answers.probabilities),
                ("values", self.answers.values),
            )
        }
        return {"records": [dict(record) for record in self.records], "answers": answers}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GoldenRows:
        arrays = {name: None if values is None else np.asarray(values) for name, values in value["answers"].items()}
        return cls(records=value["records"], answers=Predictions(**arrays))


def choose_golden(columns: Mapping[str, NDArray[Any]], answers: Predictions, rows: int = ROWS) -> GoldenRows:
    """`rows` rows spread evenly over those of the holdout that JSON can say and answer (all where there are fewer)."""
    finite = np.isfinite(answers.scores).all(axis=1)
    for values in columns.values():
        if values.dtype.kind == "f":
            finite &= ~np.isinf(values)
    possible = np.flatnonzero(finite)
    chosen = possible[evenly(len(possible), rows)]
    return GoldenRows(
        records=records_from_columns({name: column[chosen] for name, column in columns.items()}),
        answers=answers.take(chosen),
    )
