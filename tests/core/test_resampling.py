from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mlops_ci.core.metrics import METRICS, compute, metrics_for, oriented
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.resampling import (
    Difference,
    independent_units,
    normal_from_student,
    paired_difference,
    student_from_normal,
)
from mlops_ci.core.signature import Signature, Task

BINARY = Signature(task="binary-classification", inputs=(), classes=(0, 1))
MULTICLASS = Signature(task="multiclass-classification", inputs=(), classes=("a", "b", "c"))
REGRESSION = Signature(task="regression", inputs=())
SIGNATURES: dict[Task, Signature] = {one.task: one for one in (BINARY, MULTICLASS, REGRESSION)}
CASES = [(task, name) for task in SIGNATURES for name in metrics_for(task)]
Pair = tuple[np.ndarray, Predictions, Predictions]


def pair(task: Task, rows: int, seed: int | list[int], *, gap: float = 0.0) -> Pair:
    """Truth and two models of equal quality that agree in part; a `gap` makes the second one better."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        truth = rng.normal(size=rows)
        return truth, *(Predictions(values=truth + rng.normal(size=rows) * (1 - by)) for by in (0, gap))
    names = np.array(SIGNATURES[task].classes, dtype=object if task.startswith("multi") else np.int64)
    codes = rng.integers(0, len(names), rows)
    shared = rng.normal(size=(rows, len(names)))
    models = []
    for by in (0, gap):
        scores = np.exp(np.eye(len(names))[codes] * (1 + by) + shared + rng.normal(size=shared.shape))
        probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
        models.append(Predictions(labels=names[probabilities.argmax(axis=1)], probabilities=probabilities))
    return names[codes], models[0], models[1]


def labelled(truth: np.ndarray, labels: np.ndarray) -> Predictions:
    """A model that answers 0 or 1 with full confidence."""
    return Predictions(labels=labels, probabilities=np.column_stack([1 - labels, labels]).astype(float))


@pytest.mark.parametrize(("task", "name"), CASES)
def test_resamples_are_the_metric_of_the_rows_drawn(task: Task, name: str) -> None:
    """The fast path, against drawing the rows and computing the metric afresh, with the same random picks."""
    rows, resamples = 40, 30
    truth, champion, challenger = pair(task, rows, 5)
    picks = np.random.default_rng(11).integers(0, rows, (resamples, rows))
    slow = sorted(
        oriented(name, compute(name, truth[drawn], challenger.take(drawn), SIGNATURES[task]))
        - oriented(name, compute(name, truth[drawn], champion.take(drawn), SIGNATURES[task]))
        for drawn in picks
    )
    fast = paired_difference(name, truth, champion, challenger, SIGNATURES[task], resamples=resamples, seed=11)
    assert fast.samples == pytest.approx(slow, rel=1e-9, abs=1e-12)
    assert fast.estimate == pytest.approx(oriented(name, fast.challenger) - oriented(name, fast.champion))


@pytest.mark.parametrize(("task", "name"), CASES)
def test_whole_units_are_drawn(task: Task, name: str) -> None:
    truth, champion, challenger = pair(task, 90, 6)
    groups = np.array([f"carrier {number}" for number in np.random.default_rng(1).integers(0, 12, 90)], dtype=object)
    members = [np.flatnonzero(groups == group) for group in sorted(set(groups))]
    assert len(members) == 12
    picks = np.random.default_rng(3).integers(0, 12, (20, 12))
    draws = [np.concatenate([members[unit] for unit in drawn]) for drawn in picks]
    slow = sorted(
        oriented(name, compute(name, truth[drawn], challenger.take(drawn), SIGNATURES[task]))
        - oriented(name, compute(name, truth[drawn], champion.take(drawn), SIGNATURES[task]))
        for drawn in draws
    )
    units = independent_units(groups=groups)
    fast = paired_difference(name, truth, champion, challenger, SIGNATURES[task], units=units, resamples=20, seed=3)
    assert (fast.units, fast.rows) == (12, 90)
    assert fast.samples == pytest.approx(slow, rel=1e-9, abs=1e-12)


def test_the_same_seed_gives_the_same_resamples_and_another_seed_others() -> None:
    truth, champion, challenger = pair("regression", 50, 1)
    first, again, other = (
        paired_difference("mae", truth, champion, challenger, REGRESSION, resamples=100, seed=seed).samples.tolist()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "binary-classification" in metric.tasks])
def test_positive_is_better_whatever_the_metric(name: str) -> None:
    truth, champion, challenger = pair("binary-classification", 2000, 3, gap=2.0)
    assert paired_difference(name, truth, champion, challenger, BINARY, resamples=200, seed=1).lower(0.01) > 0
    assert paired_difference(name, truth, challenger, champion, BINARY, resamples=200, seed=1).upper(0.01) < 0


def test_the_spread_of_an_accuracy_is_the_closed_form() -> None:
    truth, champion, challenger = pair("binary-classification", 800, 8)
    ours = np.asarray(challenger.labels == truth, dtype=float) - np.asarray(champion.labels == truth, dtype=float)
    found = paired_difference("accuracy", truth, champion, challenger, BINARY, resamples=4000, seed=1)
    assert found.estimate == pytest.approx(ours.mean())
    assert found.standard_error == pytest.approx(ours.std(ddof=1) / np.sqrt(800), rel=0.04)


def test_the_spread_of_a_few_groups_is_not_understated() -> None:
    """Of ten groups of equal size the mean's standard error is that of ten values, which divides by nine."""
    groups = np.repeat(np.arange(10), 20)
    truth, errors = np.zeros(200), np.random.default_rng(2).normal(size=10)[groups]
    champion, challenger = Predictions(values=np.full(200, 5.0)), Predictions(values=5.0 + errors)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, units=groups, resamples=20_000, seed=1)
    assert found.standard_error == pytest.approx(errors[::20].std(ddof=1) / np.sqrt(10), rel=0.015)


