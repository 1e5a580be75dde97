"""The roots of aws-complete in an account of moto: their variables, what AWS has of them, commands at work on them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from tests.infra.moto import Moto
from tests.infra.terraform import Installation, Terraform

PATIENCE = 600.0
NOT_IN_MOTO = {
    "aws_ecs_service": {
        "availability_zone_rebalancing",
        "enable_ecs_managed_tags",
        "health_check_grace_period_seconds",
    },
    "aws_vpc_security_group_egress_rule": {"description"},
    "aws_vpc_security_group_ingress_rule": {"description"},
}
"""What moto forgets of resources, so that each plan would put it right."""


def release(number: int, share: int) -> dict[str, Any]:
    digest = str(number) * 64
    return {"image": f"registry/late@sha256:{digest}", "version": number, "share": share, "arguments": ["--workers=2"]}


@dataclass(kw_only=True)
class Platform:
    """One platform with one environment, and the services in it."""

    name: str
    environment: str
    folder: Path
    terraform: Installation
    endpoint: str
    first_of_the_account: bool

    @property
    def scope(self) -> str:
        return f"{self.name}_{self.environment}"

    @property
    def root(self) -> Terraform:
        return self._terraform("platform")

    @property
    def serving(self) -> Terraform:
        return self._terraform("serving")

    def _terraform(self, name: str) -> Terraform:
        folder = self.folder / "infra/examples/aws-complete" / name
        return Terraform(folder=folder, installation=self.terraform, endpoint=self.endpoint)

    def variables(self, **more: Any) -> dict[str, Any]:
        late = {"repository": f"{self.name}/late", "repository_id": "1", "repository_owner_id": "2", "slot": 49}
        return {
            "name": self.name,
            "environments": {self.environment: {"allowed_cidrs": ["10.0.0.0/8"]}},
            "first_environment": self.environment,
            "models": {"late": late},
            "workflow_refs": ["refs/tags/v1.2.0"],
            "create_github_provider": self.first_of_the_account,
            "trial": True,
            **more,
        }

    def serve(self, releases: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        serving = {"environment": self.environment, "model": "late", "releases": dict(releases)}
        return {"platform": self.name, "serving": serving, "autoscaling": None, **more}

    def open_state(self) -> None:
        backend = self.root.output()["backends"]["late"][self.environment]
        self.serving.init(*(f"-backend-config={key}={value}" for key, value in backend.items()))


@dataclass(frozen=True, kw_only=True)
class Account:
    moto: Moto
    platforms: tuple[Platform, Platform]

    def groups(self) -> dict[str, str]:
        """Names of target groups by their ARNs."""
        told = self.moto.client("elbv2").describe_target_groups()["TargetGroups"]
        return {each["TargetGroupArn"]: each["TargetGroupName"] for each in told}

    def services(self, scope: str) -> set[str]:
        """The names of those that were not ended."""
        client = self.moto.client("ecs")
        arns = client.list_services(cluster=scope)["serviceArns"]
        told = client.describe_services(cluster=scope, services=arns)["services"] if arns else []
        return {each["serviceName"] for each in told if each["status"] == "ACTIVE"}

    def rules(self, scope: str) -> dict[str, tuple[int, dict[str, int]]]:
        """Of the environment's listener: paths to priority and weights by target group."""
        client = self.moto.client("elbv2")
        (balancer,) = [
            each
            for each in client.describe_load_balancers()["LoadBalancers"]
            if scope in {tag["Value"] for tag in _tags(client, each["LoadBalancerArn"])}
        ]
        (listener,) = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        found = {}
        for rule in client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
            if rule["Priority"] != "default":
                path = min(rule["Conditions"][0]["PathPatternConfig"]["Values"], key=len)
                found[path] = (int(rule["Priority"]), _weights(rule["Actions"][0]))
        return found

    def locks(self, platform: Platform) -> list[str]:
        """The ids of the locks of the platform's states."""
        client = self.moto.client("s3")
        bucket = platform.root.output()["backends"]["late"][platform.environment]["bucket"]
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        locks = [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".tflock")]
        return [json.loads(lock)["ID"] for lock in locks]

    def forget_locks(self) -> None:
        """Removes old locks for good: moto cannot remove versions of what was deleted once versioning is suspended."""
        client = self.moto.client("s3")
        for bucket in client.list_buckets()["Buckets"]:
            told = client.list_object_versions(Bucket=bucket["Name"])
            for each in (*told.get("Versions", ()), *told.get("DeleteMarkers", ())):
                if each["Key"].endswith(".tflock"):
                    client.delete_object(Bucket=bucket["Name"], Key=each["Key"], VersionId=each["VersionId"])

    def everything(self) -> set[str]:
        """The ARNs of all that has a tag; without what AWS keeps for a while: ended parts of ECS, keys."""
        pages = self.moto.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate()
        arns = {each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"] if each["Tags"]}
        return {arn for arn in arns if not re.search(r":cluster/|:service/|:task-definition/|:kms:", arn)}


def _tags(client: Any, arn: str) -> list[dict[str, str]]:
    described = client.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return list(described[0]["Tags"])


def _weights(action: Mapping[str, Any]) -> dict[str, int]:
    if "TargetGroupArn" in action:
        return {action["TargetGroupArn"]: 100}
    return {each["TargetGroupArn"]: each["Weight"] for each in action.get("ForwardConfig", {}).get("TargetGroups", ())}


class Command:
    """`terraform` at work on a root without asking, which somebody has to read, or it stops when its pipe is full."""

    def __init__(self, verb: str, root: Terraform, variables: Mapping[str, Any]) -> None:
        (root.folder / "given.tfvars.json").write_text(json.dumps(dict(variables)))
        self._process = root.start(verb, "-no-color", "-auto-approve", "-var-file=given.tfvars.json")
        self._said: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            self._said.extend(output)

    def wait_until(self, happened: Callable[[], Any]) -> None:
        """Until this has happened, before which the command may not end."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self._process.poll() is None, "".join(self._said)
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def finish(self) -> None:
        self._process.wait(PATIENCE)
        self._reader.join()
        assert self._process.returncode == 0, "".join(self._said)

    def kill(self) -> None:
        """As a machine that is lost does it, providers included."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.returncode == -signal.SIGKILL


def settled(plan: Mapping[str, Any]) -> bool:
    """Whether nothing would be changed but what moto forgets."""
    for each in plan["resource_changes"]:
        change = each["change"]
        if change["actions"] in (["no-op"], ["read"]):
            continue
        before, after = change["before"] or {}, change["after"] or {}
        moved = {name for name in after if after[name] != before.get(name)}
        if change["actions"] != ["update"] or moved - NOT_IN_MOTO.get(each["type"], set()):
            return False
    return True
