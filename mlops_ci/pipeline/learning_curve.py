"""What more rows are worth: the primary metric of the same estimator when it is fitted on fewer of them.

The estimator is fitted anew on a few small parts of the training rows, and asked about another part of them that none
of those fits has seen. The holdout has no part in that; it only gives the last point, which is the trained model.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.metrics import compute
from mlops_ci.core.signature import Signature
from mlops_ci.core.splitting import split
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.estimator import fitted_classes, native_predictions
from mlops_ci.pipeline.privacy import discreet
from mlops_ci.ports import UserCode

VALIDATION = 0.2
"""The share of the training rows that validates."""
SCORED = 5_000
"""Rows that are asked about at the most: a curve does not get smoother to the eye with more."""
SMALL_SHARE = 20
FEW_ROWS = 2_000
"""The largest fit takes a twentieth of the training rows, or this many where that is more. Each is half as large as
the one before, so that all of them together read no more than a tenth of the rows, or 4,000."""
FITS = 5
LEAST_ROWS = 30
TOO_MANY = 1.5
"""Whole groups may not allow so small a part: one that is larger than was wanted by more than this is left out."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The metric on (some of) the `rows` rows of a fit, and on rows that it has not seen."""

    rows: int
    train: float
    validation: float


def learning_curve(
    estimator: Any, rows: Dataset, config: ModelConfig, signature: Signature, *, user_code: UserCode
) -> tuple[list[CurvePoint], list[str]]:
    """The points of the small fits, the smallest first, and notes on those that could not be made.

    `estimator` is copied, not touched. To be called inside the session of the team's code.
    """
    metric, points = config.gate.primary.metric, list[CurvePoint]()
    notes: list[str] = []
    try:
        pool, validation = _part(rows, np.arange(len(rows)), VALIDATION, config)
    except ValueError as error:
        return [], [f"no rows can be set aside to validate the learning curve: {error}"]
    unseen = rows.take(some(validation))
    for chosen in _shrinking(rows, pool, config, notes):
        seen = rows.take(chosen)
        try:
            fitted = _fit(estimator, seen, config, user_code)
            if signature.classes != fitted_classes(fitted, config.task):
                notes.append(f"the fit on {len(seen)} rows was left out: not every class is among them")
                continue
            values = [
                compute(metric, each.target, native_predictions(fitted, each, signature, config, user_code), signature)
                for each in (seen.take(some(np.arange(len(seen)))), unseen)
            ]
        except MlopsError as error:
            # The reason in full may quote the data.
            notes.append(f"the fit on {len(seen)} rows was left out: {type(error.__cause__ or error).__name__}")
            continue
        if np.isfinite(values).all():
            points.append(CurvePoint(rows=len(seen), train=values[0], validation=values[1]))
        else:
            notes.append(f"the fit on {len(seen)} rows was left out: {metric} is undefined there")
    return points[::-1], notes


def _fit(estimator: Any, rows: Dataset, config: ModelConfig, user_code: UserCode) -> Any:
    """A copy of the estimator, fitted as `fit_estimator` does it, but for the warnings: so small a fit has its own."""
    from sklearn.base import clone

    with discreet(config), user_code.guarded(config.root, "fitting a copy of the estimator"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        random.seed(config.train.seed)
        np.random.seed(config.train.seed)
        return clone(estimator).fit(rows.features_frame(), rows.target)


def _shrinking(
    rows: Dataset, pool: NDArray[np.int64], config: ModelConfig, notes: list[str]
) -> Iterator[NDArray[np.int64]]:
    """Smaller and smaller parts of the pool, each cut from the one before."""
    wanted = min(len(pool), max(len(rows) // SMALL_SHARE, FEW_ROWS))
    for _ in range(FITS):
        if wanted < LEAST_ROWS:
            return
        try:
            part = pool if wanted >= len(pool) else _part(rows, pool, wanted / len(pool), config)[1]
        except ValueError as error:
            notes.append(f"no part of {wanted} rows can be taken: {error}")
            return
        if len(part) > TOO_MANY * wanted:
            notes.append(f"no part of {wanted} rows can be taken: what leaves groups whole has {len(part)}")
            return
        yield part
        pool, wanted = part, len(part) // 2


def _part(
    rows: Dataset, pool: NDArray[np.int64], share: float, config: ModelConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pool without a part of it, and the part, cut in the way in which the holdout was: the latest rows of a split
    by time, whole groups, or else all classes in proportion. Raises ValueError where that cannot be.
    """
    strategy = config.split.strategy
    if strategy in ("random", "stratified"):
        strategy = "random" if config.task == "regression" else "stratified"
    rest, part = split(
        strategy,
        len(pool),
        holdout=share,
        seed=config.split.seed,
        target=rows.target[pool],
        groups=None if rows.groups is None else rows.groups[pool],
        times=None if rows.times is None else rows.times[pool],
    )
    return pool[rest], pool[part]


def some(rows: NDArray[np.int64], wanted: int = SCORED) -> NDArray[np.int64]:
    """At most so many of the rows, evenly spread."""
    return rows if len(rows) <= wanted else rows[np.linspace(0, len(rows) - 1, wanted).astype(np.int64)]
