from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.spending import Spending, alpha_of_look


@given(st.floats(1e-4, 0.5), st.integers(1, 200), st.sampled_from(["even", "front"]))
def test_all_looks_together_spend_alpha_and_no_more(alpha: float, looks: int, spending: Spending) -> None:
    spent = [alpha_of_look(alpha, look=look, looks=looks, spending=spending) for look in range(1, looks + 1)]
    assert sum(spent) == pytest.approx(alpha)
    assert spent == sorted(spent, reverse=True)


def test_the_first_looks_may_have_more() -> None:
    first, second, last = (alpha_of_look(0.05, look=look, looks=20, spending="front") for look in (1, 2, 20))
    assert (first / second, first / last) == (pytest.approx(4), pytest.approx(400))
    assert first > 10 * alpha_of_look(0.05, look=1, looks=20, spending="even")


def test_a_look_too_many_spends_what_the_last_one_does() -> None:
    last, more = (alpha_of_look(0.05, look=look, looks=5, spending="front") for look in (5, 9))
    assert last == more
    assert alpha_of_look(0.05, look=0, looks=5, spending="front") == alpha_of_look(
        0.05, look=1, looks=5, spending="front"
    )
