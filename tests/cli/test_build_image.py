"""`mlops-ci build-image` builds what `serve` would serve, and says what it has built."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.core.digest import sha256
from tests.cli.repository import Repository
from tests.docker_engine import DockerEngine, ImageRegistry


@pytest.fixture
def cached(image_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the layers that other tests have made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(image_cache))


def declare(repository: Repository, engine: DockerEngine, place: str) -> None:
    text = (repository.folder / "mlops.yaml").read_text()
    repository.write("mlops.yaml", text + f"image: {{repository: '{place}', base: '{engine.base}'}}\n")
    repository.write(".gitignore", ".mlops/\n")
    repository.commit()


@pytest.mark.docker
@pytest.mark.usefixtures("cached")
def test_the_candidate_is_built_and_pushed(
    judged: Repository, docker_engine: DockerEngine, image_registry: ImageRegistry
) -> None:
    declare(judged, docker_engine, f"{image_registry.address}/acme/cli")
    judged.git("remote", "add", "origin", "https://ada:secret@example.com/acme/late.git")

    first, pushed = judged.run("build-image"), judged.run("build-image", "--push")

    assert first.code == pushed.code == 0, first.stderr + pushed.stderr
    assert first.value["reference"] == first.value["image_id"] == pushed.value["image_id"]
    assert (first.value["model"], first.value["version"]) == ("late", 0)
    assert [layer["name"] for layer in first.value["layers"]] == ["dependencies", "service", "model"]
    repository, _, digest = pushed.value["reference"].partition("@")
    assert repository == f"{image_registry.address}/acme/cli"
    assert digest == image_registry.digest("acme/cli", f"0-{first.value['image_id'][7:19]}")
    labels = docker_engine.client.images.get(first.value["image_id"]).labels
    assert labels["org.opencontainers.image.source"] == "https://example.com/acme/late"
    assert labels["org.opencontainers.image.revision"] == judged.git("rev-parse", "HEAD")
    assert len(labels["io.mlops-ci.model-digest"]) == len(sha256(b""))


@pytest.mark.docker
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--version", "7"], 2, "no released version 7"),
        (["--platform", "windows/amd64"], 2, "linux/arm64"),
    ],
)
def test_what_cannot_be_built_is_said(
    judged: Repository, docker_engine: DockerEngine, options: list[str], code: int, words: str
) -> None:
    declare(judged, docker_engine, "acme/cli")

    answer = judged.run("build-image", *options)

    assert answer.code == code
    assert words in answer.said


def test_there_is_nowhere_to_push_to_without_a_declared_image(judged: Repository) -> None:
    judged.commit()

    answer = judged.run("build-image", "--push")

    assert answer.code == 2
    assert "nowhere to push" in answer.said


# The SDK's client that found no engine is never handed out, so nobody can close it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_an_engine_it_is_an_outside_error(
    judged: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc

    judged.commit()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    answer = judged.run("build-image")

    assert answer.code == 20
    assert "no Docker engine answers" in answer.said
    gc.collect()
