"""The image that an engine is to run: pulled by digest where it is missing, and no other than the release's."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Mapping

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.release_image import image_of
from mlops_ci.core.records import Release
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError
from tests.docker_engine import DockerEngine, ImageRegistry

pytestmark = pytest.mark.docker
RELEASE = Release(
    model="delay", version=3, lock="1" * 64, commit="c", files={"model.onnx": "2" * 64}, image=None, evidence={}
)
LABELS = {"model": "delay", "version": "3", "lock": "1" * 64, "model-digest": f"sha256:{'2' * 64}"}


def image(engine: DockerEngine, repository: str, labels: Mapping[str, str]) -> str:
    """Makes an image of one small file; returns its id."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    changes = [f'LABEL "io.mlops-ci.{name}"="{value}"' for name, value in labels.items()]
    changes += [f'LABEL "{name}"="{value}"' for name, value in engine.labels.items()]
    api = engine.client.api
    api.import_image_from_data(content.getvalue(), repository=repository, tag="3", changes=changes)
    return str(engine.client.images.get(f"{repository}:3").id)


def test_it_is_pulled_by_its_digest(docker_engine: DockerEngine, image_registry: ImageRegistry) -> None:
    repository = f"{image_registry.address}/team/delay"
    image_id = image(docker_engine, repository, LABELS)
    docker_engine.client.images.push(repository, "3")
    reference = f"{repository}@{image_registry.digest('team/delay', '3')}"
    docker_engine.client.images.remove(image_id, force=True)
    release, images = dataclasses.replace(RELEASE, image=reference), DockerImages()

    assert image_of(release, images) == image_id
    assert image_of(release, images) == image_id
    with pytest.raises(NotFoundError, match="cannot be pulled"):
        image_of(dataclasses.replace(release, image=f"{repository}@sha256:{'0' * 64}"), images)


def test_what_was_never_pushed_is_found_by_its_id(docker_engine: DockerEngine) -> None:
    image_id = image(docker_engine, f"mlops-ci-test-{docker_engine.mark}/kept", LABELS)

    assert image_of(dataclasses.replace(RELEASE, image=image_id), DockerImages()) == image_id
    with pytest.raises(NotFoundError, match="it was never pushed"):
        image_of(dataclasses.replace(RELEASE, image=f"sha256:{'0' * 64}"), DockerImages())


@pytest.mark.parametrize(("name", "value"), [("model", "tides"), ("version", "2"), ("lock", ""), ("model-digest", "3")])
def test_another_releases_image_is_refused(docker_engine: DockerEngine, name: str, value: str) -> None:
    labels = {**LABELS, name: value}
    image_id = image(docker_engine, f"mlops-ci-test-{docker_engine.mark}/other-{name}", labels)

    with pytest.raises(IntegrityError) as caught:
        image_of(dataclasses.replace(RELEASE, image=image_id), DockerImages())
    assert f"was made of {name} {value or 'unknown'}, not {LABELS[name].removeprefix('sha256:')}" in str(caught.value)


def test_a_release_without_one_says_what_to_declare() -> None:
    with pytest.raises(ConfigurationError) as caught:
        image_of(RELEASE, DockerImages())
    assert "version 3 of delay has no image" in str(caught.value)
    assert "declare `image:` in mlops.yaml" in caught.value.fix
