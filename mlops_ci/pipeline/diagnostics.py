"""What helps to understand a trained model, and decides nothing: how it learned, and what its answers rest on.

Found once, when the model is trained, and kept with the candidate. What cannot be found is left out with a note: a
diagnosis never keeps a model from being judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig
from mlops_ci.core import baseline
from mlops_ci.core.fit_reading import Skill, measure_skill, read_fit
from mlops_ci.core.importance import permutation_importance, rows_for
from mlops_ci.core.metrics import oriented
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate
from mlops_ci.core.splitting import split
from mlops_ci.core.units import independent_units
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.fitting import Fitted
from mlops_ci.pipeline.learning_curve import learning_curve, some
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Conformal, Console, Explainer, LoadedModel, ModelRuntime, UserCode

SEED = 20130101
"""Of what is shuffled and sampled. Fixed, so that the same model is never seen twice in different lights."""
Answered = tuple[Dataset, Predictions]


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """The model that was trained: its rows, the native model's answers for the holdout, and the graph that ships."""

    fitted: Fitted
    rows: Dataset
    holdout: Dataset
    graph: LoadedModel | None
    notes: list[str] = field(default_factory=list)

    @property
    def config(self) -> ModelConfig:
        return self.fitted.config

    @property
    def metric(self) -> str:
        return self.config.gate.primary.metric


def diagnose(
    fitted: Fitted,
    *,
    rows: Dataset,
    holdout: Dataset,
    sample: Answered,
    user_code: UserCode,
    runtime: ModelRuntime,
    console: Console,
    explainer: Explainer | None = None,
    conformal: Conformal | None = None,
) -> dict[str, Any]:
    """The diagnostics as JSON; a part is null where it was not asked for, or where `notes` says why there is none.

    `sample` are some of the training rows with the native model's answers. The metric is the gate's primary one.
    To be called inside the session of the team's code.
    """
    with console.working(f"looking into {fitted.config.model}"):
        graph = None if fitted.graph is None else runtime.load(fitted.graph, fitted.signature)
        subject = _Subject(fitted=fitted, rows=rows, holdout=holdout, graph=graph)
        skills = {name: _skill(subject, each) for name, each in (("train", sample), ("holdout", _answers(subject)))}
        parts: dict[str, Callable[[], dict[str, Any] | None]] = {
            "learning_curve": lambda: _learning_curve(subject, skills, user_code),
            "gap": lambda: _gap(subject.metric, **skills),
            "importance": lambda: _importance(subject),
            "shap": lambda: _shap(subject, explainer),
            "intervals": lambda: _intervals(subject, conformal),
        }
        found = {name: part() for name, part in parts.items()}
    for note in subject.notes:
        console.say(note)
    return {**found, "notes": subject.notes}


def read_diagnostics(candidate: Candidate, registry: Registry) -> dict[str, Any]:
    """What was kept with the candidate, and what its search found, as `evaluate --json` and the reports show it."""
    found: dict[str, Any] = {} if candidate.diagnostics is None else registry.get_json(candidate.diagnostics)
    return {**found, "search": None if candidate.search is None else registry.get_json(candidate.search)}


def _answers(subject: _Subject) -> Answered:
    return subject.holdout, subject.fitted.answers


def _skill(subject: _Subject, answered: Answered) -> Skill:
    """The model against the dummy model on these rows; rows that belong together count as one."""
    (rows, answers), signature = answered, subject.fitted.signature
    dummy = baseline.predict(baseline.fit(subject.rows.target, signature), signature, len(rows))
    times = rows.times if subject.config.split.strategy == "time" else None
    units = independent_units(groups=rows.groups, times=times)
    return measure_skill(subject.metric, rows.target, answers, dummy, signature, units=units)


