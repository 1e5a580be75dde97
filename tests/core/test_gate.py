from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mlops_ci.config import vocabulary
from mlops_ci.config.types import (
    FairnessConfig,
    GateConfig,
    GuardrailConfig,
    PrimaryConfig,
    SliceConfig,
    ValidationConfig,
    WaiverConfig,
)
from mlops_ci.core.bounds import StudentBounds
from mlops_ci.core.comparison import paired_difference
from mlops_ci.core.difference import Difference
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.fairness import FairnessEvidence
from mlops_ci.core.gate import GateEvidence, Judgement, judge
from mlops_ci.core.metrics import compute
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.slices import SliceEvidence
from mlops_ci.core.validation_sets import ValidationEvidence
from mlops_ci.core.verdicts import BLOCKING, DECISIONS, SHIPPABLE

TODAY = date(2026, 11, 21)
NAN = float("nan")
POLICY = GateConfig(
    primary=PrimaryConfig(metric="roc_auc", margin=0.005, alpha=0.05),
    guardrails=(
        GuardrailConfig(metric="log_loss", min=None, max=0.45),
        GuardrailConfig(metric="recall", min=0.5, max=None),
    ),
    slices=(SliceConfig(by="carrier", metric="roc_auc", max_drop=0.02, min_rows=200),),
    validation=(ValidationConfig(name="new-carriers", metric="roc_auc", max_drop=0.02, min_rows=200),),
    fairness=(FairnessConfig(by="sex", metric="equalized_odds_difference", min=None, max=0.1, min_rows=200),),
    looks=1,
    waivers=(),
    ships=("first", "superior"),
    resamples=2000,
)


def difference(estimate: float, error: float = 0.002, **changes: Any) -> Difference:
    """What DeLong would find of two models that far apart."""
    bounds = StudentBounds(method="DeLong", estimate=estimate, standard_error=error, degrees=4999)
    found = Difference(
        metric="roc_auc", champion=0.7, challenger=0.7 + estimate, estimate=estimate, rows=5000, units=5000,
        bounds=bounds,
    )  # fmt: skip
    return replace(found, **changes)


def undefined(reason: str) -> Difference:
    return difference(NAN, challenger=NAN, bounds=None, reason=reason)


def one_slice(estimate: float = 0.0, error: float = 0.004, **changes: Any) -> SliceEvidence:
    found = SliceEvidence(
        by="carrier", value="AA", metric="roc_auc", rows=900, challenger=0.7 + estimate,
        difference=difference(estimate, error),
    )  # fmt: skip
    return replace(found, **changes)


def one_set(estimate: float = 0.0, error: float = 0.004, **changes: Any) -> ValidationEvidence:
    found = ValidationEvidence(
        name="new-carriers", strategy="group", metric="roc_auc", rows=900, challenger=0.7 + estimate,
        difference=difference(estimate, error),
    )  # fmt: skip
    return replace(found, **changes)


def unlike(value: float = 0.05, **changes: Any) -> FairnessEvidence:
    found = FairnessEvidence(
        by="sex", metric="equalized_odds_difference", value=value, groups={"female": 2400, "male": 2600}
    )
    return replace(found, **changes)


GOOD = GateEvidence(
    rows=5000,
    measures={"roc_auc": 0.72, "log_loss": 0.4, "recall": 0.6},
    baseline=0.5,
    champion="c" * 64,
    champion_problem="",
    withheld="",
    primary=difference(0.02),
    slices=(one_slice(),),
    validation=(one_set(),),
    fairness=(unlike(),),
    schema_changes=(),
    leaks=(),
    parity_problems=(),
    looks_used=1,
)
FIRST = replace(
    GOOD,
    champion=None,
    primary=None,
    slices=(one_slice(difference=None),),
    validation=(one_set(difference=None),),
)


