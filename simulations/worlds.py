"""Where holdouts come from: each world draws truth and two models' answers, of equal quality unless it is told.

An `effect` makes the challenger better and the champion worse; at 0 the true difference is exactly zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import FloatArray, Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.units import IntArray, independent_units

BINARY = Signature(task="binary-classification", inputs=(), classes=(0, 1))
MULTICLASS = Signature(task="multiclass-classification", inputs=(), classes=(0, 1, 2))
REGRESSION = Signature(task="regression", inputs=())
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class Holdout:
    truth: NDArray[Any]
    champion: Predictions
    challenger: Predictions
    units: IntArray | None = None


Draw = Callable[[Rng, int, float], Holdout]
"""From a source of chance, how many rows, and the effect."""


@dataclass(frozen=True, kw_only=True)
class World:
    name: str
    metric: str
    signature: Signature
    rows: int
    draw: Draw
    strongest: float
    """An effect that these rows surely show."""
    holdouts: int
    """How many are simulated, so that no world takes longer than a few minutes."""

    def holdout(self, seed: list[int], effect: float = 0.0) -> Holdout:
        return self.draw(np.random.default_rng(seed), self.rows, effect)


def scores(
    rng: Rng, rows: int, effect: float, *, positive: float = 0.5, signal: float = 0.5, same: float = 0.0
) -> Holdout:
    """Two calibrated-looking binary models; in a share `same` of the rows they answer alike."""
    truth = (rng.random(rows) < positive).astype(np.int64)
    shared, own = 0.7 * rng.normal(size=rows), 0.7 * rng.normal(size=(2, rows))
    own[1] = np.where(rng.random(rows) < same, own[0], own[1])
    lean = np.log(positive / (1 - positive))
    answers = [
        _binary(strength * (2 * truth - 1) + shared + error + lean)
        for strength, error in zip(_about(signal, effect), own, strict=True)
    ]
    return Holdout(truth=truth, champion=answers[0], challenger=answers[1])


def grouped_scores(rng: Rng, rows: int, effect: float, *, size: int) -> Holdout:
    """Each group of `size` rows has errors of its own in either model, and a share of positive rows of its own."""
    units = np.arange(rows) // size
    groups = units.max() + 1
    truth = (rng.random(rows) < rng.uniform(0.2, 0.8, groups)[units]).astype(np.int64)
    answers = [
        _binary(s * (2 * truth - 1) + 0.6 * rng.normal(size=groups)[units] + 0.7 * rng.normal(size=rows))
        for s in _about(0.5, effect)
    ]
    return Holdout(truth=truth, champion=answers[0], challenger=answers[1], units=units)


def timed_scores(rng: Rng, rows: int, effect: float, *, memory: float) -> Holdout:
    """Errors that fade with time: neighbours resemble each other."""
    truth = (rng.random(rows) < 0.4).astype(np.int64)
    answers = [_binary(s * (2 * truth - 1) + _fading(rng, rows, memory)) for s in _about(0.5, effect)]
    return Holdout(
        truth=truth, champion=answers[0], challenger=answers[1], units=independent_units(times=np.arange(rows))
    )


def labels(rng: Rng, rows: int, effect: float, *, right: float, differ: float, positive: float = 0.5) -> Holdout:
    """Two classifiers that are right in a share of the rows, and of which only one is in a share `differ`."""
    truth = (rng.random(rows) < positive).astype(np.int64)
    kind = rng.random(rows)
    better, worse = (differ + effect) / 2, (differ - effect) / 2
    both = kind < right - differ / 2
    only_new = kind >= 1 - better
    only_old = (kind >= 1 - better - worse) & ~only_new
    answers = [_labelled(np.where(both | only, truth, 1 - truth)) for only in (only_old, only_new)]
    return Holdout(truth=truth, champion=answers[0], challenger=answers[1])


def grouped_labels(rng: Rng, rows: int, effect: float, *, size: int) -> Holdout:
    units = np.arange(rows) // size
    truth = (rng.random(rows) < 0.5).astype(np.int64)
    groups = units.max() + 1
    answers = []
    for mean in _about(0.7, effect):
        right = np.clip(mean + 0.15 * rng.normal(size=groups), 0, 1)[units]
        answers.append(_labelled(np.where(rng.random(rows) < right, truth, 1 - truth)))
    return Holdout(truth=truth, champion=answers[0], challenger=answers[1], units=units)


def three_classes(rng: Rng, rows: int, effect: float) -> Holdout:
    truth = rng.choice(3, rows, p=(0.6, 0.3, 0.1))
    answers = []
    for s in _about(1.0, effect):
        logits = s * np.eye(3)[truth] + rng.normal(size=(rows, 3))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        answers.append(Predictions(labels=shares.argmax(axis=1), probabilities=shares))
    return Holdout(truth=truth, champion=answers[0], challenger=answers[1])


def values(rng: Rng, rows: int, effect: float, *, degrees: float = np.inf) -> Holdout:
    """Errors of Student's distribution: the fewer degrees, the heavier their tails."""
    truth = 2 * rng.normal(size=rows)
    errors = [rng.normal(size=rows) if np.isinf(degrees) else rng.standard_t(degrees, size=rows) for _ in range(2)]
    return _apart(truth, errors, effect)


def grouped_values(rng: Rng, rows: int, effect: float, *, size: int) -> Holdout:
    units = np.arange(rows) // size
    truth, groups = 2 * rng.normal(size=rows), units.max() + 1
    errors = [rng.normal(size=rows) + 0.7 * rng.normal(size=groups)[units] for _ in range(2)]
    return _apart(truth, errors, effect, units)


