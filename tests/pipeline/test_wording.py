"""The verdict in words, for each verdict that there is."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.verdicts import BLOCKING, DECISIONS
from mlops_ci.pipeline import figures, wording
from mlops_ci.pipeline.figures import MINUS
from tests.pipeline import report_examples as examples


@pytest.mark.parametrize(
    ("evaluation", "expected"),
    [
        (
            examples.superior(),
            "Better than what serves in production: ROC AUC 0.742 → 0.761, +0.019 (at least +0.012). It may ship.",
        ),
        (
            examples.first(),
            "The first model: there is nothing in production yet to compare it with. ROC AUC 0.761 on 13,025 holdout "
            "rows. It may ship.",
        ),
        (
            examples.compared("inferior", -0.021, -0.031, -0.011),
            f"Worse than what serves in production: ROC AUC 0.742 → 0.721, {MINUS}0.021 (at best {MINUS}0.011). "
            "It does not ship; production keeps what it has.",
        ),
        (
            examples.compared("inconclusive", 0.001, -0.009, 0.012, rows_needed=83_412),
            f"Too close to call: ROC AUC 0.7421 → 0.7431, +0.0010 (between {MINUS}0.0090 and +0.0120). "
            "About 84,000 holdout rows would decide; there are 13,025. It does not ship; production keeps what it has.",
        ),
        (
            examples.compared("inconclusive", 0.001, -0.009, 0.012),
            f"Too close to call: ROC AUC 0.7421 → 0.7431, +0.0010 (between {MINUS}0.0090 and +0.0120). "
            "It does not ship; production keeps what it has.",
        ),
        (
            examples.compared("non-inferior", 0.001, -0.003, 0.005, ships=True),
            "As good as what serves in production, give or take 0.005: ROC AUC 0.7421 → 0.7431, +0.0010 (at least "
            f"{MINUS}0.0030). It may ship.",
        ),
        (
            examples.blocked(),
            "Blocked: a declared limit is broken (log_loss is 0.52, above 0.45). It does not ship; production keeps "
            "what it has.",
        ),
        (
            examples.blocked(champion_release=None, reasons=[]),
            "Blocked: a declared limit is broken. It does not ship.",
        ),
        (
            examples.loss(),
            "Better than what serves in production: RMSE 24,113 → 21,021, 3,092 better (at least 2,140 better). "
            "It may ship.",
        ),
    ],
)
def test_the_verdict_in_a_sentence(evaluation: dict[str, Any], expected: str) -> None:
    assert wording.sentence(evaluation) == expected


@pytest.mark.parametrize("verdict", [*BLOCKING, *DECISIONS])
def test_every_verdict_has_words_of_its_own_and_a_next_step(verdict: str) -> None:
    evaluation = examples.superior(verdict=verdict, ships=False, reasons=[f"{verdict}: something"])
    assert f"{verdict}:" not in wording.sentence(evaluation)
    if verdict not in {"first", "superior"}:
        assert wording.next_step(evaluation)
    assert wording.next_step({**evaluation, "ships": True}) == ""
    assert wording.tone(evaluation) == ("bad" if verdict in BLOCKING else "neutral")


def test_a_bound_that_rounds_to_zero_does_not_read_as_zero() -> None:
    evaluation = examples.compared("superior", 0.02, 0.0000004, 0.04, ships=True)
    assert "(at least just above 0)" in wording.sentence(evaluation)


def test_two_equal_models() -> None:
    evaluation = examples.compared("inconclusive", 0.0, 0.0, 0.0)
    assert "0.742 → 0.742, ±0.000 (between ±0.000 and ±0.000)" in wording.sentence(evaluation)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((0.742134, "0.7421"), (12.3456, "12.35"), (123456.7, "123,457"), (0, "0"), (0.00001234, "0.000012")),
        *((-0.5, f"{MINUS}0.5000"), (3e-9, f"3.0e{MINUS}09"), (None, "—"), (float("nan"), "—"), (float("inf"), "—")),
    ],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert figures.number(value) == expected


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.0192, "roc_auc", "+0.019"),
        (-0.0192, "roc_auc", f"{MINUS}0.019"),
        (0.0192, "log_loss", "0.019 better"),
        (-0.0192, "log_loss", "0.019 worse"),
        (0.0001, "log_loss", "slightly better"),
        (0.0, "log_loss", "no change"),
        (None, "roc_auc", "—"),
    ],
)
def test_changes_are_better_or_worse_whatever_the_metric(value: float | None, metric: str, expected: str) -> None:
    assert figures.change(value, metric, 3) == expected
