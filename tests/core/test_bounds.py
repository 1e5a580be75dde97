from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_ci.core.bounds import BootstrapBounds, Bounds, PairedCounts, StudentBounds
from mlops_ci.core.difference import Difference
from mlops_ci.core.mcnemar import exact_p_value

STUDENT = StudentBounds(method="", estimate=0.3, standard_error=0.1, degrees=40)
QUANTILES = np.array([NormalDist().inv_cdf((place + 0.5) / 4000) for place in range(4000)])
BOOTSTRAP = BootstrapBounds(student=STUDENT, samples=0.3 + 0.1 * QUANTILES, acceleration=0.0)


def known(bounds: Bounds, estimate: float = 0.3) -> Difference:
    return Difference(metric="mae", champion=1.0, challenger=0.7, estimate=estimate, rows=500, units=500, bounds=bounds)


students = st.builds(
    StudentBounds,
    method=st.just(""),
    estimate=st.floats(-1, 1),
    standard_error=st.one_of(st.just(0.0), st.floats(0.01, 0.5)),
    degrees=st.floats(0, 200),
    skewness=st.floats(-1, 1),
    unseen=st.integers(0, 50),
)
counts = st.builds(
    lambda better, worse, others: PairedCounts(better=better, worse=worse, rows=better + worse + others),
    st.integers(0, 40), st.integers(0, 40), st.integers(1, 300),
)  # fmt: skip
bootstraps = st.builds(
    lambda student, shift, acceleration: BootstrapBounds(
        student=replace(student, standard_error=0.1),
        samples=student.estimate + shift + 0.1 * QUANTILES,
        acceleration=acceleration,
    ),
    students, st.floats(-0.05, 0.05), st.floats(-0.1, 0.1),
)  # fmt: skip
ALPHAS = st.floats(0.002, 0.4)


@given(st.one_of(students, counts, bootstraps), ALPHAS)
def test_the_p_value_is_the_least_alpha_that_calls_the_challenger_better(bounds: Bounds, alpha: float) -> None:
    p_value = bounds.p_value()
    assert 0 <= p_value <= 1
    if p_value > alpha * 1.01 + 1e-9:
        assert bounds.lower(alpha) <= 1e-12
    elif p_value < alpha * 0.99 - 2 / len(QUANTILES) and not isinstance(bounds, PairedCounts):
        assert bounds.lower(alpha) > -1e-12


@given(st.one_of(students, counts, bootstraps), ALPHAS)
def test_upper_is_lower_seen_from_the_other_side(bounds: Bounds, alpha: float) -> None:
    one, other = known(bounds), known(bounds.flipped())
    assert one.upper(alpha) == pytest.approx(-other.lower(alpha))
    assert one.lower(alpha) == pytest.approx(-other.upper(alpha), abs=1e-9)
    assert one.p_worse() == pytest.approx(other.p_value())
    assert one.lower(alpha) <= one.upper(alpha)
    assert one.lower(alpha / 2) <= one.lower(alpha)


def test_student_bounds_are_those_of_a_t_test() -> None:
    errors = np.random.default_rng(1).normal(0.1, 1, size=60)
    test = stats.ttest_1samp(errors, 0, alternative="greater")
    bounds = StudentBounds(
        method="", estimate=float(errors.mean()), standard_error=float(stats.sem(errors)), degrees=59
    )
    assert bounds.p_value() == pytest.approx(float(test.pvalue), rel=2e-3)
    assert bounds.lower(0.05) == pytest.approx(float(test.confidence_interval(0.95).low), abs=1e-4)


def test_far_values_on_the_bad_side_make_the_bound_more_cautious_and_on_the_good_side_not_bolder() -> None:
    bad, good = (replace(STUDENT, skewness=skewness) for skewness in (-0.4, 0.4))
    assert bad.lower(0.05) < STUDENT.lower(0.05) - 0.05
    assert good.lower(0.05) == STUDENT.lower(0.05)
    assert bad.p_value() > 2 * STUDENT.p_value()


def test_bootstrap_bounds_are_the_more_cautious_of_percentile_and_student() -> None:
    wide = replace(BOOTSTRAP, student=replace(STUDENT, standard_error=0.2))
    narrow = replace(BOOTSTRAP, student=replace(STUDENT, standard_error=0.02))
    assert wide.lower(0.05) == wide.student.lower(0.05)
    assert narrow.lower(0.05) == pytest.approx(0.3 - 0.1645, abs=2e-3)
    assert narrow.p_value() == pytest.approx(stats.norm.sf(3), abs=3e-4)


