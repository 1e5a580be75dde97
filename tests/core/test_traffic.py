from __future__ import annotations

import pytest

from mlops_ci.core.traffic import LiveCounts


def counts(requests: int, errors: int = 0, fast: int = 0, counter: str = "") -> LiveCounts:
    return LiveCounts(requests=requests, errors=errors, within={1.0: fast, 5.0: requests}, counter=counter)


def test_what_came_since_is_the_difference() -> None:
    assert counts(10, 3, 5).since(counts(4, 1, 2)) == counts(6, 2, 3)
    assert counts(10, 3, 5).since(LiveCounts()) == counts(10, 3, 5)
    assert counts(10, 3, 5).since(counts(10, 3, 5)) == counts(0)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (counts(4), counts(3)),
        (counts(4, 2), counts(4, 1)),
        (counts(4, 0, 4, "first start"), counts(4, 2, 0, "second start")),
        (counts(4, 0, 4, "first start"), counts(9, 2, 0, "second start")),
    ],
)
def test_a_router_that_was_started_anew_has_counted_anew(before: LiveCounts, now: LiveCounts) -> None:
    assert now.since(before) == now


def test_counts_add_up_and_survive_a_command() -> None:
    assert counts(2, 1) + counts(3, 0, 3) == counts(5, 1, 3)
    for known in (LiveCounts(), counts(2, 1, 1), counts(2, 1, 1, "start")):
        assert LiveCounts.from_json(known.to_json()) == known
