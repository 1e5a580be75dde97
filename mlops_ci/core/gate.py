"""The model gate: one verdict from the evidence on a challenger and the policy that it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from mlops_ci.core.difference import Difference
from mlops_ci.core.fairness import FairnessEvidence, judge_fairness
from mlops_ci.core.limits import OF_THE_IMAGE, LimitOutcome, judge_limit, left_to_release
from mlops_ci.core.metrics import oriented
from mlops_ci.core.policy import Guardrail, Policy, Waiver
from mlops_ci.core.slices import SliceEvidence, SliceOutcome, judge_slices
from mlops_ci.core.spending import alpha_of_look
from mlops_ci.core.validation_sets import ValidationEvidence, ValidationOutcome, judge_validation_sets
from mlops_ci.core.verdicts import BLOCKING, SHIPPABLE, Finding, number, shown


@dataclass(frozen=True, kw_only=True, eq=False)
class GateEvidence:
    """All that is known of a challenger. What was not looked at has to be said so: nothing here has a default.

    `measures` holds the challenger's metrics on the holdout and its operational measures, `baseline` the dummy model's
    value of the primary metric. `champion` is the release that serves, None where there is none; `champion_problem`
    why it could not be scored; `withheld` why nobody was to ask whether there is one, empty where it was asked;
    `primary` the comparison with it. `schema_changes`, `parity_problems` and `leaks`
    (training rows in the holdout or in a validation set) hold a sentence each, and `looks_used` counts the challengers
    that this holdout has judged up to this one, this one included.
    """

    rows: int
    measures: Mapping[str, float]
    baseline: float | None
    champion: str | None
    champion_problem: str
    withheld: str
    primary: Difference | None
    slices: Sequence[SliceEvidence]
    validation: Sequence[ValidationEvidence]
    fairness: Sequence[FairnessEvidence]
    schema_changes: Sequence[str]
    leaks: Sequence[str]
    parity_problems: Sequence[str]
    looks_used: int


@dataclass(frozen=True, kw_only=True)
class PrimaryOutcome:
    """The comparison on the primary metric; None stands for what is not known or not finite.

    `lower` and `upper` are one-sided bounds, each at `alpha`, which is what the policy's alpha leaves for this look.
    `rows_needed` is the size in all of a holdout that would decide, given for `inconclusive` only. `method` is how the
    bounds were found, and `p_value` how likely so good a difference is where the challenger is no better.
    """

    metric: str
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    alpha: float
    margin: float
    minimum_detectable_effect: float | None
    rows: int
    rows_needed: int | None
    method: str
    p_value: float | None


@dataclass(frozen=True, kw_only=True)
class Waived:
    """A blocking verdict that somebody let pass, and what it was found for."""

    verdict: str
    reason: str
    approver: str
    expires: str
    findings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gate says. `reasons` start with every blocking finding, the one that names the verdict first."""

    verdict: str
    ships: bool
    reasons: tuple[str, ...]
    primary: PrimaryOutcome
    guardrails: tuple[LimitOutcome, ...]
    slices: tuple[SliceOutcome, ...]
    validation: tuple[ValidationOutcome, ...]
    fairness: tuple[LimitOutcome, ...]
    looks: Mapping[str, int]
    waived: tuple[Waived, ...]

    @property
    def blocked(self) -> bool:
        return self.verdict in BLOCKING

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(evidence: GateEvidence, policy: Policy, *, on: date) -> Judgement:
    """Holds the evidence against the policy on the day `on`, which decides which waivers are still good.

    Fails closed: what the policy asks for and the evidence does not hold is `metric-missing`, what is not a finite
    number `metric-not-finite`. The rules are in docs/gate.md.
    """
    guardrails = tuple(_guardrail(rule, evidence.measures) for rule in policy.guardrails)
    fairness = judge_fairness(evidence.fairness, policy.fairness)
    alpha, compared = policy.primary.alpha, _to_be_compared(evidence)
    slices = judge_slices(evidence.slices, policy.slices, alpha=alpha, compared=compared)
    validation = judge_validation_sets(evidence.validation, policy.validation, alpha=alpha, compared=compared)
    findings = [
        *_untrustworthy(evidence, policy),
        *_primary_findings(evidence, policy),
        *(Finding(verdict=one.verdict, text=one.reason) for one in guardrails if not one.ok),
        *(Finding(verdict=one.verdict, text=f"{one.by} {one.value}: {one.reason}") for one in slices if not one.ok),
        *(Finding(verdict=one.verdict, text=f"{one.name}: {one.reason}") for one in validation if not one.ok),
        *(Finding(verdict=one.verdict, text=f"{one.by}: {one.reason}") for one in fairness if not one.ok),
    ]
    findings.sort(key=lambda finding: BLOCKING.index(finding.verdict))
    good = good_waivers(policy, on)
    blocking = [finding for finding in findings if finding.verdict not in good]
    primary, decision = _decide(evidence, policy)
    verdict = blocking[0].verdict if blocking else decision.verdict
    return Judgement(
        verdict=verdict,
        ships=verdict in policy.ships and verdict in SHIPPABLE,
        reasons=(*map(str, blocking), str(decision), *_expired(policy.waivers, blocking, on)),
        primary=primary,
        guardrails=guardrails,
        slices=slices,
        validation=validation,
        fairness=fairness,
        looks={"used": evidence.looks_used, "allowed": policy.looks},
        waived=waived_by(good, findings),
    )


