"""The data gate: everything that is wrong with the data, all at once, before a model sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.data_change import AcceptedData, Change
from mlops_ci.core.digest import digest_of
from mlops_ci.errors import ConfigurationError, DataGateError, MlopsError, Problem
from mlops_ci.pipeline.data_change import changed_data
from mlops_ci.pipeline.data_schema import schema_findings
from mlops_ci.pipeline.data_times import future_rows, rows_after, stale_columns
from mlops_ci.pipeline.dataset import build_dataset, prepare
from mlops_ci.pipeline.division import Parts, divide
from mlops_ci.pipeline.places import Locate, locator, such_as
from mlops_ci.pipeline.shared_rows import shared_rows
from mlops_ci.pipeline.target_leakage import leaking_features
from mlops_ci.pipeline.training_needs import TrainingNeeds
from mlops_ci.ports import Clock, DataFiles, UserCode

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """`problems` close the gate; `warnings` are to be known; `changes` are what is new since the last accepted data.

    `frame` is the prepared data, None where unreadable; `parts` are the rows that train and that judge, None where
    they could not be made.
    """

    model: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    changes: tuple[Change, ...] = ()
    rows: int
    data_digest: str
    frame: DataFrame | None = field(default=None, repr=False, compare=False)
    parts: Parts | None = field(default=None, repr=False, compare=False)

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

    def divided(self) -> Parts:
        """The rows that train and those that judge. Raises DataGateError with all problems where there is one."""
        self.passed()
        if self.parts is None:
            raise DataGateError("the data could not be divided")
        return self.parts

    def to_json(self) -> dict[str, Any]:
        """The answer of `check --json`."""
        whole = {"model": self.model, "ok": self.ok, "rows": self.rows, "data_digest": self.data_digest}
        return whole | self.to_report_json()

    def to_report_json(self) -> dict[str, Any]:
        """What a report shows: `problems`, `warnings` and `changes`."""
        return {
            "problems": [problem.to_json() for problem in self.problems],
            "warnings": [warning.to_json() for warning in self.warnings],
            "changes": [change.to_json() for change in self.changes],
        }


def check(
    config: ModelConfig,
    data: DataFiles,
    user_code: UserCode,
    *,
    clock: Clock | None = None,
    accepted: AcceptedData | None = None,
) -> CheckResult:
    """Looks at the data as read (against `data.schema`), as prepared (against what training needs), and as split.

    Without a `clock` no time is too old or too late; without `accepted` data nothing has changed. Raises
    ConfigurationError where `data.prepare` or the split is wrong and the data are not, and OutsideError where the data
    cannot be had.
    """
    try:
        digest = digest_of(data.digests(config.data.source, config.root))
        raw = data.read(config.data.source, config.root)
    except DataGateError as error:
        return CheckResult(model=config.model, problems=_told(error, "unreadable"), warnings=(), rows=0, data_digest="")
    gate = _Gate(config, raw, clock)
    gate.look(user_code, accepted)
    return CheckResult(
        model=config.model,
        problems=tuple(dict.fromkeys(gate.problems)),
        warnings=tuple(dict.fromkeys(gate.warnings)),
        changes=tuple(gate.changes),
        rows=len(raw),
        data_digest=digest,
        frame=gate.frame,
        parts=gate.parts,
    )


class _Gate:
    """Collects what each check finds; the later ones need what the earlier ones have made sure of."""

    def __init__(self, config: ModelConfig, raw: DataFrame, clock: Clock | None) -> None:
        self._config, self._raw, self._clock = config, raw, clock
        self._locate: Locate = locator(raw)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.changes: list[Change] = []
        self.frame: DataFrame | None = None
        self.parts: Parts | None = None

    def look(self, user_code: UserCode, accepted: AcceptedData | None) -> None:
        config, raw = self._config, self._raw
        failure: MlopsError | None = None
        try:
            self.frame = prepare(raw, config, user_code) if len(raw) else raw
        except MlopsError as error:
            failure = error
        problems, warnings = schema_findings(
            raw, config.data.source, config.data.schema, self._locate, prepared=self.frame
        )
        self.problems += problems
        self.warnings += warnings
        if failure is not None:
            # Bad data are a likely reason for a function to fail, so they are not hidden behind its failure.
            if not problems:
                raise failure
            self.problems += _told(failure, "prepare")
        if self.frame is not None:
            self._look_at_rows(self.frame)
            self._look_at_parts(self.frame, accepted)

    def _look_at_rows(self, frame: DataFrame) -> None:
        self.problems += TrainingNeeds(frame, self._config, self._locate).problems()
        if self._clock is not None:
            now = self._clock.now()
            self.problems += stale_columns(self._raw, self._config, now)
            self._add(future_rows(frame, self._config, now, self._locate))
        self._add(_duplicates(frame, self._config, self._locate))

    def _look_at_parts(self, frame: DataFrame, accepted: AcceptedData | None) -> None:
        """What only the canonical data and their parts show; they cannot be had where something is wrong with them."""
        config = self._config
        try:
            dataset = build_dataset(frame, config)
            self.parts = divide(dataset, config)
        except DataGateError as error:
            if not self.problems:
                self.problems += _told(error, "split")
            return
        except ConfigurationError:
            if not self.problems:
                raise
            return
        self._add(leaking_features(dataset, config))
        self.problems += _shared(self.parts, config, self._locate)
        if accepted is not None:
            problems, warnings, self.changes = changed_data(self.parts.training, accepted, config)
            self._add((problems, warnings))

    def _add(self, found: tuple[list[Problem], list[Problem]]) -> None:
        problems, warnings = found
        self.problems += problems
        self.warnings += warnings


def _told(error: MlopsError, name: str) -> tuple[Problem, ...]:
    """What an error says, as problems of that name."""
    found = error.problems or (Problem(where=error.where, what=error.what, fix=error.fix),)
    return tuple(problem if problem.name else replace(problem, name=name) for problem in found)


def _duplicates(frame: DataFrame, config: ModelConfig, locate: Locate) -> tuple[list[Problem], list[Problem]]:
    """Rows that equal one before but for the id: a problem beyond the schema's limit, else a warning."""
    columns = [name for name in frame.columns if name != config.data.id]
    try:
        doubled = frame[columns].duplicated().to_numpy()
    except TypeError:  # a list or another value that cannot be compared, which is a problem of its own
        return [], []
    count, schema = int(doubled.sum()), config.data.schema
    if not count:
        return [], []
    limit = schema.max_duplicates if schema is not None else None
    what = f"{count} of {len(frame)} rows ({count / len(frame):.2%}) are equal to a row before"
    what += f"{' but for the id' if config.data.id else ''}{such_as(doubled, locate)}"
    if schema is None or limit is None or count <= limit * len(frame):
        fix = "see that none was copied; `rows: {max_duplicates: share}` in the data schema sets a limit"
        return [], [
            Problem(where=config.data.source, what=what, fix=fix if limit is None else "", name="duplicate-rows")
        ]
    what += f"; at most {limit:.2%} may be"
    fix = f"remove copied rows, or raise rows.max_duplicates in {schema.path}"
    return [Problem(where=config.data.source, what=what, fix=fix, name="duplicate-rows")], []


def _shared(parts: Parts, config: ModelConfig, locate: Locate) -> Iterator[Problem]:
    """Rows of the holdout, or of a validation set, that the model has seen in training."""
    limit = config.data.schema.max_shared if config.data.schema is not None else None
    judging = {"the holdout": parts.holdout} | {
        f"validation set {name}": part for name, part in parts.validation.items()
    }
    for name, part in judging.items():
        shared = shared_rows(parts.training, part, limit=limit)
        if shared.leaked:
            rows = part.frame.index.to_numpy()[shared.chosen]
            yield Problem(
                where=config.data.source,
                what=f"{name} shares rows with the training data: {shared.text}{such_as(rows, locate)}",
                fix="remove copied rows, or keep together what belongs together: `split: {strategy: group}` or time",
                name="shared-rows",
            )
    if config.split.strategy == "time" and (count := rows_after(parts.training, parts.holdout)):
        what = f"{count} training rows are not before the holdout, which is meant to be later"
        yield Problem(where=config.data.source, what=what, fix="split by time alone", name="future-rows")
