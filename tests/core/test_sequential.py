"""The e-processes against enumeration of all that can happen, and against numerical integration."""

from __future__ import annotations

from itertools import product
from math import comb, exp, inf, isfinite, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from mlops_ci.core.sequential import NO_STAKE, RATIOS, bet, e_value, radius, stake, upper_limit

ALL = stake(NO_STAKE, 1.0)
PROBABILITIES = st.floats(0.001, 0.999)


def expected(probability: float, null: float, trials: int) -> float:
    """The mean fortune after so many trials, over everything that can happen."""
    return sum(
        comb(trials, hits)
        * probability**hits
        * (1 - probability) ** (trials - hits)
        * e_value(bet(ALL, hits=hits, misses=trials - hits, null=null))
        for hits in range(trials + 1)
    )


@settings(deadline=None)
@given(null=PROBABILITIES, trials=st.integers(0, 12))
def test_under_the_null_hypothesis_the_bets_are_fair(null: float, trials: int) -> None:
    assert expected(null, null, trials) == pytest.approx(1)


@settings(deadline=None)
@given(null=PROBABILITIES, part=st.floats(0, 1), trials=st.integers(1, 12))
def test_and_lose_where_hits_are_rarer_still(null: float, part: float, trials: int) -> None:
    assert expected(null * part, null, trials) <= 1 + 1e-9


def test_they_win_where_hits_are_more_frequent() -> None:
    assert expected(0.3, 0.1, 12) > 2
    assert expected(0.6, 0.1, 12) > 1000