def delong_standard_error(truth: np.ndarray, champion: Predictions, challenger: Predictions) -> float:
    """DeLong, DeLong & Clarke-Pearson 1988, written from its definition: every pair of rows is compared."""
    components = []
    for predictions in (champion, challenger):
        assert predictions.probabilities is not None
        scores = predictions.probabilities[:, 1]
        positive, negative = scores[truth == 1][:, np.newaxis], scores[truth == 0][np.newaxis, :]
        wins = (positive > negative) + 0.5 * (positive == negative)
        components.append((wins.mean(axis=1), wins.mean(axis=0)))
    by_positive, by_negative = (np.subtract(components[1][part], components[0][part]) for part in (0, 1))
    return float(np.sqrt(by_positive.var(ddof=1) / len(by_positive) + by_negative.var(ddof=1) / len(by_negative)))


def test_the_spread_of_a_roc_auc_is_that_of_delong() -> None:
    truth, champion, challenger = pair("binary-classification", 600, 9)
    found = paired_difference("roc_auc", truth, champion, challenger, BINARY, resamples=4000, seed=1)
    assert found.standard_error == pytest.approx(delong_standard_error(truth, champion, challenger), rel=0.05)


@pytest.mark.parametrize("degrees", [5, 9, 15, 30, 300])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 0.0025])
def test_student_quantiles_are_those_of_scipy(degrees: int, alpha: float) -> None:
    normal, student = float(stats.norm.isf(alpha)), float(stats.t.isf(alpha, degrees))
    assert student_from_normal(normal, degrees) == pytest.approx(student, rel=0.02)
    assert student_from_normal(-normal, degrees) == -student_from_normal(normal, degrees)
    assert normal_from_student(student_from_normal(normal, degrees), degrees) == pytest.approx(normal)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0025])
def test_with_few_degrees_of_freedom_the_quantile_errs_to_the_cautious_side(degrees: int, alpha: float) -> None:
    assert student_from_normal(float(stats.norm.isf(alpha)), degrees) > 0.99 * float(stats.t.isf(alpha, degrees))


def test_bounds_are_the_more_cautious_of_percentile_and_student() -> None:
    samples = np.linspace(-1, 1, 2001)
    found = Difference(
        metric="mae", champion=0, challenger=0, estimate=0.0, standard_error=0.1, samples=samples,
        rows=500, units=500, telling=500,
    )  # fmt: skip
    assert found.lower(0.05) == pytest.approx(-0.9)
    assert found.upper(0.05) == pytest.approx(0.9)
    wide = Difference(
        metric="mae", champion=0, challenger=0, estimate=0.0, standard_error=10.0, samples=samples,
        rows=500, units=500, telling=500,
    )  # fmt: skip
    assert wide.lower(0.05) == pytest.approx(-10 * stats.t.isf(0.05, 499), rel=1e-3)
    assert wide.upper(0.05) == -wide.lower(0.05)
    assert wide.p_worse() == pytest.approx(0.5)


