from __future__ import annotations

from math import isnan

import pytest

from mlops_ci.config.types import FairnessConfig
from mlops_ci.core.fairness import FairnessEvidence, judge_fairness

PARITY = FairnessConfig(by="sex", metric="demographic_parity_difference", min=None, max=0.1, min_rows=50)
RATIO = FairnessConfig(by="sex", metric="demographic_parity_ratio", min=0.8, max=None, min_rows=50)
BOTH = {"female": 60, "male": 50}


def evidence(rule: FairnessConfig, value: float, groups: dict[str, int] | None = None) -> FairnessEvidence:
    why = "one group has no positive row" if isnan(value) else ""
    return FairnessEvidence(by=rule.by, metric=rule.metric, value=value, groups=groups or BOTH, reason=why)


@pytest.mark.parametrize(
    ("rule", "value", "groups", "verdict", "says"),
    [
        (PARITY, 0.1, BOTH, "ok", ""),
        (PARITY, 0.11, BOTH, "fairness", "demographic_parity_difference is 0.11, above 0.1"),
        (RATIO, 0.8, BOTH, "ok", ""),
        (RATIO, 1.0, BOTH, "ok", ""),
        (RATIO, 0.79, BOTH, "fairness", "demographic_parity_ratio is 0.79, below 0.8"),
        (PARITY, float("nan"), BOTH, "metric-not-finite", "one group has no positive row"),
        (PARITY, 0.0, {"female": 49, "male": 500}, "group-too-small", "female has 49 rows, and 50 are asked for"),
        (PARITY, 0.9, {"a": 9, "b": 2, "c": 99}, "group-too-small", "b has 2 rows, a has 9 rows, and 50 are asked for"),
        (PARITY, 0.0, {"male": 500}, "group-too-small", "all rows are of one group (male)"),
        (PARITY, float("nan"), {"male": 5}, "group-too-small", "all rows are of one group (male)"),
    ],
)
def test_a_rule_is_judged(rule: FairnessConfig, value: float, groups: dict[str, int], verdict: str, says: str) -> None:
    (outcome,) = judge_fairness([evidence(rule, value, groups)], [rule])
    assert (outcome.verdict, outcome.ok) == (verdict, verdict == "ok")
    assert says in outcome.reason
    assert (outcome.by, outcome.min, outcome.max) == ("sex", rule.min, rule.max)


def test_what_was_not_measured_is_missing() -> None:
    outcomes = judge_fairness([evidence(RATIO, 0.9)], [PARITY, RATIO])
    assert [one.verdict for one in outcomes] == ["metric-missing", "ok"]