def good_waivers(policy: Policy, on: date) -> dict[str, Waiver]:
    """The waivers that are in force on that day, by the verdict that they let pass."""
    return {waiver.verdict: waiver for waiver in policy.waivers if on <= waiver.expires}


def _guardrail(rule: Guardrail, measures: Mapping[str, float]) -> LimitOutcome:
    if rule.metric in OF_THE_IMAGE:
        return left_to_release(rule.metric, lowest=rule.min, highest=rule.max)
    return judge_limit(rule.metric, measures.get(rule.metric), lowest=rule.min, highest=rule.max, broken="guardrail")


def _to_be_compared(evidence: GateEvidence) -> bool:
    return evidence.champion is not None and not evidence.champion_problem


def _untrustworthy(evidence: GateEvidence, policy: Policy) -> list[Finding]:
    """Why the numbers, however good, would mean nothing."""
    findings = [Finding(verdict="schema-changed", text=text) for text in evidence.schema_changes]
    findings += [Finding(verdict="parity", text=text) for text in evidence.parity_problems]
    findings += [Finding(verdict="leakage", text=text) for text in evidence.leaks]
    if evidence.champion is not None and evidence.champion_problem:
        text = f"the champion {evidence.champion[:12]} cannot be scored: {evidence.champion_problem}"
        findings.append(Finding(verdict="champion-unloadable", text=text))
    if evidence.looks_used > policy.looks:
        text = f"this holdout has judged {evidence.looks_used} challengers of {policy.looks} allowed: bring fresh data"
        findings.append(Finding(verdict="holdout-exhausted", text=text))
    return findings


def _primary_findings(evidence: GateEvidence, policy: Policy) -> list[Finding]:
    """Whether the primary metric is known of challenger, champion and dummy, and the challenger beats the dummy."""
    name = policy.primary.metric
    value, baseline, difference = evidence.measures.get(name), evidence.baseline, evidence.primary
    findings = []
    for what, found in ((f"{name} of the challenger", value), (f"{name} of a dummy model", baseline)):
        if found is None:
            findings.append(Finding(verdict="metric-missing", text=f"{what} was not measured"))
        elif number(found) is None:
            findings.append(Finding(verdict="metric-not-finite", text=f"{what} is {found}"))
    if _to_be_compared(evidence):
        if difference is None or difference.metric != name:
            findings.append(Finding(verdict="metric-missing", text=f"{name} of the champion was not measured"))
        elif difference.bounds is None:
            findings.append(Finding(verdict="metric-not-finite", text=difference.reason))
    both = number(value), number(baseline)
    if both[0] is not None and both[1] is not None and oriented(name, both[0]) <= oriented(name, both[1]):
        text = f"{name} is {shown(value)}, and a model that knows no feature has {shown(baseline)}"
        findings.append(Finding(verdict="worse-than-baseline", text=text))
    return findings