@settings(deadline=None)
@given(steps=st.lists(st.tuples(PROBABILITIES, st.floats(0, 1)), min_size=1, max_size=8))
def test_the_bets_stay_fair_where_the_hypothesis_and_the_truth_are_others_each_time(
    steps: list[tuple[float, float]],
) -> None:
    """As where the share of traffic changes from step to step, and the rate of errors from hour to hour."""
    mean = 0.0
    for outcomes in product((0, 1), repeat=len(steps)):
        fortunes, chance = ALL, 1.0
        for hit, (null, part) in zip(outcomes, steps, strict=True):
            chance *= null * part if hit else 1 - null * part
            fortunes = bet(fortunes, hits=hit, misses=1 - hit, null=null)
        mean += chance * e_value(fortunes)
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("failing", [0.001, 0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("new", "stable"), [(1, 9), (10, 90), (1, 1), (50, 50), (3, 1)])
def test_a_router_that_takes_turns_is_as_good_as_one_that_draws_lots(new: int, stable: int, failing: float) -> None:
    """Both sides fail with the same probability, however often that is: a block of requests is expected to win no more
    than 1.
    """
    ours, theirs = (stats.binom.pmf(np.arange(count + 1), count, failing) for count in (new, stable))
    mean = sum(
        float(ours[hits] * theirs[misses]) * e_value(bet(ALL, hits=hits, misses=misses, null=new / (new + stable)))
        for hits in range(new + 1)
        for misses in range(stable + 1)
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("null", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_looking_after_each_request_gives_no_more_false_alarms_than_promised(null: float, alpha: float) -> None:
    """Exact: the probability of ever having won 1/alpha within 400 trials, from all numbers of hits that get there."""
    alive, alarmed = {0: 1.0}, 0.0
    for trial in range(1, 401):
        after: dict[int, float] = {}
        for hits, chance in alive.items():
            after[hits] = after.get(hits, 0) + chance * (1 - null)
            after[hits + 1] = after.get(hits + 1, 0) + chance * null
        alive = {}
        for hits, chance in after.items():
            if e_value(bet(ALL, hits=hits, misses=trial - hits, null=null)) >= 1 / alpha:
                alarmed += chance
            else:
                alive[hits] = chance
    assert alpha / 20 < alarmed <= alpha


def test_why_not_fishers_exact_test() -> None:
    """300 good rollouts, looked at twenty times at 10 % of the traffic and at 50 %, each look at alpha 0.01."""
    rng = np.random.default_rng(1)
    fisher = bets = 0
    for _ in range(300):
        p_values, fortunes, most = [], ALL, 0.0
        for share in (0.1, 0.5):
            requests = rng.poisson(300, 20)
            new = rng.binomial(requests, share)
            hits, misses = rng.binomial(new, 0.03), rng.binomial(requests - new, 0.03)
            ours, ever, failed = new.cumsum(), requests.cumsum(), (hits + misses).cumsum()
            p_values += list(stats.hypergeom.sf(hits.cumsum() - 1, ever, failed, ours))
            for hit, miss in zip(hits, misses, strict=True):
                fortunes = bet(fortunes, hits=int(hit), misses=int(miss), null=share)
                most = max(most, e_value(fortunes))
        fisher += min(p_values) <= 0.01
        bets += most >= 100
    assert fisher > 300 * 0.04
    assert bets <= stats.binom.isf(1e-4, 300, 0.01)


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=6),
    null=PROBABILITIES,
)
def test_many_looks_add_up_to_one(parts: list[tuple[int, int]], null: float) -> None:
    fortunes = ALL
    for hits, misses in parts:
        fortunes = bet(fortunes, hits=hits, misses=misses, null=null)
    at_once = bet(ALL, hits=sum(hits for hits, _ in parts), misses=sum(misses for _, misses in parts), null=null)
    assert fortunes == pytest.approx(at_once, rel=1e-9, abs=1e-9)


def test_the_stakes_together_are_one() -> None:
    fortunes = NO_STAKE
    assert e_value(fortunes) == 0
    for _ in range(4):
        fortunes = stake(fortunes, 0.25)
    assert e_value(fortunes) == pytest.approx(1)


def test_a_fresh_stake_sees_what_old_losses_would_hide() -> None:
    """Ten thousand requests that failed alike, and then ten that only the new release fails."""
    lost = bet(stake(NO_STAKE, 0.5), hits=1000, misses=9000, null=0.1)
    blind = bet(lost, hits=10, misses=0, null=0.1)
    awake = bet(stake(lost, 0.5), hits=10, misses=0, null=0.1)
    assert e_value(blind) < 1
    assert e_value(awake) > 1e6


@pytest.mark.parametrize("null", [0.0, 1.0, -1.0, 2.0, float("nan"), inf])
def test_what_is_no_hypothesis_proves_nothing(null: float) -> None:
    assert bet(ALL, hits=10**9, misses=0, null=null) == ALL


def test_without_a_stake_nothing_is_won() -> None:
    assert bet(NO_STAKE, hits=5, misses=0, null=0.1) == NO_STAKE


@settings(deadline=None)
@given(hits=st.integers(0, 10**12), misses=st.integers(0, 10**12), null=st.floats(1e-9, 1 - 1e-9))
def test_numbers_beyond_all_traffic_stay_finite(hits: int, misses: int, null: float) -> None:
    fortunes = bet(ALL, hits=hits, misses=misses, null=null)
    assert len(fortunes) == len(RATIOS)
    assert all(map(isfinite, fortunes))
    assert 0 <= e_value(fortunes) < inf
    assert isfinite(e_value(stake(fortunes, 0.1)))


@settings(deadline=None)
@given(total=st.integers(1, 500), data=st.data(), alpha=st.floats(1e-5, 0.2))
def test_the_upper_limit_is_where_so_few_are_as_unlikely_as_alpha(
    total: int, data: st.DataObject, alpha: float
) -> None:
    count = data.draw(st.integers(0, total - 1))
    limit = upper_limit(count, total, alpha)
    assert count / total < limit < 1
    assert float(stats.binom.cdf(count, total, limit)) == pytest.approx(alpha, rel=1e-6)


def test_nothing_seen_or_everything_hit_limits_nothing() -> None:
    assert (upper_limit(0, 0, 0.01), upper_limit(7, 7, 0.01)) == (1, 1)


@pytest.mark.parametrize("rows", [100, 300, 5000])
@pytest.mark.parametrize("alpha", [0.01, 0.0004])
def test_the_radius_is_where_the_mixture_of_martingales_has_won_one_over_alpha(rows: int, alpha: float) -> None:
    best = 300
    scale = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / best
    total = rows * radius(rows, alpha, best_at=best)

    def fortune(slope: float) -> float:
        return exp(slope * total - slope * slope * rows / 2 - slope * slope / (2 * scale)) / sqrt(2 * pi * scale)

    peak, width = total / (rows + 1 / scale), 12 / sqrt(rows + 1 / scale)
    won, _ = integrate.quad(fortune, peak - width, peak + width, epsabs=0)
    assert won == pytest.approx(1 / alpha, rel=1e-6)


def test_the_radius_is_narrowest_about_where_it_should_be() -> None:
    for best in (100, 300, 3000):
        at_best = radius(best, 0.01, best_at=best)
        assert at_best < min(radius(best, 0.01, best_at=other) for other in (best // 8, best * 8))
        assert at_best * sqrt(best) < 4


def test_a_mean_hardly_ever_leaves_the_radius_at_any_number_of_rows() -> None:
    """1,000 walks of 2,000 normal steps at 5 %: at most 85 (five standard errors), and not none."""
    steps = np.random.default_rng(1).normal(size=(1000, 2000)).cumsum(axis=1)
    rows = np.arange(1, 2001)
    reach = rows * np.array([radius(int(one), 0.05, best_at=300) for one in rows])
    left = int((np.abs(steps) > reach).any(axis=1).sum())
    assert 5 < left <= 85