def timed_values(rng: Rng, rows: int, effect: float, *, memory: float) -> Holdout:
    truth = 2 * rng.normal(size=rows)
    errors = [_fading(rng, rows, memory) for _ in range(2)]
    return _apart(truth, errors, effect, independent_units(times=np.arange(rows)))


def _apart(truth: FloatArray, errors: Sequence[FloatArray], effect: float, units: IntArray | None = None) -> Holdout:
    better, worse = _about(1.0, effect)
    old, new = errors[0] * worse, errors[1] * better
    return Holdout(truth=truth, champion=_valued(truth + old), challenger=_valued(truth + new), units=units)


def rare_far_errors(rng: Rng, rows: int, effect: float, *, share: float, better: bool) -> Holdout:
    """One model is a little better in most rows and far off in a few, and on average as good as the other."""
    truth = np.zeros(rows)
    far = np.where(rng.random(rows) < share, 4 * rng.exponential(size=rows), 0.0)
    rare, steady = 3 + 0.1 * rng.normal(size=rows) + far, 3 + 0.1 * rng.normal(size=rows) + 4 * share
    old, new = (rare, steady) if better else (steady, rare)
    return Holdout(truth=truth, champion=_valued(old), challenger=_valued(new - effect))


def _about(middle: float, effect: float) -> tuple[float, float]:
    """The less and the more: one model loses as much as the other gains, so that the spread stays what it is."""
    return middle * (1 - effect / 2), middle * (1 + effect / 2)


def _fading(rng: Rng, rows: int, memory: float) -> FloatArray:
    """An autoregressive series of variance one."""
    from scipy.signal import lfilter

    steps = rng.normal(size=rows + 200) * np.sqrt(1 - memory**2)
    series: FloatArray = lfilter([1.0], [1.0, -memory], steps)[200:]
    return series


def _binary(logits: FloatArray) -> Predictions:
    share = 1 / (1 + np.exp(-logits))
    return Predictions(labels=(share >= 0.5).astype(np.int64), probabilities=np.column_stack([1 - share, share]))


def _labelled(labels: NDArray[np.int64]) -> Predictions:
    return Predictions(labels=labels, probabilities=np.column_stack([1.0 - labels, 1.0 * labels]))


def _valued(values: FloatArray) -> Predictions:
    return Predictions(values=values)


def _world(
    name: str,
    metric: str,
    signature: Signature,
    rows: int,
    draw: Any,
    strongest: float,
    /,
    *,
    holdouts: int = 4000,
    **settings: Any,
) -> World:
    return World(
        name=f"{metric}, {name}",
        metric=metric,
        signature=signature,
        rows=rows,
        draw=partial(draw, **settings),
        strongest=strongest,
        holdouts=holdouts,
    )


WORLDS = (
    _world("1,000 rows", "roc_auc", BINARY, 1000, scores, 1.0),
    _world("300 rows, about 15 positive", "roc_auc", BINARY, 300, scores, 2.0, positive=0.05),
    _world("60 rows", "roc_auc", BINARY, 60, scores, 2.0),
    _world("1,000 rows, AUC 0.99", "roc_auc", BINARY, 1000, scores, 1.0, signal=1.7, positive=0.1),
    _world("20 groups of 20", "roc_auc", BINARY, 400, grouped_scores, 1.5, size=20),
    _world("2,000 rows in time", "roc_auc", BINARY, 2000, timed_scores, 1.0, memory=0.9),
    _world("200 rows", "accuracy", BINARY, 200, labels, 0.29, right=0.8, differ=0.3),
    _world("2,000 rows, 1 % of them told apart", "accuracy", BINARY, 2000, labels, 0.0099, right=0.9, differ=0.01),
    _world("16 groups of 25", "accuracy", BINARY, 400, grouped_labels, 0.5, size=25),
    _world("300 rows, about 45 positive", "recall", BINARY, 300, labels, 0.39, right=0.7, differ=0.4, positive=0.15),
    _world("500 rows, about 100 positive", "f1", BINARY, 500, scores, 1.5, positive=0.2),
    _world("300 rows, 3 classes", "macro_f1", MULTICLASS, 300, three_classes, 1.0),
    _world("300 rows, about 30 positive", "average_precision", BINARY, 300, scores, 2.0, positive=0.1, holdouts=1500),
    _world("100 rows", "log_loss", BINARY, 100, scores, 1.5),
    _world("1,000 rows, 95 % answered alike", "log_loss", BINARY, 1000, scores, 0.5, same=0.95, holdouts=2000),
    _world("20,000 rows", "log_loss", BINARY, 20_000, scores, 0.2, holdouts=500),
    _world("200 rows, heavy tails", "rmse", REGRESSION, 200, values, 0.7, degrees=4),
    _world("200 rows", "r2", REGRESSION, 200, values, 0.6),
    _world("150 rows", "median_absolute_error", REGRESSION, 150, values, 0.7, holdouts=2000),
    _world("10 groups of 20", "mae", REGRESSION, 200, grouped_values, 0.7, size=20),
    _world("2,000 rows in time", "mae", REGRESSION, 2000, timed_values, 0.5, memory=0.9),
    _world("300 rows, challenger far off in 3 %", "mae", REGRESSION, 300, rare_far_errors, 0.3, share=0.03,
           better=False),
    _world("300 rows, champion far off in 3 %", "mae", REGRESSION, 300, rare_far_errors, 0.3, share=0.03, better=True),
    _world("2,000 rows, challenger far off in 3 %", "mae", REGRESSION, 2000, rare_far_errors, 0.15, share=0.03,
           better=False, holdouts=1500),
)  # fmt: skip
