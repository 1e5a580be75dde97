from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_ci.core.student import (
    normal_from_student,
    student_from_normal,
    upper_quantile,
    upper_tail,
    with_skewness,
    without_skewness,
)


@pytest.mark.parametrize("degrees", [5, 9, 15, 30, 300])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 0.0025])
def test_student_quantiles_are_those_of_scipy(degrees: int, alpha: float) -> None:
    normal, student = float(stats.norm.isf(alpha)), float(stats.t.isf(alpha, degrees))
    assert student_from_normal(normal, degrees) == pytest.approx(student, rel=0.02)
    assert upper_quantile(alpha, degrees) == pytest.approx(student_from_normal(normal, degrees))
    assert upper_tail(student, degrees) == pytest.approx(alpha, rel=0.06)
    assert student_from_normal(-normal, degrees) == -student_from_normal(normal, degrees)
    assert normal_from_student(student_from_normal(normal, degrees), degrees) == pytest.approx(normal)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0025])
def test_with_few_degrees_of_freedom_the_quantile_errs_to_the_cautious_side(degrees: int, alpha: float) -> None:
    assert upper_quantile(alpha, degrees) > 0.99 * float(stats.t.isf(alpha, degrees))


@given(st.floats(-6, 6), st.floats(-2, 2))
def test_skewness_is_taken_out_and_put_in_again(statistic: float, skewness: float) -> None:
    without = without_skewness(statistic, skewness)
    assert with_skewness(without, skewness) == pytest.approx(statistic, abs=1e-5)
    assert without_skewness(statistic + 0.1, skewness) >= without
    assert without_skewness(-statistic, -skewness) == pytest.approx(-without, abs=1e-9)


def test_the_statistic_of_a_skewed_mean_loses_its_skewness() -> None:
    """Means of 50 exponential variables: Student's statistic is below -1.645 in 10 % and not in 5 % of samples."""
    samples = np.random.default_rng(1).exponential(size=(20_000, 50))
    statistics = (samples.mean(axis=1) - 1) / samples.std(axis=1, ddof=1) * np.sqrt(50)
    skewness = stats.skew(samples, axis=1) / np.sqrt(50)
    corrected = np.array([without_skewness(t, g) for t, g in zip(statistics, skewness, strict=True)])
    quantile = upper_quantile(0.05, 49)
    assert float((statistics < -quantile).mean()) > 0.085
    assert float((corrected < -quantile).mean()) == pytest.approx(0.05, abs=0.016)
    assert float((corrected > quantile).mean()) == pytest.approx(0.05, abs=0.016)
