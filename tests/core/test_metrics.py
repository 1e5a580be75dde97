from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mlops_ci.config import vocabulary
from mlops_ci.core.metrics import LIMITED_ONLY, METRICS, compute, metrics_for, oriented, statistic, why_undefined
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature, Task

BINARY = Signature(task="binary-classification", inputs=(), classes=("no", "yes"))
MULTICLASS = Signature(task="multiclass-classification", inputs=(), classes=(3, 5, 9))
REGRESSION = Signature(task="regression", inputs=())
SIGNATURES: dict[Task, Signature] = {one.task: one for one in (BINARY, MULTICLASS, REGRESSION)}


def answers(signature: Signature, rows: int, seed: int, *, digits: int = 1) -> tuple[np.ndarray, Predictions]:
    """Random truth and answers that know something of it; `digits` rounds scores, which makes ties."""
    rng = np.random.default_rng(seed)
    if signature.task == "regression":
        truth = rng.normal(size=rows).round(digits)
        return truth, Predictions(values=(truth + rng.normal(size=rows)).round(digits))
    codes = rng.integers(0, len(signature.classes), rows)
    scores = np.exp(rng.normal(size=(rows, len(signature.classes))) + np.eye(len(signature.classes))[codes])
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).round(digits)
    probabilities[:, 0] = np.abs(1 - probabilities[:, 1:].sum(axis=1))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = np.array(signature.classes, dtype=object if isinstance(signature.classes[0], str) else np.int64)
    return names[codes], Predictions(labels=names[probabilities.argmax(axis=1)], probabilities=probabilities)


def by_scikit_learn(
    name: str, truth: np.ndarray, predictions: Predictions, signature: Signature, weights: np.ndarray
) -> float:
    w, classes = {"sample_weight": weights}, list(signature.classes)
    if signature.task == "regression":
        of = {
            "mae": reference.mean_absolute_error,
            "rmse": reference.root_mean_squared_error,
            "r2": reference.r2_score,
            "median_absolute_error": reference.median_absolute_error,
            "mape": reference.mean_absolute_percentage_error,
        }
        return float(of[name](truth, predictions.values, **w))
    labels, probabilities = predictions.labels, predictions.probabilities
    assert probabilities is not None
    if signature.task == "multiclass-classification":
        of = {
            "accuracy": lambda: reference.accuracy_score(truth, labels, **w),
            "balanced_accuracy": lambda: reference.balanced_accuracy_score(truth, labels, **w),
            "macro_f1": lambda: reference.f1_score(truth, labels, average="macro", **w),
            "log_loss": lambda: reference.log_loss(truth, probabilities, labels=classes, **w),
            "roc_auc": lambda: reference.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro", **w),
        }
        return float(of[name]())
    positive, answered, scores = truth == classes[1], labels == classes[1], probabilities[:, 1]
    of = {
        "roc_auc": lambda: reference.roc_auc_score(positive, scores, **w),
        "average_precision": lambda: reference.average_precision_score(positive, scores, **w),
        "log_loss": lambda: reference.log_loss(positive, probabilities, labels=[False, True], **w),
        "brier_score": lambda: reference.brier_score_loss(positive, scores, **w),
        "accuracy": lambda: reference.accuracy_score(positive, answered, **w),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(positive, answered, **w),
        "f1": lambda: reference.f1_score(positive, answered, **w),
        "precision": lambda: reference.precision_score(positive, answered, **w),
        "recall": lambda: reference.recall_score(positive, answered, **w),
    }
    return float(of[name]())


CASES = [(task, name) for task in SIGNATURES for name in metrics_for(task)]


