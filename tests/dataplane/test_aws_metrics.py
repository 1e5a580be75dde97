"""What GetMetricData answers, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.dataplane.aws_metrics import Refused, metric_data
from tests.dataplane.router import Request

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AT_ONCE = timedelta(seconds=-60)
PAIR = {"LoadBalancer": "app/models/1", "TargetGroup": "targetgroup/new/2"}


def request(second: float, *, took: float = 0.1, status: int = 200, answered: bool = True) -> Request:
    return Request(at=NOON + timedelta(seconds=second), seconds=took, status=status, path="/", answered=answered)


def asked(
    requests: Sequence[Request],
    metric: str,
    stat: str,
    *,
    period: int = 60,
    now: datetime = NOON + timedelta(minutes=5),
    delay: timedelta = AT_ONCE,
    dimensions: dict[str, str] = PAIR,
    **options: Any,
) -> list[tuple[datetime, float]]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    measure = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": named}
    question = {
        "MetricDataQueries": [{"Id": "a", "MetricStat": {"Metric": measure, "Period": period, "Stat": stat}}],
        "StartTime": NOON.timestamp(),
        "EndTime": (NOON + timedelta(hours=1)).timestamp(),
        **options,
    }

    def of(balancer: str, group: str) -> Sequence[Request] | None:
        return requests if (balancer, group) == tuple(PAIR.values()) else None

    (result,) = metric_data(question, of, now=now, delay=delay)["MetricDataResults"]
    times = [datetime.fromtimestamp(each, UTC) for each in result["Timestamps"]]
    return list(zip(times, result["Values"], strict=True))


def test_minutes_without_anything_have_no_number_and_the_newest_comes_first() -> None:
    requests = [request(-1), request(1), request(2, status=500), request(130), request(131, status=502, answered=False)]
    second = NOON + timedelta(minutes=2)

    assert asked(requests, "RequestCount", "Sum") == [(second, 2.0), (NOON, 2.0)]
    assert asked(requests, "RequestCount", "Sum", ScanBy="TimestampAscending") == [(NOON, 2.0), (second, 2.0)]
    assert asked(requests, "RequestCount", "Sum", period=3600) == [(NOON, 4.0)]
    assert asked(requests, "HTTPCode_Target_5XX_Count", "Sum") == [(NOON, 1.0)]
    assert asked(requests, "TargetConnectionErrorCount", "Sum") == [(second, 1.0)]
    assert asked(requests, "RequestCount", "Sum", dimensions={**PAIR, "TargetGroup": "targetgroup/old/1"}) == []


@pytest.mark.parametrize(
    ("stat", "number"),
    [("TC(0:0.1)", 2.0), ("TC(0:0.2)", 3.0), ("TC(:0.05)", 1.0), ("TC(0.1:)", 1.0), ("SampleCount", 3.0)],
)
def test_trimmed_counts_have_their_upper_bound_and_not_their_lower_one(stat: str, number: float) -> None:
    requests = [request(1, took=0.05), request(2, took=0.1), request(3, took=0.2), request(4, answered=False)]

    assert asked(requests, "TargetResponseTime", stat) == [(NOON, number)]


def test_a_minute_is_told_when_it_is_over_and_the_delay_as_well() -> None:
    for delay, seconds, told in [(0, 59, 0), (0, 60, 1), (90, 149, 0), (90, 150, 1), (-60, 0, 1)]:
        now = NOON + timedelta(seconds=seconds)
        found = asked([request(0)], "RequestCount", "Sum", now=now, delay=timedelta(seconds=delay))
        assert len(found) == told, (delay, seconds)


@pytest.mark.parametrize(
    ("metric", "stat", "options"),
    [
        ("TargetResponseTime", "p99", {}),
        ("RequestCount", "Average", {}),
        ("ProcessedBytes", "Sum", {}),
        ("RequestCount", "Sum", {"period": 30}),
        ("RequestCount", "Sum", {"dimensions": {"TargetGroup": "targetgroup/new/2"}}),
        ("RequestCount", "Sum", {"EndTime": NOON.timestamp()}),
    ],
)
def test_what_is_refused_or_not_modelled(metric: str, stat: str, options: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        asked([], metric, stat, **options)
