"""What a load says of a service, and when it says something of the prober instead."""

from __future__ import annotations

import doctest
import math
from collections.abc import Sequence

import pytest

from mlops_ci.core import load as load_module
from mlops_ci.core.load import (
    FEWEST_REQUESTS,
    NEVER_SENT,
    LoadPlan,
    Sent,
    Traffic,
    kept_rate,
    measured,
    percentile,
    slow_prober,
)

PLAN = LoadPlan(rate=20, seconds=2.0)


def sent(number: int, *, takes: float = 0.002, late: float = 0.0, held: float = 0.0, error: str = "") -> Sent:
    """Request `number`: held up by the service for so long, then by the prober, then on its way."""
    due = PLAN.due(number)
    free = due + held if held else due - 0.01
    start = due + held + late
    return Sent(due=due, free=free, sent=start, done=start + takes, error=error, answered=not error)


def traffic(requests: Sequence[Sent], *, core_share: float = 0.05, unsent: int = 0) -> Traffic:
    return Traffic(sent=requests, core_share=core_share, unsent=unsent)


def test_a_plan_has_a_fewest_number_of_requests_however_short_it_is() -> None:
    assert LoadPlan(rate=20, seconds=2.0).requests == 40
    assert LoadPlan(rate=500, seconds=0.0).requests == FEWEST_REQUESTS
    assert LoadPlan(rate=1, seconds=0.0).ends == 20.0
    assert [LoadPlan(rate=4, seconds=9).due(number) for number in range(3)] == [0.0, 0.25, 0.5]


def test_a_service_that_is_well() -> None:
    load = measured(traffic([sent(number) for number in range(40)]))
    assert (load.requests, load.failed, load.error_rate) == (40, 0, 0.0)
    assert load.rate == pytest.approx(20.0)
    assert load.p50_ms == load.p99_ms == load.max_ms == pytest.approx(2.0)
    assert load.behind_s == pytest.approx(0.0)
    assert not slow_prober(load, PLAN, 250)


def test_a_stall_is_counted_once_for_every_request_that_was_due_in_it() -> None:
    """Half a second in which nothing is answered: in a closed loop it would be one slow request among forty."""
    stalled = [
        Sent(due=due, free=due - 0.01, sent=due, done=max(due + 0.002, 1.5 if due >= 1.0 else 0.0))
        for due in map(PLAN.due, range(40))
    ]
    load = measured(traffic(stalled))
    slow = [each for each in stalled if each.done - each.due > 0.075]
    assert len(slow) == 9
    assert load.max_ms == pytest.approx(500.0)
    assert load.p99_ms == pytest.approx(500.0)


def test_what_waited_for_the_service_to_leave_counts_from_when_it_was_due() -> None:
    load = measured(traffic([sent(number, held=0.4) for number in range(40)]))
    assert load.p99_ms == pytest.approx(402.0)
    assert load.p99_without_lateness_ms == pytest.approx(402.0)
    assert not kept_rate(load.behind_s, PLAN)
    assert not slow_prober(load, PLAN, 250), "it is the service that is slow"


def test_a_prober_that_is_late_itself_is_not_the_services_fault() -> None:
    load = measured(traffic([sent(number, late=0.4) for number in range(40)]))
    assert load.p99_ms == pytest.approx(402.0)
    assert load.p99_without_lateness_ms == pytest.approx(2.0)
    assert "400 ms late" in slow_prober(load, PLAN, 250)
    assert "400 ms late" in slow_prober(load, PLAN, 1000), "the rate was not kept"


def test_one_late_start_is_no_reason_where_the_limit_is_kept() -> None:
    requests = [sent(number, late=0.2 if number == 30 else 0.0) for number in range(40)]
    load = measured(traffic(requests))
    assert not slow_prober(load, PLAN, 250)
    assert kept_rate(load.behind_s, PLAN)


def test_a_slow_service_is_not_excused_by_a_prober_that_is_a_little_late() -> None:
    load = measured(traffic([sent(number, takes=0.3, late=0.01) for number in range(40)]))
    assert not slow_prober(load, PLAN, 250)


def test_a_prober_that_uses_its_whole_core_can_say_nothing() -> None:
    load = measured(traffic([sent(number, held=0.4) for number in range(40)], core_share=0.97))
    assert "97% of a core" in slow_prober(load, PLAN, 250)
    well = measured(traffic([sent(number) for number in range(40)], core_share=0.97))
    assert not slow_prober(well, PLAN, 250), "the service was fast all the same"


def test_errors_are_counted_by_name_and_have_no_latency() -> None:
    requests = [sent(number, takes=9.0, error="status 503") for number in range(3)]
    requests += [sent(3, error="the connection was reset"), *(sent(number) for number in range(4, 38))]
    load = measured(traffic(requests, unsent=2))
    assert load.errors == {"status 503": 3, NEVER_SENT: 2, "the connection was reset": 1}
    assert load.error_rate == pytest.approx(6 / 40)
    assert load.max_ms == pytest.approx(2.0)
    assert not kept_rate(load.behind_s, PLAN), "what was never sent was not sent in time"
    assert not slow_prober(load, PLAN, 250)


def test_where_nothing_is_answered_there_is_no_latency() -> None:
    load = measured(traffic([sent(number, error="status 500") for number in range(40)]))
    assert math.isnan(load.p99_ms)
    assert load.to_json()["p99_ms"] is None
    assert measured(traffic([], unsent=40)).to_json()["rate"] == 0.0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0), (0.0, 1.0)])
def test_percentiles_by_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_doctests() -> None:
    result = doctest.testmod(load_module)
    assert result.attempted
    assert not result.failed
