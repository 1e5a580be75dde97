from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar

from mlops_ci.core.tango import lower_bound, score


def test_the_limits_of_a_published_example() -> None:
    """21 children, 1 and 7 of them discordant (Bentur et al. 2009), by Fagerland et al. 2014."""
    quantile = stats.norm.isf(0.025)
    assert -lower_bound(7, 1, 21, quantile) == pytest.approx(-0.026, abs=5e-4)
    assert lower_bound(1, 7, 21, quantile) == pytest.approx(-0.517, abs=5e-4)


@pytest.mark.parametrize(("better", "worse", "rows"), [(12, 3, 60), (1, 7, 21), (30, 30, 500), (5, 0, 40)])
@pytest.mark.parametrize("difference", [-0.2, -0.01, 0.05])
def test_the_score_is_that_of_its_definition(better: int, worse: int, rows: int, difference: float) -> None:
    """The likeliest shares under the difference found by a search, and the spread that the count has under them."""

    def unlikely(share: float) -> float:
        both = np.array([share + difference, share, 1 - 2 * share - difference])
        counts = np.array([better, worse, rows - better - worse])
        return -float((counts * np.log(np.maximum(both, 1e-300))).sum())

    low, high = max(-difference, 0.0), (1 - difference) / 2
    share = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = rows * (2 * share + difference - difference**2)
    expected = (better - worse - rows * difference) / np.sqrt(variance)
    assert float(score(better, worse, rows, difference)) == pytest.approx(expected, rel=1e-4)


@given(st.integers(0, 40), st.integers(0, 40))
def test_without_a_difference_the_score_is_mcnemars(better: int, worse: int) -> None:
    chi_squared = mcnemar([[10, better], [worse, 10]], exact=False, correction=False).statistic if better + worse else 0
    found = float(score(better, worse, 20 + better + worse, 0.0))
    assert found**2 == pytest.approx(chi_squared, abs=1e-9)
    assert np.sign(found) == np.sign(better - worse)


@settings(max_examples=50)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 200), st.floats(0.3, 3.5))
def test_the_bound_has_the_score_that_is_asked_for(better: int, worse: int, others: int, quantile: float) -> None:
    rows = better + worse + others
    bound = float(lower_bound(better, worse, rows, quantile))
    assert -1 <= bound <= (better - worse) / rows
    assert float(score(better, worse, rows, bound)) == pytest.approx(quantile, abs=1e-4)


def test_arrays_are_taken_element_by_element() -> None:
    bounds = lower_bound([12, 1, 0, 0], [3, 7, 0, 50], [60, 21, 100, 50], 1.645)
    single = [float(lower_bound(*each, 1.645)) for each in [(12, 3, 60), (1, 7, 21), (0, 0, 100), (0, 50, 50)]]
    assert bounds.tolist() == single
    # no row tells the models apart: then as many as the quantile squared may be worse (rule of three)
    assert bounds[2] == pytest.approx(-(1.645**2) / (100 + 1.645**2))
    assert bounds[3] == pytest.approx(-1)
