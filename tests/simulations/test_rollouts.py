"""A few seconds of `nox -s simulations -- rollouts`: what a real defect breaks and chance does not; seeds are fixed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from simulations.rollout_tables import LOOSE
from simulations.rollouts import BAD, GOOD, World, needed, shares

ONCE = 1e-4
ROLLOUTS = 15
WORLDS = {world.name: world for world in (*GOOD, *BAD)}


def most(rollouts: int, share: float) -> float:
    """The largest number of aborts that is not yet suspicious."""
    return float(stats.binom.isf(ONCE, rollouts, share))


@pytest.mark.parametrize("name", [world.name for world in GOOD if world.promised])
def test_good_releases_are_seldom_aborted_however_often_one_looks(name: str) -> None:
    assert shares(WORLDS[name], ROLLOUTS, false_aborts=LOOSE).ever * ROLLOUTS <= most(ROLLOUTS, LOOSE)


@pytest.mark.parametrize("name", ["5 % fail", "20 % fail", "three times as slow"])
def test_a_bad_release_is_aborted_before_half_of_the_users_meet_it(name: str) -> None:
    assert shares(WORLDS[name], ROLLOUTS).first == 1


@pytest.mark.parametrize("name", ["answers differ in 35 %, not 5 %", "answers move by 0.5 standard deviations"])
@pytest.mark.parametrize("rate", [10.0, 100.0])
def test_other_answers_need_little_traffic(name: str, rate: float) -> None:
    assert shares(replace(WORLDS[name], rate=rate), ROLLOUTS).first == 1


def test_a_release_that_fails_all_requests_is_aborted_after_a_handful() -> None:
    half, nearly_all = needed(WORLDS["all fail"], ROLLOUTS).requests
    assert half <= 8
    assert nearly_all <= 12


def test_an_outage_of_both_is_blamed_on_nobody_as_long_as_they_can_be_compared() -> None:
    assert shares(WORLDS["outage of both, before the last step"], ROLLOUTS).before == 0


def test_the_simulation_can_fail() -> None:
    """What is called good, and fails in 5 % where stable does in 2 %, is aborted more often than is promised."""
    bad = World(name="not as good", errors=0.02, more_errors=0.03)
    assert shares(bad, ROLLOUTS, false_aborts=LOOSE).ever * ROLLOUTS > most(ROLLOUTS, LOOSE)
