"""From a commit to production in AWS and back, by the real commands, on what the example's platform has made.

AWS's interfaces are moto's. What answers users is real: containers of the released images behind a real router, which
do what ECS and the load balancer were told, and nothing else (tests/dataplane). Nothing here ever ran in AWS.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.docker_target import DockerTarget
from mlops_ci.core.serving import ResourceLimits, ServingConfig
from tests.adapters.services import Quiet
from tests.cli.repository import make_repository
from tests.dataplane.aws_follower import AwsFollower
from tests.dataplane.ecr_gate import ecr_gate
from tests.dataplane.plane import DataPlane
from tests.docker_engine import DockerEngine, ImageRegistry
from tests.infra.moto import moto_server
from tests.infra.team import REPOSITORY, Cloud, Team
from tests.infra.terraform import Installation, Terraform, copied

pytestmark = [pytest.mark.docker, pytest.mark.terraform]
PLATFORM = {
    "name": "acme",
    "environments": {"production": {"allowed_cidrs": ["10.0.0.0/8"]}},
    "first_environment": "production",
    "models": {"late": {"repository": "acme/late", "repository_id": "1", "repository_owner_id": "2", "slot": 3}},
    "workflow_refs": ["refs/tags/v1.0.0"],
    "trial": True,
}
FAULTS = '''\
"""A base that breaks the service in production only, and for users only."""
import sys

if "--base-path=/production/late" in sys.orig_argv:
    from mlops_ci.scoring.messages import Response
    from mlops_ci.scoring.service import ScoringService

    respond = ScoringService.respond

    def failing(service, request):
        if request.path.endswith("/score") and not request.id.startswith("mlops-probe-"):
            return Response(500, b"{}")
        return respond(service, request)

    ScoringService.respond = failing
'''


@pytest.fixture(scope="module")
def cloud(
    tmp_path_factory: pytest.TempPathFactory,
    terraform: Installation,
    docker_engine: DockerEngine,
    image_registry: ImageRegistry,
) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with (
        moto_server() as moto,
        ecr_gate(image_registry, moto) as gate,
        DataPlane(folder / "plane", docker_engine, credentials=lambda _: gate.auth) as plane,
        AwsFollower(moto, plane) as aws,
    ):
        root = Terraform(
            folder=copied(folder) / "examples/aws-complete/platform", installation=terraform, endpoint=aws.endpoint
        )
        root.init()
        outputs = root.apply(PLATFORM)
        yield Cloud(moto=moto, aws=aws, plane=plane, gate=gate, terraform=terraform, platform=outputs)


@pytest.fixture(scope="module")
def team(
    tmp_path_factory: pytest.TempPathFactory, cloud: Cloud, docker_engine: DockerEngine, image_cache: Path
) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    (folder / "config.json").write_text(json.dumps(cloud.gate.docker_config()))
    signed_in = {"XDG_CACHE_HOME": str(image_cache), "DOCKER_CONFIG": str(folder)}
    repository = make_repository(folder / "team")
    copied(repository.folder)
    repository.write(".gitignore", ".terraform/\n.terraform.lock.hcl\n")
    repository.edit("mlops.yaml", "gate:\n", "gate:\n  ships: [first, superior, non-inferior]\n")
    repository.edit("mlops.yaml", "margin: 0.005", "margin: 0.2")
    team = Team(repository, cloud, docker_engine, {**cloud.variables(), **signed_in})
    team.configure(docker_engine.base)
    try:
        yield team
    finally:
        limits, serving = ResourceLimits(cpus=1, memory_mb=384), ServingConfig()
        run = repository.folder / ".mlops" / "run"
        DockerTarget(run, images=DockerImages(), limits=limits, serving=serving, console=Quiet()).shut_down()


@pytest.fixture(scope="module")
def first(team: Team) -> Mapping[str, Any]:
    """The first release, which serves in production."""
    released = team.release()
    assert team.promote()["outcome"] == "promoted"
    return released


@pytest.fixture(scope="module")
def second(team: Team, first: Mapping[str, Any]) -> Mapping[str, Any]:
    """A better one, which is to follow it."""
    assert first
    return team.release("C: 1.0", "C: 0.5")


@pytest.fixture(scope="module")
def promoted(team: Team, second: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `promote` answered of the second one, after it was killed while Terraform was making the service; users
    were asking all the time.
    """
    assert second
    with team.users.asking():
        team.die("promote", "--to", "production", action="CreateService", with_terraform=False)
        answer = team.patiently("promote", "--to", "production")
    assert answer.code == 0, (answer.stderr, answer.value)
    return answer.value


