"""What the gate says of many holdouts of one world, against what is true there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.metrics import compute, oriented
from mlops_ci.core.predictions import FloatArray
from simulations.worlds import WORLDS, World

ALPHAS = (0.05, 0.01, 0.0025)
TAIL = 0.025
RESAMPLES = 2000
TRUTH_ROWS = 400_000
GRID = 6


@dataclass(frozen=True, kw_only=True)
class Said:
    """Of one holdout: at which ALPHAS the challenger is called better, the 95 % interval, and the detectable effect."""

    method: str
    better: tuple[bool, ...]
    low: float
    high: float
    detectable: float


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Shares of holdouts in which it was kept, or of which it was broken, for one world."""

    world: str
    method: str
    holdouts: int
    undecidable: int
    called_better: tuple[float, ...]
    covered_without_effect: float
    covered_with_effect: float
    effect: float
    power: float


def say(world: int, trial: int, effect: float) -> Said | None:
    """None where the gate says that it cannot say anything."""
    where = WORLDS[world]
    holdout = where.holdout([world, trial, int(effect > 0)], effect)
    found = paired_difference(
        where.metric, holdout.truth, holdout.champion, holdout.challenger, where.signature,
        units=holdout.units, resamples=RESAMPLES, seed=trial,
    )  # fmt: skip
    if found.bounds is None:
        return None
    return Said(
        method=found.method,
        better=tuple(found.lower(alpha) > 0 for alpha in ALPHAS),
        low=found.lower(TAIL),
        high=found.upper(TAIL),
        detectable=found.detectable(ALPHAS[0]),
    )


def true_difference(world: World, effect: float) -> float:
    """From so many rows that the error hardly matters; by the same chance without the effect, where it is nothing."""

    def difference(effect: float) -> float:
        holdout = world.draw(np.random.default_rng([7, 7]), TRUTH_ROWS, effect)
        old, new = (
            oriented(world.metric, compute(world.metric, holdout.truth, one, world.signature))
            for one in (holdout.champion, holdout.challenger)
        )
        return new - old

    return difference(effect) - difference(0.0)


def effect_that_makes(world: World, difference: float) -> float:
    """By interpolation on a grid of effects."""
    effects, differences = _grid(world)
    return float(np.interp(difference, differences, effects))


@cache
def _grid(world: World) -> tuple[FloatArray, FloatArray]:
    effects = world.strongest * np.linspace(0, 1, GRID) ** 1.5
    return effects, np.array([0.0, *(true_difference(world, effect) for effect in effects[1:])])


def keep(world: int, holdouts: int) -> Promise:
    """Type I error and coverage without an effect; power and coverage with the effect that is said to be detectable."""
    where = WORLDS[world]
    without = [one for trial in range(holdouts) if (one := say(world, trial, 0.0))]
    effect = effect_that_makes(where, float(np.median([one.detectable for one in without])))
    difference = float(np.interp(effect, *_grid(where)))
    with_effect = [one for trial in range(holdouts) if (one := say(world, trial, effect))]
    return Promise(
        world=where.name,
        method=without[0].method,
        holdouts=holdouts,
        undecidable=holdouts - len(without),
        called_better=tuple(np.mean([one.better for one in without], axis=0).tolist()),
        covered_without_effect=float(np.mean([one.low <= 0 <= one.high for one in without])),
        covered_with_effect=float(np.mean([one.low <= difference <= one.high for one in with_effect])),
        effect=difference,
        power=float(np.mean([one.better[0] for one in with_effect])),
    )
