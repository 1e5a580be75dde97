from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_ci.core.bounds import BootstrapBounds, PairedCounts
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.difference import Difference
from mlops_ci.core.metrics import METRICS
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Task
from tests.core.two_models import BINARY, CASES, MULTICLASS, REGRESSION, SIGNATURES, labelled, pair, scored

UNITS = {"rows": None, "units": np.arange(300) % 30}


def compared(name: str, task: Task, rows: int = 300, seed: int = 1, **options: object) -> Difference:
    models = pair(task, rows, seed)
    settings: dict = {"resamples": 300, "seed": 1, **options}
    return paired_difference(name, *models, SIGNATURES[task], **settings)


@pytest.mark.parametrize(
    ("name", "task", "by_rows", "by_units"),
    [
        ("roc_auc", "binary-classification", "DeLong", "clustered DeLong"),
        ("accuracy", "binary-classification", "Tango", "clustered bootstrap"),
        ("recall", "binary-classification", "Tango", "clustered bootstrap"),
        ("precision", "binary-classification", "paired bootstrap", "clustered bootstrap"),
        ("log_loss", "binary-classification", "paired bootstrap", "clustered bootstrap"),
        ("accuracy", "multiclass-classification", "Tango", "clustered bootstrap"),
        ("roc_auc", "multiclass-classification", "paired bootstrap", "clustered bootstrap"),
        ("rmse", "regression", "paired bootstrap", "clustered bootstrap"),
    ],
)
def test_the_method_is_that_of_metric_and_units(name: str, task: Task, by_rows: str, by_units: str) -> None:
    assert compared(name, task).method == by_rows
    grouped = compared(name, task, units=UNITS["units"])
    assert (grouped.method, grouped.units, grouped.rows) == (by_units, 30, 300)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize(("task", "name"), [case for case in CASES if case[1] != "mape"])
def test_all_methods_agree_on_what_is_seen(task: Task, name: str, units: str) -> None:
    """A standard error, an interval about the estimate, and p-values on the right sides, whatever the method."""
    found = compared(name, task, units=UNITS[units])
    assert not found.reason
    assert found.lower(0.05) < found.estimate < found.upper(0.05)
    assert found.lower(0.01) <= found.lower(0.05)
    assert (found.upper(0.05) - found.lower(0.05)) / found.standard_error == pytest.approx(2 * 1.645, rel=0.25)
    assert found.p_value() + found.p_worse() == pytest.approx(1, abs=0.15)
    assert found.detectable(0.05) == pytest.approx(2.49 * found.standard_error, rel=0.15)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_the_other_way_round_it_is_the_other_way_round(task: Task, name: str) -> None:
    truth, champion, challenger = pair(task, 150, 3)
    one = paired_difference(name, truth, champion, challenger, SIGNATURES[task], resamples=4000, seed=1)
    other = paired_difference(name, truth, challenger, champion, SIGNATURES[task], resamples=4000, seed=1)
    spread = one.standard_error
    assert other.estimate == pytest.approx(-one.estimate)
    assert other.lower(0.05) == pytest.approx(-one.upper(0.05), abs=0.1 * spread)
    assert other.p_value() == pytest.approx(one.p_worse(), abs=0.03)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(CASES), st.permutations(range(12)))
def test_what_units_are_called_does_not_matter(case: tuple[Task, str], names: list[int]) -> None:
    task, name = case
    truth, champion, challenger = pair(task, 120, 3)
    units = np.arange(120) % 12
    first, second = (
        paired_difference(name, truth, champion, challenger, SIGNATURES[task], units=codes, resamples=2000, seed=1)
        for codes in (units, np.array(names)[units] * 7 + 3)
    )
    assert second.standard_error == pytest.approx(first.standard_error, rel=0.1)
    assert second.lower(0.05) == pytest.approx(first.lower(0.05), abs=0.25 * first.standard_error)


@pytest.mark.parametrize("name", ["accuracy", "f1", "balanced_accuracy"])
def test_what_the_classes_are_called_does_not_matter(name: str) -> None:
    truth, champion, challenger = pair("binary-classification", 200, 3)
    named = np.array(["no", "yes"], dtype=object)
    signature = type(BINARY)(task="binary-classification", inputs=(), classes=("no", "yes"))
    words = [
        Predictions(labels=named[np.asarray(one.labels)], probabilities=one.probabilities)
        for one in (champion, challenger)
    ]
    first = paired_difference(name, truth, champion, challenger, BINARY, resamples=200, seed=1)
    second = paired_difference(name, named[truth], *words, signature, resamples=200, seed=1)
    assert (second.lower(0.05), second.upper(0.05)) == (first.lower(0.05), first.upper(0.05))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "binary-classification" in metric.tasks])
def test_positive_is_better_whatever_the_metric(name: str) -> None:
    truth, champion, challenger = pair("binary-classification", 2000, 3, gap=2.0)
    assert paired_difference(name, truth, champion, challenger, BINARY, resamples=200, seed=1).lower(0.01) > 0
    assert paired_difference(name, truth, challenger, champion, BINARY, resamples=200, seed=1).upper(0.01) < 0


