from __future__ import annotations

from math import nan

import numpy as np
import pytest

from mlops_ci.core import baseline
from mlops_ci.core.fit_reading import Reading, Skill, measure_skill, read_fit
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.core.units import independent_units

BINARY = Signature(task="binary-classification", inputs=(Column(name="x", kind="number"),), classes=(0, 1))
REGRESSION = Signature(task="regression", inputs=(Column(name="x", kind="number"),))


def skill(value: float, dummy: float, standard_error: float = 0.005) -> Skill:
    return Skill(value=value, dummy=dummy, standard_error=standard_error)


@pytest.mark.parametrize(
    ("metric", "train", "holdout", "reading"),
    [
        # more is better
        ("roc_auc", skill(1.0, 0.5), skill(0.7, 0.5), "overfitting"),
        ("roc_auc", skill(0.8, 0.5), skill(0.78, 0.5), ""),
        ("roc_auc", skill(0.8, 0.5, 0.05), skill(0.7, 0.5, 0.05), ""),  # as large a loss as chance explains
        ("roc_auc", skill(0.505, 0.5), skill(0.5, 0.5), "underfitting"),
        ("roc_auc", skill(0.6, 0.5, 0.1), skill(0.6, 0.5, 0.1), "underfitting"),  # no gain that is sure
        ("roc_auc", skill(0.9, 0.5), skill(0.5, 0.5), "overfitting"),  # learned by heart, and good for nothing
        ("roc_auc", skill(0.7, 0.5), skill(0.9, 0.5), ""),  # better on new rows: no reason to complain
        ("r2", skill(0.95, 0.0), skill(-3.0, -0.1), "overfitting"),
        ("r2", skill(0.01, 0.0, 0.01), skill(-0.2, -0.01, 0.1), "underfitting"),
        # less is better
        ("rmse", skill(1.0, 10.0, 0.1), skill(8.0, 10.0, 0.1), "overfitting"),
        ("rmse", skill(5.0, 10.0, 0.1), skill(5.5, 10.0, 0.1), ""),
        ("rmse", skill(9.9, 10.0, 0.1), skill(9.9, 10.0, 0.1), "underfitting"),
        # a loss is larger where the classes are evener: against the dummy model there, nothing was lost
        ("log_loss", skill(0.35, 0.45), skill(0.55, 0.65), ""),
        ("log_loss", skill(0.35, 0.45), skill(0.45, 0.45), "overfitting"),
        # nothing can be said
        ("roc_auc", skill(1.0, 0.5, nan), skill(0.7, 0.5), ""),
        ("roc_auc", skill(nan, nan, nan), skill(0.7, 0.5), ""),
    ],
)
def test_the_reading(metric: str, train: Skill, holdout: Skill, reading: Reading) -> None:
    found = read_fit(metric, train=train, holdout=holdout)

    assert found.reading == reading
    assert found.text.startswith(f"{metric} is {train.value:.4g} on rows that the model learned from")
    assert f"{holdout.value:.4g} on the holdout" in found.text
    assert found.text.endswith(".")


def test_the_text_tells_both_numbers_and_what_is_lost() -> None:
    text = read_fit("roc_auc", train=skill(1.0, 0.5), holdout=skill(0.7, 0.5)).text

    assert "of the 0.5 that it gains there" in text
    assert "0.3 (give or take 0.014) is lost" in text


def answers(truth: np.ndarray, strength: float, seed: int) -> Predictions:
    noise = np.random.default_rng(seed).normal(size=len(truth))
    second = 1 / (1 + np.exp(-(strength * (truth - 0.5) + noise)))
    return Predictions(labels=(second > 0.5).astype(np.int64), probabilities=np.stack([1 - second, second], axis=1))


def test_the_skill_is_the_metric_beside_the_dummy_s_with_its_spread() -> None:
    truth = np.random.default_rng(1).integers(0, 2, 2_000)
    dummy = baseline.predict(baseline.fit(truth, BINARY), BINARY, len(truth))
    found = measure_skill("roc_auc", truth, answers(truth, 1.0, 2), dummy, BINARY)

    assert found.dummy == 0.5
    assert 0.7 < found.value < 0.8
    # Hanley & McNeil 1982 for an area of 0.76 and 1,000 rows of each class; 20 groups tell it within a third or so
    assert 0.006 < found.standard_error < 0.016


def test_the_spread_is_that_of_many_samples() -> None:
    """The jackknife's mean variance over many samples is the variance of the gain over these samples."""
    rng = np.random.default_rng(3)
    gains, errors = [], []
    for _ in range(200):
        truth = rng.normal(size=300)
        model = Predictions(values=truth + rng.normal(scale=0.5, size=300))
        found = measure_skill("rmse", truth, model, Predictions(values=np.zeros(300)), REGRESSION)
        gains.append(found.dummy - found.value)
        errors.append(found.standard_error)

    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(gains), rel=0.15)


def test_rows_of_one_group_count_as_one() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 50)
    truth = rng.normal(size=2_000)
    shared = rng.normal(size=40)[groups]
    model, dummy = Predictions(values=truth + shared), Predictions(values=np.zeros(2_000))
    units = independent_units(groups=groups)

    apart = measure_skill("mae", truth, model, dummy, REGRESSION)
    together = measure_skill("mae", truth, model, dummy, REGRESSION, units=units)
    assert together.value == apart.value
    assert together.standard_error > 2 * apart.standard_error


@pytest.mark.parametrize("rows", [1, 9])
def test_few_rows_have_no_spread(rows: int) -> None:
    truth = np.arange(rows) % 2
    dummy = baseline.predict({"baseline.prior.0": 0.5, "baseline.prior.1": 0.5}, BINARY, rows)
    found = measure_skill("accuracy", truth, answers(truth, 5.0, 1), dummy, BINARY)

    assert np.isfinite(found.value)
    assert np.isnan(found.standard_error)


def test_a_metric_that_hangs_on_one_row_has_no_spread() -> None:
    truth = np.array([1] + [0] * 30)
    dummy = baseline.predict(baseline.fit(truth, BINARY), BINARY, len(truth))
    found = measure_skill("roc_auc", truth, answers(truth, 5.0, 1), dummy, BINARY)

    assert np.isfinite(found.value)
    assert np.isnan(found.standard_error)
