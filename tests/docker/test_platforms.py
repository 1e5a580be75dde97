"""An image for another platform is made without running anything of it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping

import pytest

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.elf import read_program
from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.adapters.layer_archive import stream
from mlops_ci.core.digest import sha256
from mlops_ci.errors import ConfigurationError
from tests.adapters.test_base_python import SLIM, program
from tests.docker.building import build, inputs, model_files
from tests.docker_engine import DockerEngine

pytestmark = pytest.mark.docker
ARM = "/lib/ld-linux-aarch64.so.1"


def bare_base(engine: DockerEngine, tag: str, files: Mapping[str, bytes | str], platform: str) -> str:
    """An image of nothing but what is looked at."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                archive.addfile(member)
            else:
                member.size, member.mode = len(data), 0o755
                archive.addfile(member, io.BytesIO(data))
    layer = content.getvalue()
    system, _, architecture = platform.partition("/")
    described = {
        "architecture": architecture,
        "os": system,
        "config": {"Labels": engine.labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}"]},
    }
    name = f"mlops-ci-test-{engine.mark}:{tag}"
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    entries = {"config.json": described, "manifest.json": manifest}
    written = {file: json.dumps(value).encode() for file, value in entries.items()}
    engine.client.images.load(b"".join(stream({**written, "layer.tar": layer})))
    return name


def test_arm_is_built_on_this_machine(docker_engine: DockerEngine, image_parts: CachedParts) -> None:
    loaders = {path: data for path, data in SLIM.items() if "ld-linux" not in path}
    files = loaders | {
        "/usr/local/bin/python3.11": program(machine=183, loader=ARM),
        ARM: "aarch64-linux-gnu/ld-2.36.so",
        "/lib/aarch64-linux-gnu/ld-2.36.so": b"",
        "/lib/aarch64-linux-gnu/libc.so.6": SLIM["/lib/x86_64-linux-gnu/libc.so.6"],
        "/usr/lib/aarch64-linux-gnu/libstdc++.so.6": b"",
    }
    base = bare_base(docker_engine, "arm", files, "linux/arm64")

    built = build(docker_engine, image_parts, inputs(model_files()), base=base, platform="linux/arm64")
    again = build(docker_engine, image_parts, inputs(model_files()), base=base, platform="linux/arm64")

    images = DockerImages(lambda: docker_engine.client)
    facts = images.inspect(built.image_id)
    library = images.files(built.image_id, "/opt/mlops-ci/uvloop")
    assert built == again
    assert facts is not None
    assert facts.platform == built.platform == "linux/arm64"
    (loop,) = (read_program(data) for name, data in library.items() if name.endswith(".so"))
    assert loop is not None
    assert loop.machine == "arm64"
    # nothing was compiled, because nothing could be run
    assert not images.files(built.image_id, "/opt/mlops-ci/bytecode/opt/mlops-ci/uvloop")
    config = docker_engine.client.api.inspect_image(built.image_id)["Config"]
    assert not [line for line in config["Env"] if line.startswith("PYTHONPYCACHEPREFIX=")]


def test_a_base_that_says_another_platform_than_it_has_is_refused(
    docker_engine: DockerEngine, image_parts: CachedParts
) -> None:
    base = bare_base(docker_engine, "lying", SLIM, "linux/arm64")

    with pytest.raises(ConfigurationError, match="says that it is for arm64, and its Python is for amd64"):
        build(docker_engine, image_parts, inputs(model_files()), base=base, platform="linux/arm64")
