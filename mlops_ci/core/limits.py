"""A number against its declared limits: guardrails of the challenger, and fairness between groups."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_ci.core.verdicts import number, shown

OF_THE_IMAGE = ("image_mb",)
"""Measures that nothing but a built image has: an evaluation cannot know them, and `release` judges them."""
AT_RELEASE = "at-release"
"""Stands for the verdict on a guardrail that is left to `release`."""


@dataclass(frozen=True, kw_only=True)
class LimitOutcome:
    """`verdict` is "ok", "at-release" or a blocking one, with its reason; `by` the column of the groups, empty for a
    guardrail.
    """

    by: str
    metric: str
    value: float | None
    min: float | None
    max: float | None
    ok: bool
    verdict: str
    reason: str


def judge_limit(
    metric: str, value: float | None, *, lowest: float | None, highest: float | None, broken: str, by: str = ""
) -> LimitOutcome:
    """Whether the value is known, finite and within the limits, which are inclusive; `broken` is the verdict if not."""
    verdict, reason = "ok", ""
    if value is None:
        verdict, reason = "metric-missing", f"{metric} was not measured"
    elif number(value) is None:
        verdict, reason = "metric-not-finite", f"{metric} is {value}"
    elif highest is not None and value > highest:
        verdict, reason = broken, f"{metric} is {shown(value)}, above {shown(highest)}"
    elif lowest is not None and value < lowest:
        verdict, reason = broken, f"{metric} is {shown(value)}, below {shown(lowest)}"
    return LimitOutcome(
        by=by,
        metric=metric,
        value=number(value),
        min=lowest,
        max=highest,
        ok=verdict == "ok",
        verdict=verdict,
        reason=reason,
    )


def left_to_release(metric: str, *, lowest: float | None, highest: float | None) -> LimitOutcome:
    """What an evaluation says of a limit that no evaluation can judge."""
    reason = f"{metric} is judged by `mlops-ci release`, when the image is built"
    return LimitOutcome(
        by="", metric=metric, value=None, min=lowest, max=highest, ok=True, verdict=AT_RELEASE, reason=reason
    )
