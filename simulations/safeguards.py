"""Why a bootstrap bound is the more cautious of three: how often each alone calls an equal model better."""

from __future__ import annotations

import numpy as np

from mlops_ci.core import bca
from mlops_ci.core.bounds import BootstrapBounds
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.student import upper_quantile, with_skewness
from simulations.promises import ALPHAS, RESAMPLES
from simulations.worlds import WORLDS

ALONE = ("percentile", "BCa", "Student", "Student, skewness corrected", "all three")
CHOSEN = tuple(
    place
    for place, world in enumerate(WORLDS)
    if world.name
    in {
        "rmse, 200 rows, heavy tails",
        "mae, 10 groups of 20",
        "mae, 300 rows, challenger far off in 3 %",
        "mae, 300 rows, champion far off in 3 %",
        "mae, 2,000 rows, challenger far off in 3 %",
        "log_loss, 100 rows",
        "average_precision, 300 rows, about 30 positive",
    }
)


def shares(place: int) -> dict[str, tuple[float, ...]]:
    """For each bound alone, the share of holdouts in which it lies above zero, at each of ALPHAS."""
    world = WORLDS[place]
    above: list[list[list[bool]]] = []
    for trial in range(world.holdouts):
        holdout = world.holdout([place, trial, 0])
        found = paired_difference(
            world.metric, holdout.truth, holdout.champion, holdout.challenger, world.signature,
            units=holdout.units, resamples=RESAMPLES, seed=trial,
        )  # fmt: skip
        if isinstance(found.bounds, BootstrapBounds):
            above.append([[bound > 0 for bound in _bounds(found.bounds, alpha)] for alpha in ALPHAS])
    means = np.mean(above, axis=0)
    return {name: tuple(means[:, column].tolist()) for column, name in enumerate(ALONE)}


def _bounds(bounds: BootstrapBounds, alpha: float) -> list[float]:
    student, samples = bounds.student, bounds.samples
    quantile = upper_quantile(alpha, student.degrees)
    level = bca.level(alpha, bca.bias_of(samples, student.estimate), bounds.acceleration)
    return [
        float(np.quantile(samples, alpha, method="lower")),
        float(np.quantile(samples, level, method="lower")),
        student.estimate - quantile * student.standard_error,
        student.estimate - with_skewness(quantile, student.skewness) * student.standard_error,
        bounds.lower(alpha),
    ]
