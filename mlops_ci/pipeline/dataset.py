"""From the team's table to what a model is fitted on and asked with: one canonical form for training and serving."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.naming import shown_name
from mlops_ci.core.signature import Column, Label
from mlops_ci.errors import ConfigurationError, DataGateError, Problem
from mlops_ci.pipeline.canonical import (
    canonical_columns,
    canonical_target,
    canonical_times,
    column_kind,
    features_frame,
)
from mlops_ci.pipeline.privacy import discreet
from mlops_ci.ports import DataFiles, UserCode

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows ready for a model: all arrays have one entry a row, in the order of `frame`.

    `columns` are the features in canonical form: float64 with NaN for missing, or object (str) with "" for missing.
    `target` is int64 or object (str) for a classification, whose sorted labels are `classes`, else float64. `groups`
    are object, `times` datetime64 (UTC) or float64, `ids` as read; None where no such column is declared. `frame` is
    the whole table after `data.prepare`.
    """

    inputs: tuple[Column, ...]
    columns: Mapping[str, NDArray[Any]] = field(repr=False)
    target: NDArray[Any] = field(repr=False)
    classes: tuple[Label, ...] = ()
    groups: NDArray[Any] | None = field(default=None, repr=False)
    times: NDArray[Any] | None = field(default=None, repr=False)
    ids: NDArray[Any] | None = field(default=None, repr=False)
    frame: DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, indices: NDArray[Any]) -> Dataset:
        """The rows at these positions, in this order."""
        return replace(
            self,
            columns={name: values[indices] for name, values in self.columns.items()},
            target=self.target[indices],
            groups=None if self.groups is None else self.groups[indices],
            times=None if self.times is None else self.times[indices],
            ids=None if self.ids is None else self.ids[indices],
            frame=self.frame.take(indices),
        )

    def features_frame(self) -> DataFrame:
        """What the estimator is fitted on and asked with: float64 and object columns in the order of `inputs`."""
        return features_frame(self.columns, self.inputs)


def load_dataset(config: ModelConfig, data: DataFiles, user_code: UserCode) -> Dataset:
    """The team's data, read, prepared and canonical. Raises DataGateError or ConfigurationError."""
    return build_dataset(prepare(data.read(config.data.source, config.root), config, user_code), config)


def prepare(frame: DataFrame, config: ModelConfig, user_code: UserCode) -> DataFrame:
    """The frame after the team's `data.prepare`, which must keep the rows: one row in, the same row out.

    Raises ConfigurationError where the function fails or does something else.
    """
    hook = config.data.prepare
    if hook is None:
        return frame
    # A shallow copy is enough: pandas copies on write, so the function cannot change what we hold.
    with discreet(config):
        prepared = user_code.load(config.root, hook)(frame.copy(deep=False))
    import pandas as pd

    what = ""
    if not isinstance(prepared, pd.DataFrame):
        what = f"returned {type(prepared).__name__}, not a DataFrame"
    elif not prepared.index.equals(frame.index):
        what = f"returned other rows: {len(frame)} went in, {len(prepared)} came out, or their order or index changed"
    elif not prepared.columns.is_unique:
        what = f"returned the column {shown_name(prepared.columns[prepared.columns.duplicated()][0])} twice"
    if what:
        fix = (
            "return the same rows in the same order; leave rows out in the data itself, so that scoring can do the same"
        )
        raise ConfigurationError(f"{hook}() {what}", where="mlops.yaml data.prepare", fix=fix)
    return prepared


def build_dataset(frame: DataFrame, config: ModelConfig) -> Dataset:
    """The canonical form of a prepared frame. Raises DataGateError where a column is missing or cannot be used."""
    roles = config.data
    _require(frame, config)
    inputs = infer_inputs(frame, config)
    target, classes = canonical_target(frame[roles.target], config.task)
    return Dataset(
        inputs=inputs,
        columns=canonical_columns(frame, inputs),
        target=target,
        classes=classes,
        groups=None if roles.group is None else frame[roles.group].to_numpy(dtype=object, na_value=None),
        times=None if roles.time is None else canonical_times(frame[roles.time]),
        ids=None if roles.id is None else frame[roles.id].to_numpy(),
        frame=frame,
    )


def split_dataset(dataset: Dataset, config: ModelConfig) -> tuple[Dataset, Dataset]:
    """Training rows and holdout, the same each time; see `pipeline.division`, which has the validation sets too."""
    from mlops_ci.pipeline.division import divide

    parts = divide(dataset, config)
    return parts.training, parts.holdout


def private_columns(config: ModelConfig) -> frozenset[str]:
    """The columns whose values no log and no report may show."""
    schema = config.data.schema
    return frozenset(column.name for column in schema.columns if column.private) if schema else frozenset()


def feature_names(frame: DataFrame, config: ModelConfig) -> list[str]:
    """`data.features`, or all columns that play no other part."""
    roles = config.data
    others = {roles.target, roles.id, roles.time, roles.group}
    return list(roles.features) or [str(name) for name in frame.columns if name not in others]


def infer_inputs(frame: DataFrame, config: ModelConfig) -> tuple[Column, ...]:
    """The features with their kinds. Raises DataGateError naming every column that can be none."""
    inputs, problems = [], []
    for name in feature_names(frame, config):
        try:
            inputs.append(Column(name=name, kind=column_kind(frame[name])))
        except ValueError as error:
            problems.append(Problem(where=f"{config.data.source} column {shown_name(name)}", what=str(error)))
    if problems:
        raise DataGateError("the data cannot be used", where=config.data.source, problems=problems)
    return tuple(inputs)


def row_digest(dataset: Dataset) -> str:
    """The digest of the features' and the target's values in order, whatever file they came from."""
    state = hashlib.sha256()
    named = [(column.name, dataset.columns[column.name]) for column in dataset.inputs]
    for name, values in [*named, ("", dataset.target)]:
        state.update(f"{len(name.encode())} {name} {values.dtype.kind} {len(values)}\n".encode())
        if values.dtype.kind == "O":
            texts = [value.encode() for value in values.tolist()]
            state.update(np.array([len(text) for text in texts], dtype="<i8").tobytes())
            state.update(b"".join(texts))
        elif values.dtype.kind == "f":
            # one spelling of zero and of NaN
            state.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
        else:
            state.update(values.astype("<i8").tobytes())
    return state.hexdigest()


def _require(frame: DataFrame, config: ModelConfig) -> None:
    roles = config.data
    names = [name for name in (roles.target, roles.id, roles.time, roles.group, *roles.features) if name]
    problems = [
        Problem(where=f"{config.data.source} column {shown_name(name)}", what="is missing")
        for name in dict.fromkeys(names)
        if name not in frame.columns
    ]
    if problems:
        raise DataGateError("columns that mlops.yaml names are missing", where=config.data.source, problems=problems)
