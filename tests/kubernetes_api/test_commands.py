"""What people type, with images that were built and pushed: mlops.yaml says Kubernetes, commands are as ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.signature import Column, Signature
from tests.adapters.services import Quiet
from tests.cli.repository import Repository, make_repository
from tests.docker_engine import DockerEngine, ImageRegistry
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.node import Registry
from tests.kubernetes_api.world import INFRA

pytestmark = [pytest.mark.docker, pytest.mark.long]
PERSON = {"height": 180.0, "age": 30, "colour": "red"}
SIGNATURE = Signature(
    task="binary-classification",
    inputs=(
        Column(name="height", kind="number"), Column(name="age", kind="number"), Column(name="colour", kind="text"),
    ),
    classes=(0, 1),
)  # fmt: skip


class RealRegistry(Registry):
    """What a node pulls by digest: the files of the image that the registry really has."""

    def pull(self, reference: str) -> Path | None:
        place = super().pull(reference)
        if place is None:
            engine = DockerImages()
            engine.pull(reference)
            files = dict(engine.files(reference, "/model"))
            build = json.loads(files["build.json"])
            place = self.folder / reference.rpartition("@sha256:")[2]
            place.mkdir(parents=True)
            about = json.dumps({"model": build["model"], "version": build["version"]}).encode()
            for name, data in {**files, "about.json": about}.items():
                (place / name).write_bytes(data)
        return place


@pytest.fixture
def team(
    tmp_path: Path, cluster: Cluster, docker_engine: DockerEngine, image_registry: ImageRegistry, image_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Repository]:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(image_cache))
    monkeypatch.setattr(cluster.node, "registry", RealRegistry(tmp_path / "node"))
    repository = make_repository(tmp_path / "team")
    shutil.copytree(INFRA, repository.folder / "infra" / "kubernetes")
    replicas = repository.folder / "infra" / "kubernetes" / "overlays" / "production" / "replicas.yaml"
    text = replicas.read_text()
    replicas.write_text(text[: text.index("spec:")] + "spec:\n  minReplicas: 1\n  maxReplicas: 2\n")
    image = {"repository": f"{image_registry.address}/team/late", "base": docker_engine.base}
    production = {
        "target": "kubernetes", "approvals": {"required": 1}, "rollout": {"steps": [100], "window": "0s"},
        "kubernetes": {"overlay": "infra/kubernetes/overlays/production", "url": cluster.url},
    }  # fmt: skip
    environments = {"qa": {"target": "process"}, "production": production}
    text = (repository.folder / "mlops.yaml").read_text()
    text = (
        text[: text.index("environments:")] + f"image: {json.dumps(image)}\nenvironments: {json.dumps(environments)}\n"
    )
    repository.write("mlops.yaml", text.replace("gate:\n", "gate:\n  ships: [first, superior, non-inferior]\n"))
    repository.edit("mlops.yaml", "margin: 0.005", "margin: 0.2")
    repository.commit()
    try:
        yield repository
    finally:
        ProcessTarget(repository.folder / ".mlops" / "run", console=Quiet()).shut_down()


def run(team: Repository, *arguments: str, code: int = 0) -> Mapping[str, Any]:
    answer = team.run(*arguments)
    assert answer.code == code, answer.stderr
    return answer.value


def deliver(team: Repository) -> str:
    released = run(team, "release")
    run(team, "approve", str(released["pull_request"]), "--reviewer", "Grace")
    promoted = run(team, "promote", "--to", "production")
    assert (promoted["outcome"], promoted["release"]) == ("promoted", released["release"])
    return str(released["release"])


def test_from_a_commit_to_a_cluster(team: Repository, cluster: Cluster) -> None:
    """What comes after that is the other tests' matter; here it is all said in mlops.yaml, and typed."""
    release = deliver(team)
    (production,) = [row for row in run(team, "status")["environments"] if row["environment"] == "production"]
    assert (production["release"], production["healthy"], production["settled"]) == (release, True, True)
    assert production["url"] == f"{cluster.url}/production/late"
    with HttpScoringClient() as user:
        answer = user.score(production["url"], [PERSON], SIGNATURE)
    assert (answer.error, answer.release) == ("", release)
    (deployment,) = cluster.of_kind("Deployment")
    assert deployment["metadata"]["annotations"]["mlops-ci.io/release"] == release
    assert run(team, "verify-log")["ok"]

    text = (team.folder / "mlops.yaml").read_text()
    team.write(
        "mlops.yaml", text.replace('"mode": "apply"', '"mode": "commit"').replace('"url"', '"mode": "commit", "url"')
    )
    assert run(team, "status")["environments"][1]["healthy"] is False  # nothing is on the branch
    team.edit("mlops.yaml", '"steps": [100]', '"steps": [50, 100]')
    assert "prometheus" in team.run("status").stderr