def test_accuracy_counts_the_rows_that_only_one_answers_rightly() -> None:
    truth = np.array(["a", "b", "c", "a", "b", "c"] * 5, dtype=object)
    champion, challenger = truth.copy(), truth.copy()
    champion[:7], challenger[5:9] = "b", "c"
    both = [Predictions(labels=labels, probabilities=np.full((30, 3), 1 / 3)) for labels in (champion, challenger)]
    found = paired_difference("accuracy", truth, *both, MULTICLASS, seed=1)
    only_champion = ((champion == truth) & (challenger != truth)).sum()
    only_challenger = ((challenger == truth) & (champion != truth)).sum()
    assert found.bounds == PairedCounts(better=int(only_challenger), worse=int(only_champion), rows=30)
    assert found.estimate == pytest.approx((only_challenger - only_champion) / 30)


def test_recall_is_the_accuracy_of_the_positive_rows() -> None:
    truth, champion, challenger = pair("binary-classification", 200, 3)
    found = paired_difference("recall", truth, champion, challenger, BINARY, seed=1)
    positive = np.flatnonzero(truth == 1)
    alone = paired_difference(
        "accuracy", truth[positive], champion.take(positive), challenger.take(positive), BINARY, seed=1
    )
    assert found.bounds == alone.bounds
    assert found.rows == 200


def test_the_spread_of_a_few_groups_is_not_understated() -> None:
    """Of ten groups of equal size the mean's standard error is that of ten values, which divides by nine."""
    groups = np.repeat(np.arange(10), 20)
    truth, errors = np.zeros(200), np.random.default_rng(2).normal(size=10)[groups]
    champion, challenger = Predictions(values=np.full(200, 5.0)), Predictions(values=5.0 + errors)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, units=groups, resamples=20_000, seed=1)
    assert found.standard_error == pytest.approx(errors[::20].std(ddof=1) / np.sqrt(10), rel=0.015)


def test_p_worse_is_a_one_sided_t_test() -> None:
    truth, champion, challenger = pair("regression", 60, 12)
    found = paired_difference("mae", truth, champion, challenger, REGRESSION, resamples=5000, seed=1)
    errors = [np.abs(model.values - truth) for model in (champion, challenger)]
    expected = stats.ttest_rel(errors[0], errors[1], alternative="less").pvalue
    assert found.p_worse() == pytest.approx(float(expected), abs=0.02)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "log_loss", "f1"])
def test_identical_models_differ_by_nothing(name: str) -> None:
    truth, champion, _ = pair("binary-classification", 100, 1)
    found = paired_difference(name, truth, champion, champion.take(np.arange(100)), BINARY, resamples=100, seed=1)
    assert (found.estimate, found.lower(0.01), found.upper(0.01), found.p_value(), found.p_worse()) == (0, 0, 0, 1, 1)
    assert (found.method, found.rows_to_show(0.01, 0.05)) == ("identical answers", 0)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "accuracy", "f1", "balanced_accuracy"])
def test_two_models_without_an_error_may_still_differ_on_the_next_row(name: str) -> None:
    truth = np.arange(60) % 2
    perfect = [scored(0.2 + 0.6 * truth), scored(0.1 + 0.7 * truth)]
    found = paired_difference(name, truth, *perfect, BINARY, resamples=200, seed=1)
    assert (found.champion, found.challenger, found.estimate) == (1, 1, 0)
    assert -0.15 < found.lower(0.05) < -0.04
    assert found.upper(0.05) == -found.lower(0.05)
    assert (found.p_value(), found.p_worse()) == (1, 1)


def test_scores_that_are_all_tied_rank_nothing() -> None:
    truth = np.arange(60) % 2
    flat, other = scored(np.full(60, 0.4)), scored(np.full(60, 0.3))
    found = paired_difference("roc_auc", truth, flat, other, BINARY, seed=1)
    assert (found.champion, found.challenger) == (0.5, 0.5)
    assert found.lower(0.05) < 0 < found.upper(0.05)
    informed = paired_difference("roc_auc", truth, flat, scored(0.3 + 0.2 * truth), BINARY, seed=1)
    assert informed.lower(0.05) > 0.3


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss"])
@pytest.mark.parametrize("better", [1, 2, 3, 4])
def test_a_few_rows_that_all_speak_for_the_challenger_prove_nothing(better: int, name: str) -> None:
    """The percentile of the resamples alone says "better" here; the exact sign test says 1/2, 1/4, 1/8, 1/16."""
    truth = np.arange(2000) % 2
    wrong = truth.copy()
    wrong[:better] = 1 - wrong[:better]
    found = paired_difference(name, truth, labelled(wrong), labelled(truth), BINARY, resamples=2000, seed=1)
    assert found.lower(0.05) <= 0
    assert found.p_value() > 0.05
    assert found.estimate > 0


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
    for name, few in (("average_precision", "is undefined in"), ("roc_auc", "hold a row of the rarer class")):
        found = paired_difference(name, truth, champion, challenger, BINARY, resamples=3000, seed=1)
        assert (few in found.reason) == bool(found.reason) == undefined
        assert np.isnan(found.lower(0.05)) == undefined
        if isinstance(found.bounds, BootstrapBounds):
            assert 2970 <= len(found.bounds.samples) < 3000


def test_units_of_another_number_of_rows_are_a_defect_of_the_caller() -> None:
    truth, champion, challenger = pair("regression", 30, 1)
    with pytest.raises(ValueError, match="30 rows of truth and 29 of units"):
        paired_difference("mae", truth, champion, challenger, REGRESSION, units=np.arange(29), resamples=10, seed=1)
