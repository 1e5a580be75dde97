from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_ci.core.metric_intervals import metric_intervals
from mlops_ci.core.metrics import metrics_for
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

REGRESSION = Signature(task="regression", inputs=())
BINARY = Signature(task="binary-classification", inputs=(), classes=(0, 1))


def intervals(truth: np.ndarray, old: np.ndarray | None, new: np.ndarray | None, **options: object) -> dict:
    champion, challenger = (None if values is None else Predictions(values=values) for values in (old, new))
    found = metric_intervals(
        metrics_for("regression"), truth, champion, challenger, REGRESSION,
        **{"units": None, **options},  # type: ignore[arg-type]
    )  # fmt: skip
    return {name: one.to_json() for name, one in found.items()}


def models(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows)
    return truth, truth + rng.normal(size=rows), truth + 0.8 * rng.normal(size=rows)


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    truth, old, new = models(2000)
    mae = intervals(truth, old, new)["mae"]
    for who, values in (("champion", old), ("challenger", new)):
        errors = np.abs(values - truth)
        assert mae[who] == pytest.approx(errors.mean())
        wanted = stats.norm.interval(0.95, errors.mean(), stats.sem(errors))
        assert mae[f"{who}_interval"] == pytest.approx(wanted, abs=0.12 * stats.sem(errors))
    better = np.abs(old - truth) - np.abs(new - truth)
    assert mae["difference"] == pytest.approx(better.mean())
    wanted = stats.norm.interval(0.95, better.mean(), stats.sem(better))
    assert mae["difference_interval"] == pytest.approx(wanted, abs=0.12 * stats.sem(better))


def test_rows_that_belong_together_widen_the_intervals() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=1000)
    groups = np.arange(1000) // 25
    new = truth + rng.normal(size=40)[groups] + 0.1 * rng.normal(size=1000)
    rows, units = (intervals(truth, None, new, units=units)["mae"]["challenger_interval"] for units in (None, groups))
    assert np.ptp(units) > 3 * np.ptp(rows)


def test_nothing_is_said_of_a_model_that_was_not_asked() -> None:
    truth, _, new = models(100)
    found = intervals(truth, None, new)["rmse"]
    assert (found["champion"], found["champion_interval"]) == (None, None)
    assert (found["difference"], found["difference_interval"]) == (None, None)
    assert found["challenger_interval"][0] < found["challenger"] < found["challenger_interval"][1]
    assert set(intervals(truth, None, None)["rmse"].values()) == {None}


def test_too_few_units_have_no_interval() -> None:
    truth, old, new = models(100)
    found = intervals(truth, old, new, units=np.arange(100) % 5)["rmse"]
    assert found["difference"] is not None
    assert found["difference_interval"] is found["champion_interval"] is found["challenger_interval"] is None


def test_what_is_not_finite_is_none() -> None:
    truth, old, new = models(100)
    found = intervals(truth, old, np.where(np.arange(100) == 3, np.nan, new))["rmse"]
    assert (found["challenger"], found["challenger_interval"], found["difference"]) == (None, None, None)
    assert found["champion_interval"] is not None


def test_a_metric_with_bounds_stays_within_them() -> None:
    truth = np.repeat([0, 1], 100)
    answers = Predictions(labels=truth, probabilities=np.stack([1 - truth, truth], axis=1).astype(float))
    found = metric_intervals(metrics_for("binary-classification"), truth, answers, answers, BINARY, units=None)
    low, high = found["roc_auc"].challenger_interval or (0.0, 0.0)
    assert (0.9 < low < 1.0, high) == (True, 1.0)
    assert found["accuracy"].difference_interval == (0.0, 0.0)
