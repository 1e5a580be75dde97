"""Which rows train and which judge: the holdout is cut first, then each validation set from what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig, ValidationSetConfig
from mlops_ci.core.splitting import IntArray, split
from mlops_ci.errors import ConfigurationError, DataGateError, Problem
from mlops_ci.pipeline.canonical import canonical_times
from mlops_ci.pipeline.dataset import Dataset, private_columns

FIX = "split by another strategy or share, or add data"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Every row of the data is in exactly one of them; `validation` holds each set by its name, as declared."""

    training: Dataset
    holdout: Dataset
    validation: Mapping[str, Dataset]


def divide(dataset: Dataset, config: ModelConfig) -> Parts:
    """The parts of the data, the same each time.

    Raises ConfigurationError where the rows cannot be divided so, and DataGateError where a class has no training row
    or the holdout has only one.
    """
    chosen = config.split
    _require_columns(dataset, config)
    try:
        rest, holdout = split(
            chosen.strategy,
            len(dataset),
            holdout=chosen.holdout,
            seed=chosen.seed,
            target=dataset.target,
            groups=dataset.groups,
            times=dataset.times,
        )
    except ValueError as error:
        raise ConfigurationError(str(error), where="mlops.yaml split") from error
    sets = {}
    for each in chosen.validation:
        rest, sets[each.name] = _cut(each, dataset, rest)
    _require_classes(dataset, config, training=rest, holdout=holdout)
    return Parts(
        training=dataset.take(rest),
        holdout=dataset.take(holdout),
        validation={name: dataset.take(rows) for name, rows in sets.items()},
    )


def _cut(each: ValidationSetConfig, dataset: Dataset, rest: IntArray) -> tuple[IntArray, IntArray]:
    """What is left of the rows `rest`, and the set, which holds about its share of all rows."""
    share = each.share * len(dataset) / max(len(rest), 1)
    where = f"mlops.yaml split.validation {each.name}"
    if share >= 1:
        what = f"{each.share:g} of {len(dataset)} rows are asked for, and only {len(rest)} are left"
        raise ConfigurationError(what, where=where, fix="choose smaller shares")
    try:
        values = None if each.by is None else _column(dataset, each.by, as_times=each.strategy == "time")[rest]
        kept, taken = split(
            each.strategy, len(rest), holdout=share, seed=each.seed, target=values, groups=values, times=values
        )
    except ValueError as error:
        raise ConfigurationError(str(error), where=where, fix=FIX) from error
    return rest[kept], rest[taken]


def _column(dataset: Dataset, name: str, *, as_times: bool) -> NDArray[np.generic]:
    column = dataset.frame[name]
    return canonical_times(column) if as_times else column.to_numpy(dtype=object, na_value=None)


def _require_columns(dataset: Dataset, config: ModelConfig) -> None:
    problems = [
        Problem(where=f"mlops.yaml split.validation {each.name}", what=f"the data have no column {each.by}")
        for each in config.split.validation
        if each.by is not None and each.by not in dataset.frame.columns
    ]
    if problems:
        raise DataGateError("columns that mlops.yaml names are missing", where=config.data.source, problems=problems)


def _require_classes(dataset: Dataset, config: ModelConfig, *, training: IntArray, holdout: IntArray) -> None:
    unknown = set(dataset.classes) - set(dataset.target[training].tolist())
    what = ""
    if unknown:
        shown = "" if config.data.target in private_columns(config) else f" (such as {min(unknown, key=str)})"
        what = f"{len(unknown)} classes{shown} have no training row, so no model can learn them"
    elif dataset.classes and len(set(dataset.target[holdout].tolist())) < 2:
        what = f"all {len(holdout)} rows of the holdout are of one class, so it can judge no model"
    if what:
        raise DataGateError(what, where="mlops.yaml split", fix=FIX)
