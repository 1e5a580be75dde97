"""Makes a data plane do what moto's ECS and load balancers were told, and answers what only a real cloud could know.

`AwsFollower` is a front before moto: its `endpoint` is what clients are given. It hands everything on, and
- after each change in ECS or of load balancers, and every other second, it reads what there is now and makes the data
  plane so: a container of each service that ECS wants to run, of exactly the image that its task definition names,
  reached by the listeners' rules in the order of their priorities, with the weights of their target groups;
- DescribeServices tells how many containers serve, and how the deployment goes: moto does not know;
- GetMetricData tells the load balancers' metrics from the requests that really came through (`aws_metrics`),
  `metrics_delay` after the minute in which they came;
- containers write to CloudWatch's log groups, one stream each, as the `awslogs` driver names them;
- a service whose target group no load balancer uses is refused, as ECS does.
A deployment whose containers fail as often as the circuit breaker's threshold says is given up, and what served before
goes on serving.

Not modelled: several tasks of one service (a desired count of 0 is), task and execution roles, networks, security
groups and addresses (so also whether a task can reach its registry or its log group), HTTPS, how long AWS takes, the
intervals and thresholds of health checks (the data plane has its own), failing open where all targets are unhealthy,
slow start, a rollback of the circuit breaker after which the old deployment's own containers end, scaling. What a rule
or a service asks for that is not modelled becomes one of `problems`, and is left out; tests assert that there is none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs

from tests.dataplane.aws_account import Account, AccountReader, EcsService
from tests.dataplane.aws_metrics import Refused, metric_data
from tests.dataplane.forwarding import Answered, Asked, Hand, forwarding
from tests.dataplane.plane import DataPlane, Request
from tests.infra.moto import Moto

AT_ONCE = timedelta(seconds=-60)
"""The metrics' delay with which a minute is told while it lasts, for tests that have no time to lose."""
POLL_SECONDS = 2.0
FOLLOWED = ("/ecs/", "/elasticloadbalancing/")
BREAKER_LEAST, BREAKER_SHARE = 3, 0.5
JSON = {"Content-Type": "application/x-amz-json-1.1"}