def test_p_worse_is_a_one_sided_t_test() -> None:
    truth, champion, challenger = pair("regression", 60, 12)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, resamples=5000, seed=1)
    errors = [np.abs(model.values - truth) for model in (champion, challenger)]
    expected = stats.ttest_rel(errors[0], errors[1], alternative="less").pvalue
    assert found.p_worse() == pytest.approx(float(expected), abs=0.02)


def test_identical_models_differ_by_nothing() -> None:
    truth, champion, _ = pair("binary-classification", 100, 1)
    found = paired_difference("roc_auc", truth, champion, champion, BINARY, resamples=100, seed=1)
    assert (found.estimate, found.lower(0.01), found.upper(0.01), found.p_worse()) == (0, 0, 0, 1)
    assert found.telling == 0
    assert found.rows_to_show(0.01, 0.05) == 0


@pytest.mark.parametrize("better", [2, 3, 4])
def test_a_few_rows_that_all_speak_for_the_challenger_prove_nothing(better: int) -> None:
    """The percentile of the resamples alone says "better" here; the exact sign test says 1/4, 1/8, 1/16."""
    truth = np.zeros(2000, dtype=np.int64)
    wrong = truth.copy()
    wrong[:better] = 1
    found = paired_difference(
        "accuracy", truth, labelled(truth, wrong), labelled(truth, truth), BINARY, resamples=2000, seed=1
    )
    assert found.telling == better
    assert found.lower(0.05) <= 0


def test_fewer_than_ten_units_show_no_spread() -> None:
    truth, champion, challenger = pair("regression", 100, 1)
    for units in (1, 9):
        found = paired_difference(
            "mae", truth, champion, challenger, REGRESSION, units=np.arange(100) % units, resamples=100, seed=1
        )
        assert f"there are {units} independent units" in found.reason
        assert np.isnan([found.standard_error, found.lower(0.05), found.upper(0.05), found.p_worse()]).all()
        assert np.isfinite(found.estimate)
    assert not paired_difference(
        "mae", truth, champion, challenger, REGRESSION, units=np.arange(100) % 10, resamples=100, seed=1
    ).reason


def test_no_rows_are_no_units() -> None:
    truth, champion, challenger = pair("regression", 0, 1)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, resamples=100, seed=1)
    assert found.reason == "mae of the champion is undefined: there is no row"
    assert np.isnan(found.lower(0.05))


def test_a_model_whose_metric_is_not_finite_is_named() -> None:
    truth, champion, challenger = pair("binary-classification", 100, 1)
    assert challenger.probabilities is not None
    challenger.probabilities[7] = np.nan
    found = paired_difference("roc_auc", truth, champion, challenger, BINARY, resamples=100, seed=1)
    assert found.reason == "roc_auc of the challenger is undefined: 1 of 100 probabilities are not finite numbers"
    assert np.isnan(found.lower(0.05))


@pytest.mark.parametrize(("positives", "undefined"), [(2, True), (7, False)])
def test_resamples_without_a_class_are_left_out_while_they_are_rare(positives: int, undefined: bool) -> None:
    """Two positives are both missed by e^-2 of the resamples, seven by e^-7: about one in a thousand."""
    _, champion, challenger = pair("binary-classification", 100, 1)
    truth = np.zeros(100, dtype=np.int64)
    truth[:positives] = 1
    found = paired_difference("roc_auc", truth, champion, challenger, BINARY, resamples=3000, seed=1)
    if undefined:
        assert "roc_auc is undefined in" in found.reason
        assert np.isnan(found.lower(0.05))
    else:
        assert not found.reason
        assert 2970 <= len(found.samples) < 3000
        assert np.isfinite(found.lower(0.05))


def test_units_of_another_number_of_rows_are_a_defect_of_the_caller() -> None:
    truth, champion, challenger = pair("regression", 30, 1)
    with pytest.raises(ValueError, match="30 rows of truth and 29 of units"):
        paired_difference("mae", truth, champion, challenger, REGRESSION, units=np.arange(29), resamples=10, seed=1)


