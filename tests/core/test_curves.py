"""The curves against scikit-learn's own, and their promises: bounded, plain JSON, the same every time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import auc, confusion_matrix, precision_recall_curve, roc_auc_score, roc_curve

from mlops_ci.core.curves import MAX_POINTS, calibration_error, curves
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Label, Signature


def binary(scores: NDArray[np.float64], classes: tuple[Label, Label] = (0, 1)) -> tuple[Predictions, Signature]:
    labels = np.array(classes, dtype=object)[(scores >= 0.5).astype(int)]
    predictions = Predictions(labels=labels, probabilities=np.column_stack([1 - scores, scores]))
    return predictions, Signature(task="binary-classification", inputs=(), classes=classes)


def sample(rows: int, seed: int = 1, digits: int = 12) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    scores = generator.beta(1, 3, rows).round(digits)
    return (generator.random(rows) < scores).astype(np.int64), scores


def leaves(value: Any) -> int:
    """The number of numbers in one curve."""
    if isinstance(value, dict):
        return max((leaves(item) for item in value.values()), default=0)
    if isinstance(value, list) and value and isinstance(value[0], list):
        return sum(len(row) for row in value)
    return len(value) if isinstance(value, list) else 1


@pytest.mark.parametrize("digits", [12, 2, 0])
def test_few_points_are_scikit_learns_whole_curves(digits: int) -> None:
    truth, scores = sample(150, digits=digits)
    drawn = curves(truth, *binary(scores))

    rate, hit, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert drawn["roc"]["x"] == pytest.approx(rate, abs=1e-5)
    assert drawn["roc"]["y"] == pytest.approx(hit, abs=1e-5)
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert drawn["pr"]["x"] == pytest.approx(recall[:-1][::-1], abs=1e-5)
    assert drawn["pr"]["y"] == pytest.approx(precision[:-1][::-1], abs=1e-5)


def test_many_points_are_thinned_without_bending_the_curve() -> None:
    truth, scores = sample(50_000)
    roc = curves(truth, *binary(scores))["roc"]

    assert len(roc["x"]) <= MAX_POINTS
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0, 0, 1, 1)
    assert auc(roc["x"], roc["y"]) == pytest.approx(roc_auc_score(truth, scores), abs=1e-3)


def test_a_rare_class_still_has_a_curve_with_points_all_along() -> None:
    truth, scores = sample(100_000, digits=4)
    truth = truth * (np.arange(len(truth)) % 100 == 0)
    assert max(np.diff(curves(truth, *binary(scores))["roc"]["y"])) < 0.03


def test_calibration_bins_hold_equally_many_rows_and_an_interval_around_the_truth() -> None:
    truth, scores = sample(20_000)
    bins = curves(truth, *binary(scores))["calibration"]

    assert [part["rows"] for part in bins] == [2000] * 10
    assert sum(part["lower"] <= part["predicted"] <= part["upper"] for part in bins) >= 8
    assert all(0 <= part["lower"] <= part["observed"] <= part["upper"] <= 1 for part in bins)
    order = np.argsort(scores)
    assert bins[3]["predicted"] == pytest.approx(scores[order[6000:8000]].mean(), rel=1e-5)
    assert bins[3]["observed"] == pytest.approx(truth[order[6000:8000]].mean(), rel=1e-5)


@pytest.mark.parametrize("rows", range(100, 160, 7))
def test_the_interval_of_a_bin_holds_its_rate_also_where_that_is_none_or_all(rows: int) -> None:
    truth = np.repeat([0, 1], rows)
    for one in curves(truth, *binary(np.linspace(0.01, 0.99, 2 * rows)))["calibration"]:
        assert one["lower"] <= one["observed"] <= one["upper"]


def test_the_calibration_error_is_how_far_the_bins_are_off_on_average() -> None:
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.05, 0.65, 40_000)
    truth = (rng.random(40_000) < scores).astype(np.int64)
    assert curves(truth, *binary(scores))["calibration_error"] < 0.01
    assert curves(truth, *binary(scores + 0.3))["calibration_error"] == pytest.approx(0.3, abs=0.01)
    bins = [{"rows": 3, "predicted": 0.5, "observed": 0.4}, {"rows": 1, "predicted": 0.1, "observed": 0.5}]
    assert calibration_error(bins) == pytest.approx((0.3 + 0.4) / 4)


def test_equal_scores_share_a_bin() -> None:
    truth = np.array([0, 1] * 50)
    bins = curves(truth, *binary(np.repeat([0.2, 0.7], 50)))["calibration"]
    assert [(part["predicted"], part["observed"], part["rows"]) for part in bins] == [(0.2, 0.5, 50), (0.7, 0.5, 50)]


def test_the_score_histogram_counts_every_row_once() -> None:
    truth, scores = sample(3000)
    scores[:2] = [0, 1]
    histogram = curves(truth, *binary(scores))["scores"]
    assert (sum(histogram["positive"]), sum(histogram["negative"])) == (truth.sum(), 3000 - truth.sum())
    assert len(histogram["edges"]) == len(histogram["positive"]) + 1


def test_one_class_only_has_no_operating_curve_but_no_error_either() -> None:
    drawn = curves(np.zeros(30, dtype=int), *binary(np.linspace(0, 1, 30)))
    assert drawn["roc"] == drawn["pr"] == {"x": [], "y": []}
    assert sum(drawn["scores"]["negative"]) == 30


def test_text_labels() -> None:
    truth, scores = sample(500)
    texts = np.array(["no", "yes"], dtype=object)[truth]
    drawn = curves(texts, *binary(scores, ("no", "yes")))
    assert drawn["roc"] == curves(truth, *binary(scores))["roc"]
    assert drawn["confusion"]["labels"] == ["no", "yes"]
    assert drawn["confusion"]["counts"] == confusion_matrix(truth, scores >= 0.5).tolist()


def test_answers_that_are_no_numbers_are_left_out_and_counted() -> None:
    truth, scores = sample(400)
    broken = scores.copy()
    broken[[3, 5]] = np.nan
    drawn, clean = curves(truth, *binary(broken)), curves(np.delete(truth, [3, 5]), *binary(np.delete(scores, [3, 5])))
    assert (drawn.pop("dropped"), drawn.pop("rows"), clean.pop("dropped"), clean.pop("rows")) == (2, 398, 0, 398)
    assert drawn == clean
    assert curves(truth, *binary(scores * np.nan)) == {"task": "binary-classification", "rows": 0, "dropped": 400}


def multiclass(classes: int, rows: int = 4000) -> tuple[NDArray[Any], Predictions, Signature]:
    generator = np.random.default_rng(5)
    names = tuple(f"class {number}" for number in range(classes))
    probabilities = generator.dirichlet(np.full(classes, 0.3), rows)
    truth = np.array([generator.choice(classes, p=row) for row in probabilities])
    labels = np.array(names, dtype=object)
    predictions = Predictions(labels=labels[probabilities.argmax(axis=1)], probabilities=probabilities)
    return labels[truth], predictions, Signature(task="multiclass-classification", inputs=(), classes=names)


def test_a_multiclass_confusion_matrix_is_scikit_learns() -> None:
    truth, predictions, signature = multiclass(5)
    drawn = curves(truth, predictions, signature)
    assert drawn["confusion"]["counts"] == confusion_matrix(truth, predictions.labels).tolist()
    bins = drawn["calibration"]
    assert sum(part["lower"] <= part["predicted"] <= part["upper"] for part in bins) >= 8


def test_rare_classes_share_a_row_so_that_the_matrix_stays_readable() -> None:
    truth, predictions, signature = multiclass(60)
    confusion = curves(truth, predictions, signature)["confusion"]
    counts = np.array(confusion["counts"])
    assert counts.shape == (14, 14)
    assert counts.sum() == 4000
    assert confusion["labels"][-1] == "47 other classes"
    names, frequency = np.unique(truth, return_counts=True)
    assert set(confusion["labels"][:-1]) <= set(names[np.argsort(-frequency)[:16]])


def test_residuals_are_actual_minus_predicted_and_one_outlier_does_not_flatten_them() -> None:
    generator = np.random.default_rng(9)
    actual = generator.normal(50, 10, 5000)
    values = actual - generator.normal(2, 1, 5000)
    values[0], values[1] = -1e9, np.nan
    drawn = curves(actual, Predictions(values=values), Signature(task="regression", inputs=()))

    residuals = drawn["residuals"]
    assert drawn["dropped"] == 1
    assert sum(residuals["counts"]) + residuals["below"] + residuals["above"] == 4999
    assert residuals["above"] >= 1
    assert residuals["edges"][0] > -3
    assert residuals["edges"][-1] < 7
    centres = (np.array(residuals["edges"][1:]) + residuals["edges"][:-1]) / 2
    assert np.average(centres, weights=residuals["counts"]) == pytest.approx(2, abs=0.05)


def test_a_perfect_regressor_has_a_histogram_too() -> None:
    actual = np.arange(20.0)
    residuals = curves(actual, Predictions(values=actual), Signature(task="regression", inputs=()))["residuals"]
    assert sum(residuals["counts"]) == 20


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2000), st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_always_bounded_plain_and_repeatable(rows: int, seed: int, digits: int) -> None:
    truth, scores = sample(rows, seed, digits)
    drawn = curves(truth, *binary(scores))
    assert all(leaves(value) <= MAX_POINTS for value in drawn.values())
    assert json.loads(canonical_json(drawn)) == drawn
    assert canonical_json(drawn) == canonical_json(curves(truth, *binary(scores)))