def judged(evidence: GateEvidence = GOOD, policy: GateConfig = POLICY, **changes: Any) -> Judgement:
    return judge(replace(evidence, **changes), policy, on=TODAY)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param(difference(0.02), "superior", id="clearly better"),
        pytest.param(difference(0.0034), "superior", id="better by 1.7 standard errors"),
        pytest.param(difference(0.0032), "non-inferior", id="better by 1.6 standard errors"),
        pytest.param(difference(0.0), "non-inferior", id="the same, within the margin"),
        pytest.param(difference(-0.0016), "non-inferior", id="a little worse, within the margin"),
        pytest.param(difference(0.0, 0.004), "inconclusive", id="too few rows to tell"),
        pytest.param(difference(0.004, 0.01), "inconclusive", id="perhaps better"),
        pytest.param(difference(-0.01, 0.01), "inconclusive", id="perhaps worse"),
        pytest.param(difference(-0.02), "inferior", id="clearly worse"),
        pytest.param(difference(-0.004), "inferior", id="worse, perhaps within the margin"),
        pytest.param(difference(-0.003, 0.001), "non-inferior", id="surely worse, surely within the margin"),
        pytest.param(difference(0.0, 0.0), "non-inferior", id="identical models"),
    ],
)
def test_decides_by_the_bounds(found: Difference, verdict: str) -> None:
    judgement = judged(primary=found)
    assert judgement.verdict == verdict
    assert judgement.ships == (verdict == "superior")
    assert not judgement.blocked
    assert judgement.reasons[0].startswith(f"{verdict}: roc_auc 0.7 -> ")


def test_identical_models_without_a_margin_are_inconclusive_and_no_rows_would_decide() -> None:
    policy = replace(POLICY, primary=PrimaryConfig(metric="roc_auc", margin=0.0, alpha=0.05))
    judgement = judged(policy=policy, primary=difference(0.0, 0.0))
    assert judgement.verdict == "inconclusive"
    assert judgement.primary.rows_needed is None
    assert "no number of rows would decide" in judgement.reasons[0]


def test_the_first_release_needs_no_champion() -> None:
    judgement = judged(FIRST)
    assert (judgement.verdict, judgement.ships) == ("first", True)
    assert judgement.primary.challenger == 0.72
    assert judgement.primary.champion is judgement.primary.difference is judgement.primary.lower is None
    assert [one.verdict for one in judgement.slices] == ["ok"]