def test_units_are_groups_else_blocks_of_time_else_rows() -> None:
    times = np.random.default_rng(1).permutation(np.arange(10_000)).astype("datetime64[m]")
    groups = np.array(["a", None, "b", "a"], dtype=object)
    assert independent_units() is None
    assert independent_units(groups=groups, times=np.arange(4)).tolist() == [1, 0, 2, 1]
    blocks = independent_units(times=times)
    assert blocks is not None
    assert np.bincount(blocks).tolist() == [100] * 100
    assert (np.diff(blocks[np.argsort(times)]) >= 0).all()


@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (15, 15), (100, 20), (399, 21), (70_000, 265)])
def test_a_small_holdout_has_shorter_blocks_rather_than_too_few(rows: int, blocks: int) -> None:
    units = independent_units(times=np.zeros(rows))
    assert units is not None
    counts = np.bincount(units)
    assert len(counts) == blocks
    assert counts.max() - counts.min() <= 1


def test_more_rows_show_smaller_differences() -> None:
    truth, champion, challenger = pair("regression", 400, 1)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, resamples=2000, seed=1)
    detectable = found.detectable(0.05)
    assert detectable == pytest.approx((stats.t.isf(0.05, 399) + stats.norm.isf(0.2)) * found.standard_error, rel=1e-3)
    assert found.rows_to_show(detectable, 0.05) == pytest.approx(400, abs=1)
    assert found.rows_to_show(detectable / 2, 0.05) == pytest.approx(1600, abs=1)
    assert found.rows_to_show(0.0, 0.05) is None
    assert found.rows_to_show(-1.0, 0.05) is None


def wins(make: Callable[[int], tuple[Difference, float]], trials: int) -> int:
    return sum(found.lower(alpha) > 0 for found, alpha in map(make, range(trials)))


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(
    ("task", "name", "rows"),
    [
        ("binary-classification", "roc_auc", 80),
        ("binary-classification", "accuracy", 200),
        ("binary-classification", "log_loss", 100),
        ("regression", "rmse", 60),
    ],
)
def test_equal_models_are_seldom_called_superior(task: Task, name: str, rows: int, alpha: float) -> None:
    """At most what 300 fair trials exceed once in a thousand times; the same trials every time."""

    def trial(seed: int) -> tuple[Difference, float]:
        return paired_difference(name, *pair(task, rows, [77, seed]), SIGNATURES[task], resamples=300, seed=seed), alpha

    assert wins(trial, 300) <= stats.binom.isf(0.001, 300, alpha)


def clustered(seed: int) -> tuple[Pair, np.ndarray]:
    """Two models of equal quality, each with its own error for each of 16 groups."""
    rng = np.random.default_rng([99, seed])
    groups = rng.integers(0, 16, 400)
    truth = rng.normal(size=400)
    models = [truth + rng.normal(size=400) + 0.7 * rng.normal(size=16)[groups] for _ in range(2)]
    return (truth, Predictions(values=models[0]), Predictions(values=models[1])), groups


def test_rows_that_belong_together_are_drawn_together_or_equal_models_win() -> None:
    """What clustering is for: as if the rows were independent, one of equal models wins far too often."""

    def by_group(seed: int) -> tuple[Difference, float]:
        models, groups = clustered(seed)
        return paired_difference("mae", *models, REGRESSION, units=groups, resamples=400, seed=seed), 0.05

    def by_row(seed: int) -> tuple[Difference, float]:
        return paired_difference("mae", *clustered(seed)[0], REGRESSION, resamples=400, seed=seed), 0.05

    assert wins(by_group, 300) <= stats.binom.isf(0.001, 300, 0.05)
    assert wins(by_row, 300) > 1.5 * stats.binom.isf(0.001, 300, 0.05)


def test_a_large_holdout_stays_in_little_memory() -> None:
    """All weights at once would be 40,000 x 400 x 8 bytes = 128 MB."""
    truth, champion, challenger = pair("binary-classification", 40_000, 1)
    tracemalloc.start()
    try:
        paired_difference("roc_auc", truth, champion, challenger, BINARY, resamples=400, seed=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32e6