class AwsFollower:
    """Used as a context manager. `metrics_delay` may be changed at any time.

    `witness` is called with the name of each action that is about to be done in ECS or to load balancers, for tests
    that do something at that very moment.
    """

    def __init__(self, moto: Moto, plane: DataPlane, *, metrics_delay: timedelta = AT_ONCE) -> None:
        self.metrics_delay = metrics_delay
        self.witness: Callable[[str], None] = lambda _: None
        self._moto, self._plane = moto, plane
        self._reader, self._logs = AccountReader(moto), moto.client("logs")
        self._account = Account()
        self._breakers: dict[str, int] = {}
        self._written: dict[tuple[str, str], int] = {}
        self._errors: list[str] = []
        self._following, self._woken, self._ended = Lock(), Event(), Event()
        self._thread = Thread(target=self._look_after)
        self._open = ExitStack()
        self.endpoint = ""

    def __enter__(self) -> AwsFollower:
        self.endpoint = self._open.enter_context(forwarding(self._moto.endpoint, self._decide))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._woken.set()
        self._thread.join()
        self._open.close()

    @property
    def problems(self) -> list[str]:
        """What AWS would refuse, what is not modelled, and what went wrong in following."""
        return [*self._account.problems, *self._errors]

    def follow(self) -> None:
        """Reads what moto has now; when this returns the routes are in force. Containers take their time."""
        with self._following:
            self._account = account = self._reader.read()
            services = {
                key: replace(service.runs, give_up_after=self._breakers.get(service.arn, 0))
                for key, service in account.services.items()
                if service.runs
            }
            self._plane.become(services, account.routes)
            self._write_logs(account)

    def requests(self, balancer: str, group: str) -> tuple[Request, ...] | None:
        """What came through a target group, both named as metrics name them."""
        for arn, above in self._account.balancers.items():
            if arn.endswith(f":{group}") and above.endswith(f":loadbalancer/{balancer}"):
                return self._plane.requests(arn)
        return None

    def _look_after(self) -> None:
        while not self._ended.is_set():
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            try:
                self.follow()
            except Exception as error:  # noqa: BLE001 - a thread that dies tells nobody
                self._errors.append(repr(error))

    def _write_logs(self, account: Account) -> None:
        for key, service in account.services.items():
            if service.log is None:
                continue
            for task, lines in self._plane.output(key).items():
                new = lines[self._written.get((key, task), 0) :]
                if not new:
                    continue
                stream = service.log.prefix + task
                try:
                    if (key, task) not in self._written:
                        self._logs.create_log_stream(logGroupName=service.log.group, logStreamName=stream)
                    events = [{"timestamp": int(line.at.timestamp() * 1000), "message": line.text} for line in new]
                    self._logs.put_log_events(logGroupName=service.log.group, logStreamName=stream, logEvents=events)
                except self._logs.exceptions.ResourceNotFoundException:
                    account.problems.append(
                        f"{service.arn}: there is no log group {service.log.group}: it could not start"
                    )
                    continue
                self._written[key, task] = len(lines)

    def _decide(self, asked: Asked, hand: Hand) -> Answered:
        scope = asked.headers.get("authorization", "")
        followed = any(service in scope for service in FOLLOWED)
        action = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        if followed and not action:  # as load balancers are asked
            action = parse_qs(asked.body.decode()).get("Action", [""])[0]
        if action == "GetMetricData":
            return self._metric_data(asked)
        if "/monitoring/" in scope and b"GetMetricData" in asked.body[:200]:
            return _error("Refused", "this protocol of GetMetricData is not modelled")
        deploys = "/ecs/" in scope and action in ("CreateService", "UpdateService")
        wanted = json.loads(asked.body) if deploys else {}
        refusal = self._refusal(wanted) if action == "CreateService" else ""
        if refusal:
            return _error("InvalidParameterException", refusal)
        changes = followed and not action.startswith(("Describe", "List"))
        if changes:
            self.witness(action)
        answer = hand(asked)
        if deploys and answer.status == 200:
            self._note_breaker(wanted, json.loads(answer.body)["service"]["serviceArn"])
        if changes:
            self._woken.set()
        if followed and action == "DescribeServices" and answer.status == 200:
            return self._with_state(answer)
        return answer

    def _refusal(self, wanted: Mapping[str, Any]) -> str:
        """Why ECS would not make this service; empty where it would."""
        balancers = self._reader.read().balancers
        for place in wanted.get("loadBalancers", ()):
            group = place["targetGroupArn"]
            if group not in balancers:
                return f"The target group with targetGroupArn {group} does not have an associated load balancer."
        return ""

    def _note_breaker(self, wanted: Mapping[str, Any], arn: str) -> None:
        """Keeps what moto does not: after how many failures ECS gives a deployment up."""
        if "deploymentConfiguration" in wanted:
            breaker = wanted["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
            least = max(BREAKER_LEAST, round(BREAKER_SHARE * wanted.get("desiredCount", 1)))
            self._breakers[arn] = least if breaker.get("enable") else 0

    def _metric_data(self, asked: Asked) -> Answered:
        try:
            data = metric_data(json.loads(asked.body), self.requests, now=datetime.now(UTC), delay=self.metrics_delay)
        except Refused as error:
            return _error("ValidationError", str(error))
        return Answered(status=200, headers=JSON, body=json.dumps(data).encode())

    def _with_state(self, answer: Answered) -> Answered:
        told = json.loads(answer.body)
        by_arn = {service.arn: service for service in self._account.services.values()}
        for each in told.get("services", ()):
            service = by_arn.get(each["serviceArn"])
            if service is not None:
                self._tell(each, service)
        return replace(answer, body=json.dumps(told).encode())

    def _tell(self, each: dict[str, Any], service: EcsService) -> None:
        status = self._plane.status(service.target_group)
        running = int(status.serving is not None)
        each |= {"runningCount": running, "pendingCount": each["desiredCount"] - min(running, each["desiredCount"])}
        state = "COMPLETED" if status.settled else "FAILED" if status.given_up else "IN_PROGRESS"
        for deployment in each.get("deployments", ())[:1]:
            deployment |= {
                "runningCount": running,
                "rolloutState": state,
                "rolloutStateReason": status.trouble or f"ECS deployment {state.lower()}.",
                "failedTasks": status.failures,
            }
        if status.trouble:
            message = f"(service {each['serviceName']}) {status.trouble}"
            each["events"] = [{"id": "0", "createdAt": time.time(), "message": message}]


def _error(kind: str, message: str) -> Answered:
    return Answered(status=400, headers=JSON, body=json.dumps({"__type": kind, "message": message}).encode())
