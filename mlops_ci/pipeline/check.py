"""The data gate: everything that is wrong with the data, all at once, before a model sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import digest_of
from mlops_ci.errors import DataGateError, MlopsError, Problem
from mlops_ci.pipeline.canonical import canonical_target, canonical_times, column_kind
from mlops_ci.pipeline.data_schema import Locate, schema_findings
from mlops_ci.pipeline.dataset import feature_names, prepare, private_columns
from mlops_ci.ports import DataFiles, UserCode

if TYPE_CHECKING:
    from pandas import DataFrame, Series

EXACT = 2**53
"""Beyond it not every integer is a float64, which is what a model takes."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """`problems` close the gate; `warnings` are to be known. `frame` is the prepared data, None where unreadable."""

    model: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    rows: int
    data_digest: str
    frame: DataFrame | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        return not self.problems

    def passed(self) -> DataFrame:
        """The prepared data. Raises DataGateError with all problems where there is one."""
        if self.problems or self.frame is None:
            count = len(self.problems)
            what = f"the data gate is closed: {count} problem{'s' if count != 1 else ''}"
            raise DataGateError(what, problems=self.problems)
        return self.frame


def check(config: ModelConfig, data: DataFiles, user_code: UserCode) -> CheckResult:
    """Looks at the data as read (against `data.schema`) and as prepared (against what training needs of them).

    Raises ConfigurationError where `data.prepare` is wrong and the data are not, and OutsideError where they cannot
    be had.
    """
    try:
        digest = digest_of(data.digests(config.data.source, config.root))
        raw = data.read(config.data.source, config.root)
    except DataGateError as error:
        found = error.problems or (Problem(where=error.where, what=error.what, fix=error.fix),)
        return CheckResult(model=config.model, problems=tuple(found), warnings=(), rows=0, data_digest="")
    locate = _locator(raw)
    problems, warnings = schema_findings(raw, config.data.source, config.data.schema, locate)
    frame: DataFrame | None = None
    try:
        frame = prepare(raw, config, user_code) if len(raw) else raw
        problems += _Table(frame, config, locate).problems()
        warnings += _doubled_rows(frame, config)
    except MlopsError as error:
        # Bad data are a likely reason for a function to fail, so they are not hidden behind its failure.
        if not problems:
            raise
        problems.append(Problem(where=error.where, what=error.what, fix=error.fix))
    return CheckResult(
        model=config.model,
        problems=tuple(dict.fromkeys(problems)),
        warnings=tuple(warnings),
        rows=len(raw),
        data_digest=digest,
        frame=frame,
    )


class _Table:
    """The checks that need no schema, on the prepared data."""

    def __init__(self, frame: DataFrame, config: ModelConfig, locate: Locate) -> None:
        self._frame, self._config, self._locate = frame, config, locate
        self._private = private_columns(config)

    def problems(self) -> list[Problem]:
        return [*self._columns(), *(self._rows() if len(self._frame) else [])]

    def _columns(self) -> Iterator[Problem]:
        if not len(self._frame):
            yield Problem(where=self._config.data.source, what="holds no row", fix="add data")
        names = [str(name) for name in self._frame.columns]
        for key, name in _named_columns(self._config):
            if name not in self._frame.columns:
                near = get_close_matches(name, names, n=1)
                fix = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(names[:30])}"
                yield Problem(where=f"mlops.yaml {key}", what=f"there is no column {name} in the data", fix=fix)
        if not feature_names(self._frame, self._config):
            yield Problem(where=self._config.data.source, what="holds no column that could be a feature")

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
            yield Problem(where=where, what="has no value at all", fix="fill it, or leave it out of data.features")
            return
        try:
            kind = column_kind(series)
        except ValueError as error:
            what, _, fix = str(error).partition("; ")
            yield Problem(where=where, what=what, fix=fix)
            return
        if kind == "number":
            yield from self._number(series, where)

    def _number(self, series: Series, where: str) -> Iterator[Problem]:
        if series.dtype.kind in "iu":
            large = (series > EXACT) | (series < -EXACT)
            if large.any():
                what = f"{int(large.sum())} integers are beyond 2^53 and lose their last digits{self._such_as(large)}"
                yield Problem(where=where, what=what, fix="make it a text in data.prepare, or leave it out")
            return
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = np.isinf(values)
        if infinite.any():
            what = f"{int(infinite.sum())} values are infinite{self._such_as(infinite)}"
            yield Problem(where=where, what=what, fix="write them as missing, or as a number")

    def _target(self, series: Series) -> Iterator[Problem]:
        where = f"{self._where(str(series.name))} (target)"
        missing = series.isna()
        if missing.any():
            what = f"{int(missing.sum())} of {len(series)} values are missing{self._such_as(missing)}"
            yield Problem(where=where, what=what, fix="leave rows without a target out of the data")
        try:
            target, classes = canonical_target(series[~missing], self._config.task)
        except DataGateError as error:
            yield Problem(where=where, what=error.what, fix=error.fix)
            return
        if not len(target):
            return
        if self._config.task == "regression":
            if np.isinf(target).any():
                what = f"{int(np.isinf(target).sum())} values are infinite"
                yield Problem(where=where, what=what, fix="leave these rows out, or write a number")
        else:
            yield from self._classes(target, classes, where)

    def _classes(self, target: Any, classes: tuple[Any, ...], where: str) -> Iterator[Problem]:
        shown = self._labels(classes)
        if len(classes) < 2:
            yield Problem(where=where, what=f"has one class only{shown}", fix="add rows of another class")
        elif self._config.task == "binary-classification" and len(classes) != 2:
            fix = "use `task: multiclass-classification`, or make it two classes"
            yield Problem(where=where, what=f"has {len(classes)} classes, not two{shown}", fix=fix)
        single = [label for label in classes if (target == label).sum() == 1]
        if single and len(classes) > 1:
            what = f"{len(single)} classes have a single row, too few to train and to judge{self._labels(single)}"
            yield Problem(where=where, what=what, fix="add rows of these classes, or leave them out")

    def _labels(self, labels: Sequence[Any]) -> str:
        """The labels after a colon; nothing where the schema calls the target private."""
        if self._config.data.target in self._private:
            return ""
        return f": {', '.join(map(str, labels[:10]))}{', ...' if len(labels) > 10 else ''}"

    def _id(self, series: Series) -> Iterator[Problem]:
        where = f"{self._where(str(series.name))} (id)"
        missing, doubled = series.isna(), series.duplicated() & series.notna()
        if missing.any():
            what = f"{int(missing.sum())} values are missing{self._such_as(missing)}"
            yield Problem(where=where, what=what, fix="give every row an id")
        if doubled.any():
            what = f"{int(doubled.sum())} rows repeat the id of a row before{self._such_as(doubled)}"
            yield Problem(where=where, what=what, fix="remove the doubled rows, or name another id column")

    def _time(self, series: Series) -> Iterator[Problem]:
        try:
            canonical_times(series)
        except DataGateError as error:
            private = series.name in self._private
            what = "is no time" if private and series.notna().all() else error.what
            yield Problem(where=f"{self._where(str(series.name))} (time)", what=what, fix=error.fix)

    def _group(self, series: Series) -> Iterator[Problem]:
        missing = series.isna()
        if missing.any():
            what = f"{int(missing.sum())} values are missing{self._such_as(missing)}"
            yield Problem(where=f"{self._where(str(series.name))} (group)", what=what, fix="give every row a group")

    def _where(self, column: str) -> str:
        return f"{self._config.data.source} column {column}"

    def _such_as(self, chosen: Any) -> str:
        """Where the first chosen rows are; never what is in them, which may be private."""
        return f", such as {', '.join(self._locate(int(row)) for row in np.flatnonzero(chosen)[:3])}"


def _named_columns(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """(key of mlops.yaml, column) of all columns that the configuration names."""
    roles = config.data
    for key, name in (("target", roles.target), ("id", roles.id), ("time", roles.time), ("group", roles.group)):
        if name is not None:
            yield f"data.{key}", name
    yield from (("data.features", name) for name in roles.features)
    yield from (("gate.slices", part.by) for part in config.gate.slices)
    yield from (("gate.fairness", part.by) for part in config.gate.fairness)


def _doubled_rows(frame: DataFrame, config: ModelConfig) -> list[Problem]:
    """Equal rows are no error, but they can be in training and holdout both, which makes a model look too good."""
    columns = [name for name in frame.columns if name != config.data.id]
    try:
        doubled = int(frame[columns].duplicated().sum())
    except TypeError:  # a list or another value that cannot be compared, which is a problem of its own
        return []
    if not doubled:
        return []
    return [Problem(where=config.data.source, what=f"{doubled} of {len(frame)} rows are equal to a row before")]


def _locator(frame: DataFrame) -> Locate:
    """Where row i of the frame comes from: file and line where that is certain, else the row."""
    files = frame.attrs.get("files", [])
    starts = np.cumsum([0, *(rows for _, rows, _ in files)])

    def locate(row: int) -> str:
        which = int(np.searchsorted(starts, row, side="right")) - 1
        if which >= len(files):
            return f"row {row + 1}"
        name, _, is_line = files[which]
        inside = row - int(starts[which])
        return f"{name} line {inside + 2}" if is_line else f"{name} row {inside + 1}"

    return locate
