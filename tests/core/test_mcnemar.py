from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from mlops_ci.core.mcnemar import exact_p_value, mid_p_value


@given(st.integers(0, 60), st.integers(0, 60))
def test_twice_the_smaller_p_value_is_the_two_sided_one_of_statsmodels(better: int, worse: int) -> None:
    smaller = min(exact_p_value(better, worse), exact_p_value(worse, better))
    table = [[30, better], [worse, 5]]
    assert min(2 * smaller, 1) == pytest.approx(float(mcnemar(table, exact=True).pvalue))


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_mid_p_value_counts_half_of_what_was_seen(better: int, worse: int) -> None:
    coins = stats.binom(better + worse, 0.5)
    assert mid_p_value(better, worse) == pytest.approx(coins.sf(better) + coins.pmf(better) / 2)
    assert mid_p_value(better, worse) + mid_p_value(worse, better) == pytest.approx(1)
    assert mid_p_value(better, worse) < exact_p_value(better, worse)


def test_it_holds_for_as_many_rows_as_there_may_be() -> None:
    assert exact_p_value(500_000, 500_000) == pytest.approx(0.5, abs=1e-3)
    assert exact_p_value(502_000, 498_000) == pytest.approx(float(stats.norm.sf(3.999)), rel=0.01)