def test_resamples_that_all_speak_for_the_challenger_do_not_prove_more_than_student_does() -> None:
    apart = replace(BOOTSTRAP, samples=BOOTSTRAP.samples + 0.2, student=replace(STUDENT, estimate=0.5))
    assert apart.p_value() == apart.student.p_value() > 0


def test_where_no_unit_shows_a_difference_the_next_one_may() -> None:
    """Rule of three: what has not happened in 100 units happens in less than 3 % of all, at alpha 0.05."""
    silent = StudentBounds(method="", estimate=0.0, standard_error=0.0, degrees=0, unseen=100)
    assert silent.lower(0.05) == pytest.approx(-0.0295, abs=1e-4)
    assert (silent.p_value(), known(silent, 0.0).p_worse()) == (1, 1)
    assert silent.detectable(0.05, 0.8) == -silent.lower(0.05)
    same = replace(silent, unseen=0)
    assert (same.lower(0.05), same.p_value(), known(same, 0.0).upper(0.05)) == (0, 1, 0)
    assert known(same, 0.0).rows_to_show(0.01, 0.05) == 0


def test_perfectly_right_against_perfectly_wrong_is_better_though_the_spread_is_nothing() -> None:
    perfect = StudentBounds(method="", estimate=1.0, standard_error=0.0, degrees=0, unseen=5)
    assert perfect.lower(0.05) == pytest.approx(0.05**0.2)
    assert known(perfect, 1.0).p_worse() == 1


@pytest.mark.parametrize("better", range(8))
def test_a_few_rows_decide_by_the_exact_test(better: int) -> None:
    bounds = PairedCounts(better=better, worse=0, rows=2000)
    assert (bounds.lower(0.05) > 0) == (exact_p_value(better, 0) <= 0.05) == (better >= 5)
    assert bounds.lower(0.05) >= -0.002


def test_paired_counts_have_the_standard_error_of_paired_values() -> None:
    values = np.repeat([1, -1, 0], [30, 12, 158])
    bounds = PairedCounts(better=30, worse=12, rows=200)
    assert bounds.standard_error == pytest.approx(values.std() / np.sqrt(200))
    assert bounds.lower(0.05) == pytest.approx(values.mean() - 1.645 * stats.sem(values), abs=4e-3)


@pytest.mark.parametrize(("better", "worse", "rows"), [(60, 60, 1000), (5, 5, 1000), (0, 0, 500), (200, 100, 400)])
@pytest.mark.parametrize("alpha", [0.05, 0.0025])
def test_the_detectable_effect_of_paired_counts_is_detected_four_times_in_five(
    better: int, worse: int, rows: int, alpha: float
) -> None:
    """Counts as they are where the difference is in truth the detectable one, and as many rows tell on average."""
    effect = PairedCounts(better=better, worse=worse, rows=rows).detectable(alpha, 0.8)
    share = max((better + worse) / rows, effect)
    chances = [(share + effect) / 2, (share - effect) / 2, 1 - share]
    drawn = np.random.default_rng(1).multinomial(rows, chances, size=4000)
    found = [PairedCounts(better=int(b), worse=int(c), rows=rows).p_value() <= alpha for b, c, _ in drawn]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_more_rows_show_smaller_differences() -> None:
    found = known(STUDENT)
    detectable = found.detectable(0.05)
    assert detectable == pytest.approx((stats.t.isf(0.05, 40) + stats.norm.isf(0.2)) * 0.1, rel=1e-3)
    assert found.rows_to_show(detectable, 0.05) == pytest.approx(500, abs=1)
    assert found.rows_to_show(detectable / 2, 0.05) == pytest.approx(2000, abs=1)
    assert found.rows_to_show(0.0, 0.05) is None
    assert found.rows_to_show(-1.0, 0.05) is None


def test_of_what_is_not_known_nothing_is_said() -> None:
    nothing = replace(known(STUDENT), bounds=None, reason="too few")
    numbers = [
        nothing.standard_error, nothing.lower(0.05), nothing.upper(0.05), nothing.p_value(), nothing.p_worse(),
        nothing.detectable(0.05),
    ]  # fmt: skip
    assert np.isnan(numbers).all()
    assert (nothing.method, nothing.rows_to_show(0.1, 0.05)) == ("", None)
