"""The guardrails that only a built image can be held against: evaluations leave them to `release`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mlops_ci.core.gate import Waived, good_waivers, waived_by
from mlops_ci.core.limits import OF_THE_IMAGE, judge_limit
from mlops_ci.core.policy import Policy
from mlops_ci.core.verdicts import Finding


@dataclass(frozen=True, kw_only=True)
class ImageJudgement:
    """`reasons` are what speaks against the image; empty where nothing does, or a waiver lets it pass."""

    reasons: tuple[str, ...]
    waived: tuple[Waived, ...]


def judge_image(measures: Mapping[str, float], policy: Policy, *, on: date) -> ImageJudgement:
    """Holds an image's measures against the guardrails for it; as the gate does, with the same waivers."""
    outcomes = [
        judge_limit(rule.metric, measures.get(rule.metric), lowest=rule.min, highest=rule.max, broken="guardrail")
        for rule in policy.guardrails
        if rule.metric in OF_THE_IMAGE
    ]
    findings = [Finding(verdict=one.verdict, text=one.reason) for one in outcomes if not one.ok]
    good = good_waivers(policy, on)
    reasons = tuple(str(finding) for finding in findings if finding.verdict not in good)
    return ImageJudgement(reasons=reasons, waived=waived_by(good, findings))
