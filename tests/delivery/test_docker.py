"""The whole path with real commands and services in containers: from a commit to production, and what befalls them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.docker_target import DockerTarget
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.serving import ResourceLimits, ServingConfig
from mlops_ci.core.signature import Column, Signature
from tests.adapters.services import Quiet
from tests.cli.repository import Repository, make_repository
from tests.docker_engine import DockerEngine, ImageRegistry

pytestmark = pytest.mark.docker
ENVIRONMENTS = """\
environments:
  qa: {target: docker}
  production:
    target: docker
    approvals: {required: 1}
    rollout: {steps: [50, 100], window: 0s}
    limits: {cpus: 0.5, memory_mb: 384}
"""
PERSON = {"height": 180.0, "age": 30, "colour": "red"}
SIGNATURE = Signature(
    task="binary-classification",
    inputs=(
        Column(name="height", kind="number"),
        Column(name="age", kind="number"),
        Column(name="colour", kind="text"),
    ),
    classes=(0, 1),
)


class Team:
    """A team whose services run in containers, as its people see it."""

    def __init__(self, repository: Repository, engine: DockerEngine) -> None:
        self.repository = repository
        self.engine = engine

    def run(self, *arguments: str, code: int = 0) -> Mapping[str, Any]:
        answer = self.repository.run(*arguments)
        assert answer.code == code, answer.stderr
        return answer.value

    def deliver(self) -> Mapping[str, Any]:
        released = self.run("release")
        self.run("approve", str(released["pull_request"]), "--reviewer", "Grace")
        promoted = self.run("promote", "--to", "production")
        assert (promoted["outcome"], promoted["release"]) == ("promoted", released["release"])
        return released

    def production(self) -> Mapping[str, Any]:
        rows: list[Mapping[str, Any]] = self.run("status")["environments"]
        return rows[1]

    def containers(self, environment: str) -> list[Any]:
        run = str((self.repository.folder / ".mlops" / "run").resolve())
        labels = [f"io.mlops-ci.run={run}", f"io.mlops-ci.environment={environment}"]
        return list(self.engine.client.containers.list(all=True, filters={"label": labels}))

    def require_serving(self, release: str) -> None:
        """One container in production, and it answers users at the address that never changes."""
        row = self.production()
        assert (row["release"], row["healthy"], row["settled"], row["trouble"]) == (release, True, True, "")
        (container,) = self.containers("production")
        assert container.labels["io.mlops-ci.release"] == release
        with HttpScoringClient() as user:
            answer = user.score(row["url"], [PERSON], SIGNATURE)
        assert (answer.error, answer.release) == ("", release)


@pytest.fixture
def team(
    tmp_path: Path,
    docker_engine: DockerEngine,
    image_registry: ImageRegistry,
    image_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Team]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(image_cache))
    repository = make_repository(tmp_path / "team")
    text = (repository.folder / "mlops.yaml").read_text()
    image = {"repository": f"{image_registry.address}/team/late", "base": docker_engine.base}
    text = text[: text.index("environments:")] + f"image: {json.dumps(image)}\n{ENVIRONMENTS}"
    repository.write("mlops.yaml", text.replace("gate:\n", "gate:\n  ships: [first, superior, non-inferior]\n"))
    repository.edit("mlops.yaml", "margin: 0.005", "margin: 0.2")
    repository.commit()
    try:
        yield Team(repository, docker_engine)
    finally:
        limits, serving = ResourceLimits(cpus=1, memory_mb=384), ServingConfig()
        folder = repository.folder / ".mlops" / "run"
        DockerTarget(folder, images=DockerImages(), limits=limits, serving=serving, console=Quiet()).shut_down()


def test_from_a_commit_to_production_and_back(team: Team) -> None:
    first = team.deliver()
    assert first["verified"]
    assert "@sha256:" in first["image"]
    (container,) = team.containers("production")
    host = container.attrs["HostConfig"]
    assert (host["Memory"], host["CpuQuota"]) == (384 * 2**20, 50_000)
    assert team.engine.client.images.get(first["image"]).id == container.attrs["Image"]
    team.require_serving(first["release"])

    team.repository.edit("mlops.yaml", "C: 1.0", "C: 0.5")
    team.repository.commit()
    second = team.deliver()["release"]
    team.require_serving(second)

    (container,) = team.containers("production")
    twin = team.engine.run(container.attrs["Image"], "--release", second, labels=container.labels)
    assert "2 containers claim to be it" in team.production()["trouble"]
    restored = team.run("reconcile", "--environment", "production")
    assert restored["outcome"] == "restored"
    team.require_serving(second)
    (survivor,) = team.containers("production")
    assert (survivor.id, survivor.id == twin.id) == (container.id, False)

    # Somebody tidies the engine up: nothing runs any more, and the image is to be had from the registry only.
    for each in (*team.containers("qa"), survivor):
        each.remove(force=True)
    team.engine.client.images.remove(container.attrs["Image"], force=True)
    assert not team.production()["healthy"]
    assert team.run("reconcile", "--environment", "production")["outcome"] == "restored"
    team.require_serving(second)

    back = team.run("rollback", "--reason", "people complain")
    assert (back["outcome"], back["release"]) == ("rolled-back", first["release"])
    team.require_serving(first["release"])
    assert team.run("verify-log")["ok"]
