"""Compiles the modules of an image by its base's own Python, in a container without network and rights.

Without bytecode a service on a read-only file system compiles hundreds of modules at each start, which takes longer
than all the rest of it. The interpreter of the base does it, since each version of Python has a bytecode of its own, so
that nothing of the machine that builds goes into the image.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters.docker_errors import explained
from mlops_ci.adapters.layer_archive import CHUNK
from mlops_ci.core.image_format import BYTECODE, ENVIRONMENT
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports.images import BaseImage

if TYPE_CHECKING:
    from docker import DockerClient

    from mlops_ci.adapters.docker_engine import DockerImages

Compiler = Callable[[BaseImage, Sequence[Path], str, Iterable[str]], Mapping[str, bytes]]
SCRIPT = "compile_modules.py"
PATIENCE = 300
LAST_WORDS = 2_000
LABEL = {"io.mlops-ci.purpose": "compile"}


def compile_in(engine: DockerImages) -> Compiler:
    """The compiler that asks this engine.

    It takes the base, the layers on top of it, the folder whose modules are all compiled, and the names of modules that
    are loaded; it answers with the bytecode of these and of all that they load, by place in the image.
    """

    def compile_modules(
        base: BaseImage, layers: Sequence[Path], own: str, modules: Iterable[str]
    ) -> Mapping[str, bytes]:
        with explained(f"the modules of the image cannot be compiled on {base.name}"):
            return _compiled(engine.client, base, layers, own, sorted(modules))

    return compile_modules


def _compiled(
    client: DockerClient, base: BaseImage, layers: Sequence[Path], own: str, modules: Sequence[str]
) -> Mapping[str, bytes]:
    script = (files("mlops_ci.resources") / SCRIPT).read_text("utf-8")
    container = client.containers.create(
        base.image_id,
        entrypoint=[base.python, "-P", "-c", script],
        command=[f"/{BYTECODE}", f"/{own}", *modules],
        # a fixed seed: what Python hashes must not show in what it writes
        environment={**ENVIRONMENT, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": "/nowhere"},
        user="0:0",
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        labels=LABEL,
    )
    try:
        for layer in layers:
            with layer.open("rb") as content:
                container.put_archive("/", iter(lambda file=content: file.read(CHUNK), b""))  # type: ignore[misc]
        container.start()
        code = container.wait(timeout=PATIENCE)["StatusCode"]
        if code:
            said = container.logs(stdout=True, stderr=True).decode(errors="replace")[-LAST_WORDS:].strip()
            raise ConfigurationError(
                f"the scoring service cannot be loaded on the base image {base.name}:\n{said}",
                where="image.base",
                fix="use a base whose Python is whole, such as python:3.11-slim",
            )
        stream, _ = container.get_archive(f"/{BYTECODE}")
        return _read(b"".join(stream))
    finally:
        container.remove(force=True, v=True)


def _read(archive: bytes) -> Mapping[str, bytes]:
    found = {}
    parent = BYTECODE.rpartition("/")[0]
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isreg() else None
            if content is not None:
                found[f"{parent}/{member.name}"] = content.read()
    if not found:
        raise OutsideError("the container that compiles the image's modules wrote nothing", fix="run the command again")
    return found
