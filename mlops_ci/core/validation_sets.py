"""Named sets of rows beside the holdout, such as carriers never seen in training: is the challenger worse on any?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from numpy.typing import NDArray

from mlops_ci.core.difference import Difference
from mlops_ci.core.drops import Drop, DropLimit, compare_rows, judge_drops
from mlops_ci.core.metrics import compute, why_undefined
from mlops_ci.core.policy import ValidationRule
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.core.units import IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationEvidence:
    """One validation set, cut off by `strategy`. `difference` is None where nothing was compared."""

    name: str
    strategy: str
    metric: str
    rows: int
    challenger: float
    difference: Difference | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ValidationOutcome:
    """What the gate says of one set: `verdict` is "ok" or a blocking one, with its reason (see `core.drops`)."""

    name: str
    strategy: str
    rows: int
    metric: str
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    p_value: float | None
    ok: bool
    verdict: str
    reason: str


def compare_validation_set(
    rule: ValidationRule,
    strategy: str,
    truth: NDArray[Any],
    champion: Predictions | None,
    challenger: Predictions,
    signature: Signature,
    *,
    units: IntArray | None,
    resamples: int,
    seed: int,
) -> ValidationEvidence:
    """The evidence of the set that the rule names, from the answers for its rows."""
    return ValidationEvidence(
        name=rule.name,
        strategy=strategy,
        metric=rule.metric,
        rows=len(truth),
        challenger=compute(rule.metric, truth, challenger, signature),
        difference=compare_rows(
            rule.metric, truth, champion, challenger, signature,
            units=units, min_rows=rule.min_rows, resamples=resamples, seed=seed,
        ),
        reason=why_undefined(rule.metric, truth, challenger, signature),
    )  # fmt: skip


def judge_validation_sets(
    sets: Sequence[ValidationEvidence], rules: Sequence[ValidationRule], *, alpha: float, compared: bool
) -> tuple[ValidationOutcome, ...]:
    """The outcome of every set that the rules ask for; one that was not evaluated is `metric-missing`.

    They are corrected over all sets; see `judge_drops`.
    """
    asked = []
    for rule in rules:
        found = next((one for one in sets if (one.name, one.metric) == (rule.name, rule.metric)), None)
        limit = DropLimit(
            max_drop=rule.max_drop,
            min_rows=rule.min_rows,
            too_small="validation-too-small",
            regression="validation-regression",
        )
        asked.append((found or _nothing(rule), limit))
    drops = judge_drops(asked, alpha=alpha, compared=compared, all_of="validation sets")
    return tuple(_outcome(one, drop) for (one, _), drop in zip(asked, drops, strict=True))


def _outcome(one: ValidationEvidence, drop: Drop) -> ValidationOutcome:
    missing = not one.strategy
    return ValidationOutcome(
        name=one.name,
        strategy=one.strategy,
        rows=one.rows,
        metric=one.metric,
        champion=drop.champion,
        challenger=drop.challenger,
        difference=drop.difference,
        lower=drop.lower,
        p_value=drop.p_value,
        ok=drop.ok and not missing,
        verdict="metric-missing" if missing else drop.verdict,
        reason="no answers of this set are known" if missing else drop.reason,
    )


def _nothing(rule: ValidationRule) -> ValidationEvidence:
    return ValidationEvidence(name=rule.name, strategy="", metric=rule.metric, rows=0, challenger=nan, difference=None)
