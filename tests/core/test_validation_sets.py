from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops_ci.config.types import ValidationConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.validation_sets import ValidationEvidence, compare_validation_set, judge_validation_sets

RULE = ValidationConfig(name="far", metric="mae", max_drop=0.1, min_rows=50)
REGRESSION = Signature(task="regression", inputs=())


def evidence(
    factor: float = 1.0, *, rows: int = 400, rule: ValidationConfig = RULE, units: int = 0, first: bool = False
) -> ValidationEvidence:
    """Two models whose errors are normal; the challenger's are larger by `factor`."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=rows)
    old, new = truth + rng.normal(size=rows), truth + factor * rng.normal(size=rows)
    return compare_validation_set(
        rule, "group", truth, None if first else Predictions(values=old), Predictions(values=new), REGRESSION,
        units=np.arange(rows) % units if units else None, resamples=300, seed=1,
    )  # fmt: skip


def verdicts(*found: ValidationEvidence, rules: tuple[ValidationConfig, ...] = (RULE,), **how: bool) -> list[str]:
    outcomes = judge_validation_sets(found, rules, alpha=0.05, compared=how.get("compared", True))
    assert all(one.ok == (one.verdict == "ok") and bool(one.reason) != one.ok for one in outcomes)
    return [one.verdict for one in outcomes]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (evidence(), "ok"),
        (evidence(0.5), "ok"),
        (evidence(1.6), "validation-regression"),
        (evidence(rows=49), "validation-too-small"),
        (evidence(float("nan")), "metric-not-finite"),
        (evidence(first=True), "metric-missing"),
        (evidence(rule=replace(RULE, metric="rmse")), "metric-missing"),
        (evidence(rule=replace(RULE, name="near")), "metric-missing"),
    ],
)
def test_a_set_is_judged(found: ValidationEvidence, verdict: str) -> None:
    assert verdicts(found) == [verdict]


def test_a_first_release_only_needs_rows_and_a_metric() -> None:
    assert verdicts(evidence(1.6, first=True), compared=False) == ["ok"]
    assert verdicts(evidence(rows=49, first=True), compared=False) == ["validation-too-small"]
    assert verdicts(evidence(float("nan"), first=True), compared=False) == ["metric-not-finite"]


def test_the_drop_has_to_exceed_the_limit_however_sure_it_is() -> None:
    found = evidence(1.6)
    assert found.difference is not None
    drop = -found.difference.estimate
    generous = replace(RULE, max_drop=drop + 0.01)
    (outcome,) = judge_validation_sets((found,), (generous,), alpha=0.05, compared=True)
    assert outcome.ok
    assert outcome.p_value is not None
    assert outcome.p_value < 1e-3
    assert verdicts(found, rules=(replace(RULE, max_drop=drop - 0.01),)) == ["validation-regression"]


def test_the_sets_are_corrected_together() -> None:
    one = evidence(1.3)
    (alone,) = judge_validation_sets((one,), (RULE,), alpha=0.05, compared=True)
    names = ("far", "b", "c", "d")
    rules = tuple(replace(RULE, name=name) for name in names)
    others = tuple(replace(evidence(), name=name) for name in names[1:])
    among, *_ = judge_validation_sets((one, *others), rules, alpha=0.05, compared=True)
    assert alone.p_value is not None
    assert among.p_value == pytest.approx(4 * alone.p_value)


def test_a_set_of_a_few_groups_is_resampled_by_rows() -> None:
    """Two carriers that training never saw are what the question is about, and no sample of carriers."""
    few, many = evidence(units=2).difference, evidence(units=40).difference
    assert few is not None
    assert many is not None
    assert (few.units, many.units) == (400, 40)
