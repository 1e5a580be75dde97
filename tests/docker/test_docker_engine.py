"""What the other tests rely on: an engine, a base image, registries, and nothing left behind."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.docker_engine import DockerEngine, ImageRegistry, engine, registry

pytestmark = pytest.mark.docker


def test_the_base_is_pushed_and_pulled(docker_engine: DockerEngine, image_registry: ImageRegistry) -> None:
    client, name = docker_engine.client, f"{image_registry.address}/team/base"
    client.images.get(docker_engine.base).tag(name, "one")

    client.images.push(name, "one")
    digest = image_registry.digest("team/base", "one")

    assert client.images.pull(f"{name}@{digest}").id == client.images.get(docker_engine.base).id


def test_nothing_is_left_behind() -> None:
    with engine() as used:
        client, filters = used.client, {"label": f"mlops-ci-test={used.mark}"}
        used.run(used.base, "sleep", "60")
        client.networks.create(f"mlops-ci-test-{used.mark}", labels=used.labels)
        assert client.containers.list(filters=filters)
        assert client.images.list(filters=filters)
        assert client.networks.list(filters=filters)

    with engine() as other:
        assert not other.client.containers.list(all=True, filters=filters)
        assert not other.client.networks.list(filters=filters)
        assert not other.client.images.list(all=True, filters=filters)


def test_a_registry_with_a_password_answers_nobody_else(tmp_path: Path) -> None:
    with registry(tmp_path, password=True) as server, pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"http://{server.address}/v2/", timeout=5)

    refused.value.close()
