"""Performance against actuals: no alarm by chance, nor for what windows vary by anyway, but for a real drop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.live_performance import Actuals, Performance, live_performance

REGRESSION = Signature(task="regression", inputs=())
ROWS = 150


def actuals(errors: NDArray[np.float64], **options: Any) -> Actuals:
    """A regression whose residuals are these; on the holdout they were standard normal."""
    return Actuals(
        truth=errors,
        known=np.ones(len(errors), dtype=bool),
        predictions=Predictions(values=np.zeros(len(errors))),
        signature=REGRESSION,
        metric="rmse",
        **{"reference": 1.0, "reference_rows": 5000, **options},
    )


def judge(given: Actuals, windows: int, alpha: float = 0.01) -> Performance:
    parts = [(f"window {number}", np.arange(number * ROWS, (number + 1) * ROWS)) for number in range(windows)]
    return live_performance(given, parts, min_rows=50, alpha=alpha, seed=1)


def test_without_a_change_windows_are_worse_by_chance_only() -> None:
    random = np.random.default_rng(1)
    worse = sum(
        window.worse for _ in range(20) for window in judge(actuals(random.normal(size=30 * ROWS)), 30, 0.05).windows
    )
    assert worse <= 600 * 0.05 + 4 * np.sqrt(600 * 0.05)


@pytest.mark.parametrize(("deviation", "usual"), [(0.0, True), (0.25, True), (0.25, False)])
def test_what_windows_vary_by_anyway_is_no_alarm(deviation: float, usual: bool) -> None:
    """The error of each window has a level of its own; known from the windows before, or (not `usual`) not known."""
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(60):
        levels = np.exp(random.normal(-(deviation**2) / 2, deviation, 40 if usual else 6))
        alarms += judge(actuals(random.normal(size=len(levels) * ROWS) * np.repeat(levels, ROWS)), len(levels)).alarm
    assert alarms <= 2 if usual else alarms >= 5


def test_a_drop_beyond_the_usual_variation_alarms() -> None:
    random = np.random.default_rng(3)
    levels = np.exp(random.normal(0, 0.1, 40))
    levels[-2:] = 2
    assert judge(actuals(random.normal(size=40 * ROWS) * np.repeat(levels, ROWS)), 40).alarm


def test_an_improvement_is_never_worse() -> None:
    random = np.random.default_rng(4)
    found = judge(actuals(random.normal(size=6 * ROWS) * 0.5), 6)
    assert not any(window.worse for window in found.windows)
    assert found.windows[0].value == pytest.approx(0.5, abs=0.1)


def test_without_a_reference_nothing_is_worse() -> None:
    assert not judge(actuals(np.full(3 * ROWS, 9.0), reference=None), 3).alarm


def test_windows_without_any_spread_are_compared_as_they_are() -> None:
    assert judge(actuals(np.full(3 * ROWS, 2.0)), 3).alarm
    assert not judge(actuals(np.full(3 * ROWS, 1.0)), 3).alarm
