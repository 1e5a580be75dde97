"""Has a model learned too much or too little? Read from one metric on training rows and on the holdout.

Both are compared with the dummy model on the same rows: the share of a class may differ between training rows and
holdout, and then a metric does too, whatever the model has learned. The spread of the gain comes from the
delete-a-group jackknife (Kott 2001): it draws nothing at random, and keeps rows together that are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite, nan, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.metrics import METRICS, compute, oriented, statistic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

Reading = Literal["overfitting", "underfitting", ""]
GROUPS = 20
"""Into which the rows are divided for the jackknife."""
MIN_UNITS = 10
"""Fewer independent units of rows do not show how they vary."""
SURE = 2.5
"""Standard errors that luck exceeds about once in a hundred times, in one direction, with 20 groups."""
MATERIAL = 0.2
"""Nearly every model does better on rows that it has seen; a fifth of its gain is more than that."""
HARDLY = 0.02
"""Of what a perfect model would gain over the dummy model."""


@dataclass(frozen=True, kw_only=True)
class Skill:
    """One metric of a model and of the dummy model on the same rows; `standard_error` is that of the difference."""

    value: float
    dummy: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class FitReading:
    reading: Reading
    text: str


def measure_skill(
    metric: str,
    truth: NDArray[Any],
    answers: Predictions,
    dummy: Predictions,
    signature: Signature,
    *,
    units: NDArray[np.int64] | None = None,
) -> Skill:
    """The model against the dummy model on some rows; `units` [rows] numbers the independent unit of each row.

    The standard error is NaN where there are too few units, or where the metric is undefined without some of them.
    """
    codes = np.arange(len(truth)) if units is None else units
    groups = np.unique(codes % GROUPS, return_inverse=True)[1]
    model, other = (statistic(metric, truth, each, signature).over(groups) for each in (answers, dummy))
    count = int(groups.max(initial=-1)) + 1
    without_one = 1.0 - np.eye(count)
    with np.errstate(over="ignore", invalid="ignore"):
        gains = model(without_one) - other(without_one)
        squares = float(np.mean((gains - gains.mean()) ** 2))
    spread = sqrt((count - 1) * squares) if len(np.unique(codes)) >= MIN_UNITS else nan
    value, baseline = (compute(metric, truth, each, signature) for each in (answers, dummy))
    return Skill(value=value, dummy=baseline, standard_error=spread)


def read_fit(metric: str, *, train: Skill, holdout: Skill) -> FitReading:
    """What the metric on training rows and on the holdout says together, in words and numbers.

    Underfitting: on neither it is sure that the model gains more than HARDLY over the dummy model. Overfitting: it is
    sure that more than MATERIAL of the gain on training rows is lost on the holdout. The empty reading is neither.
    """
    both = f"{metric} is {train.value:.4g} on rows that the model learned from and {holdout.value:.4g} on the holdout"
    if not all(isfinite(each) for skill in (train, holdout) for each in vars(skill).values()):
        return FitReading(reading="", text=f"{both}: too few rows, groups or classes to say what that means.")
    gain, kept = _gain(metric, train), _gain(metric, holdout)
    spread = hypot(train.standard_error, holdout.standard_error)
    if _hardly_better(metric, train) and _hardly_better(metric, holdout):
        text = (
            f"{both}, hardly better than the {train.dummy:.4g} and {holdout.dummy:.4g} of the dummy model. "
            "The features say little of the target, or the model is too simple, or too restrained, to make use of them."
        )
        return FitReading(reading="underfitting", text=text)
    lost = f"{gain - kept:.3g} (give or take {2 * spread:.2g})"
    if gain - kept - SURE * spread > MATERIAL * gain:
        text = (
            f"{both}: of the {gain:.3g} that it gains there over the dummy model, {lost} is lost on rows "
            "that are new to it. A simpler or more restrained model may do better, and so may more rows; where the "
            "holdout is of another time or group, part of the loss may be that the world has changed."
        )
        return FitReading(reading="overfitting", text=text)
    if gain <= kept:
        return FitReading(reading="", text=f"{both}: nothing of its gain over the dummy model is lost on new rows.")
    whole = f"of its gain of {gain:.3g} over the dummy model, {lost} is lost on rows that are new to it"
    return FitReading(reading="", text=f"{both}: {whole}, no more than is usual or than chance may explain.")


def _gain(metric: str, skill: Skill) -> float:
    return oriented(metric, skill.value) - oriented(metric, skill.dummy)


def _hardly_better(metric: str, skill: Skill) -> bool:
    best = METRICS[metric].upper if METRICS[metric].greater_is_better else METRICS[metric].lower
    room = oriented(metric, best) - oriented(metric, skill.dummy)
    return _gain(metric, skill) - SURE * skill.standard_error <= HARDLY * room