BLOCKED: list[tuple[str, dict[str, Any], str]] = [
    ("leakage", {"leaks": ("3 of the 5000 rows of the holdout",)}, "3 of the 5000 rows"),
    ("schema-changed", {"schema_changes": ("column dep_delay is now text",)}, "dep_delay is now text"),
    ("parity", {"parity_problems": ("12 labels flip",)}, "12 labels flip"),
    ("holdout-exhausted", {"looks_used": 2}, "judged 2 challengers of 1 allowed"),
    ("metric-missing", {"measures": {"roc_auc": 0.72, "recall": 0.6}}, "log_loss was not measured"),
    ("metric-missing", {"measures": {"log_loss": 0.4, "recall": 0.6}}, "roc_auc of the challenger was not measured"),
    ("metric-missing", {"baseline": None}, "roc_auc of a dummy model was not measured"),
    ("metric-missing", {"slices": ()}, "carrier : no slice of this column was evaluated"),
    ("metric-missing", {"slices": (one_slice(by="origin"),)}, "no slice of this column"),
    ("metric-missing", {"slices": (one_slice(metric="recall"),)}, "no slice of this column"),
    ("metric-missing", {"validation": ()}, "new-carriers: no answers of this set are known"),
    ("metric-missing", {"validation": (one_set(metric="recall"),)}, "new-carriers: no answers of this set are known"),
    ("metric-missing", {"fairness": ()}, "sex: equalized_odds_difference was not measured"),
    ("metric-missing", {"fairness": (unlike(by="age"),)}, "sex: equalized_odds_difference was not measured"),
    ("metric-not-finite", {"measures": {**GOOD.measures, "log_loss": NAN}}, "log_loss is nan"),
    ("metric-not-finite", {"measures": {**GOOD.measures, "log_loss": float("inf")}}, "log_loss is inf"),
    ("metric-not-finite", {"measures": {**GOOD.measures, "roc_auc": NAN}}, "roc_auc of the challenger is nan"),
    ("metric-not-finite", {"baseline": NAN}, "roc_auc of a dummy model is nan"),
    ("metric-not-finite", {"slices": (one_slice(challenger=NAN, reason="one class"),)}, "carrier AA: one class"),
    ("metric-not-finite", {"validation": (one_set(challenger=NAN, reason="one class"),)}, "new-carriers: one class"),
    ("metric-not-finite", {"fairness": (unlike(NAN, reason="no positive rows"),)}, "sex: no positive rows"),
    ("metric-not-finite", {"fairness": (unlike(NAN),)}, "sex: equalized_odds_difference is nan"),
    ("validation-too-small", {"validation": (one_set(rows=199),)}, "new-carriers: it has 199 rows, and 200 are asked"),
    ("group-too-small", {"fairness": (unlike(groups={"a": 199, "b": 4800}),)}, "sex: a has 199 rows, and 200 are"),
    ("group-too-small", {"fairness": (unlike(NAN, groups={"a": 5000}),)}, "sex: all rows are of one group (a)"),
    ("group-too-small", {"fairness": (unlike(0.2, groups={"a": 3, "b": 5}),)}, "sex: a has 3 rows, b has 5 rows"),
    ("slice-too-small", {"slices": (one_slice(rows=199),)}, "carrier AA: it has 199 rows, and 200 are asked for"),
    ("worse-than-baseline", {"baseline": 0.72}, "roc_auc is 0.72, and a model that knows no feature has 0.72"),
    ("guardrail", {"measures": {**GOOD.measures, "log_loss": 0.46}}, "log_loss is 0.46, above 0.45"),
    ("guardrail", {"measures": {**GOOD.measures, "recall": 0.4}}, "recall is 0.4, below 0.5"),
    ("fairness", {"fairness": (unlike(0.2),)}, "sex: equalized_odds_difference is 0.2, above 0.1"),
]
WITH_A_CHAMPION: list[tuple[str, dict[str, Any], str]] = [
    ("champion-unloadable", {"champion_problem": "opset 99"}, "champion cccccccccccc cannot be scored: opset 99"),
    ("metric-missing", {"primary": None}, "roc_auc of the champion was not measured"),
    ("metric-missing", {"primary": difference(0.02, metric="f1")}, "roc_auc of the champion was not measured"),
    ("metric-missing", {"slices": (one_slice(difference=None),)}, "carrier AA: the champion was not evaluated"),
    ("metric-not-finite", {"primary": undefined("roc_auc of the champion is undefined")}, "of the champion is undef"),
    ("metric-not-finite", {"primary": undefined("there are 3 independent units")}, "there are 3 independent units"),
    ("metric-not-finite", {"slices": (one_slice(difference=undefined("too few")),)}, "carrier AA: too few"),
    ("slice-regression", {"slices": (one_slice(-0.1, 0.01),)}, "carrier AA: roc_auc goes from 0.7 to 0.6"),
    ("metric-missing", {"validation": (one_set(difference=None),)}, "new-carriers: the champion was not evaluated"),
    ("metric-not-finite", {"validation": (one_set(difference=undefined("too few")),)}, "new-carriers: too few"),
    ("validation-regression", {"validation": (one_set(-0.1, 0.01),)}, "new-carriers: roc_auc goes from 0.7 to 0.6"),
]


@pytest.mark.parametrize(("verdict", "changes", "says"), BLOCKED + WITH_A_CHAMPION)
def test_blocks_a_superior_challenger(verdict: str, changes: dict[str, Any], says: str) -> None:
    judgement = judged(**changes)
    assert judgement.verdict == verdict
    assert judgement.blocked
    assert not judgement.ships
    assert judgement.reasons[0].startswith(f"{verdict}: ")
    assert says in judgement.reasons[0]
    canonical_json(judgement.to_json())


