"""What a warm build of a scoring image costs with `build-image`, over the engine's own `docker build` of the same.

Each build gets another model, as after every training; the dependencies were built before. Both put the same files on
the same base. The Dockerfile is as kind to its builder as can be: the packages lie unpacked beside it, in a layer of
their own that the cache holds, and the model comes last. After that both build the first model once more, to see
whether the same inputs give the same image.
"""

from __future__ import annotations

import itertools
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from benchmarks.measuring import Run, alternate
from mlops_ci.adapters.bytecode import compile_in
from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.config.types import ImageConfig
from mlops_ci.pipeline.image import ImageInputs, build_image

ROUNDS = 5
BASES = ("python:3.11-slim", "mlops-ci-test-base:bookworm")
REPOSITORY = "mlops-ci-benchmark"
MODEL_BYTES = 300_000
DOCKERFILE = """\
FROM {base}
LABEL {label}=
COPY dependencies /
COPY service /
COPY model /model
USER 10001:10001
CMD ["python3", "-m", "mlops_ci.scoring", "--files", "/model"]
"""


def main() -> None:
    client = docker.from_env(version="auto")
    base = _base(client)
    if base is None:
        sys.exit(f"this benchmark needs a Docker engine that has {' or '.join(BASES)}: bash .ci/services up")
    with tempfile.TemporaryDirectory() as scratch:
        engine = DockerImages(lambda: client)
        parts = CachedParts(Path(scratch) / "cache", compile_in(engine))
        image = ImageConfig(repository=REPOSITORY, base=base, platform=None, push=False, public_key=None)
        context = Path(scratch) / "context"
        try:
            _compare(
                lambda number: build_image(_inputs(number), image, engine=engine, parts=parts).image_id,
                lambda number, **options: _docker_build(client, context, number, **options),
                prepare=lambda: _prepare(context, base, Path(scratch) / "cache"),
            )
        finally:
            made = [*client.images.list(REPOSITORY), *client.images.list(filters={"label": REPOSITORY})]
            for image_id in {one.id for one in made}:
                client.images.remove(image_id, force=True)


def _compare(ours: Callable[[int], str], theirs: Callable[..., str], *, prepare: Callable[[], None]) -> None:
    numbers = itertools.count(1)
    first = ours(0)
    prepare()
    first_of_docker = theirs(0)
    runs = alternate(
        ROUNDS,
        {
            "docker build": lambda: _timed(theirs, next(numbers)),
            "mlops-ci": lambda: _timed(ours, next(numbers)),
        },
    )
    print(f"{'':16}{'seconds':>9}{'to docker build':>18}   the same image again")
    again = {"docker build": theirs(0, nocache=True) == first_of_docker, "mlops-ci": ours(0) == first}
    for name, run in runs.items():
        ratio = run.seconds / runs["docker build"].seconds
        print(f"{name:16}{run.seconds:9.2f}{ratio:18.2f}   {'yes' if again[name] else 'no'}")


def _base(client: docker.DockerClient) -> str | None:
    for name in BASES:
        try:
            client.images.get(name)
        except ImageNotFound:
            continue
        except DockerException:
            return None
        return name
    return None


def _timed(build: Callable[[int], str], number: int) -> Run:
    started = time.monotonic()
    build(number)
    return Run(seconds=time.monotonic() - started, megabytes=0.0)


def _model(number: int) -> bytes:
    return number.to_bytes(8, "big") * (MODEL_BYTES // 8)


def _inputs(number: int) -> ImageInputs:
    return ImageInputs(
        model="benchmark",
        version=1,
        lock="0" * 64,
        commit="0" * 40,
        created="2026-01-01T00:00:00Z",
        files={"model.onnx": _model(number), "signature.json": b"{}"},
    )


def _prepare(context: Path, base: str, cache: Path) -> None:
    """The build context: what our own layers hold, unpacked."""
    for name in ("dependencies", "service"):
        (layer,) = (cache / "layers").glob(f"{name}-*.tar")
        with tarfile.open(layer) as archive:
            archive.extractall(context / name, filter="fully_trusted")  # noqa: S202 - we wrote it
    (context / "model").mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=base, label=REPOSITORY))


def _docker_build(client: docker.DockerClient, context: Path, number: int, *, nocache: bool = False) -> str:
    (context / "model" / "model.onnx").write_bytes(_model(number))
    image, _ = client.images.build(path=str(context), tag=f"{REPOSITORY}:{number}", nocache=nocache, rm=True)
    return str(image.id)
