from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_ci.core import bca
from mlops_ci.core.bounds import BootstrapBounds
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.metrics import compute
from mlops_ci.core.predictions import Predictions
from tests.core.two_models import REGRESSION


@given(st.floats(0.001, 0.4), st.floats(-0.5, 0.5), st.floats(-0.15, 0.15))
def test_level_and_alpha_are_inverse(alpha: float, bias: float, acceleration: float) -> None:
    share = bca.level(alpha, bias, acceleration)
    if 1e-9 < share < 1 - 1e-9:
        assert bca.alpha_of(share, bias, acceleration) == pytest.approx(alpha, rel=1e-4)


def test_without_bias_and_acceleration_it_is_the_percentile() -> None:
    samples = np.sort(np.random.default_rng(1).normal(size=999))
    assert bca.level(0.05, 0.0, 0.0) == pytest.approx(0.05)
    assert bca.bias_of(samples, float(np.median(samples))) == pytest.approx(0, abs=1e-9)
    assert bca.acceleration_of(np.array([-1.0, 1.0, 2.0, -2.0])) == 0


@pytest.mark.parametrize("level", [0.9, 0.98])
@pytest.mark.parametrize("name", ["mae", "rmse"])
def test_the_limits_are_those_of_scipy(name: str, level: float) -> None:
    """The same resamples are handed to scipy, which finds bias and acceleration (by the jackknife) on its own."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=80)
    models = [Predictions(values=truth + rng.standard_t(4, size=80)) for _ in range(2)]
    models[1] = Predictions(values=np.asarray(models[1].values) + rng.exponential(size=80) ** 2 / 2)
    found = paired_difference(name, truth, *models, REGRESSION, resamples=3999, seed=1)
    assert isinstance(found.bounds, BootstrapBounds)

    def difference(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        def one(picked: np.ndarray) -> float:
            old, new = (compute(name, truth[picked], model.take(picked), REGRESSION) for model in models)
            return old - new

        return np.apply_along_axis(one, axis, rows.astype(int))

    expected = stats.bootstrap(
        (np.arange(80),), difference, n_resamples=0, confidence_level=level, method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=found.bounds.samples),
    ).confidence_interval  # fmt: skip
    alpha = (1 - level) / 2
    for bounds, estimate, limit in (
        (found.bounds, found.estimate, expected.low),
        (found.bounds.flipped(), -found.estimate, -expected.high),
    ):
        share = bca.level(alpha, bca.bias_of(bounds.samples, estimate), bounds.acceleration)
        assert np.quantile(bounds.samples, share) == pytest.approx(limit, abs=0.03 * found.standard_error)
        assert bounds.lower(alpha) <= np.quantile(bounds.samples, share)


@pytest.mark.parametrize("level", [0.9, 0.98])
def test_percentiles_are_those_of_scipys_own_resamples(level: float) -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(size=150)
    old, new = (truth + rng.normal(size=150) for _ in range(2))
    found = paired_difference(
        "mae", truth, Predictions(values=old), Predictions(values=new), REGRESSION, resamples=8000, seed=1
    )
    assert isinstance(found.bounds, BootstrapBounds)
    expected = stats.bootstrap(
        (np.abs(old - truth), np.abs(new - truth)), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True, n_resamples=8000, confidence_level=level, method="percentile", rng=np.random.default_rng(9),
    )  # fmt: skip
    ends = np.quantile(found.bounds.samples, [(1 - level) / 2, (1 + level) / 2])
    assert ends == pytest.approx(list(expected.confidence_interval), abs=0.2 * found.standard_error)
    assert float(found.bounds.samples.std(ddof=1)) == pytest.approx(float(expected.standard_error), rel=0.03)