@pytest.mark.parametrize(("verdict", "changes", "says"), BLOCKED)
def test_blocks_a_first_release_too(verdict: str, changes: dict[str, Any], says: str) -> None:
    judgement = judged(FIRST, **changes)
    assert (judgement.verdict, judgement.ships) == (verdict, False)
    assert says in judgement.reasons[0]


@pytest.mark.parametrize(("verdict", "changes", "says"), BLOCKED + WITH_A_CHAMPION)
def test_a_waiver_lets_that_one_verdict_pass_and_is_on_the_record(
    verdict: str, changes: dict[str, Any], says: str
) -> None:
    waiver = WaiverConfig(verdict=verdict, reason="seen", approver="ada", expires=TODAY)
    judgement = judged(policy=replace(POLICY, waivers=(waiver,)), **changes)
    assert judgement.verdict in {"first", "superior", "inconclusive"}
    assert [(one.verdict, one.approver, one.expires) for one in judgement.waived] == [(verdict, "ada", "2026-11-21")]
    assert says in judgement.waived[0].findings[0]


def test_limits_are_inclusive() -> None:
    on_the_line = {"roc_auc": 0.72, "log_loss": 0.45, "recall": 0.5}
    judgement = judged(measures=on_the_line, fairness=(unlike(0.1),))
    assert judgement.verdict == "superior"
    assert all(one.ok for one in (*judgement.guardrails, *judgement.fairness))


def test_every_blocking_verdict_has_a_case_above() -> None:
    assert {verdict for verdict, _, _ in BLOCKED + WITH_A_CHAMPION} == set(BLOCKING)


def test_all_blocking_findings_are_named_the_gravest_first() -> None:
    judgement = judged(
        leaks=("1 row",),
        looks_used=9,
        baseline=None,
        slices=(one_slice(-0.1, 0.01), one_slice(value="UA", rows=3)),
        measures={"roc_auc": 0.72, "log_loss": 0.9},
        validation=(one_set(-0.1, 0.01),),
        fairness=(unlike(0.2),),
    )
    assert [reason.partition(":")[0] for reason in judgement.reasons] == [
        "leakage", "holdout-exhausted", "metric-missing", "metric-missing", "slice-too-small", "guardrail",
        "validation-regression", "slice-regression", "fairness", "superior",
    ]  # fmt: skip
    assert judgement.verdict == "leakage"


def test_a_waiver_of_one_verdict_leaves_the_others() -> None:
    waivers = (WaiverConfig(verdict="leakage", reason="seen", approver="ada", expires=TODAY),)
    judgement = judged(policy=replace(POLICY, waivers=waivers), leaks=("1 row",), looks_used=9)
    assert (judgement.verdict, judgement.ships) == ("holdout-exhausted", False)


def test_an_expired_waiver_lets_nothing_pass_and_is_named() -> None:
    waiver = WaiverConfig(verdict="leakage", reason="seen", approver="ada", expires=date(2026, 11, 20))
    judgement = judged(policy=replace(POLICY, waivers=(waiver,)), leaks=("1 row",))
    assert (judgement.verdict, judgement.waived) == ("leakage", ())
    assert "the waiver of leakage by ada expired on 2026-11-20" in judgement.reasons


def test_a_waiver_that_nothing_needs_is_not_reported() -> None:
    waiver = WaiverConfig(verdict="leakage", reason="seen", approver="ada", expires=TODAY)
    assert judged(policy=replace(POLICY, waivers=(waiver,))).waived == ()


@pytest.mark.parametrize("verdict", ["inferior", "inconclusive"])
def test_a_waiver_cannot_turn_a_decision(verdict: str) -> None:
    waiver = WaiverConfig(verdict=verdict, reason="please", approver="ada", expires=TODAY)
    found = difference(-0.02) if verdict == "inferior" else difference(0.0, 0.01)
    judgement = judged(policy=replace(POLICY, waivers=(waiver,)), primary=found)
    assert (judgement.verdict, judgement.ships, judgement.waived) == (verdict, False, ())