@pytest.mark.parametrize("weighted", ["equal", "integer", "float"])
@pytest.mark.parametrize(("task", "name"), CASES)
# scikit-learn's own deprecation: it renames the argument `y_pred` of log_loss, which is given here by position
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:sklearn")
def test_agrees_with_scikit_learn(task: Task, name: str, weighted: str) -> None:
    signature = SIGNATURES[task]
    for seed in range(5):
        for digits in (1, 6):
            truth, predictions = answers(signature, 80, seed, digits=digits)
            rng = np.random.default_rng(seed)
            weights = {
                "equal": np.ones(80),
                "integer": rng.integers(1, 4, 80).astype(float),
                "float": rng.uniform(0.1, 3, 80),
            }[weighted]
            value = compute(name, truth, predictions, signature, None if weighted == "equal" else weights)
            assert value == pytest.approx(
                by_scikit_learn(name, truth, predictions, signature, weights), rel=1e-9, abs=1e-12
            )
            assert METRICS[name].lower <= value <= METRICS[name].upper
            assert why_undefined(name, truth, predictions, signature) == ""


@pytest.mark.parametrize(("task", "name"), CASES)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 30))
def test_integer_weights_are_repeated_rows(task: Task, name: str, seed: int, rows: int) -> None:
    truth, predictions = answers(SIGNATURES[task], rows, seed)
    weights = np.random.default_rng(seed).integers(0, 4, rows)
    assume(weights.any())
    repeated = np.repeat(np.arange(rows), weights)
    parts = {key: None if (part := getattr(predictions, key)) is None else part[repeated]
             for key in ("labels", "probabilities", "values")}  # fmt: skip
    by_weight = compute(name, truth, predictions, SIGNATURES[task], weights)
    by_rows = compute(name, truth[repeated], Predictions(**parts), SIGNATURES[task])
    assert by_weight == pytest.approx(by_rows, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_weights_by_unit_are_the_weights_of_the_units_rows(task: Task, name: str) -> None:
    truth, predictions = answers(SIGNATURES[task], 60, 4)
    rng = np.random.default_rng(4)
    units = rng.permutation(np.arange(60) % 7)
    weights = rng.integers(0, 5, (6, 7))
    of_rows = statistic(name, truth, predictions, SIGNATURES[task])
    assert of_rows.over(units)(weights) == pytest.approx(of_rows(weights[:, units]), rel=1e-9, abs=1e-9, nan_ok=True)


def binary(truth: list[str], scores: list[float], labels: list[str] | None = None) -> tuple[np.ndarray, Predictions]:
    scored = np.array(scores, dtype=float)
    answered = labels or ["yes" if score >= 0.5 else "no" for score in scores]
    probabilities = np.column_stack([1 - scored, scored])
    return np.array(truth, dtype=object), Predictions(
        labels=np.array(answered, dtype=object), probabilities=probabilities
    )


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "balanced_accuracy", "recall", "f1"])
def test_one_class_in_the_truth_has_no_value_but_a_reason(name: str) -> None:
    truth, predictions = binary(["no", "no", "no"], [0.1, 0.2, 0.3])
    assert np.isnan(compute(name, truth, predictions, BINARY))
    assert "class" in why_undefined(name, truth, predictions, BINARY)


def test_a_model_that_never_says_yes_has_no_precision() -> None:
    assert compute("precision", *binary(["no", "yes"], [0.1, 0.2]), BINARY) == 0


def test_a_confident_error_costs_as_much_as_it_does_in_scikit_learn() -> None:
    truth, predictions = binary(["no", "yes"], [1.0, 0.9])
    expected = -(np.log(np.finfo(float).eps) + np.log(0.9)) / 2
    assert compute("log_loss", truth, predictions, BINARY) == pytest.approx(expected)


@pytest.mark.parametrize(("task", "name"), CASES)
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_makes_every_metric_undefined(task: Task, name: str, number: float) -> None:
    truth, predictions = answers(SIGNATURES[task], 20, 1)
    numbers = predictions.values if task == "regression" else predictions.probabilities
    assert numbers is not None
    numbers[3] = number
    assert np.isnan(compute(name, truth, predictions, SIGNATURES[task]))
    assert why_undefined(name, truth, predictions, SIGNATURES[task]).startswith("1 of 20")


