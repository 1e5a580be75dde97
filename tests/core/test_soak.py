"""How long a release has been good where it was before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_ci.core.soak import unsoaked, verified_since
from tests import logs
from tests.logs import A, B, log_of, moment

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("entries", "since"),
    [
        ([], None),
        ([logs.deployed(A)], None),
        ([logs.verified(A)], 1),
        ([logs.verified(B)], None),
        ([logs.verified(A, environment="production")], None),
        ([logs.verified(A), logs.verified(A)], 1),
        ([logs.verified(A), logs.revoked(A)], None),
        ([logs.verified(A), logs.revoked(A), logs.verified(A)], 3),
        ([logs.verified(A), logs.revoked(B)], 1),
    ],
)
def test_since_when_it_is_verified_without_a_break(entries: list[logs.Entry], since: int | None) -> None:
    assert verified_since(log_of(*entries), "qa", A) == (moment(since) if since else None)


def test_it_has_soaked_at_the_very_moment() -> None:
    events = log_of(logs.verified(A))
    asked = {"environment": "qa", "release": A, "soak": HOUR}
    assert unsoaked(events, now=moment(1) + HOUR, **asked) == ""
    why = unsoaked(events, now=moment(1) + HOUR - timedelta(microseconds=1), **asked)
    assert "since 2026-03-01T09:01:00.000000Z, and has to be for 1:00:00" in why
    assert "until 2026-03-01T10:01:00.000000Z" in why
    assert "not verified in qa" in unsoaked([], now=moment(1), **asked)
