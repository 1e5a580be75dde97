"""Features that give the target away: each alone predicts it almost perfectly, on rows that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.leakage import (
    ClassTarget,
    NumberTarget,
    Predictiveness,
    fold_numbers,
    fold_numbers_of_groups,
    fold_numbers_of_times,
)
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import Problem
from mlops_ci.pipeline.dataset import Dataset

LEAKS = 0.98
"""From here on a single column is no feature but the answer: two rows of a hundred in the wrong order, or fewer."""
SUSPICIOUS = 0.95
FOLDS = 5
MOST_ROWS = 100_000
FEWEST_ROWS = 30
FEWEST_OF_OTHER_CLASSES = 10
"""With fewer some column may well predict the target by luck."""
SEED = 20130101


def leaking_features(dataset: Dataset, config: ModelConfig) -> tuple[list[Problem], list[Problem]]:
    """Problems, and warnings for features that are suspicious or that the schema allows.

    Rows that belong together (by `data.group`, or by time where the split goes by it) are judged together, so that an
    entity's name or a running number is not taken for knowledge of the target.
    """
    rows = _sample(dataset, config)
    if len(rows) < FEWEST_ROWS or _of_other_classes(rows) < FEWEST_OF_OTHER_CLASSES:
        return [], []
    target = _target(rows, config)
    declared = {column.name: column for column in config.data.schema.columns} if config.data.schema else {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for column in rows.inputs:
        found = target.predicted_by(rows.columns[column.name], column.kind)
        if found.value < SUSPICIOUS:
            continue
        reason = declared[column.name].allow.get("target-leakage") if column.name in declared else None
        how = "almost perfectly" if found.value >= LEAKS else "very well"
        problem = _problem(column.name, found, config, how, len(rows))
        if reason is not None:
            warnings.append(replace(problem, what=f"{problem.what}; allowed because: {reason}", fix=""))
        else:
            (problems if found.value >= LEAKS else warnings).append(problem)
    return problems, warnings


def _problem(name: str, found: Predictiveness, config: ModelConfig, how: str, rows: int) -> Problem:
    schema = config.data.schema.path if config.data.schema else "data.schema.yaml"
    value = f"{np.floor(found.value * 1e4) / 1e4:.4f}"
    return Problem(
        where=f"{config.data.source} column {shown_name(name)}",
        what=f"alone predicts {shown_name(config.data.target)} {how} ({found.measure} {value} out of sample, on {rows} "
        "rows)",
        fix="leave it out of data.features if it is known only after the outcome; if it is known before, write "
        f"`allow: {{target-leakage: why}}` at the column in {schema}",
        name="target-leakage",
    )


def _sample(dataset: Dataset, config: ModelConfig) -> Dataset:
    """No more rows than the measure needs: the newest where the split goes by time, which leaves none out between."""
    if len(dataset) <= MOST_ROWS:
        return dataset
    if dataset.times is not None and config.split.strategy == "time":
        return dataset.take(np.sort(np.argsort(dataset.times, kind="stable")[-MOST_ROWS:]))
    return dataset.take(np.sort(np.random.default_rng(SEED).choice(len(dataset), MOST_ROWS, replace=False)))


def _of_other_classes(rows: Dataset) -> int:
    """How many rows are not of the most frequent class; none of numbers that are not finite."""
    if not rows.classes:
        return len(rows) if np.isfinite(rows.target).all() else 0
    return len(rows) - int(np.unique(rows.target, return_counts=True)[1].max())


def _target(rows: Dataset, config: ModelConfig) -> ClassTarget | NumberTarget:
    order: NDArray[np.int64] | None = None
    groups = None if rows.groups is None else _group_numbers(rows.groups)
    if rows.times is not None and config.split.strategy == "time":
        order = np.argsort(rows.times, kind="stable")
        folds = fold_numbers_of_times(order, FOLDS)
        if groups is not None:
            order = np.lexsort((rows.times, groups))
    elif groups is not None and int(groups.max()) + 1 >= FOLDS:
        folds = fold_numbers_of_groups(groups, FOLDS, seed=SEED)
    else:
        folds = fold_numbers(len(rows), FOLDS, seed=SEED)
    return ClassTarget(rows.target, folds) if rows.classes else NumberTarget(rows.target, folds, order=order)


def _group_numbers(groups: NDArray[Any]) -> NDArray[np.int64]:
    import pandas as pd

    numbers: NDArray[np.int64] = pd.factorize(groups)[0]
    return numbers
