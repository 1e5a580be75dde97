"""When a retraining may be proposed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_ci.core.state import fold
from mlops_ci.pipeline.retrain import BY_HAND, taken_over, too_soon
from mlops_ci.ports import PullRequest
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


@pytest.mark.parametrize(
    ("known", "shown", "kept"),
    [("a" * 40, "a" * 40, False), ("a" * 40, "b" * 40, True), (None, "b" * 40, False), ("a" * 40, "", False)],
)
def test_what_people_pushed_to_a_proposal_is_not_replaced(known: str | None, shown: str, kept: bool) -> None:
    state = fold(log_of(("retrain-opened", {"pull_request": 3, "reason": "drift", "head": known})))
    pull = PullRequest(
        number=3, title="", body="", branch="mlops-ci/retrain/tides", base="main", head=shown, author="", state="open",
        url="",
    )  # fmt: skip

    assert bool(taken_over(state, pull if shown else None)) is kept
    assert taken_over(fold([]), pull) == ""
