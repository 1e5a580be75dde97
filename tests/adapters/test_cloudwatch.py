"""What CloudWatch counts and keeps, read over HTTP from a stand-in that answers as it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mlops_ci.adapters.cloudwatch import BOUNDS_MS, counts_of, last_words, latest_of, logged_of
from mlops_ci.errors import ConfigurationError, OutsideError
from tests.dataplane.aws_metrics import metric_data
from tests.dataplane.router import Request

OLD, NEW = "a" * 64, "b" * 64
TRAFFIC = {
    "kind": "cloudwatch", "region": "eu-central-1", "load_balancer": "app/late/1",
    "target_groups": {OLD: "targetgroup/old/1", NEW: "targetgroup/new/2"},
}  # fmt: skip
LOGS = {"kind": "cloudwatch", "region": "eu-central-1", "group": "/late", "streams": {OLD: "aaa/", NEW: "bbb/"}}
PAGE = 7


class Aws:
    """`requests` by target group; `events` are (stream, time, message)."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Request]] = {}
        self.events: list[tuple[str, datetime, str]] = []
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.refuses = ""

    def answer(self, target: str, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((target, question))
        if target.endswith("GetMetricData"):
            return metric_data(
                question, lambda balancer, group: self.requests.get(group) if balancer == "app/late/1" else None,
                now=datetime.now(UTC), delay=timedelta(seconds=-60),
            )  # fmt: skip
        first = int(question.get("nextToken", 0))
        prefix, since = question.get("logStreamNamePrefix", ""), question.get("startTime", 0)
        found = [
            {"message": message, "timestamp": int(at.timestamp() * 1000), "logStreamName": stream}
            for stream, at, message in sorted(self.events, key=lambda event: event[1])
            if stream.startswith(prefix) and at.timestamp() * 1000 >= since
        ]
        more = {"nextToken": str(first + PAGE)} if len(found) > first + PAGE else {}
        return {"events": found[first : first + PAGE], **more}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    account = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = {"__type": account.refuses, "message": "no"} if account.refuses else account.answer(
                self.headers.get("x-amz-target", ""), question
            )  # fmt: skip
            data = json.dumps(body, default=lambda moment: moment.timestamp()).encode()
            self.send_response(400 if account.refuses else 200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}", "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def request(seconds: float, status: int = 200, *, answered: bool = True) -> Request:
    return Request(at=datetime.now(UTC), seconds=seconds, status=status, path="/", answered=answered)


def test_what_came_this_month_is_counted_by_release(aws: Aws) -> None:
    aws.requests = {
        "targetgroup/old/1": [request(0.004), request(0.3, 404), request(0.004, 503), request(20)],
        "targetgroup/new/2": [request(5, 502, answered=False)],
    }
    counts = counts_of(TRAFFIC, [OLD, NEW, "c" * 64])
    old, new = counts[OLD], counts[NEW]
    assert set(counts) == {OLD, NEW}
    assert (old.requests, old.errors) == (4, 1)
    assert [old.within[bound] for bound in (5.0, 200.0, 320.0, 10_000.0)] == [2, 2, 3, 3]
    assert (new.requests, new.errors, set(new.within.values())) == (1, 1, {0})
    assert set(old.within) == set(BOUNDS_MS)
    assert old.counter == new.counter == f"cloudwatch {datetime.now(UTC):%Y-%m}"

    aws.requests["targetgroup/old/1"].append(request(0.004))
    later = counts_of(TRAFFIC, [OLD])[OLD].since(old)
    assert (later.requests, later.errors, later.within[5.0], later.within[10_000.0]) == (1, 0, 1, 1)


def test_a_question_that_is_too_long_for_one_call_is_asked_in_several(aws: Aws) -> None:
    ids = [f"{number:064d}" for number in range(40)]
    groups = {each: f"targetgroup/{each}" for each in ids}
    aws.requests = {group: [request(0.004)] for group in groups.values()}
    counts = counts_of({**TRAFFIC, "target_groups": groups}, ids)
    assert {count.requests for count in counts.values()} == {1}
    assert len(aws.asked) == 2


def entry(number: int, release: str, **more: Any) -> str:
    line = {
        "time": "2026-11-21T10:00:00Z", "request_id": f"r{number}", "release": release, "sample": 1.0, "redacted": [],
        "records": [{"x": number}], "answers": [{"value": 1.0}], **more,
    }  # fmt: skip
    return json.dumps(line)


def test_logged_requests_and_last_words(aws: Aws) -> None:
    now = datetime.now(UTC)
    for number in range(20):
        moment = now - timedelta(minutes=20 - number)
        aws.events.append(("aaa/1", moment, entry(number, OLD, time=moment.isoformat())))
    aws.events += [
        ("aaa/1", now - timedelta(seconds=3), entry(99, OLD, request_id="mlops-probe-x", time=now.isoformat())),
        ("aaa/2", now - timedelta(seconds=2), "Traceback (most recent call last):"),
        ("aaa/2", now - timedelta(seconds=1), '{"time": "2026-11-'),
        ("bbb/1", now - timedelta(hours=2), entry(50, NEW)),
        ("aaa/1", now - timedelta(minutes=1), entry(51, NEW)),  # of another release: not its own
    ]
    assert [record["x"] for record in latest_of(LOGS, OLD, 3).records] == [17, 18, 19]
    assert len(latest_of(LOGS, OLD, 12).records) == 12
    assert len(latest_of(LOGS, OLD, 500).records) == 20
    assert latest_of(LOGS, "c" * 64, 5).records == []
    assert latest_of(LOGS, OLD, 0).records == []
    assert len(list(logged_of(LOGS))) == 23
    assert last_words(LOGS, OLD) == 'Traceback (most recent call last):\n    {"time": "2026-11-'
    assert last_words(LOGS, NEW) == ""

    aws.events = [("aaa/1", now, entry(1, OLD, redacted=["ssn"], time=now.isoformat()))]
    assert (latest_of(LOGS, OLD, 5).records, latest_of(LOGS, OLD, 5).redacted) == ([], ("ssn",))


def test_a_refusal_and_a_connection_that_fails_are_outside(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.refuses = "AccessDeniedException"
    with pytest.raises(OutsideError, match=r"CloudWatch \(cloudwatch\) in eu-central-1: .*AccessDenied"):
        counts_of(TRAFFIC, [OLD])
    with pytest.raises(OutsideError, match=r"CloudWatch \(logs\)"):
        list(logged_of(LOGS))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1:9"):
        counts_of(TRAFFIC, [OLD])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "grafana"}, "output traffic is of kind grafana"), ({"kind": None}, "of kind None"),
        ({"load_balancer": 1}, "load_balancer"), ({"target_groups": []}, "target_groups"),
        ({"target_groups": {OLD: 1}}, "target_groups"), ({"region": None}, "region"),
    ],
)  # fmt: skip
def test_an_output_that_is_no_such_thing(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        counts_of({**TRAFFIC, **wrong}, [OLD])
    with pytest.raises(ConfigurationError, match="output logs"):
        list(logged_of({**LOGS, "group": None}))