def test_the_policy_names_the_decisions_that_ship_but_never_a_worse_or_a_blocked_model() -> None:
    generous = replace(POLICY, ships=(*DECISIONS, *BLOCKING))
    assert judged(policy=generous, primary=difference(0.0)).ships
    assert judged(policy=generous, primary=difference(0.0, 0.01)).ships
    assert not judged(policy=generous, primary=difference(-0.02)).ships
    assert not judged(policy=generous, leaks=("1 row",)).ships
    assert not judged(policy=replace(POLICY, ships=("non-inferior",))).ships


def test_an_unloadable_champion_that_is_waived_makes_the_challenger_the_first() -> None:
    waiver = WaiverConfig(verdict="champion-unloadable", reason="lost", approver="ada", expires=TODAY)
    judgement = judged(policy=replace(POLICY, waivers=(waiver,)), champion_problem="opset 99", primary=None)
    assert (judgement.verdict, judgement.ships) == ("first", True)
    assert "the champion cannot be scored" in judgement.reasons[0]


def test_alpha_is_spent_over_the_looks_that_are_allowed() -> None:
    found = difference(0.005)
    assert judged(primary=found).verdict == "superior"
    many = judged(policy=replace(POLICY, looks=20, spending="even"), primary=found)
    assert many.verdict == "non-inferior"
    assert many.primary.alpha == 0.0025
    assert many.primary.lower == pytest.approx(0.005 - 0.002 * stats.t.isf(0.0025, 4999), abs=2e-4)
    assert many.looks == {"used": 1, "allowed": 20}


def test_alpha_may_be_spent_on_the_first_looks() -> None:
    """Each challenger has what its own number leaves for it, however many came after."""
    policy = replace(POLICY, looks=20, spending="front")
    found = difference(0.005)
    first, second, last = (judged(policy=policy, primary=found, looks_used=look) for look in (1, 2, 20))
    assert first.primary.alpha == pytest.approx(0.05 / sum(1 / look**2 for look in range(1, 21)))
    assert second.primary.alpha == pytest.approx(first.primary.alpha / 4)
    assert [one.verdict for one in (first, second, last)] == ["superior", "superior", "non-inferior"]


def test_primary_has_the_fields_that_others_rely_on() -> None:
    written = judged(primary=difference(0.004, 0.01)).to_json()
    assert set(written["primary"]) == {
        "metric", "champion", "challenger", "difference", "lower", "upper", "alpha", "margin",
        "minimum_detectable_effect", "rows", "rows_needed", "method", "p_value",
    }  # fmt: skip
    assert (written["primary"]["method"], written["primary"]["p_value"]) == (
        "DeLong", pytest.approx(stats.norm.sf(0.4), abs=1e-3)
    )  # fmt: skip
    assert written["primary"]["minimum_detectable_effect"] == pytest.approx(0.01 * (1.645 + 0.842), rel=1e-2)
    # 0.009 from the margin: (0.02487 / 0.009)^2 times the rows
    assert written["primary"]["rows_needed"] == pytest.approx(5000 * (0.024875 / 0.009) ** 2, rel=1e-2)
    assert {"metric", "value", "min", "max", "ok", "reason"} <= set(written["guardrails"][0])
    assert {"by", "value", "metric", "champion", "challenger", "difference", "lower", "rows", "ok", "verdict"} <= set(
        written["slices"][0]
    )
    assert {"verdict", "ships", "reasons", "primary", "guardrails", "slices", "looks", "waived"} <= set(written)


def test_rows_needed_is_for_inconclusive_only() -> None:
    assert judged().primary.rows_needed is None
    assert judged(primary=difference(-0.02)).primary.rows_needed is None


