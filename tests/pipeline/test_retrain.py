"""When a retraining may be proposed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_ci.core.state import fold
from mlops_ci.pipeline.retrain import BY_HAND, too_soon
from tests.logs import log_of, moment

OPENED = ("retrain-opened", {"pull_request": 3, "reason": "drift"})
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("entries", "reason", "later", "waits"),
    [
        ([], "drift", timedelta(0), False),
        ([OPENED], "drift", HOUR - timedelta(seconds=1), True),
        ([OPENED], "drift", HOUR, False),
        ([OPENED], BY_HAND, timedelta(0), False),
        ([OPENED, OPENED], "schedule", HOUR, True),  # counted from the latest, a minute later
    ],
)
def test_the_cooldown(entries: list[tuple[str, dict[str, object]]], reason: str, later: timedelta, waits: bool) -> None:
    why = too_soon(fold(log_of(*entries)), reason=reason, cooldown=HOUR, now=moment(1) + later)
    assert bool(why) is waits
    assert not waits or "2026-03-01T09:0" in why