@pytest.mark.parametrize(("task", "name"), CASES)
def test_no_rows_have_no_value(task: Task, name: str) -> None:
    truth, predictions = answers(SIGNATURES[task], 0, 1)
    assert np.isnan(compute(name, truth, predictions, SIGNATURES[task]))
    assert why_undefined(name, truth, predictions, SIGNATURES[task]) == "there is no row"


def test_names_a_class_that_the_model_does_not_know() -> None:
    truth, predictions = binary(["no", "perhaps", "yes"], [0.1, 0.2, 0.9])
    assert np.isnan(compute("accuracy", truth, predictions, BINARY))
    assert "'perhaps'" in why_undefined("accuracy", truth, predictions, BINARY)
    answered = binary(["no", "yes"], [0.1, 0.9], ["no", "never"])
    assert "'never'" in why_undefined("accuracy", *answered, BINARY)


def test_says_what_the_model_does_not_answer() -> None:
    truth, predictions = binary(["no", "yes"], [0.1, 0.9])
    without = Predictions(labels=predictions.labels)
    assert why_undefined("accuracy", truth, without, BINARY) == "the model answers no probabilities"
    assert why_undefined("mae", np.zeros(2), without, REGRESSION) == "the model answers no values"
    assert "shape (2, 2)" in why_undefined("accuracy", truth, predictions, MULTICLASS)


def test_a_metric_of_another_task_has_no_value() -> None:
    truth, predictions = answers(REGRESSION, 10, 1)
    assert np.isnan(compute("roc_auc", truth, predictions, REGRESSION))
    assert why_undefined("roc_auc", truth, predictions, REGRESSION) == "roc_auc is no metric of regression"


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 + 0.1])
def test_a_truth_that_does_not_vary_has_no_r2(constant: float) -> None:
    truth, predictions = np.full(7, constant), Predictions(values=np.arange(7.0))
    assert np.isnan(compute("r2", truth, predictions, REGRESSION))
    assert why_undefined("r2", truth, predictions, REGRESSION) == "the actual values do not vary"


def test_numbers_too_large_for_the_metric_are_no_exception() -> None:
    truth, predictions = np.zeros(3), Predictions(values=np.full(3, 1e300))
    assert compute("rmse", truth, predictions, REGRESSION) == np.inf
    assert why_undefined("rmse", truth, predictions, REGRESSION) == "the numbers are too large"


def test_a_class_that_does_not_occur_is_left_out_of_a_macro_average() -> None:
    truth, predictions = answers(MULTICLASS, 60, 2)
    rows = truth != 9
    assert predictions.labels is not None
    assert predictions.probabilities is not None
    kept = Predictions(labels=predictions.labels[rows], probabilities=predictions.probabilities[rows])
    each = [
        reference.roc_auc_score(truth[rows] == name, kept.probabilities[:, place]) for place, name in enumerate((3, 5))
    ]
    assert compute("roc_auc", truth[rows], kept, MULTICLASS) == pytest.approx(np.mean(each))
    recalls = reference.recall_score(truth[rows], kept.labels, labels=[3, 5], average=None)
    assert compute("balanced_accuracy", truth[rows], kept, MULTICLASS) == pytest.approx(recalls.mean())


def test_rows_of_truth_without_predictions_are_a_defect_of_the_caller() -> None:
    truth, predictions = answers(REGRESSION, 10, 1)
    with pytest.raises(ValueError, match="9 rows of truth and 10 of predictions"):
        compute("mae", truth[1:], predictions, REGRESSION)


def test_oriented_values_are_better_the_greater_they_are() -> None:
    assert oriented("roc_auc", 0.7) == 0.7
    assert oriented("r2", -0.2) == -0.2
    for loss in ("log_loss", "rmse", "mape", "latency_p99_ms", "image_mb"):
        assert oriented(loss, 3.0) == -3.0


def test_the_configuration_knows_the_same_metrics() -> None:
    assert {task: set(metrics_for(task)) for task in SIGNATURES} == {
        task: set(names) for task, names in vocabulary.METRICS.items()
    }
    assert set(LIMITED_ONLY) == set(vocabulary.LIMITED_ONLY)
