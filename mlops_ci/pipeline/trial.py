"""One fit of a search, scored on the rows that its fold keeps back. Any process may run it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlops_ci.config.search_types import SearchConfig
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.folds import Fold, thinned
from mlops_ci.core.metrics import compute, why_undefined
from mlops_ci.core.search_space import Params
from mlops_ci.core.signature import Signature
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.estimator import build_estimator, fit_estimator, fitted_classes, native_predictions
from mlops_ci.ports import UserCode


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fit: these parameters, on that share of the fold's rows."""

    candidate: int
    params: Params
    fold: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """The metric on the rows that the fold keeps back; NaN where there is none, and `reason` says why."""

    value: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trials have in common, and every process that fits is given once."""

    config: ModelConfig
    search: SearchConfig
    rows: Dataset = field(repr=False)
    folds: Sequence[Fold] = field(repr=False)
    user_code: UserCode = field(repr=False)


def score_trial(folder: Path, setting: Setting, trial: Trial) -> Score:
    """Fits one candidate on one fold, in whatever process an engine calls this, with the team's code in `folder`."""
    config = with_params(replace(setting.config, root=folder), trial.params)
    fit_on, validate_on = setting.folds[trial.fold]
    strata = setting.rows.target[fit_on] if setting.rows.classes else None
    rows = setting.rows.take(thinned(fit_on, trial.share, config.train.seed, strata))
    held = setting.rows.take(validate_on)
    code, silent = setting.user_code, Silent()
    try:
        with code.session(folder), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the last fit, on all rows, says its own
            estimator = fit_estimator(build_estimator(config, code, silent), rows, config, code, silent)
            signature = Signature(task=config.task, inputs=rows.inputs, classes=fitted_classes(estimator, config.task))
            answers = native_predictions(estimator, held, signature, config, code)
    except MlopsError as error:
        return Score(value=np.nan, reason=f"{error.where}: {error.what}" if error.where else error.what)
    value = compute(setting.search.metric, held.target, answers, signature)
    if np.isfinite(value):
        return Score(value=value)
    why = why_undefined(setting.search.metric, held.target, answers, signature)
    return Score(value=np.nan, reason=f"{setting.search.metric} is no finite number: {why}")


class Silent:
    """A console for fits of which there are too many to speak of each."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def working(self, what: str) -> AbstractContextManager[None]:  # noqa: ARG002 - says nothing
        return nullcontext()


def with_params(config: ModelConfig, params: Mapping[str, Any]) -> ModelConfig:
    """The configuration with these parameters put over those of `train.params`."""
    return replace(config, train=replace(config.train, params={**config.train.params, **params}))
