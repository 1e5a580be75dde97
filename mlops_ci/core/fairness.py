"""Are groups of people treated too unlike? A measure between groups, held against its limit where it can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlops_ci.core.limits import LimitOutcome, judge_limit
from mlops_ci.core.policy import FairnessRule


@dataclass(frozen=True, kw_only=True)
class FairnessEvidence:
    """The `metric` between the groups of the column `by`; NaN with a `reason`. `groups` counts the rows of each."""

    by: str
    metric: str
    value: float
    groups: Mapping[str, int]
    reason: str = ""


def judge_fairness(found: Sequence[FairnessEvidence], rules: Sequence[FairnessRule]) -> tuple[LimitOutcome, ...]:
    """The outcome of every rule. Fails closed: too few rows in a group, or a single group, is `group-too-small`.

    What was not evaluated is `metric-missing`, what is not a finite number `metric-not-finite`.
    """
    return tuple(_outcome(_evidence(found, rule), rule) for rule in rules)


def _evidence(found: Sequence[FairnessEvidence], rule: FairnessRule) -> FairnessEvidence | None:
    return next((one for one in found if (one.by, one.metric) == (rule.by, rule.metric)), None)


def _outcome(one: FairnessEvidence | None, rule: FairnessRule) -> LimitOutcome:
    value = None if one is None else one.value
    outcome = judge_limit(rule.metric, value, lowest=rule.min, highest=rule.max, broken="fairness", by=rule.by)
    if one is None:
        return outcome
    small = {name: rows for name, rows in one.groups.items() if rows < rule.min_rows}
    if len(one.groups) < 2:
        reason = f"all rows are of one group ({', '.join(one.groups) or 'none'}), so there is nothing to compare"
        return replace(outcome, ok=False, verdict="group-too-small", reason=reason)
    if small:
        listed = ", ".join(f"{name} has {rows} rows" for name, rows in sorted(small.items(), key=lambda one: one[1]))
        reason = f"{listed}, and {rule.min_rows} are asked for"
        return replace(outcome, ok=False, verdict="group-too-small", reason=reason)
    if outcome.verdict == "metric-not-finite" and one.reason:
        return replace(outcome, reason=one.reason)
    return outcome
