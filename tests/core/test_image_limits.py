"""The guardrails for images: left open by the gate, judged of the built image, waived as any other."""

from __future__ import annotations

from datetime import date

import pytest

from mlops_ci.config.types import GateConfig, GuardrailConfig, PrimaryConfig, WaiverConfig
from mlops_ci.core.image_limits import judge_image

DAY = date(2026, 11, 21)


def gate(*guardrails: GuardrailConfig, expires: date | None = None) -> GateConfig:
    waiver = WaiverConfig(verdict="guardrail", reason="agreed", approver="ada", expires=expires or DAY)
    return GateConfig(
        primary=PrimaryConfig(metric="accuracy", margin=0.0, alpha=0.05), guardrails=guardrails, slices=(),
        fairness=(), looks=9, waivers=(waiver,) if expires else (), ships=("first",), resamples=10,
    )  # fmt: skip


LIMIT = GuardrailConfig(metric="image_mb", min=None, max=200.0)


@pytest.mark.parametrize(
    ("megabytes", "reasons"),
    [(199.9, ()), (200.0, ()), (200.5, ("guardrail: image_mb is 200.5, above 200",))],
)
def test_a_limit_is_inclusive_and_named_with_the_value(megabytes: float, reasons: tuple[str, ...]) -> None:
    assert judge_image({"image_mb": megabytes}, gate(LIMIT), on=DAY).reasons == reasons


def test_what_was_not_measured_or_is_no_number_does_not_pass() -> None:
    assert judge_image({}, gate(LIMIT), on=DAY).reasons == ("metric-missing: image_mb was not measured",)
    (reason,) = judge_image({"image_mb": float("nan")}, gate(LIMIT), on=DAY).reasons
    assert reason.startswith("metric-not-finite")


def test_other_guardrails_are_not_looked_at() -> None:
    other = GuardrailConfig(metric="log_loss", min=None, max=0.0)
    assert judge_image({"image_mb": 1e9}, gate(other), on=DAY).reasons == ()


def test_a_waiver_lets_it_pass_until_its_day_and_says_for_what() -> None:
    judged = judge_image({"image_mb": 300.0}, gate(LIMIT, expires=DAY), on=DAY)
    assert judged.reasons == ()
    (waived,) = judged.waived
    assert (waived.verdict, waived.approver, waived.findings) == ("guardrail", "ada", ("image_mb is 300, above 200",))
    late = judge_image({"image_mb": 300.0}, gate(LIMIT, expires=date(2026, 11, 20)), on=DAY)
    assert late.reasons
    assert not late.waived
    # what was not measured is waived by nobody who waived a guardrail
    assert judge_image({}, gate(LIMIT, expires=DAY), on=DAY).reasons
    assert not judge_image({"image_mb": 1.0}, gate(LIMIT, expires=DAY), on=DAY).waived
