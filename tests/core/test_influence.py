"""What each row, or each unit of rows, does to a metric."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ci.core.metrics import statistic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Task
from tests.core.two_models import CASES, MULTICLASS, REGRESSION, SIGNATURES, pair

SMOOTH = [case for case in CASES if case[1] != "median_absolute_error"]


def tied(task: Task, rows: int, seed: int) -> tuple[np.ndarray, Predictions]:
    """With many equal scores."""
    truth, answers, _ = pair(task, rows, seed)
    if answers.probabilities is None:
        return truth, answers
    return truth, Predictions(labels=answers.labels, probabilities=np.round(answers.probabilities, 1))


@pytest.mark.parametrize(("task", "name"), SMOOTH)
def test_it_is_the_change_of_the_metric_where_a_row_weighs_a_little_more(task: Task, name: str) -> None:
    truth, answers = tied(task, 60, 5)
    of_rows = statistic(name, truth, answers, SIGNATURES[task])
    step = 1e-4 * np.eye(60)
    slopes = (of_rows(1 + step) - of_rows(1 - step)) / 2e-4
    assert of_rows.influence(60) == pytest.approx(slopes, rel=1e-4, abs=1e-7)
    assert of_rows.influence(60).sum() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_units_influence_is_the_sum_of_its_rows(task: Task, name: str) -> None:
    truth, answers = tied(task, 60, 5)
    units = np.random.default_rng(1).permutation(np.arange(60) % 7)
    of_rows = statistic(name, truth, answers, SIGNATURES[task])
    summed = np.bincount(units, weights=of_rows.influence(60))
    assert of_rows.over(units).influence(7) == pytest.approx(summed, abs=1e-9)


@pytest.mark.parametrize(("name", "within"), [("mae", 0.05), ("rmse", 0.05), ("median_absolute_error", 0.25)])
def test_the_squares_add_up_to_the_variance_of_resamples(name: str, within: float) -> None:
    """That of a median rests on a density, and so is rough."""
    truth, answers, _ = pair("regression", 400, 2)
    of_rows = statistic(name, truth, answers, REGRESSION)
    rng = np.random.default_rng(1)
    drawn = of_rows(rng.multinomial(400, np.full(400, 1 / 400), size=3000))
    assert np.sqrt((of_rows.influence(400) ** 2).sum()) == pytest.approx(drawn.std(), rel=within)


def test_a_class_that_does_not_occur_has_none() -> None:
    truth, answers, _ = pair("multiclass-classification", 60, 5)
    truth[truth == "c"] = "a"
    for name in ("roc_auc", "balanced_accuracy", "macro_f1"):
        assert np.isfinite(statistic(name, truth, answers, MULTICLASS).influence(60)).all()
