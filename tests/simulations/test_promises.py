"""A few seconds of `nox -s simulations`: bounds that a real defect breaks, and that chance does not.

Seeds are fixed, and each bound is what a kept promise exceeds once in ten thousand times.
"""

from __future__ import annotations

import pytest
from scipy import stats

from simulations.looks import share_of_luck
from simulations.promises import say, true_difference
from simulations.slices import blocks
from simulations.worlds import WORLDS

PLACES = {world.name: place for place, world in enumerate(WORLDS)}
ALPHA = 0.05
ONCE = 1e-4


def most(holdouts: int, share: float) -> float:
    """The largest number of successes that is not yet suspicious."""
    return float(stats.binom.isf(ONCE, holdouts, share))


@pytest.mark.parametrize(
    ("name", "holdouts"),
    [
        ("roc_auc, 60 rows", 400),
        ("roc_auc, 20 groups of 20", 400),
        ("accuracy, 2,000 rows, 1 % of them told apart", 200),
        ("accuracy, 16 groups of 25", 300),
        ("f1, 500 rows, about 100 positive", 200),
        ("log_loss, 100 rows", 200),
        ("rmse, 200 rows, heavy tails", 200),
        ("mae, 10 groups of 20", 300),
        ("mae, 2,000 rows in time", 200),
    ],
)
def test_equal_models_are_seldom_called_better_and_intervals_hold_the_truth(name: str, holdouts: int) -> None:
    said = [one for trial in range(holdouts) if (one := say(PLACES[name], trial, 0.0))]
    assert sum(one.better[0] for one in said) <= most(len(said), ALPHA)
    assert sum(not one.low <= 0 <= one.high for one in said) <= most(len(said), ALPHA)


def test_far_errors_that_are_seldom_seen_hardly_mislead() -> None:
    """Student's bound alone calls the challenger better in 18 % of these holdouts, the percentile in 16 %."""
    said = [one for trial in range(200) if (one := say(PLACES["mae, 300 rows, challenger far off in 3 %"], trial, 0.0))]
    assert sum(one.better[0] for one in said) <= most(200, 0.07)


@pytest.mark.parametrize(
    ("name", "effect"),
    [("roc_auc, 1,000 rows", 0.3), ("accuracy, 200 rows", 0.1), ("mae, 10 groups of 20", 0.4)],
)
def test_the_detectable_effect_is_detected_about_four_times_in_five(name: str, effect: float) -> None:
    """Fewer where the true difference is less than what is said to be detectable, and more where it is more."""
    world = WORLDS[PLACES[name]]
    difference = true_difference(world, effect)
    said = [one for trial in range(200) if (one := say(PLACES[name], trial, effect))]
    detectable = sorted(one.detectable for one in said)[len(said) // 2]
    # power where the true difference is that many standard errors from what is detectable
    expected = stats.norm.cdf(stats.norm.ppf(0.8) + (difference / detectable - 1) * 2.49)
    found = sum(one.better[0] for one in said)
    assert found == pytest.approx(expected * len(said), abs=4 * (len(said) * 0.25) ** 0.5)
    assert sum(not one.low <= difference <= one.high for one in said) <= most(len(said), ALPHA)


@pytest.mark.parametrize("way", ["even", "front"])
def test_one_of_many_looks_seldom_ships_by_luck(way: str) -> None:
    for tactic in ("know nothing of each other", "know that no earlier one shipped, and vary the last"):
        assert share_of_luck(tactic, way, 20, 400) * 400 <= most(400, ALPHA)
        assert share_of_luck(tactic, "none", 20, 400) * 400 > 2 * most(400, ALPHA)


def test_who_learns_from_the_reports_wins_and_front_spending_leaves_little_to_win() -> None:
    shares = {
        way: share_of_luck("vote by the differences in the reports", way, 20, 400) for way in ("none", "even", "front")
    }
    assert shares["none"] > 0.5
    assert shares["even"] > 2 * ALPHA
    assert shares["front"] < shares["even"] / 2


def test_of_many_slices_none_blocks_by_luck_and_a_worse_one_does() -> None:
    equal = blocks("accuracy", 12, 0.0, 60)
    assert equal.corrected * 60 <= most(60, ALPHA)
    assert equal.uncorrected * 60 > most(60, ALPHA)
    assert blocks("accuracy", 12, 0.2, 20).corrected > 0.8
