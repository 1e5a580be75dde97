"""The follower of moto's ECS and load balancers, told by boto3 what Terraform tells it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.dataplane.asking import get
from tests.dataplane.aws_follower import AT_ONCE, AwsFollower
from tests.dataplane.plane import DataPlane
from tests.infra.moto import Moto, moto_server
from tests.infra.terraform import CREDENTIALS, REGION

pytestmark = pytest.mark.docker
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Account:
    """A small platform in moto, reached through the follower's front."""

    def __init__(self, follower: AwsFollower, image: str) -> None:
        self.follower, self.image = follower, image
        self.ecs, self.elb, self.logs, self.cloudwatch, self.ec2 = (
            self._client(name) for name in ("ecs", "elbv2", "logs", "cloudwatch", "ec2")
        )
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{'ab'[n]}")
            for n in (0, 1)
        ]
        self.vpc = vpc
        balancer = self.elb.create_load_balancer(
            Name="models", Subnets=[each["Subnet"]["SubnetId"] for each in subnets], Type="application"
        )["LoadBalancers"][0]
        self.balancer = balancer["LoadBalancerArn"]
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]  # fmt: skip
        self.ecs.create_cluster(clusterName="models")
        self.logs.create_log_group(logGroupName="/models")

    def _client(self, name: str) -> Any:
        return boto3.client(
            name, endpoint_url=self.follower.endpoint, region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def group(self, name: str) -> str:
        answer = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip", HealthCheckPath="/v2/health/ready"
        )
        return str(answer["TargetGroups"][0]["TargetGroupArn"])

    def rule(self, priority: int, pattern: str, weights: dict[str, int]) -> str:
        actions = forward(weights)
        conditions = [{"Field": "path-pattern", "Values": [pattern]}]
        answer = self.elb.create_rule(
            ListenerArn=self.listener, Priority=priority, Conditions=conditions, Actions=actions
        )
        return str(answer["Rules"][0]["RuleArn"])

    def task(self, word: str) -> str:
        log = {"awslogs-group": "/models", "awslogs-region": REGION, "awslogs-stream-prefix": word}
        container = {
            "name": "scoring", "image": self.image, "command": [word], "portMappings": [{"containerPort": 8080}],
            "user": "10001:10001", "readonlyRootFilesystem": True,
            "logConfiguration": {"logDriver": "awslogs", "options": log},
        }  # fmt: skip
        answer = self.ecs.register_task_definition(
            family=word, containerDefinitions=[container], cpu="256", memory="512", networkMode="awsvpc"
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def service(self, name: str, group: str) -> None:
        place = {"targetGroupArn": group, "containerName": "scoring", "containerPort": 8080}
        self.ecs.create_service(
            cluster="models", serviceName=name, taskDefinition=self.task(name), desiredCount=1, loadBalancers=[place],
            deploymentConfiguration=BREAKER,
        )  # fmt: skip

    def state(self, name: str) -> dict[str, Any]:
        (service,) = self.ecs.describe_services(cluster="models", services=[name])["services"]
        return dict(service)

    def numbers(self, group: str, metric: str, stat: str) -> list[float]:
        """By minute, newest first."""
        dimensions = {
            "LoadBalancer": self.balancer.partition(":loadbalancer/")[2],
            "TargetGroup": group.rpartition(":")[2],
        }
        named = {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        }
        now = datetime.now(UTC)
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}}],
            StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
        )  # fmt: skip
        return list(answer["MetricDataResults"][0]["Values"])


def forward(weights: dict[str, int]) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


@pytest.fixture(scope="module")
def own_moto() -> Iterator[Moto]:
    with moto_server() as moto:
        yield moto


@pytest.fixture
def account(own_moto: Moto, plane: DataPlane, image: str) -> Iterator[Account]:
    own_moto.reset()
    with AwsFollower(own_moto, plane) as follower:
        yield Account(follower, image)


def test_what_ecs_and_the_load_balancer_are_told_is_what_answers(account: Account, plane: DataPlane) -> None:
    old, new = account.group("old"), account.group("new")
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        account.service("old", old)
    account.rule(1, "/qa/late/new/*", {new: 1})
    stable = account.rule(9, "/qa/late*", {old: 100})
    account.service("old", old)
    account.service("new", new)
    plane.wait(lambda: get(plane, "/qa/late")[0] == 200)
    plane.settle()

    assert get(plane, "/qa/late/x") == (200, "old")
    assert get(plane, "/qa/late/new/x") == (200, "new")
    assert get(plane, "/qa")[0] == 404
    (container,) = plane.containers(old)
    assert (container.attrs["Config"]["User"], container.attrs["HostConfig"]["ReadonlyRootfs"]) == ("10001:10001", True)
    assert container.attrs["HostConfig"]["Memory"] == 512 * 2**20

    account.elb.modify_rule(RuleArn=stable, Actions=forward({old: 3, new: 1}))
    account.follower.follow()
    assert [get(plane, "/qa/late/x")[1] for _ in range(8)].count("new") == 2
    assert get(plane, "/qa/late/fails")[0] == 500

    both = (old, new)
    assert sum(sum(account.numbers(group, "RequestCount", "Sum")) for group in both) == len(
        [*plane.requests(old), *plane.requests(new)]
    )
    assert sum(sum(account.numbers(group, "HTTPCode_Target_5XX_Count", "Sum")) for group in both) == 1
    quick, all_of_them = (account.numbers(old, "TargetResponseTime", stat) for stat in ("TC(0:0)", "TC(0:60)"))
    assert sum(quick) == 0
    assert sum(all_of_them) == len(plane.requests(old))
    account.follower.metrics_delay = timedelta(hours=1)
    assert account.numbers(old, "RequestCount", "Sum") == []
    account.follower.metrics_delay = AT_ONCE

    # A deployment that cannot start is given up, and what served goes on.
    account.ecs.update_service(cluster="models", service="new", taskDefinition=account.task("crashes"))
    plane.wait(lambda: account.state("new")["deployments"][0]["rolloutState"] == "FAILED")
    told = account.state("new")
    assert (told["runningCount"], told["deployments"][0]["failedTasks"]) == (1, 3)
    assert "exit code 1" in told["events"][0]["message"]
    assert get(plane, "/qa/late/new/x") == (200, "new")
    account.follower.follow()
    streams = account.logs.describe_log_streams(logGroupName="/models", logStreamNamePrefix="crashes/scoring/")
    assert len(streams["logStreams"]) == 3
    name = streams["logStreams"][0]["logStreamName"]
    (event,) = account.logs.get_log_events(logGroupName="/models", logStreamName=name)["events"]
    assert event["message"] == "I cannot start"

    # No share for anybody is a fixed answer; a service that is deleted ends.
    away = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"}}]
    account.elb.modify_rule(RuleArn=stable, Actions=away)
    account.ecs.delete_service(cluster="models", service="old", force=True)
    account.follower.follow()
    assert get(plane, "/qa/late")[0] == 503
    plane.wait(lambda: not plane.containers(old))
    assert account.follower.problems == []


def test_what_is_not_modelled_is_named(account: Account) -> None:
    group = account.group("old")
    conditions = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["models.example"]}}]
    account.elb.create_rule(
        ListenerArn=account.listener, Priority=1, Conditions=conditions, Actions=forward({group: 1})
    )
    account.follower.follow()

    assert account.follower.problems == ["rule 1: conditions other than one of paths are not modelled"]
    with pytest.raises(ClientError, match="p99 of TargetResponseTime is not modelled"):
        account.numbers(group, "TargetResponseTime", "p99")
