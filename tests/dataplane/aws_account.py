"""What moto's ECS and load balancers were told, read as the services and routes that AWS would make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.dataplane.container import Service
from tests.dataplane.router import Route
from tests.infra.moto import Moto


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """Where a container's output goes, and how the names of its streams begin."""

    group: str
    prefix: str


@dataclass(frozen=True, kw_only=True)
class EcsService:
    """A service of ECS; `target_group` is the ARN, which is its key in the data plane, too."""

    arn: str
    cluster: str
    target_group: str
    task_definition: str
    runs: Service | None
    log: LogPlace | None


@dataclass
class Account:
    """One reading. `problems` are resources that AWS would refuse, or that are not modelled."""

    services: dict[str, EcsService] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    balancers: dict[str, str] = field(default_factory=dict)
    """The target groups that rules of load balancers name, and those load balancers, by ARN."""
    problems: list[str] = field(default_factory=list)


class AccountReader:
    """Reads one account again and again; what never changes there is read once."""

    def __init__(self, moto: Moto) -> None:
        self._ecs, self._elb = moto.client("ecs"), moto.client("elbv2")
        self._definitions: dict[str, Any] = {}

    def read(self) -> Account:
        account = Account()
        pages = self._elb.get_paginator("describe_target_groups").paginate()
        account.groups = {group["TargetGroupArn"]: group for page in pages for group in page["TargetGroups"]}
        for balancer in self._elb.describe_load_balancers()["LoadBalancers"]:
            self._read_rules(account, balancer["LoadBalancerArn"])
        for cluster in self._ecs.list_clusters()["clusterArns"]:
            names = [
                arn for page in self._ecs.get_paginator("list_services").paginate(cluster=cluster)
                for arn in page["serviceArns"]
            ]  # fmt: skip
            for first in range(0, len(names), 10):
                answer = self._ecs.describe_services(cluster=cluster, services=names[first : first + 10])
                for told in answer["services"]:
                    if told["status"] == "ACTIVE":
                        self._read_service(account, cluster, told)
        return account

    def _read_service(self, account: Account, cluster: str, told: Mapping[str, Any]) -> None:
        name = told["serviceName"]
        definition = self._definition(told["taskDefinition"])
        containers = definition["containerDefinitions"]
        balanced = told.get("loadBalancers", [])
        if len(balanced) != 1 or len(containers) != 1:
            account.problems.append(f"service {name}: anything but one container in one target group is not modelled")
            return
        container, place = containers[0], balanced[0]
        group = account.groups.get(place["targetGroupArn"])
        ports = [each["containerPort"] for each in container.get("portMappings", ())]
        if group is None or place["containerName"] != container["name"] or place["containerPort"] not in ports:
            account.problems.append(
                f"service {name}: its load balancer entry {place} fits no target group or container"
            )
            return
        if place["targetGroupArn"] in account.services:
            account.problems.append(f"service {name}: its target group is another service's, which is not modelled")
            return
        account.services[place["targetGroupArn"]] = EcsService(
            arn=told["serviceArn"],
            cluster=cluster,
            target_group=place["targetGroupArn"],
            task_definition=told["taskDefinition"],
            runs=_service(definition, container, group, place["containerPort"]) if told["desiredCount"] else None,
            log=_log_place(container),
        )

    def _definition(self, arn: str) -> Any:
        if arn not in self._definitions:
            answer = self._ecs.describe_task_definition(taskDefinition=arn)
            self._definitions[arn] = answer["taskDefinition"]
        return self._definitions[arn]

    def _read_rules(self, account: Account, balancer: str) -> None:
        for listener in self._elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
            rules = self._elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
            numbered = [rule for rule in rules if not rule.get("IsDefault") and rule["Priority"] != "default"]
            for rule in sorted(numbered, key=lambda rule: int(rule["Priority"])):
                try:
                    weights = dict(_weights(rule["Actions"]))
                    patterns = list(_patterns(rule["Conditions"]))
                except NotImplementedError as error:
                    account.problems.append(f"rule {rule['Priority']}: {error}")
                    continue
                account.balancers |= dict.fromkeys(weights, balancer)
                account.routes += [Route(pattern, weights, match="pattern") for pattern in patterns]


def _service(
    definition: Mapping[str, Any], container: Mapping[str, Any], group: Mapping[str, Any], port: int
) -> Service:
    """An image by tag is what the tag means when a container is started, as there."""
    linux = container.get("linuxParameters") or {}
    memory = container.get("memory") or definition.get("memory") or 0
    return Service(
        image=container["image"],
        arguments=tuple(container.get("command") or ()),
        environment={each["name"]: each["value"] for each in container.get("environment", ())},
        port=port,
        health=group["HealthCheckPath"],
        user=container.get("user") or definition.get("user") or "",
        read_only=bool(container.get("readonlyRootFilesystem")),
        memory_mb=int(memory),
        dropped=tuple((linux.get("capabilities") or {}).get("drop") or ()),
        init=bool(linux.get("initProcessEnabled")),
        writable=tuple(each["containerPath"] for each in container.get("mountPoints", ()) if not each.get("readOnly")),
    )


def _log_place(container: Mapping[str, Any]) -> LogPlace | None:
    log = container.get("logConfiguration") or {}
    if log.get("logDriver") != "awslogs":
        return None
    options = log["options"]
    prefix = f"{options['awslogs-stream-prefix']}/{container['name']}/"
    return LogPlace(group=options["awslogs-group"], prefix=prefix)


def _weights(actions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """By target group; none where the rule answers 503 by itself."""
    if len(actions) != 1:
        raise NotImplementedError("more than one action is not modelled")
    (action,) = actions
    if action["Type"] == "fixed-response":
        if str(action["FixedResponseConfig"]["StatusCode"]) != "503":
            raise NotImplementedError("a rule's own answer other than 503 is not modelled")
        return
    if action["Type"] != "forward":
        raise NotImplementedError(f"the action {action['Type']} is not modelled")
    forward = action.get("ForwardConfig") or {"TargetGroups": [{"TargetGroupArn": action["TargetGroupArn"]}]}
    if (forward.get("TargetGroupStickinessConfig") or {}).get("Enabled") in (True, "true"):
        raise NotImplementedError("sticky sessions are not modelled")
    for group in forward["TargetGroups"]:
        yield group["TargetGroupArn"], int(group.get("Weight", 1))


def _patterns(conditions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(conditions) != 1 or conditions[0]["Field"] != "path-pattern":
        raise NotImplementedError("conditions other than one of paths are not modelled")
    yield from conditions[0].get("Values") or conditions[0]["PathPatternConfig"]["Values"]
