"""The measures between groups: the same as fairlearn's own functions, and undefined where these would keep quiet."""

from __future__ import annotations

from math import isnan
from typing import Any

import fairlearn.metrics
import numpy as np
import pytest

from mlops_ci.config.vocabulary import FAIRNESS_METRICS
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.fairness import GroupMeasures, fairness_evidence, measure_groups

BINARY = Signature(task="binary-classification", inputs=(), classes=("no", "yes"))
MULTICLASS = Signature(task="multiclass-classification", inputs=(), classes=(0, 1, 2))
REGRESSION = Signature(task="regression", inputs=())
# fairlearn's names for what we call by the names of our own metrics
OTHER_NAMES = {"accuracy_difference": "accuracy_score_difference", "accuracy_ratio": "accuracy_score_ratio"}


def binary(truth: Any, answers: Any, groups: Any) -> GroupMeasures:
    labels = np.array(["no", "yes"], dtype=object)
    predictions = Predictions(labels=labels[np.asarray(answers, dtype=int)], probabilities=np.zeros((len(answers), 2)))
    return measure_groups("sex", np.asarray(groups), labels[np.asarray(truth, dtype=int)], predictions, BINARY)


@pytest.mark.parametrize("metric", FAIRNESS_METRICS["binary-classification"])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_fairlearn(metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.choice(["a", "b", "c"], 900)
    truth = rng.integers(0, 2, 900)
    answers = (rng.random(900) < 0.2 + 0.3 * truth + 0.2 * (groups == "b")).astype(int)
    theirs = getattr(fairlearn.metrics, OTHER_NAMES.get(metric, metric))(truth, answers, sensitive_features=groups)

    (ours,) = fairness_evidence(binary(truth, answers, groups), [metric])

    assert ours.value == pytest.approx(theirs, abs=1e-12)
    assert ours.groups == {name: int((groups == name).sum()) for name in "abc"}
    assert not ours.reason


def test_every_metric_of_every_task_can_be_measured() -> None:
    rng = np.random.default_rng(0)
    groups = rng.choice(["a", "b"], 300)
    classes = rng.integers(0, 3, 300)
    labels = np.where(rng.random(300) < 0.7, classes, rng.integers(0, 3, 300))
    multiclass = Predictions(labels=labels, probabilities=np.zeros((300, 3)))
    numbers = rng.normal(5, 1, 300)
    regression = Predictions(values=numbers + rng.normal(0, 1 + (groups == "b")))
    measured = {
        "binary-classification": binary(classes > 0, labels > 0, groups),
        "multiclass-classification": measure_groups("g", groups, classes, multiclass, MULTICLASS),
        "regression": measure_groups("g", groups, numbers, regression, REGRESSION),
    }
    for task, metrics in FAIRNESS_METRICS.items():
        for one in fairness_evidence(measured[task], metrics):
            assert np.isfinite(one.value), (task, one.metric, one.reason)
            assert one.value >= 0
            assert one.value <= 1 or task == "regression"
    errors = np.abs(regression.scores[:, 0] - numbers)
    by_hand = [errors[groups == name].mean() for name in "ab"]
    assert measured["regression"].between("mae_difference")[0] == pytest.approx(max(by_hand) - min(by_hand))
    assert measured["regression"].between("mae_ratio")[0] == pytest.approx(min(by_hand) / max(by_hand))


@pytest.mark.parametrize(
    ("metric", "truth", "answers", "says"),
    [
        # group b has no positive row: scikit-learn's rate is 0 then, and fairlearn sees no difference at all
        ("equal_opportunity_difference", [1, 0, 0, 0], [0, 0, 0, 0], "true_positive_rate is undefined in b: no row"),
        ("equalized_odds_difference", [1, 0, 0, 0], [0, 0, 0, 0], "true_positive_rate is undefined in b"),
        ("equalized_odds_ratio", [1, 0, 1, 1], [1, 1, 1, 1], "false_positive_rate is undefined in b"),
        ("false_negative_rate_difference", [1, 0, 0, 0], [1, 0, 0, 0], "false_negative_rate is undefined in b"),
        ("selection_rate_ratio", [1, 0, 1, 0], [0, 0, 0, 0], "selection_rate is 0 in every group"),
    ],
)
def test_a_measure_that_a_group_has_no_rows_for_is_undefined(
    metric: str, truth: list[int], answers: list[int], says: str
) -> None:
    value, reason = binary(truth, answers, ["a", "a", "b", "b"]).between(metric)
    assert isnan(value)
    assert says in reason


def test_answers_that_are_no_numbers_have_no_measures() -> None:
    truth = np.arange(4.0)
    measured = measure_groups("g", np.array(list("aabb")), truth, Predictions(values=truth * np.nan), REGRESSION)
    (found,) = fairness_evidence(measured, ["mae_difference"])
    assert isnan(found.value)
    assert "not all finite" in found.reason
    assert measured.to_json() == {
        "by": "g",
        "groups": [{"value": name, "rows": 2, "measures": {}} for name in "ab"],
    }


def test_the_groups_as_json() -> None:
    shown = binary([1, 0, 0, 0], [1, 0, 0, 1], ["a", "a", "b", "b"]).to_json()
    assert shown["by"] == "sex"
    a, b = shown["groups"]
    assert (a["value"], a["rows"], a["measures"]["true_positive_rate"]) == ("a", 2, 1.0)
    assert (b["value"], b["measures"]["selection_rate"], b["measures"]["true_positive_rate"]) == ("b", 0.5, None)