def _learning_curve(subject: _Subject, skills: Mapping[str, Skill], user_code: UserCode) -> dict[str, Any] | None:
    """The small fits on validation rows, and as the last point the model itself, whose unseen rows are the holdout."""
    config, fitted = subject.config, subject.fitted
    if not config.train.diagnostics.learning_curve:
        return None
    small, notes = learning_curve(fitted.estimator, subject.rows, config, fitted.signature, user_code=user_code)
    subject.notes.extend(notes)
    points: list[dict[str, Any]] = [{**asdict(point), "on": "validation"} for point in small]
    train, holdout = skills["train"].value, skills["holdout"].value
    if np.isfinite([train, holdout]).all():
        points.append({"rows": len(subject.rows), "train": train, "validation": holdout, "on": "holdout"})
    return {"metric": subject.metric, "points": points} if small else None


def _gap(metric: str, train: Skill, holdout: Skill) -> dict[str, Any] | None:
    if not np.isfinite([train.value, holdout.value]).all():
        return None
    reading = read_fit(metric, train=train, holdout=holdout)
    # oriented, so that a gap above zero is what is lost on new rows
    lost = oriented(metric, train.value) - oriented(metric, holdout.value)
    return {"metric": metric, "train": train.value, "holdout": holdout.value, "gap": lost, **asdict(reading)}


def _importance(subject: _Subject) -> dict[str, Any] | None:
    if subject.graph is None:
        subject.notes.append("there is no ONNX graph to shuffle columns for")
        return None
    rows = subject.holdout.take(some(np.arange(len(subject.holdout)), rows_for(len(subject.holdout.inputs))))
    try:
        found = permutation_importance(
            subject.metric, subject.graph.predict, rows.columns, rows.target, subject.fitted.signature, seed=SEED
        )
    except ValueError:  # in its words the runtime may quote a value
        subject.notes.append("there is no importance of columns: the graph cannot answer rows with shuffled columns")
        return None
    features = [asdict(importance) for importance in found]
    return {"metric": subject.metric, "rows": len(rows), "features": features} if features else None


def _shap(subject: _Subject, explainer: Explainer | None) -> dict[str, Any] | None:
    if explainer is None or not subject.config.train.diagnostics.shap or subject.graph is None:
        return None
    rows = subject.holdout.take(some(np.arange(len(subject.holdout))))
    try:
        sizes, explained = explainer.mean_absolute(
            subject.graph.predict, rows.columns, subject.fitted.signature, seed=SEED
        )
    except ValueError:
        subject.notes.append(
            "there are no SHAP values: the model could not be asked about rows that are mixed of others"
        )
        return None
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return {"rows": explained, "features": [{"name": name, "mean_abs": size} for name, size in ordered]}


def _intervals(subject: _Subject, conformal: Conformal | None) -> dict[str, Any] | None:
    """How wide answers must be to hold the truth: learned on one half of the holdout, measured on the other.

    Not learned on training rows, which the model has seen: on them its errors are too small.
    """
    level = subject.config.train.diagnostics.prediction_intervals
    if conformal is None or level is None or subject.graph is None:
        return None
    holdout, signature = subject.holdout, subject.fitted.signature
    try:
        halves = _halves(holdout, subject.config)
        answers = subject.graph.predict(holdout.columns)
        calibration, test = ((holdout.target[half], answers.take(half)) for half in halves)
        found = conformal.coverage(calibration, test, signature, level=level)
    except ValueError as error:
        subject.notes.append(f"there are no prediction intervals: {error}")
        return None
    return {
        "kind": "interval" if signature.task == "regression" else "set",
        "method": found.method,
        "level": found.level,
        "rows": found.rows,
        "coverage": found.coverage,
        "mean_width": found.width,
    }


def _halves(rows: Dataset, config: ModelConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The earlier and the later half of a split by time; else whole groups, or any rows. Raises ValueError."""
    strategy = config.split.strategy if config.split.strategy in ("group", "time") else "random"
    return split(strategy, len(rows), holdout=0.5, seed=config.split.seed, groups=rows.groups, times=rows.times)
