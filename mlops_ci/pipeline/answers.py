"""What is judged, row by row: truth, both models' answers and what else the gate needs to judge the rows once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.slices import MISSING, as_texts
from mlops_ci.core.units import IntArray, independent_units
from mlops_ci.pipeline.contenders import Challenger, Champion
from mlops_ci.pipeline.dataset import Dataset, private_columns


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedRows:
    """One set of rows: all arrays have one entry a row. `name` and `strategy` are empty for the holdout.

    `champion` and `challenger` are None where that model could not be asked, `units` is None where each row is a unit
    of its own (see `core.units`). `columns` holds the texts of the columns that the policy cuts the rows by.
    """

    name: str = ""
    strategy: str = ""
    truth: NDArray[Any]
    champion: Predictions | None
    challenger: Predictions | None
    units: IntArray | None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The holdout and the validation sets as they were judged; of the signature only what is answered counts."""

    signature: Signature
    holdout: JudgedRows
    validation: tuple[JudgedRows, ...]

    def validation_set(self, name: str) -> JudgedRows | None:
        return next((one for one in self.validation if one.name == name), None)


def collect_answers(
    config: ModelConfig,
    signature: Signature,
    *,
    holdout: Dataset,
    validation: Mapping[str, Dataset],
    new: Challenger,
    old: Champion | None,
) -> Answers:
    """The answers of both for all rows that are judged, with the columns that the gate cuts the holdout by."""
    strategies = {each.name: each.strategy for each in config.split.validation}
    return Answers(
        signature=signature,
        holdout=JudgedRows(
            truth=holdout.target,
            champion=old.answers if old else None,
            challenger=new.answers,
            units=_units(config, holdout),
            columns=_columns(config, holdout),
        ),
        validation=tuple(
            JudgedRows(
                name=name,
                strategy=strategies[name],
                truth=rows.target,
                champion=old.validation.get(name) if old else None,
                challenger=new.validation.get(name),
                units=_units(config, rows, in_time=strategies[name] == "time"),
            )
            for name, rows in validation.items()
        ),
    )


def _units(config: ModelConfig, rows: Dataset, *, in_time: bool = False) -> IntArray | None:
    """Rows that belong together are drawn together: a group's, or, in a split by time, those of a stretch of time."""
    blocked = in_time or config.split.strategy == "time"
    return independent_units(groups=rows.groups, times=rows.times if blocked else None)


def _columns(config: ModelConfig, holdout: Dataset) -> dict[str, NDArray[Any]]:
    """The texts of each column of slices and fairness; one that the data do not have is left out."""
    wanted = dict.fromkeys(rule.by for rules in (config.gate.slices, config.gate.fairness) for rule in rules)
    private = private_columns(config)
    found = {}
    for name in wanted:
        if name in holdout.frame.columns:
            texts = as_texts(holdout.frame[name].to_numpy(dtype=object, na_value=None))
            found[name] = _without_names(texts) if name in private else texts
    return found


def _without_names(texts: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the place of the values, the most frequent first, so that no value of a private column is kept."""
    values, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    hidden = np.empty(len(values), dtype=object)
    for number, place in enumerate(np.argsort(-counts, kind="stable").tolist(), start=1):
        hidden[place] = MISSING if values[place] == MISSING else f"(private {number})"
    return hidden.astype(np.str_)[codes]