REGRESSION = Signature(task="regression", inputs=())


def test_a_negative_baseline_does_not_turn_the_sign() -> None:
    """A relative change divides by the baseline: of an r2 of -0.5 and a worse -1, it says "twice as good"."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=400)
    champion = Predictions(values=rng.normal(size=400) * 0.7)
    challenger = Predictions(values=rng.normal(size=400))
    found = paired_difference("r2", truth, champion, challenger, REGRESSION, resamples=500, seed=1)
    assert found.challenger < found.champion < 0
    assert found.challenger / found.champion - 1 > 0
    policy = replace(
        POLICY,
        primary=PrimaryConfig(metric="r2", margin=0.01, alpha=0.05),
        guardrails=(),
        slices=(),
        validation=(),
        fairness=(),
    )
    evidence = replace(GOOD, measures={"r2": found.challenger}, primary=found)
    assert judged(evidence, policy, baseline=-9.0).verdict == "inferior"
    assert judged(evidence, policy, baseline=0.0).verdict == "worse-than-baseline"


def test_a_candidate_that_answers_nan_does_not_pass() -> None:
    truth = np.arange(100.0)
    nans = Predictions(values=np.full(100, NAN))
    found = paired_difference("rmse", truth, Predictions(values=truth + 1), nans, REGRESSION, resamples=100, seed=1)
    policy = replace(
        POLICY,
        primary=PrimaryConfig(metric="rmse", margin=0.1, alpha=0.05),
        guardrails=(),
        slices=(),
        validation=(),
        fairness=(),
    )
    value = compute("rmse", truth, nans, REGRESSION)
    judgement = judged(replace(GOOD, measures={"rmse": value}, primary=found, baseline=99.0), policy)
    assert (judgement.verdict, judgement.ships) == ("metric-not-finite", False)
    assert judgement.primary.challenger is None
    canonical_json(judgement.to_json())


@pytest.mark.parametrize("loss", ["rmse", "log_loss"])
def test_less_is_better_for_a_loss(loss: str) -> None:
    policy = replace(
        POLICY,
        primary=PrimaryConfig(metric=loss, margin=0.1, alpha=0.05),
        guardrails=(),
        slices=(),
        validation=(),
        fairness=(),
    )
    evidence = replace(GOOD, measures={loss: 0.4}, primary=difference(0.02, metric=loss))
    assert judged(evidence, policy, baseline=0.5).verdict == "superior"
    assert judged(evidence, policy, baseline=0.4).verdict == "worse-than-baseline"
    assert judged(evidence, policy, baseline=0.3).verdict == "worse-than-baseline"


def test_equal_models_are_seldom_called_superior_over_all_looks_at_one_holdout() -> None:
    """Twenty equal challengers on the same holdout: one of them wins in at most alpha of the holdouts."""
    policy = replace(POLICY, guardrails=(), slices=(), validation=(), fairness=(), looks=20)
    policy = replace(policy, primary=PrimaryConfig(metric="mae", margin=0.01, alpha=0.05))
    wins = 0
    for trial in range(60):
        rng = np.random.default_rng([5, trial])
        truth = rng.normal(size=120)
        champion = Predictions(values=truth + rng.normal(size=120))
        challengers = (Predictions(values=truth + rng.normal(size=120)) for _ in range(20))
        found = [
            paired_difference("mae", truth, champion, one, REGRESSION, resamples=400, seed=trial) for one in challengers
        ]
        wins += any(
            judged(
                replace(GOOD, measures={"mae": one.challenger}, primary=one), policy, baseline=9.0, looks_used=look
            ).ships
            for look, one in enumerate(found, start=1)
        )
    assert wins <= stats.binom.isf(0.001, 60, 0.05)


def test_the_configuration_knows_the_same_verdicts() -> None:
    assert set(BLOCKING) == set(vocabulary.BLOCKING_VERDICTS)
    assert set(vocabulary.SHIPPABLE_VERDICTS) == SHIPPABLE
