"""The gate that makes a registry behave as ECR does, met by the engine and by what pushes releases' images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.errors import MlopsError, OutsideError
from tests.dataplane.ecr_gate import EcrGate, ecr_gate
from tests.docker_engine import DockerEngine, ImageRegistry
from tests.infra.moto import Moto, moto_server

pytestmark = pytest.mark.docker
RULES = {"fixed": "IMMUTABLE", "free": "MUTABLE"}


@pytest.fixture
def gate(image_registry: ImageRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EcrGate]:
    """Signed in to, and with two repositories."""
    with moto_server() as moto, ecr_gate(image_registry, moto) as gate:
        repositories(moto)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        (tmp_path / "config.json").write_text(json.dumps(gate.docker_config()))
        yield gate


def repositories(moto: Moto) -> None:
    for name, mutability in RULES.items():
        moto.client("ecr").create_repository(repositoryName=f"gate/{name}", imageTagMutability=mutability)


def made(engine: DockerEngine, name: str, word: str) -> None:
    container = engine.client.containers.create(engine.base, ["true"], labels=engine.labels)
    try:
        container.commit(repository=name.rpartition(":")[0], tag=name.rpartition(":")[2], conf={"Cmd": [word]})
    finally:
        container.remove()


def test_what_is_let_in(gate: EcrGate, docker_engine: DockerEngine, tmp_path: Path) -> None:
    images = DockerImages()
    fixed, free, unknown = (f"{gate.address}/gate/{name}:1" for name in ("fixed", "free", "unknown"))
    for name in (fixed, free, unknown):
        made(docker_engine, name, "one")
    reference = images.push(fixed)
    images.push(free)
    with pytest.raises(MlopsError, match="does not exist in the registry"):
        images.push(unknown)

    # A command that was killed after its push, on this machine or on one that does not know the image by its digest.
    assert images.push(fixed) == reference
    identity = docker_engine.client.images.get(fixed).id
    docker_engine.client.images.remove(reference)
    assert images.push(fixed) == reference
    assert docker_engine.client.images.get(reference).id == identity

    for name in (fixed, free):
        made(docker_engine, name, "two")
    with pytest.raises(OutsideError, match=r"'1' already exists in the 'gate/fixed' repository.*immutable"):
        images.push(fixed)
    assert images.push(free).partition("@")[2] != reference.partition("@")[2]
    images.require_published(reference)

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OutsideError, match="no basic auth credentials") as refused:
        DockerImages().require_published(reference)
    assert "docker login" in refused.value.fix