def test_the_platforms_store_and_registry_hold_the_release_that_answers(team: Team, first: Mapping[str, Any]) -> None:
    assert first["image"].startswith(f"{team.cloud.gate.address}/{REPOSITORY}@sha256:")
    team.require_serving(first)
    team.require_state(first)
    assert team.cloud.gate.refused == []


@pytest.mark.long
def test_a_promotion_that_was_killed_is_finished_and_no_user_notices(
    team: Team, first: Mapping[str, Any], second: Mapping[str, Any], promoted: Mapping[str, Any]
) -> None:
    assert (promoted["outcome"], promoted["release"]) == ("promoted", second["release"])
    assert [(step["share"], step["outcome"]) for step in promoted["steps"]] == [(50, "continue"), (100, "finish")]
    assert team.users.failures == []
    shares = team.seen_shares()
    one, two = (each["release"][:12] for each in (first, second))
    assert {one: 50, two: 50} in [wanted for wanted, _ in shares], shares
    for wanted, seen in shares:
        assert all(abs(seen.get(name, 0) - share) < 5 for name, share in wanted.items()), (wanted, seen)
    team.require_serving(second)
    team.require_state(second)
    require_plans(team, first, second)


@pytest.mark.long
def test_a_worse_release_is_aborted_at_its_first_step(team: Team, second: Mapping[str, Any], promoted: object) -> None:
    """It is on a base that is broken in production only, so that it was verified in QA."""
    assert promoted
    team.configure(broken_base(team.engine))
    worse = team.release("C: 0.5", "C: 0.7")
    with team.users.asking():
        aborted = team.promote(code=15)

    assert [(step["share"], step["outcome"]) for step in aborted["steps"]] == [(50, "abort")]
    assert "live requests failed" in json.dumps(aborted["steps"])
    assert {each.release for each in team.users.said if each.failure} == {worse["release"]}
    team.require_serving(second)
    team.require_state(second)


@pytest.mark.long
def test_a_lock_that_a_killed_command_left_is_told_and_not_forced(
    team: Team, first: Mapping[str, Any], promoted: object
) -> None:
    """The machine is lost while a rollback is turning the traffic."""
    assert promoted
    rollback = ("rollback", "--environment", "production", "--reason", "people complain")
    failures = len(team.users.failures)
    with team.users.asking():
        team.die(*rollback, action="ModifyRule", with_terraform=True)
        team.unlock()
        back = team.run(*rollback)
    assert (back["outcome"], back["release"]) == ("rolled-back", first["release"])
    assert len(team.users.failures) == failures
    team.require_serving(first)
    team.require_state(first)
    assert team.run("verify-log")["ok"]


def require_plans(team: Team, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """What was going to be done was kept before it was done, and nothing was destroyed but what was of the release
    that was ended.
    """
    plans = [*team.plans("rollout-step"), *team.plans("promoted")]
    assert plans
    destroyed = [change for plan in plans for change in plan["changes"] if "delete" in change["actions"]]
    assert all(f'["{first["release"]}"]' in change["address"] for change in destroyed)
    divided = [plan["serving"]["releases"] for plan in plans]
    assert any(each.get(second["release"], {}).get("share") == 50 for each in divided)


def broken_base(engine: DockerEngine) -> str:
    """The base with a module that Python imports at every start."""
    name = f"{engine.base}-broken"
    where = "import sysconfig; print(sysconfig.get_path('stdlib'), end='')"
    container = engine.client.containers.create(engine.base, ["python3", "-c", where], labels=engine.labels)
    try:
        container.start()
        container.wait()
        folder = container.logs(stdout=True, stderr=False).decode()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("sitecustomize.py")
            member.size, member.mode = len(FAULTS), 0o644
            tar.addfile(member, io.BytesIO(FAULTS.encode()))
        container.put_archive(folder, archive.getvalue())
        repository, _, tag = name.rpartition(":")
        container.commit(repository=repository, tag=tag)
    finally:
        container.remove()
    return name
