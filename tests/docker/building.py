"""Images of a small model, built on this machine's engine."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.config.types import ImageConfig
from mlops_ci.core.image import BuiltImage
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.pipeline.image import ImageInputs, build_image
from mlops_ci.ports.images import ImageParts
from tests.docker_engine import DockerEngine

HARDENED: Mapping[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "pids_limit": 64,
}
PATIENCE = 30


def model_files(**options: Any) -> dict[str, bytes]:
    from tests.scoring.tiny_models import binary

    model = binary(**options)
    return {MODEL_FILE: model.onnx, SIGNATURE_FILE: json.dumps(model.signature.to_json()).encode()}


def inputs(
    files: Mapping[str, bytes], *, model: str = "late", version: int = 3, created: str = "2026-02-03T04:05:06Z"
) -> ImageInputs:
    return ImageInputs(
        model=model,
        version=version,
        lock="1" * 64,
        commit="2" * 40,
        created=created,
        files=files,
        source="https://example.com/acme/late",
    )


def build(
    engine: DockerEngine, parts: ImageParts, given: ImageInputs, *, repository: str = "mlops-ci-test/late", **image: Any
) -> BuiltImage:
    config = ImageConfig(repository=repository, **{"base": engine.base, **image})
    return build_image(given, config, engine=DockerImages(lambda: engine.client), parts=parts)


@contextmanager
def serving(engine: DockerEngine, image: str, *arguments: str, **options: Any) -> Iterator[tuple[Any, str]]:
    """A hardened container of the image and its address, once it is ready."""
    container = engine.run(image, *arguments, ports={"8080/tcp": ("127.0.0.1", None)}, **{**HARDENED, **options})
    try:
        container.reload()
        url = f"http://127.0.0.1:{container.ports['8080/tcp'][0]['HostPort']}"
        wait_until_ready(container, url)
        yield container, url
    finally:
        container.remove(force=True, v=True)


def wait_until_ready(container: Any, url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5):
                return
        except (OSError, HTTPException):
            container.reload()
            waiting = container.status in ("created", "running") and time.monotonic() < deadline
            assert waiting, container.logs().decode()
            time.sleep(0.05)


def ask(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())
