"""How likely a distance is by chance, from sampling and from what windows vary by anyway."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, kstwobign, t

from mlops_ci.core.two_samples import NOTHING, Contrast, numbers, p_value, proportions, spread, texts


def kolmogorov(distance: float, size: float = 10.0) -> Contrast:
    return Contrast(distance=distance, squared=(size * distance) ** 2, freedom=None)


@pytest.mark.parametrize("x", [0.1, 0.3, 0.8, 1.5, 2.5, 4.0])
def test_kolmogorovs_tail_is_scipys(x: float) -> None:
    assert p_value(kolmogorov(x / 10), between=0, windows=0) == pytest.approx(kstwobign.sf(x), abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 4, 30])
def test_chi_squares_tail_is_scipys(freedom: int) -> None:
    contrast = Contrast(distance=0.2, squared=2.0 * freedom, freedom=freedom)
    assert p_value(contrast, between=0, windows=0) == pytest.approx(chi2.sf(2.0 * freedom, freedom))


def test_where_nothing_can_be_compared_nothing_is_surprising() -> None:
    assert p_value(NOTHING, between=0, windows=0) == 1
    assert p_value(NOTHING, between=0.1, windows=20) == 1


def test_the_more_windows_vary_anyway_the_less_surprising_is_a_distance() -> None:
    values = [p_value(kolmogorov(0.3), between=between, windows=20) for between in (0, 0.001, 0.02, 0.1, 0.5)]
    assert values == sorted(values)
    assert values[1] < 10 * values[0]
    assert values[-1] > 0.5


def test_with_no_end_of_rows_only_the_variation_between_windows_is_left() -> None:
    found = p_value(kolmogorov(0.3, size=1e6), between=0.1, windows=20)
    assert found == pytest.approx(2 * t.sf(3, 19), rel=0.2)
    assert found >= 2 * t.sf(3, 19)


def test_spread_finds_the_variation_that_was_put_in_and_none_where_there_is_none() -> None:
    generator = np.random.default_rng(1)

    def measured(deviation: float) -> float:
        windows = [generator.normal(shift, 1, 400) for shift in generator.normal(0, deviation, 200)]
        whole = np.sort(np.concatenate(windows))
        return spread([numbers(whole, len(whole), np.sort(window)) for window in windows])

    # a shift of s moves the distribution function by s / sqrt(2 pi) at most
    assert measured(0.3) == pytest.approx(0.3 / np.sqrt(2 * np.pi), rel=0.15)
    assert measured(0) < 0.015


def test_pooling_keeps_every_row_and_never_invents_a_category() -> None:
    assert texts({"a": 1000}, 0, {"a": 3}).freedom == 0
    assert texts({"a": 500, "b": 500, "c": 1, "d": 1}, 2, {"a": 50, "b": 50, "e": 1}).freedom == 1
    same = texts({"a": 500, "b": 500}, 0, {"a": 50, "b": 50})
    assert (same.distance, same.squared, same.freedom) == (0, 0, 1)


def test_a_share_that_did_not_change() -> None:
    contrast = proportions(10, 100, 10, 100)
    assert (contrast.distance, contrast.squared) == (0, 0)
    assert p_value(contrast, between=0, windows=0) == 1
