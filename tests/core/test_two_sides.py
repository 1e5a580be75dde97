"""Intervals for the two sides of an A/B test, which hold at all times at once."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.core.two_sides import FEWEST, Judged, failures, means, performance, quantiles

BINARY = Signature(task="binary-classification", inputs=(Column(name="x", kind="number"),), classes=(0, 1))
REGRESSION = Signature(task="regression", inputs=(Column(name="x", kind="number"),))


def ones(count: int) -> np.ndarray:
    return np.arange(count)


def test_a_difference_in_failures_has_an_interval_around_it() -> None:
    found = failures("errors", (20, 1000), (80, 1000))

    assert (found.stable.value, found.new.value) == (0.02, 0.08)
    assert found.difference.value == pytest.approx(0.06)
    assert found.difference.lower is not None
    assert found.difference.upper is not None
    assert 0.0 < found.difference.lower < 0.06 < found.difference.upper < 0.12


def test_no_failure_at_all_is_no_certainty() -> None:
    found = failures("errors", (0, 200), (0, 200))

    assert (found.new.lower, found.new.value) == (0.0, 0.0)
    assert found.new.upper is not None
    assert 0.01 < found.new.upper < 0.1


def test_a_side_of_few_requests_has_no_interval_and_neither_has_the_difference() -> None:
    found = failures("errors", (0, 10_000), (1, FEWEST - 1))

    assert found.new.value == pytest.approx(1 / 99)
    assert found.new.lower is None
    assert found.difference.value is not None
    assert found.difference.lower is None
    assert failures("errors", (0, 10_000), (0, 0)).difference.value is None


def test_rows_of_one_request_are_no_independent_units() -> None:
    values = np.repeat([0.0, 1.0] * 100, 10)
    by_row = means("answer", (values, ones(2000)), (values, ones(2000)))
    by_request = means("answer", (values, np.repeat(ones(200), 10)), (values, np.repeat(ones(200), 10)))

    assert by_request.stable.units == 200
    assert by_request.stable.error == pytest.approx(by_row.stable.error * 10**0.5, rel=0.01)


def test_looked_at_after_every_hundred_requests_it_is_wrong_in_no_more_than_5_percent_of_the_tests() -> None:
    random = np.random.default_rng(11)
    tests, wrong = 300, 0
    for _ in range(tests):
        stable, new = random.exponential(1.0, 4000), random.exponential(1.0, 1000)
        for share in range(1, 11):
            found = means(
                "answer", (stable[: 400 * share], ones(400 * share)), (new[: 100 * share], ones(100 * share))
            ).difference
            assert found.lower is not None
            assert found.upper is not None
            if not found.lower <= 0 <= found.upper:
                wrong += 1
                break
    assert wrong <= 0.05 * tests


def test_a_metric_is_oriented_so_that_positive_is_better() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=400)
    good, bad = truth + random.normal(0, 0.1, 400), truth + random.normal(0, 0.5, 400)
    worse, better = (Judged(truth=truth, answers=Predictions(values=one), codes=ones(400)) for one in (bad, good))

    found = performance("rmse", worse, better, REGRESSION)

    assert found.stable.value == pytest.approx(0.5, abs=0.05)
    assert found.new.value == pytest.approx(0.1, abs=0.02)
    assert found.difference.value == pytest.approx(0.4, abs=0.05)
    assert found.difference.lower is not None
    assert found.difference.lower > 0.3


def test_a_metric_of_one_class_only_is_undefined() -> None:
    truth = np.zeros(200, dtype=np.int64)
    answers = Predictions(labels=truth, probabilities=np.tile([0.9, 0.1], (200, 1)))
    side = Judged(truth=truth, answers=answers, codes=ones(200))

    found = performance("roc_auc", side, side, BINARY)

    assert found.new.value is None
    assert found.difference.value is None
    assert performance("accuracy", side, side, BINARY).difference.value == 0.0


def test_quantiles_are_bounds_of_buckets() -> None:
    assert quantiles({5.0: 50, 10.0: 96, 20.0: 98}, 100) == {"p50": 5.0, "p95": 10.0, "p99": None}
    assert quantiles({}, 0) == {"p50": None, "p95": None, "p99": None}
