"""What CloudWatch's GetMetricData answers of a load balancer's target groups, from requests that were really made.

As there: numbers by the minute, no number for a minute without requests (or without errors), times newest first,
trimmed counts `TC(0:x)` of what took longer than 0 and no longer than x. Not modelled: metric math, searches,
percentiles, metrics by availability zone or of the whole load balancer, and how long CloudWatch keeps what.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dataplane.router import Request

MINUTE = 60
MOST_QUERIES = 500
TRIMMED_COUNT = re.compile(r"TC\((\d+(?:\.\d+)?)?:(\d+(?:\.\d+)?)?\)")
Requests = Callable[[str, str], Sequence[Request] | None]
"""The requests of a load balancer's target group; None where there is no such pair."""


class Refused(ValueError):
    """A question that CloudWatch refuses, or that is not modelled."""


def metric_data(question: Mapping[str, Any], requests: Requests, *, now: datetime, delay: timedelta) -> dict[str, Any]:
    """`delay` is how long after its end a minute is told; with -60 s what a minute has so far is told at once."""
    queries = question["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise Refused(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    start, end = (_moment(question[name]) for name in ("StartTime", "EndTime"))
    if start >= end:
        raise Refused("The parameter StartTime must be less than the parameter EndTime.")
    told = (now - delay).timestamp()
    newest_first = question.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    return {
        "MetricDataResults": [
            _result(query, requests, span=(start, end), told=told, newest_first=newest_first) for query in queries
        ],
        "Messages": [],
    }


def _moment(value: Any) -> float:
    """Seconds since the epoch, of what a client of the JSON protocol sends."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC).timestamp()
    return float(value)


def _result(
    query: Mapping[str, Any], requests: Requests, *, span: tuple[float, float], told: float, newest_first: bool
) -> dict[str, Any]:
    if "MetricStat" not in query:
        raise Refused("only MetricStat is modelled")
    stat = query["MetricStat"]
    metric, period = stat["Metric"], stat["Period"]
    if period < MINUTE or period % MINUTE:
        raise Refused("a period has to be a multiple of 60 seconds")
    if metric["Namespace"] != "AWS/ApplicationELB":
        raise Refused(f"the namespace {metric['Namespace']} is not modelled")
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
    if set(dimensions) != {"LoadBalancer", "TargetGroup"}:
        raise Refused(f"the dimensions {sorted(dimensions)} are not modelled")
    _number(metric["MetricName"], stat["Stat"], ())  # what is refused is so without requests, too
    found = requests(dimensions["LoadBalancer"], dimensions["TargetGroup"]) or ()
    begin = span[0] // MINUTE * MINUTE
    by_period: defaultdict[float, list[Request]] = defaultdict(list)
    for request in found:
        minute = request.at.timestamp() // MINUTE * MINUTE
        place = minute // period * period
        if begin <= place < span[1] and minute + MINUTE <= told:
            by_period[place].append(request)
    numbers = {place: _number(metric["MetricName"], stat["Stat"], those) for place, those in by_period.items()}
    points = sorted(((place, number) for place, number in numbers.items() if number is not None), reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": query.get("Label", metric["MetricName"]),
        "Timestamps": [place for place, _ in points],
        "Values": [float(number) for _, number in points],
        "StatusCode": "Complete",
    }


def _number(metric: str, stat: str, requests: Sequence[Request]) -> float | None:
    """None where the load balancer would not have sent anything."""
    if metric == "TargetResponseTime":
        return _of_times(stat, [request.seconds for request in requests if request.answered])
    counted = {
        "RequestCount": len(requests),
        "HTTPCode_Target_5XX_Count": sum(request.answered and request.status >= 500 for request in requests),
        "HTTPCode_Target_4XX_Count": sum(request.answered and 400 <= request.status < 500 for request in requests),
        "HTTPCode_Target_2XX_Count": sum(request.answered and 200 <= request.status < 300 for request in requests),
        "TargetConnectionErrorCount": sum(not request.answered for request in requests),
    }
    if metric not in counted or stat != "Sum":
        raise Refused(f"{stat} of {metric} is not modelled")
    return counted[metric] or None


def _of_times(stat: str, seconds: Sequence[float]) -> float | None:
    trimmed = TRIMMED_COUNT.fullmatch(stat)
    if trimmed is None and stat not in ("SampleCount", "Average"):
        raise Refused(f"{stat} of TargetResponseTime is not modelled")
    if not seconds:
        return None
    if trimmed is None:
        return len(seconds) if stat == "SampleCount" else sum(seconds) / len(seconds)
    lower, upper = float(trimmed[1] or 0), float(trimmed[2] or "inf")
    return sum(lower < each <= upper for each in seconds)
