"""The changes since the last accepted data that somebody has to know of, and those that close the gate."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_ci.config.schema_types import ChangeLimits
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.data_change import AcceptedData, Change, changes
from mlops_ci.core.drift import DISTANCE_FLOOR, MISSING_FLOOR
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import Problem
from mlops_ci.pipeline.dataset import Dataset, private_columns

_NAMES = {"missing-rate": "missing-rate-change", "distribution": "distribution-change"}


def changed_data(
    training: Dataset, accepted: AcceptedData, config: ModelConfig
) -> tuple[list[Problem], list[Problem], list[Change]]:
    """Problems beyond the schema's limits, warnings of large changes without a limit, and all changes worth telling."""
    found = changes(accepted, training.columns, training.inputs, rows=len(training), private=private_columns(config))
    problems, warnings = [], []
    for change in found:
        if change.what not in _NAMES or change.distance is None:
            continue
        limit = _limit(change, config)
        if limit is not None and change.distance > limit:
            problems.append(_problem(change, accepted, config, f", at most {limit:g} is allowed"))
        elif limit is None and change.significant and change.distance >= _floor(change):
            warnings.append(_problem(change, accepted, config, ""))
    warnings += _other_columns(found, accepted, config)
    return problems, warnings, [change for change in found if change.worth_telling]


def _problem(change: Change, accepted: AcceptedData, config: ModelConfig, limit: str) -> Problem:
    if change.what == "missing-rate":
        what = f"{change.after:.1%} of the values are missing, {change.before:.1%} were in {accepted.name}"
        what += f" (change {change.distance:.3f}{limit})"
    else:
        what = f"is distributed otherwise than in {accepted.name} (distance {change.distance:.3f}{limit})"
        if isinstance(change.before, float):
            what += f": the median is {change.after:.6g}, it was {change.before:.6g}"
        elif change.before is not None:
            what += f": {shown_name(change.after)}, it was {shown_name(change.before)}"
    where = f"{config.data.source} column {shown_name(change.column)}"
    path = config.data.schema.path if config.data.schema else "data.schema.yaml"
    fix = f"find out why; if it is right, raise the limit `change` in {path}" if limit else "find out why"
    return Problem(where=where, what=what, fix=fix, name=_NAMES[change.what])


def _other_columns(found: Iterable[Change], accepted: AcceptedData, config: ModelConfig) -> list[Problem]:
    """A column that is a number where it was a text will surprise whoever reads the data otherwise."""
    return [
        Problem(
            where=f"{config.data.source} column {shown_name(change.column)}",
            what=f"is a {change.after}, in {accepted.name} it was a {change.before}",
            fix="find out why",
            name="kind-change",
        )
        for change in found
        if change.what == "kind"
    ]


def _limit(change: Change, config: ModelConfig) -> float | None:
    limits = ChangeLimits()
    if config.data.schema is not None:
        limits = next(
            (column.change for column in config.data.schema.columns if column.name == change.column),
            config.data.schema.change,
        )
    return limits.missing if change.what == "missing-rate" else limits.distribution


def _floor(change: Change) -> float:
    return MISSING_FLOOR if change.what == "missing-rate" else DISTANCE_FLOOR
