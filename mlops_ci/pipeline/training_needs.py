"""What training needs of the prepared data, whatever their schema says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import DataGateError, Problem
from mlops_ci.pipeline.canonical import canonical_target, canonical_times, column_kind
from mlops_ci.pipeline.dataset import feature_names, private_columns
from mlops_ci.pipeline.places import Locate, such_as

if TYPE_CHECKING:
    from pandas import DataFrame, Series

EXACT = 2**53
"""Beyond it not every integer is a float64, which is what a model takes."""
FEWEST_ROWS = 2


class TrainingNeeds:
    """The checks that need no schema."""

    def __init__(self, frame: DataFrame, config: ModelConfig, locate: Locate) -> None:
        self._frame, self._config, self._locate = frame, config, locate
        self._private = private_columns(config)

    def problems(self) -> list[Problem]:
        return [*self._columns(), *(self._rows() if len(self._frame) else [])]

    def _columns(self) -> Iterator[Problem]:
        source, rows = self._config.data.source, len(self._frame)
        if not rows:
            yield Problem(where=source, what="holds no row", fix="add data", name="no-rows")
        elif rows < FEWEST_ROWS:
            what = "holds a single row, which cannot both train and judge a model"
            yield Problem(where=source, what=what, fix="add data", name="no-rows")
        names = [str(name) for name in self._frame.columns]
        for key, name in _named_columns(self._config):
            if name not in self._frame.columns:
                near = get_close_matches(name, [each for each in names if len(each) < 200], n=1)
                listed = ", ".join(map(shown_name, names[:30]))
                fix = f"did you mean {shown_name(near[0])}?" if near else f"the columns are {listed}"
                what = f"there is no column {shown_name(name)} in the data"
                yield Problem(where=f"mlops.yaml {key}", what=what, fix=fix, name="column-missing")
        if not feature_names(self._frame, self._config):
            what = "holds no column that could be a feature"
            yield Problem(where=source, what=what, fix="add columns that predict the target", name="column-missing")

    def _rows(self) -> Iterator[Problem]:
        roles = self._config.data
        for name in feature_names(self._frame, self._config):
            if name in self._frame.columns:
                yield from self._feature(name)
        for column, checks in (
            (roles.target, self._target),
            (roles.id, self._id),
            (roles.time, self._time),
            (roles.group, self._group),
        ):
            if column is not None and column in self._frame.columns:
                yield from checks(self._frame[column])

    def _feature(self, name: str) -> Iterator[Problem]:
        series, where = self._frame[name], self._where(name)
        if series.isna().all():
            fix = "fill it, or leave it out of data.features"
            yield Problem(where=where, what="has no value at all", fix=fix, name="empty-column")
            return
        try:
            kind = column_kind(series)
        except ValueError as error:
            what, _, fix = str(error).partition("; ")
            yield Problem(where=where, what=what, fix=fix, name="wrong-type")
            return
        if kind == "number":
            yield from self._number(series, where)

    def _number(self, series: Series, where: str) -> Iterator[Problem]:
        if series.dtype.kind in "iu":
            large = ((series > EXACT) | (series < -EXACT)).to_numpy(dtype=np.bool_, na_value=False)
            if large.any():
                what = f"{int(large.sum())} integers are beyond 2^53 and lose their last digits{self._such_as(large)}"
                fix = "make it a text in data.prepare, or leave it out"
                yield Problem(where=where, what=what, fix=fix, name="large-integer")
            return
        infinite = np.isinf(series.to_numpy(dtype=np.float64, na_value=np.nan))
        if infinite.any():
            what = f"{int(infinite.sum())} values are infinite{self._such_as(infinite)}"
            yield Problem(where=where, what=what, fix="write them as missing, or as a number", name="infinite")

    def _target(self, series: Series) -> Iterator[Problem]:
        where = f"{self._where(str(series.name))} (target)"
        missing = series.isna()
        if missing.any():
            what = f"{int(missing.sum())} of {len(series)} values are missing{self._such_as(missing)}"
            yield Problem(where=where, what=what, fix="leave rows without a target out of the data", name="null")
        try:
            target, classes = canonical_target(series[~missing], self._config.task)
        except DataGateError as error:
            yield Problem(where=where, what=error.what, fix=error.fix, name="wrong-type")
            return
        if not len(target):
            return
        if self._config.task != "regression":
            yield from self._classes(target, classes, where)
        elif np.isinf(target).any():
            what = f"{int(np.isinf(target).sum())} values are infinite"
            fix = "leave these rows out, or write a number"
            yield Problem(where=where, what=what, fix=fix, name="infinite")
        elif (target == target[0]).all():
            what, fix = "has one value only, so there is nothing to predict", "name another target, or add data"
            yield Problem(where=where, what=what, fix=fix, name="constant-target")

    def _classes(self, target: Any, classes: tuple[Any, ...], where: str) -> Iterator[Problem]:
        shown = self._labels(classes)
        if len(classes) < 2:
            what, fix = f"has one class only{shown}", "add rows of another class"
            yield Problem(where=where, what=what, fix=fix, name="constant-target")
        elif self._config.task == "binary-classification" and len(classes) != 2:
            fix = "use `task: multiclass-classification`, or make it two classes"
            yield Problem(where=where, what=f"has {len(classes)} classes, not two{shown}", fix=fix, name="class-count")
        labels, counts = np.unique(target, return_counts=True)
        single = labels[counts == 1].tolist()
        if single and len(classes) > 1:
            what = f"{len(single)} classes have a single row, too few to train and to judge{self._labels(single)}"
            fix = "add rows of these classes, or leave them out"
            yield Problem(where=where, what=what, fix=fix, name="rare-class")

    def _labels(self, labels: Sequence[Any]) -> str:
        """The labels after a colon; nothing where the schema calls the target private."""
        if self._config.data.target in self._private:
            return ""
        return f": {', '.join(map(shown_name, labels[:10]))}{', ...' if len(labels) > 10 else ''}"

    def _id(self, series: Series) -> Iterator[Problem]:
        where = f"{self._where(str(series.name))} (id)"
        missing = series.isna()
        if missing.any():
            what = f"{int(missing.sum())} values are missing{self._such_as(missing)}"
            yield Problem(where=where, what=what, fix="give every row an id", name="null")
        try:
            doubled = series.duplicated() & ~missing
        except TypeError:
            fix = "write ids as numbers or texts"
            yield Problem(where=where, what="holds values that cannot name a row", fix=fix, name="wrong-type")
            return
        if doubled.any():
            what = f"{int(doubled.sum())} rows repeat the id of a row before{self._such_as(doubled)}"
            fix = "remove the doubled rows, or name another id column"
            yield Problem(where=where, what=what, fix=fix, name="not-unique")

    def _time(self, series: Series) -> Iterator[Problem]:
        try:
            canonical_times(series)
        except DataGateError as error:
            missing = series.isna()
            what, name = error.what, "wrong-type"
            if missing.any():
                what, name = f"{error.what}{self._such_as(missing)}", "null"
            elif series.name in self._private:
                what = "is no time"
            where = f"{self._where(str(series.name))} (time)"
            yield Problem(where=where, what=what, fix=error.fix or "give every row a time", name=name)

    def _group(self, series: Series) -> Iterator[Problem]:
        missing = series.isna()
        if missing.any():
            what = f"{int(missing.sum())} values are missing{self._such_as(missing)}"
            where = f"{self._where(str(series.name))} (group)"
            yield Problem(where=where, what=what, fix="give every row a group", name="null")

    def _where(self, column: str) -> str:
        return f"{self._config.data.source} column {shown_name(column)}"

    def _such_as(self, chosen: Any) -> str:
        """Where the first chosen rows are; never what is in them, which may be private."""
        return such_as(np.asarray(chosen, dtype=np.bool_), self._locate)


def _named_columns(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """(key of mlops.yaml, column) of all columns that the configuration names."""
    roles = config.data
    for key, name in (("target", roles.target), ("id", roles.id), ("time", roles.time), ("group", roles.group)):
        if name is not None:
            yield f"data.{key}", name
    yield from (("data.features", name) for name in roles.features)
    for each in config.split.validation:
        if each.by is not None:
            yield f"split.validation {each.name}", each.by
    yield from (("gate.slices", part.by) for part in config.gate.slices)
    yield from (("gate.fairness", part.by) for part in config.gate.fairness)
    private = private_columns(config)  # these are redacted, too, wherever they are
    yield from (("serving.log.redact", name) for name in config.serving.log.redact if name not in private)
