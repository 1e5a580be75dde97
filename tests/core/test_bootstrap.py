from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from mlops_ci.core import bootstrap
from mlops_ci.core.bootstrap import resampled
from mlops_ci.core.metrics import compute, statistic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature, Task
from tests.core.two_models import BINARY, CASES, REGRESSION, SIGNATURES, Pair, pair


def drawn(name: str, models: Pair, signature: Signature, resamples: int, seed: int, units: np.ndarray | None = None):
    truth, *both = models
    old, new = (statistic(name, truth, one, signature) for one in both)
    if units is None:
        return resampled(old, new, len(truth), resamples, seed)
    return resampled(old.over(units), new.over(units), int(units.max()) + 1, resamples, seed)


def by_hand(name: str, models: Pair, signature: Signature, draws: list[np.ndarray]) -> list[float]:
    """The rows drawn, and the metric computed of them afresh."""
    truth, champion, challenger = models
    return [
        compute(name, truth[rows], challenger.take(rows), signature)
        - compute(name, truth[rows], champion.take(rows), signature)
        for rows in draws
    ]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_resamples_are_the_metric_of_the_rows_drawn(task: Task, name: str) -> None:
    models = pair(task, 40, 5)
    picks = list(np.random.default_rng(11).integers(0, 40, (30, 40)))
    fast = drawn(name, models, SIGNATURES[task], 30, 11)
    assert fast == pytest.approx(by_hand(name, models, SIGNATURES[task], picks), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_whole_units_are_drawn(task: Task, name: str) -> None:
    models = pair(task, 90, 6)
    units = np.random.default_rng(1).permutation(np.arange(90) % 12)
    picks = np.random.default_rng(3).integers(0, 12, (20, 12))
    rows = [np.concatenate([np.flatnonzero(units == unit) for unit in picked]) for picked in picks]
    fast = drawn(name, models, SIGNATURES[task], 20, 3, units)
    assert fast == pytest.approx(by_hand(name, models, SIGNATURES[task], rows), rel=1e-9, abs=1e-12)


def test_the_same_seed_gives_the_same_resamples_and_another_seed_others() -> None:
    for rows in (50, 20_000):
        models = pair("regression", rows, 1)
        first, again, other = (drawn("mae", models, REGRESSION, 100, seed).tolist() for seed in (1, 1, 2))
        assert first == again
        assert first != other


def skewed(rows: int) -> Pair:
    """The challenger is a little better in most rows and much worse in a few."""
    rng = np.random.default_rng(8)
    far = np.where(rng.random(rows) < 0.001, rng.exponential(40, rows), 0)
    truth = rng.normal(size=rows)
    return truth, Predictions(values=truth + 1), Predictions(values=truth + 0.96 + far)


@pytest.mark.parametrize(
    ("name", "task", "models"),
    [
        ("f1", "binary-classification", pair("binary-classification", 1_000, 1)),
        ("macro_f1", "multiclass-classification", pair("multiclass-classification", 1_000, 1)),
        ("log_loss", "binary-classification", pair("binary-classification", 17_000, 1)),
        ("mae", "regression", skewed(17_000)),
        ("r2", "regression", skewed(17_000)),
    ],
)
def test_sums_drawn_from_cells_are_distributed_as_those_of_rows_drawn(
    name: str, task: Task, models: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean, spread, skewness and far quantiles of as many resamples as show a difference of a few per cent."""
    resamples = 3_000
    cells = drawn(name, models, SIGNATURES[task], resamples, 1)
    monkeypatch.setattr(bootstrap, "WORTH_A_CELL", 10**9)
    rows = drawn(name, models, SIGNATURES[task], resamples, 2)
    spread = float(rows.std())
    assert not np.array_equal(cells, rows)
    assert cells.mean() == pytest.approx(rows.mean(), abs=4 * spread * np.sqrt(2 / resamples))
    assert cells.std() == pytest.approx(spread, rel=4 / np.sqrt(resamples))
    assert stats.skew(cells) == pytest.approx(stats.skew(rows), abs=4 * np.sqrt(2 * 6 / resamples))
    for share in (0.0025, 0.05, 0.95, 0.9975):
        reach = 4 * np.sqrt(2 * share * (1 - share) / resamples) / stats.norm.pdf(stats.norm.ppf(share))
        assert np.quantile(cells, share) == pytest.approx(np.quantile(rows, share), abs=reach * spread)
    assert stats.ks_2samp(cells, rows).pvalue > 1e-3


def test_skewness_would_be_missed_by_a_normal_distribution() -> None:
    """The test above could not tell, were the resamples not skewed."""
    samples = -drawn("mae", skewed(17_000), REGRESSION, 6_000, 1)
    assert stats.skew(samples) < -0.25


def test_a_large_holdout_stays_in_little_memory() -> None:
    """All weights at once would be 40,000 x 400 x 8 bytes = 128 MB."""
    models = pair("binary-classification", 40_000, 1)
    for name in ("average_precision", "log_loss"):
        tracemalloc.start()
        try:
            drawn(name, models, BINARY, 400, 1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 32e6
