"""What AWS counts and keeps of services behind a load balancer: the metrics of CloudWatch, and its logs.

The outputs `traffic` and `logs` of a root module say where (docs/targets.md). Metrics come by the minute, and a minute
or two late. Requests below a bound are counted by the trimmed count of CloudWatch, `TC(0:x)`:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_ci.adapters.request_log import entry_of, latest_records
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import RecentRequests

KIND = "cloudwatch"
NAMESPACE = "AWS/ApplicationELB"
BOUNDS_MS = (
    *(5.0, 10.0, 20.0, 32.0, 50.0, 80.0, 125.0, 200.0, 320.0, 500.0, 800.0, 1_250.0, 2_000.0, 3_200.0, 5_000.0),
    10_000.0,
)
"""Each is asked for and paid for by itself, so these are fewer than those of the router of this machine."""
REQUESTS, ERRORS = "RequestCount", ("HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")
HOUR = 3600
QUERIES = 500
"""Of one call, as CloudWatch takes them."""
LOOKED_BACK = tuple(timedelta(minutes=minutes) for minutes in (5, 60, 24 * 60))
LAST_LINES = 5
Json = Mapping[str, Any]


def counts_of(traffic: Json, releases: Sequence[str]) -> Mapping[str, LiveCounts]:
    """What was counted of each release since this month began, in hours, of which the present one grows.

    So it only ever grows within a month, whoever asks and however often, also where metrics come late.
    """
    groups = _texts(traffic, "traffic", "load_balancer", "region", maps=("target_groups",))["target_groups"]
    now = datetime.now(UTC)
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    wanted = [release for release in releases if release in groups]
    queries: list[dict[str, Any]] = []
    for number, release in enumerate(wanted):
        dimensions = {"LoadBalancer": traffic["load_balancer"], "TargetGroup": groups[release]}
        sums = [(name, "Sum") for name in (REQUESTS, *ERRORS)]
        times = [("TargetResponseTime", f"TC(0:{bound / 1000:g})") for bound in BOUNDS_MS]
        queries += [
            _query(f"r{number}_{place}", name, statistic, dimensions)
            for place, (name, statistic) in enumerate([*sums, *times])
        ]
    counted = _sums(traffic["region"], queries, begin, now + timedelta(seconds=1))
    counter = f"{KIND} {begin:%Y-%m}"
    return {release: _counts(counted, f"r{number}", counter) for number, release in enumerate(wanted)}


def latest_of(logs: Json, release: str, limit: int) -> RecentRequests:
    """The latest records that users had scored by the release, newest last, of at most a day."""
    found = RecentRequests()
    for back in LOOKED_BACK:
        entries = deque(_entries(logs, release, since=datetime.now(UTC) - back), maxlen=max(limit, 1) * 10)
        found = latest_records(sorted(entries, key=lambda entry: entry.time, reverse=True), limit)
        if len(found.records) >= limit:
            break
    return found


def logged_of(logs: Json) -> Iterator[LogEntry]:
    """All entries that the group still has, of whatever release."""
    return _entries(logs, None)


def last_words(logs: Json, release: str) -> str:
    """What the service said lately besides its entries; empty where that is nothing."""
    said: deque[str] = deque(maxlen=LAST_LINES)
    for message in _messages(logs, release, since=datetime.now(UTC) - LOOKED_BACK[1]):
        if entry_of(message) is None:
            said.append(message.strip()[:300])
    return "\n    ".join(said)


def _query(name: str, metric: str, statistic: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": HOUR,
            "Stat": statistic,
        },
        "ReturnData": True,
    }


def _sums(region: str, queries: Sequence[dict[str, Any]], begin: datetime, end: datetime) -> dict[str, int]:
    """The sum of all values of each query by its id."""
    sums: dict[str, float] = {}
    with _client("cloudwatch", region) as client:
        pages = client.get_paginator("get_metric_data")
        for first in range(0, len(queries), QUERIES):
            part = list(queries[first : first + QUERIES])
            for page in pages.paginate(MetricDataQueries=part, StartTime=begin, EndTime=end):
                for result in page["MetricDataResults"]:
                    sums[result["Id"]] = sums.get(result["Id"], 0.0) + sum(filter(None, result["Values"]))
    return {name: round(number) for name, number in sums.items()}


def _counts(sums: Mapping[str, int], name: str, counter: str) -> LiveCounts:
    requests, *errors = (sums.get(f"{name}_{place}", 0) for place in range(1 + len(ERRORS)))
    within = {bound: sums.get(f"{name}_{place}", 0) for place, bound in enumerate(BOUNDS_MS, start=1 + len(ERRORS))}
    # A trimmed count is of a distribution, and may be one too many.
    return LiveCounts(
        requests=requests, errors=min(requests, sum(errors)), counter=counter,
        within={bound: min(requests, number) for bound, number in within.items()},
    )  # fmt: skip


def _entries(logs: Json, release: str | None, *, since: datetime | None = None) -> Iterator[LogEntry]:
    for message in _messages(logs, release, since=since):
        entry = entry_of(message)
        if entry is not None and release in (None, entry.release):
            yield entry


def _messages(logs: Json, release: str | None, *, since: datetime | None) -> Iterator[str]:
    """The lines of the release's streams, or of all, the oldest first."""
    known = _texts(logs, "logs", "group", "region", maps=("streams",))
    of = {"logGroupName": known["group"]}
    if release is not None:
        if release not in known["streams"]:
            return
        of["logStreamNamePrefix"] = known["streams"][release]
    if since is not None:
        of["startTime"] = int(since.timestamp() * 1000)
    with _client("logs", known["region"]) as client:
        for page in client.get_paginator("filter_log_events").paginate(**of):
            yield from (event["message"] for event in page["events"])


@contextmanager
def _client(service: str, region: str) -> Iterator[Any]:
    """Raises ConfigurationError where boto3 is not there, OutsideError where AWS does not do what it is asked."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise ConfigurationError(
            "boto3 is needed to read CloudWatch, and is not installed", fix="pip install 'mlops-ci[aws]'"
        ) from error
    try:
        yield boto3.client(service, region_name=region)
    except (BotoCoreError, ClientError) as error:
        raise OutsideError(f"CloudWatch ({service}) in {region}: {str(error)[:500]}") from error


def _texts(value: Json, name: str, *keys: str, maps: Sequence[str]) -> Json:
    """The output, once it is known to be what this module reads."""
    if value.get("kind") != KIND:
        raise ConfigurationError(
            f"output {name} is of kind {str(value.get('kind'))[:40]}, which is not known", fix=f"one of {KIND}"
        )
    wrong = [key for key in keys if not isinstance(value.get(key), str)]
    wrong += [key for key in maps if not isinstance(value.get(key), dict)
              or not all(isinstance(each, str) for each in value[key].values())]  # fmt: skip
    if wrong:
        raise ConfigurationError(
            f"output {name}: {', '.join(wrong)} is not what it has to be", fix="see docs/targets.md"
        )
    return value