def _decide(evidence: GateEvidence, policy: Policy) -> tuple[PrimaryOutcome, Finding]:
    """The comparison with the champion: its numbers, and the decision that follows from them alone."""
    rule, name = policy.primary, policy.primary.metric
    alpha = alpha_of_look(rule.alpha, look=evidence.looks_used, looks=policy.looks, spending=policy.spending)
    known = evidence.primary if _to_be_compared(evidence) else None
    difference = known if known is not None and known.metric == name else None
    lower = None if difference is None else number(difference.lower(alpha))
    upper = None if difference is None else number(difference.upper(alpha))
    rows_needed = None
    if not _to_be_compared(evidence):
        why = "there is no champion" if evidence.champion is None else "the champion cannot be scored"
        decision = Finding(verdict="first", text=f"{why}, so there is nothing to compare with")
        if evidence.withheld:
            decision = Finding(verdict="not-compared", text=evidence.withheld)
    elif difference is None or lower is None or upper is None:
        decision = Finding(verdict="inconclusive", text="the comparison with the champion is not known")
    else:
        decision = _verdict(difference, lower, upper, alpha=alpha, margin=rule.margin)
        if decision.verdict == "inconclusive":
            rows_needed = _rows_needed(difference, alpha=alpha, margin=rule.margin)
            more = "no number of rows would decide" if rows_needed is None else f"about {rows_needed} rows would decide"
            decision = Finding(verdict="inconclusive", text=f"{decision.text}; {more}")
    primary = PrimaryOutcome(
        metric=name,
        champion=None if difference is None else number(difference.champion),
        challenger=number(evidence.measures.get(name)),
        difference=None if difference is None else number(difference.estimate),
        lower=lower,
        upper=upper,
        alpha=alpha,
        margin=rule.margin,
        minimum_detectable_effect=None if difference is None else number(difference.detectable(alpha)),
        rows=evidence.rows,
        rows_needed=rows_needed,
        method="" if difference is None else difference.method,
        p_value=None if difference is None else number(difference.p_value()),
    )
    return primary, decision


def _verdict(difference: Difference, lower: float, upper: float, *, alpha: float, margin: float) -> Finding:
    if lower > 0:
        verdict = "superior"
    elif lower > -margin:
        verdict = "non-inferior"
    elif upper < 0:
        verdict = "inferior"
    else:
        verdict = "inconclusive"
    text = (
        f"{difference.metric} {shown(difference.champion)} -> {shown(difference.challenger)}, a difference of "
        f"{difference.estimate:+.4g} for the better, between {lower:+.4g} and {upper:+.4g} (each bound at alpha "
        f"{shown(alpha)} by {difference.method}, margin {shown(margin)}, {difference.rows} rows in {difference.units} "
        "independent units)"
    )
    return Finding(verdict=verdict, text=text)


def _rows_needed(difference: Difference, *, alpha: float, margin: float) -> int | None:
    """How large a holdout would tell, if the truth is what was seen: not worse by the margin, or else worse."""
    distance = max(difference.estimate + margin, -difference.estimate)
    rows = difference.rows_to_show(distance, alpha)
    return None if rows is None else max(rows, difference.rows + 1)


def waived_by(good: Mapping[str, Waiver], findings: Sequence[Finding]) -> tuple[Waived, ...]:
    """The waivers that let something pass, with what that was."""
    passed = {verdict: [one.text for one in findings if one.verdict == verdict] for verdict in good}
    return tuple(
        Waived(
            verdict=verdict,
            reason=waiver.reason,
            approver=waiver.approver,
            expires=waiver.expires.isoformat(),
            findings=tuple(passed[verdict]),
        )
        for verdict, waiver in good.items()
        if passed[verdict]
    )


def _expired(waivers: Sequence[Waiver], blocking: Sequence[Finding], on: date) -> list[str]:
    names = {finding.verdict for finding in blocking}
    return [
        f"the waiver of {waiver.verdict} by {waiver.approver} expired on {waiver.expires.isoformat()}"
        for waiver in waivers
        if waiver.verdict in names and waiver.expires < on
    ]
